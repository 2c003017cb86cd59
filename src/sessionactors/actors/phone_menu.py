"""``ivr``: keeps a call going that has reached a telephone menu. Only with ``ivr_detection``.

Two things get a menu's caller stuck: it waits for a key while the agent waits for it, or it says the same for ever. In
both cases the model is asked for a reply, so that it can speak or press a key. It hears of the session by its public
events, and asks ``agent`` as the session's user would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.session import EventRaised, SilenceLasted, SpeakRequested
from sessionactors.model.events import (
    AgentState,
    AgentStateChangedEvent,
    UserInputTranscribedEvent,
    UserState,
    UserStateChangedEvent,
)
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import Actor, Outbox
from sessionactors.runtime.frozen import replace

from .menu_loop import MenuLoop
from .wiring import Wiring

PhoneMenuMessage: TypeAlias = EventRaised | SilenceLasted

EVENTS = UserInputTranscribedEvent, UserStateChangedEvent, AgentStateChangedEvent
"""What it must be told of."""

MAX_SILENCE = 5.0
"""Seconds in which neither side says anything (as in LiveKit)."""
SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class PhoneMenuState:
    """Who is silent, and what the other side has said."""

    user: UserState | None = None
    """None until the other side has been heard: before, the telephone rings."""
    agent: AgentState | None = None
    waiting: bool = False
    """Both are silent, and the time runs."""
    loop: MenuLoop = field(default_factory=MenuLoop)
    silences: int = 0
    """How often it was too quiet."""
    loops: int = 0

    @property
    def silent(self) -> bool:
        """Whether nobody says anything, and nobody is about to."""
        return self.user in ("listening", "away") and self.agent in ("idle", "listening")


class PhoneMenu(Actor[PhoneMenuState, PhoneMenuMessage]):
    """Asks for a reply where a menu and the agent would wait for each other.

    Args:
        wiring: the session's actors.
        user: what the other side does, if it has been heard already.
        agent: what the agent does then.
    """

    def __init__(self, wiring: Wiring, user: UserState | None = None, agent: AgentState | None = None) -> None:
        self._wiring = wiring
        self._begins = PhoneMenuState(user, agent)

    def initial(self) -> PhoneMenuState:
        """Nothing has been heard, unless the call is under way."""
        return self._begins

    def started(self, state: PhoneMenuState, out: Outbox[PhoneMenuMessage]) -> PhoneMenuState:
        """Both may be silent already."""
        return self._watch(state, out)

    def receive(
        self, state: PhoneMenuState, message: PhoneMenuMessage, out: Outbox[PhoneMenuMessage]
    ) -> PhoneMenuState:
        """One message."""
        match message:
            case EventRaised(UserInputTranscribedEvent() as event):
                return self._on_words(state, event, out) if event.is_final else state
            case EventRaised(UserStateChangedEvent() as event):
                return self._watch(replace(state, user=event.new_state), out)
            case EventRaised(AgentStateChangedEvent() as event):
                return self._watch(replace(state, agent=event.new_state), out)
            case EventRaised():
                return state
            case SilenceLasted():
                self._ask(out, allow_interruptions=self._wiring.options.allow_interruptions)
                return replace(state, silences=state.silences + 1)
            case _:
                assert_never(message)

    @staticmethod
    def _watch(state: PhoneMenuState, out: Outbox[PhoneMenuMessage]) -> PhoneMenuState:
        if state.silent and not state.waiting:
            out.timer(SILENCE, MAX_SILENCE, SilenceLasted())
        elif not state.silent:
            out.cancel_timer(SILENCE)
        return replace(state, waiting=state.silent)

    def _on_words(
        self, state: PhoneMenuState, event: UserInputTranscribedEvent, out: Outbox[PhoneMenuMessage]
    ) -> PhoneMenuState:
        loop = state.loop.heard(event.transcript)
        if not loop.found:
            return replace(state, loop=loop)
        self._ask(out, allow_interruptions=False)  # a menu does not stop talking
        return replace(state, loop=MenuLoop(), loops=state.loops + 1)

    def _ask(self, out: Outbox[PhoneMenuMessage], *, allow_interruptions: bool) -> None:
        spec = SpeechSpec(
            id=out.new_id("speech"),
            source=SpeechSource.GENERATE_REPLY,
            agent=self._wiring.components.agent,
            allow_interruptions=allow_interruptions or self._wiring.components.server_turns,
            may_be_empty=True,
        )
        out.tell(self._wiring.agent, SpeakRequested(spec, None, ""))

    def summary(self, state: PhoneMenuState) -> Mapping[str, object]:
        """What it waits for, and what it found."""
        return {
            "waiting_in_silence": state.waiting,
            "repeated": state.loop.repeated,
            "silences": state.silences,
            "loops": state.loops,
        }
