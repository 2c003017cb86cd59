"""When the users' voices are kept from recognisers, and from interrupting: echo warm-up and protected speech.

Used by ``floor`` only. A canceller of echoes has to hear the agent for a while before it can tell it from the user;
what is said over a protected speech may be discarded. Detectors of voice hear everything all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.ear import SubstituteSilence
from sessionactors.messages.floor import EchoExpected, WarmupOver
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from .floor_state import FloorState, Warmup
from .wiring import Wiring

if TYPE_CHECKING:
    from .floor import FloorMessage

TIMER = "aec-warmup"


def begin_warmup(state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
    """The agent is heard: the first time, if it is heard as sound, the warm-up begins."""
    seconds = state.options.session.aec_warmup_duration
    if state.warmup is not Warmup.DUE or not state.voice:
        return state
    if not seconds:
        return replace(state, warmup=Warmup.OVER)
    out.timer(TIMER, seconds, WarmupOver())
    return replace(state, warmup=Warmup.RUNNING, warm_at=out.now + round(seconds * NS))


def expect_echo(state: FloorState, echo: EchoExpected, out: Outbox[FloorMessage]) -> FloorState:
    """Who is there has changed; what the session was told to do about the warm-up holds all the same."""
    if state.options.session.was_given("aec_warmup_duration"):
        return state
    if not echo.expected:
        return replace(end_warmup(state, out), echo=False)
    begins = (echo.anew or not state.echo) and state.warmup is Warmup.OVER
    return replace(state, echo=True, warmup=Warmup.DUE if begins else state.warmup)


def go_on_warming(state: FloorState, out: Outbox[FloorMessage]) -> None:
    """After a restart: the timer has ended with the failure."""
    if state.warmup is Warmup.RUNNING:
        out.timer(TIMER, max(0, state.warm_at - out.now) / NS, WarmupOver())


def follow_options(state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
    """Options have changed: a warm-up that nobody wants any more ends."""
    running = state.warmup is Warmup.RUNNING
    return end_warmup(state, out) if running and not state.options.session.aec_warmup_duration else state


def end_warmup(state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
    """Voice may interrupt from now on."""
    out.cancel_timer(TIMER)
    return replace(state, warmup=Warmup.OVER)


def silences(state: FloorState) -> bool:
    """Whether recognisers should get silence now."""
    entry = state.entries.get(state.current or "")
    if entry is None or not entry.audible or entry.interrupted:
        return False
    pause = state.pause
    if pause is not None and pause.speech == entry.spec.id and pause.interrupted_at is not None:
        return False  # the agent listens
    if state.warmup is Warmup.RUNNING:
        return True
    return not entry.allow_interruptions and state.options.session.discard_audio_if_uninterruptible


def keep_gate(state: FloorState, wiring: Wiring, out: Outbox[FloorMessage]) -> FloorState:
    """After every message: tell the ears if they should do otherwise than before."""
    active = silences(state)
    if active is state.substituting:
        return state
    out.tell(wiring.supervisor, SubstituteSilence(active))
    return replace(state, substituting=active)
