"""One reply of a realtime model as a value: what the server sent, what may be handed on, what was heard. Pure.

A reply is known by the request of the speech that it belongs to; one that the server began by itself is known by its
response until a speech adopts it. It is over when the server is done with it and its segment is accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from sessionactors.interfaces.audio_node import AudioNode
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.realtime import Modality, ResponseDone
from sessionactors.interfaces.tts import WordTiming
from sessionactors.messages.llm import LLMAnswer
from sessionactors.model.audio import AudioFrame
from sessionactors.model.tools import ToolChoice
from sessionactors.runtime import Ref, Scope
from sessionactors.runtime.frozen import replace

from .realtime_link import AskReply, AskSay, Truncate
from .withheld_audio import Handover, WithheldAudio

JOINED = 1.0
"""Seconds up to which audio that waits is joined into one frame: a server may be minutes ahead."""


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a response."""

    message_id: str
    text_from: int
    """Place in the reply's text where it begins."""
    audio_from: int
    """Sample of the reply's audio where it begins."""
    modalities: tuple[Modality, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """The speech that a reply belongs to."""

    request: str
    segment: str
    reply_to: Ref[LLMAnswer]
    speech: str
    scope: Scope
    node: AudioNode | None = None
    """What becomes of the audio."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Where a reply is."""

    key: str
    """Its request, or its response while no speech has adopted it."""
    since: int
    audio: WithheldAudio
    claim: Claim | None = None
    order: AskReply | AskSay | None = None
    """How it was asked for; None: the server began it, or will by itself."""
    tool_choice: ToolChoice = "auto"
    asked: bool = False
    """The session has been told."""
    response: str = ""
    """The server's id; empty: not begun."""
    first_at: int | None = None
    text: str = ""
    parts: tuple[Part, ...] = ()
    calls: tuple[FunctionToolCall, ...] = ()
    audio_wanted: bool = True
    begun: bool = False
    """``output`` has given credit: its segment plays."""
    done: ResponseDone | None = None
    error: Exception | None = None
    """Why it failed."""
    ended: bool = False
    """Nothing more of it is wanted: its end was told, or it was cancelled."""
    cancelled: bool = False
    processed: bool = False
    """The agent's node is at work on its audio."""
    audio_ended: bool = False
    """``output`` has been told that no more audio comes."""
    settled: bool = False
    """It is known what was heard of it, or there is nothing to hear."""
    cut: frozenset[str] = frozenset()
    """Messages that the server was told to shorten."""
    failures: int = 0
    paused: bool = False
    """It failed, and is asked for again in a while."""

    @property
    def running(self) -> bool:
        """The server may be at work on it."""
        return self.asked and self.done is None and not self.ended

    @property
    def speech(self) -> str:
        """The speech it belongs to; empty while none has adopted it."""
        return "" if self.claim is None else self.claim.speech

    @property
    def phase(self) -> str:
        """Where it is, for people."""
        if self.ended:
            return "being heard"
        if not self.asked:
            return "waiting to ask again" if self.paused else "waiting to ask"
        return "waiting for the server" if self.first_at is None else "streaming"

    @property
    def over(self) -> bool:
        """Nothing more is to be done for it."""
        return self.settled and (self.done is not None or (self.ended and not self.asked))

    @property
    def released(self) -> bool:
        """Something of it has been handed on, or is about to be."""
        return bool(self.parts or self.calls)

    def part(self, message_id: str, modality: Modality) -> Reply:
        """With the message that something belongs to as its last."""
        last = self.parts[-1] if self.parts else None
        if last is None or last.message_id != message_id:
            new = Part(message_id, len(self.text), self.audio.received, (modality,))
            return replace(self, parts=(*self.parts, new))
        if modality in last.modalities:
            return self
        last = replace(last, modalities=(*last.modalities, modality))
        return replace(self, parts=(*self.parts[:-1], last))

    def with_audio(self, frame: AudioFrame, timings: tuple[WordTiming, ...]) -> Reply:
        """With more audio that waits for credit."""
        audio = self.audio
        if audio.frames and audio.frames[-1].duration + frame.duration <= JOINED:
            last = audio.frames[-1]
            joined = AudioFrame(last.data + frame.data, last.sample_rate)
            samples = audio.received + frame.samples_per_channel
            audio = replace(
                audio, frames=(*audio.frames[:-1], joined), received=samples, timings=audio.timings + timings
            )
            return replace(self, audio=audio)
        return replace(self, audio=audio.push(frame, timings))

    def handed_over(self) -> tuple[Reply, tuple[Handover, ...]]:
        """What may be handed on now."""
        audio, ready = self.audio.hand_over()
        return replace(self, audio=audio), ready

    def truncations(self, heard: str, position: float) -> tuple[Truncate, ...]:
        """How its messages are to be shortened when so much of it was heard."""
        cuts: list[Truncate] = []
        rate = self.audio.rate
        played = round(position * rate)
        for part, following in zip_longest(self.parts, self.parts[1:]):
            if following is not None and played >= following.audio_from:
                continue  # heard in full
            transcript = heard[part.text_from : None if following is None else following.text_from]
            milliseconds = max(0, played - part.audio_from) * 1000 // rate
            if part.message_id in self.cut:
                continue
            cuts.append(Truncate(part.message_id, part.modalities, milliseconds, transcript))
        return tuple(cuts)


def fresh(key: str, since: int, rate: int) -> Reply:
    """A reply of which nothing is known yet."""
    return Reply(key, since, WithheldAudio(rate, lead=0))
