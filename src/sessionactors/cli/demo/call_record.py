"""The files of a call as values: the transcript that the transcript log wrote, and the recording."""

from __future__ import annotations

import json
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.int16]
Row: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user said. Seconds of the call."""

    text: str
    voice_began: float | None
    voice_ended: float | None
    decided: float


@dataclass(frozen=True, slots=True)
class Playout:
    """A stretch of the agent being heard."""

    began: float
    ended: float
    heard: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Interruption:
    """The agent was cut off."""

    voice_began: float
    """When the user's voice set in."""
    decided: float
    silent: float
    """When the agent was silent: the barge-in time."""
    began: float
    """When what was cut off had begun."""
    seconds: float
    """Audio of it that was heard."""
    heard: str
    speech: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at one moment."""

    at: float
    what: str


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call. All times in seconds since its start."""

    duration: float
    turns: tuple[Turn, ...]
    playouts: tuple[Playout, ...]
    interruptions: tuple[Interruption, ...]
    voice: tuple[tuple[float, float], ...]
    """When the detector heard the user."""
    states: tuple[Mark, ...]
    """When the agent's public state became what."""
    tools: tuple[Mark, ...]
    items: tuple[Row, ...]


def read_call(transcript: Path) -> CallRecord:
    """Read what ``actors/transcript_log.py`` has written."""
    file = json.loads(transcript.read_text(encoding="utf-8"))
    events: list[Row] = file["events"]
    return CallRecord(
        duration=float(file["duration"]),
        turns=tuple(
            Turn(row["text"], row["voice_began"], row["voice_ended"], float(row["decided"])) for row in file["turns"]
        ),
        playouts=tuple(
            Playout(_at(row, "began"), _at(row), str(row["heard"]), bool(row["interrupted"]))
            for row in events
            if row["type"] == "playout_finished"
        ),
        interruptions=tuple(Interruption(**row) for row in file["interruptions"]),
        voice=_voice(events),
        states=tuple(Mark(_at(row), str(row["new_state"])) for row in events if row["type"] == "agent_state_changed"),
        tools=tuple(
            Mark(_at(row), str(call["name"]))
            for row in events
            if row["type"] == "function_tools_executed"
            for call in cast("list[Row]", row["function_calls"])
        ),
        items=tuple(file["items"]),
    )


def _at(row: Row, key: str = "at") -> float:
    return float(cast("float", row[key]))


def _voice(events: list[Row]) -> tuple[tuple[float, float], ...]:
    began = [_at(row) for row in events if row["type"] == "voice_began"]
    ended = [_at(row) for row in events if row["type"] == "voice_ended"]
    return tuple(zip(began, ended, strict=False))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stereo recording: caller left, agent right."""

    caller: Samples
    agent: Samples
    sample_rate: int

    def agent_between(self, begin: float, end: float) -> Samples:
        """The agent's samples between two seconds of the call."""
        return self.agent[max(0, round(begin * self.sample_rate)) : max(0, round(end * self.sample_rate))]


def read_recording(path: Path) -> Recorded:
    """Read what ``actors/recorder.py`` has written."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.dtype("<i2")).reshape(-1, 2)
        return Recorded(samples[:, 0], samples[:, 1], file.getframerate())
