"""What a speech asks a realtime model for beside a reply: to say a text, to take a response that has begun."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionactors.interfaces.audio_node import AudioNode
from sessionactors.interfaces.speech_in_hand import in_hand
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.output import GenerationMarks
from sessionactors.messages.realtime import AdoptResponse, SayText
from sessionactors.messages.speech import SourceText, SourceTextEnded, WholeText
from sessionactors.runtime import EffectPort, Outbox, Scope
from sessionactors.runtime.frozen import replace

from .component_metadata import metadata_of
from .speech_state import SpeechState
from .wiring import Wiring

if TYPE_CHECKING:
    from .speech import SpeechMessage


@dataclass(frozen=True, slots=True)
class StepNames:
    """What a step of a speech is called."""

    request: str
    segment: str
    scope: Scope


def adopt(
    state: SpeechState, spec: SpeechSpec, names: StepNames, wiring: Wiring, out: Outbox[SpeechMessage]
) -> SpeechState:
    """The realtime model has begun already: this speech is for what it says."""
    if wiring.realtime is not None:
        order = AdoptResponse(
            spec.response,
            names.request,
            names.segment,
            out.myself,
            *(spec.id, names.scope, spec.agent.components.audio_node),
        )
        out.tell(wiring.realtime, order)
    return replace(state, marks=GenerationMarks(None, out.now, model=metadata_of(wiring.components.llm)))


def say_by_model(
    state: SpeechState,
    spec: SpeechSpec,
    text: str | AsyncIterable[str],
    names: StepNames,
    wiring: Wiring,
    out: Outbox[SpeechMessage],
) -> SpeechState:
    """The realtime model shall say a text as it is; it takes it as a whole."""
    if not isinstance(text, str):
        out.effect("source", lambda _: _all_of(text), done=WholeText, failed=SourceTextEnded, user_loop=True)
    elif wiring.realtime is not None:
        order = SayText(
            names.request, text, names.segment, out.myself, *(spec.id, names.scope, spec.agent.components.audio_node)
        )
        out.tell(wiring.realtime, order)
    return state


def _whose(spec: SpeechSpec, names: StepNames) -> tuple[str, Scope, AudioNode | None]:
    return spec.id, names.scope, spec.agent.components.audio_node


async def _all_of(source: AsyncIterable[str]) -> str:
    return "".join([text async for text in source])


async def read_source(port: EffectPort[SpeechMessage], source: AsyncIterable[str], speech: str, scope: Scope) -> None:
    """Pass the pieces of a text on as they come."""
    with in_hand(speech, "the text that say() was given"):
        async for text in source:
            await port.send(SourceText(text, scope))
