"""Replies prepared before the turn is over: when one is begun, whether the committed turn may have it. For ``agent``.

A speculative speech asks the model (and with ``preemptive_tts`` the voice) while the user may still go on. Nobody hears
it before the turn is committed, and only if all that it was made from still holds: that is its generation key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.floor import (
    DropSpeculation,
    PreparationWanted,
    PrepareSpeech,
    PromoteSpeech,
    ScheduleSpeech,
)
from sessionactors.messages.history import ContextSnapshot, ContextWanted
from sessionactors.messages.turn import TurnPreflight
from sessionactors.model.chat import ChatMessage
from sessionactors.model.speech import SpeechSource
from sessionactors.model.tools import ToolDefinition
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .wiring import Wiring

if TYPE_CHECKING:
    from .agent import AgentMessage
    from .agent_state import AgentActorState

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class GenerationKey:
    """All that a reply is made from. Two replies of one key are as good as each other."""

    words: tuple[str, ...]
    """Of the user's text: case and punctuation do not count."""
    version: int
    """Of the history."""
    agent: UserAgent
    """With its instructions and providers; a changed agent is another object."""
    tools: tuple[ToolDefinition, ...]


def key_of(text: str, version: int, agent: UserAgent) -> GenerationKey:
    """The key of a reply to ``text``."""
    return GenerationKey(words_of(text), version, agent, agent.tools)


def words_of(text: str) -> tuple[str, ...]:
    """What of a text counts when it is compared."""
    return tuple(word.casefold() for word in _WORD.findall(text))


@dataclass(frozen=True, slots=True)
class Speculation:
    """The reply that is being prepared, and how earlier ones ended."""

    preflight: TurnPreflight | None = None
    """What it is to answer, while the context is waited for."""
    number: int = 0
    """Of the latest one."""
    speech: str = ""
    """Which is being prepared; empty for none."""
    key: GenerationKey | None = None
    attempts: int = 0
    """In this turn."""
    offered: int = 0
    """To committed turns."""
    dropped: int = 0

    def summary(self) -> Mapping[str, object]:
        """For people."""
        return {"preparing": self.speech or None, "offered": self.offered, "dropped": self.dropped}


class Speculating:
    """Begins, drops and promotes speculative speeches."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def on_preflight(
        self, state: AgentActorState, preflight: TurnPreflight, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """The turn will most likely say this: begin a reply to it, in the place of one to other words."""
        options, before = state.agent.options(state.options), state.speculation
        words = words_of(preflight.transcript)
        if not options.preemptive_generation or not isinstance(state.agent.components.llm, LLM) or not words:
            return state
        if (
            state.turns
            or state.move is not None
            or state.stores_only
            or (before.key is not None and before.key.words == words)
        ):
            return state
        now = self._drop(before, out)
        long = preflight.speech_duration > options.preemptive_max_speech_duration
        if not long and now.attempts < options.preemptive_max_retries:
            now = replace(now, preflight=preflight, number=now.number + 1, attempts=now.attempts + 1)
            wanted = ContextWanted(_request(now.number), out.myself, state.agent.key)
            out.tell(self._wiring.floor, PreparationWanted(wanted))
        return replace(state, speculation=now)

    def on_context(
        self, state: AgentActorState, context: ContextSnapshot, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """The context has come, if it is that: ask the model."""
        before = state.speculation
        preflight = before.preflight
        if preflight is None or context.request != _request(before.number):
            return state
        options, text = context.agent.options(state.options), preflight.transcript
        heard, confidence = out.new_id("item"), preflight.confidence
        message = ChatMessage("user", [text], heard, out.wall(), transcript_confidence=confidence)
        spec = SpeechSpec(
            id=out.new_id("speech"),
            source=SpeechSource.GENERATE_REPLY,
            agent=context.agent,
            chat_items=(*context.items, message),
            allow_interruptions=options.allow_interruptions,
            automatic=True,
            speculative=True,
            speaks_ahead=options.preemptive_tts,
        )
        out.tell(self._wiring.floor, PrepareSpeech(spec))
        key = key_of(text, context.version, context.agent)
        return replace(state, speculation=replace(before, preflight=None, speech=spec.id, key=key))

    def schedule(
        self, state: AgentActorState, spec: SpeechSpec, message: ChatMessage, out: Outbox[AgentMessage]
    ) -> tuple[AgentActorState, SpeechSpec]:
        """The turn is committed: answer it with what was prepared, if that fits, else anew.

        Args:
            state: of ``agent``; ``version`` is that of the history without the message.
            spec: the reply that the turn wants; it has no name yet.
            message: the user's, as the hook left it.
            out: of ``agent``.
        """
        before = state.speculation
        wanted = key_of(message.text_content, state.version, state.agent)
        if before.speech and before.key == wanted and spec.chat_items is None:
            spec = replace(spec, id=before.speech)
            out.tell(self._wiring.floor, PromoteSpeech(spec))
            after = replace(before, speech="", key=None, offered=before.offered + 1)
        else:
            spec = replace(spec, id=out.new_id("speech"))
            out.tell(self._wiring.floor, ScheduleSpeech(spec))
            after = self._drop(before, out)
        return replace(state, speculation=after), spec

    def turn_over(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        """A turn is done with: what was prepared for it is not wanted, and the next one begins to count."""
        return replace(state, speculation=replace(self._drop(state.speculation, out), attempts=0))

    def _drop(self, before: Speculation, out: Outbox[AgentMessage]) -> Speculation:
        """Nobody will hear it."""
        if not before.speech:
            return replace(before, preflight=None)
        out.log("speculation_dropped", level="debug", speech=before.speech)
        out.tell(self._wiring.floor, DropSpeculation(before.speech))
        return replace(before, preflight=None, speech="", key=None, dropped=before.dropped + 1)


def _request(number: int) -> str:
    return f"speculation-{number}"
