"""Cutting speeches off: which ones an order means, and what is told to whom. Used by ``floor`` only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.floor import DrainFloor, FloorDrained, InterruptSpeech, SilenceSpeech, SpeechInterrupted
from sessionactors.messages.session import Publish
from sessionactors.model.events import SpeechInterruptedNote
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .floor_pause import Pausing
from .floor_state import Entry, FloorState, early, is_drained, to_be_drained, with_changes
from .wiring import Wiring

if TYPE_CHECKING:
    from .floor import FloorMessage

SILENCE_WITHIN = 0.5
"""Seconds of real time in which ``output`` must acknowledge silence, before the watchdog mutes the sink itself."""


class Cutting:
    """Cuts speeches off."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def on_interrupt(self, state: FloorState, order: InterruptSpeech, out: Outbox[FloorMessage]) -> FloorState:
        """Cut the speech that is named; without a name the current one and those behind it, up to a protected one."""
        if order.speech is not None:
            return self._named(state, order.speech, order.force, out)
        for entry in self._in_playout_order(state):
            if not order.force and not entry.allow_interruptions:
                break  # it and what is behind it still play
            state = self.cut(state, entry, out.now, out)
        for speech in order.asked_for:
            state = self._named(state, speech, order.force, out)
        return state

    def _named(self, state: FloorState, speech: str, force: bool, out: Outbox[FloorMessage]) -> FloorState:
        entry = state.entries.get(speech)
        if entry is None:
            return early(state, speech, cut=True, force=force)
        return self.cut(state, entry, out.now, out) if force or entry.allow_interruptions else state

    @staticmethod
    def _in_playout_order(state: FloorState) -> list[Entry]:
        return sorted(
            state.entries.values(),
            key=lambda entry: (
                entry.spec.id != state.current,
                not entry.background,
                -entry.priority,
                entry.order,
            ),
        )

    def cut(self, state: FloorState, entry: Entry, wanted_at: int, out: Outbox[FloorMessage]) -> FloorState:
        """Stop one speech for good, once.

        Args:
            state: who speaks.
            entry: which one.
            wanted_at: when the reason arose.
            out: of ``floor``.
        """
        if entry.interrupted:
            return state
        pause, paused_at = state.pause, None
        if pause is not None and pause.speech == entry.spec.id:
            state = Pausing.forget(state, out)
            if pause.interrupted_at is not None:
                wanted_at, paused_at = pause.wanted_at, pause.interrupted_at
        self.silence(entry, wanted_at, out, paused_at)
        out.tell(entry.ref, SpeechInterrupted(out.now))
        out.tell(self._wiring.supervisor, Publish(SpeechInterruptedNote(entry.spec.id)))
        return with_changes(state, entry.spec.id, interrupted=True)

    def silence(self, entry: Entry, wanted_at: int, out: Outbox[FloorMessage], paused_at: int | None = None) -> None:
        """Close the scope, so that nothing more of it is produced, and stop what sounds."""
        name = entry.spec.id
        out.close_scope(entry.scope)
        out.tell(self._wiring.output, SilenceSpeech(name, entry.scope, wanted_at, out.now, paused_at))
        guard = self._wiring.guard_silence
        if guard is not None:
            out.port(guard, name, SILENCE_WITHIN)

    def release_guard(self, speech: str, out: Outbox[FloorMessage]) -> None:
        """Its sound has stopped: the watchdog need not."""
        release = self._wiring.release_guard
        if release is not None:
            out.port(release, speech)

    def obey_early(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        """Do what was ordered about a speech before it came."""
        order = state.early.get(speech)
        if order is None:
            return state
        state = replace(state, early={name: other for name, other in state.early.items() if name != speech})
        if order.allow_interruptions is not None:
            state = with_changes(state, speech, interruptible=order.allow_interruptions)
        if order.cut:
            return self.on_interrupt(state, InterruptSpeech(speech, order.force), out)
        return state

    def begin_drain(self, state: FloorState, drain: DrainFloor, out: Outbox[FloorMessage]) -> FloorState:
        """The agent wants to know when some speeches are over, and perhaps to have them cut off."""
        for entry in to_be_drained(state, drain) if drain.cut else ():
            state = self.cut(state, entry, out.now, out)
        return self.drained(replace(state, drain=drain), out)

    def drained(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Tell the agent when what it waits for is over."""
        if state.drain is None or not is_drained(state, state.drain):
            return state
        out.tell(self._wiring.agent, FloorDrained(state.drain.ticket))
        return replace(state, drain=None)
