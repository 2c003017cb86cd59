"""The failover matrix: each adapter, each fault of P13, in a session in virtual time.

A cell is one turn: what the adapter of the cell is there for begins at 2.5 s. The fault is in the first of two
providers behind it, or in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sessionactors.model.component_errors import ComponentError
from sessionactors.providers.adapters import llm, realtime, stt, tts
from sessionactors.testing import MarkedVoice, Run, Scenario, ScriptedSTT
from sessionactors.transports import MemoryTransport

from tests.failover.faulty import ANSWER, FAULTS, FaultyLLM, FaultyRealtime, FaultySTT, FaultyTTS
from tests.session.talks import keeper

Kind: TypeAlias = Literal["llm", "realtime", "stt", "tts"]
Broken: TypeAlias = Literal["first", "both"]
KINDS: tuple[Kind, ...] = ("llm", "realtime", "stt", "tts")
QUESTION = "How are you?"
STOPPED = 2.5
"""When the user stopped."""
ATTEMPT = 3.0
"""Attempt timeout of the adapters."""


@dataclass(frozen=True)
class Cell:
    """One fault of one adapter."""

    kind: Kind
    fault: str
    broken: Broken

    def __str__(self) -> str:
        return f"{self.kind}-{self.fault.replace(' ', '_')}-{self.broken}"


@dataclass(frozen=True)
class Outcome:
    """What came of the turn."""

    run: Run
    asked: tuple[int, int]
    """How often each of the two was asked."""

    @property
    def question(self) -> list[str]:
        """What the user was understood to say."""
        return [text for role, text in self.run.conversation if role == "user"]

    @property
    def answer(self) -> list[str]:
        """What the agent was heard to say."""
        return [text for role, text in self.run.conversation if role == "assistant"]

    @property
    def failures(self) -> list[ComponentError]:
        """Named failures that were not made good."""
        errors = [event.error for event in self.run.errors if not event.recoverable]
        return [error for error in errors if isinstance(error, ComponentError)]

    @property
    def failed_after(self) -> float | None:
        """Seconds from the end of the question to the first of them."""
        times = [at.at for at in self.run.events if getattr(at.event, "recoverable", None) is False]
        return times[0] - STOPPED if times else None

    @property
    def spoke_after(self) -> float | None:
        """Seconds from the end of the question to the first word."""
        times = self.run.agent_became("speaking")
        return times[0] - STOPPED if times else None

    def __str__(self) -> str:
        first, second = self.asked
        asked = f"asked {first} + {second}"
        if self.answer == [ANSWER]:
            return f"answered after {self.spoke_after:.1f} s, {asked}"
        heard = f"; heard: {self.answer[0]!r}" if self.answer else ""
        if self.failed_after is not None and self.failures:
            return f"`{self.failures[0].type}` after {max(0.0, self.failed_after):.1f} s, {asked}{heard}"
        if told := [event.error for event in self.run.errors if isinstance(event.error, ComponentError)]:
            return f"`{told[-1].type}`, {asked}{heard}"
        return f"nothing, {asked}{heard}"


class _Stage(Scenario):
    """A scenario whose voice is known beforehand."""

    voice: MarkedVoice

    def _voice(self) -> MarkedVoice:
        return self.voice


def play(cell: Cell, seed: int | None = None) -> Outcome:
    """Let the turn happen."""
    faults = (cell.fault, cell.fault if cell.broken == "both" else "")
    match cell.kind:
        case "llm":
            return _typed(faults, seed)
        case "realtime":
            return _replied(faults, seed)
        case "tts":
            return _said(faults, seed)
        case "stt":
            return _heard(faults, seed, patience=22.0 if cell.fault == "slow drip" else 10.0)


def _typed(faults: tuple[str, str], seed: int | None) -> Outcome:
    """The user types; the model is behind the adapter."""
    models = [FaultyLLM(f"llm-{number}", fault) for number, fault in enumerate(faults)]
    scenario = Scenario(keeper(), audio=False, llm=llm.FallbackAdapter(models, attempt_timeout=ATTEMPT))
    scenario.user_types(QUESTION, at=STOPPED)
    return Outcome(scenario.play(seed), (models[0].asked, models[1].asked))


def _said(faults: tuple[str, str], seed: int | None) -> Outcome:
    """A program has the agent say something; the voice is behind the adapter."""
    voice = MarkedVoice()
    voices = [FaultyTTS(f"tts-{number}", voice, fault) for number, fault in enumerate(faults)]
    adapter = tts.FallbackAdapter(voices, attempt_timeout=ATTEMPT, max_retry_per_tts=0)
    scenario = _Stage(keeper(), without=("stt", "vad"), room=MemoryTransport, tts=adapter)
    scenario.voice = voice
    scenario.call(STOPPED, lambda session: session.say(ANSWER))
    return Outcome(scenario.play(seed), (voices[0].asked, voices[1].asked))


def _replied(faults: tuple[str, str], seed: int | None) -> Outcome:
    """A program asks for a reply; the speech-to-speech model is behind the adapter."""
    voice = MarkedVoice()
    models = [FaultyRealtime(f"realtime-{number}", voice, fault) for number, fault in enumerate(faults)]
    adapter = realtime.FallbackAdapter(models, attempt_timeout=ATTEMPT)
    scenario = _Stage(keeper(), frame_ms=100, without=("stt", "vad", "tts"), llm=adapter)
    scenario.voice = voice
    scenario.call(STOPPED, lambda session: session.generate_reply())
    return Outcome(scenario.play(seed), (models[0].asked, models[1].asked))


def _heard(faults: tuple[str, str], seed: int | None, patience: float) -> Outcome:
    """The user speaks; the recogniser is behind the adapter."""
    ears = [ScriptedSTT([(STOPPED + 0.2, QUESTION)]) for _ in faults]
    ears[1].timeline = ears[0].timeline
    members = [
        FaultySTT(f"stt-{number}", ear, ear.timeline, fault)
        for number, (ear, fault) in enumerate(zip(ears, faults, strict=True))
    ]
    adapter = stt.FallbackAdapter(members, attempt_timeout=ATTEMPT, max_retry_per_stt=0)
    scenario = Scenario(keeper(), frame_ms=100, without=("tts",), stt=adapter, llm=FaultyLLM("llm"))
    scenario.user_says(QUESTION, at=0.5, until=STOPPED)
    scenario.close(at=STOPPED + patience)
    return Outcome(scenario.play(seed), (members[0].asked, members[1].asked))


CELLS = tuple(Cell(kind, fault, broken) for kind in KINDS for fault in FAULTS for broken in ("first", "both"))
