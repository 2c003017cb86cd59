"""Measures, from the files that a call left behind, whether it was as it should. Nothing of the program is asked."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from sessionactors.actors.sentences import SentenceCutter
from sessionactors.providers.offline import FRONT_DESK, default_tts

from .call_record import CallRecord, Interruption, Recorded, Samples, read_call, read_recording

FILES: Final = ("transcript.json", "sequence.md", "timeline.svg", "mailboxes.json")
RECORDING: Final = "conversation.wav"
QUIET: Final = -50.0
"""dBFS below which the agent counts as silent."""
LOUD: Final = -40.0
"""dBFS that speech exceeds."""
ATTACK: Final = 0.05
"""Seconds before a reply's start that belong to it: the start is noticed a moment after the first sample."""
NEAR: Final = 0.05
"""Seconds by which two measures of one moment may differ."""
NOTHING: Final = -200.0
"""dBFS of digital silence, as a number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was measured."""

    what: str
    passed: bool
    measured: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was measured of a call."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether all was as it should be."""
        return all(finding.passed for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(
            f"{'ok    ' if finding.passed else 'FAILED'} {finding.what}: {finding.measured}"
            for finding in self.findings
        )


async def verify(out: Path, *, voice: bool = True) -> Verification:
    """Look at the files in ``out``.

    Args:
        out: where a demo has written its files.
        voice: whether it was a spoken call; a typed one has no recording.
    """
    findings = [await asyncio.to_thread(_files, out, voice)]
    if not findings[0].passed:
        return Verification(tuple(findings))
    findings += await asyncio.to_thread(_inside, out)
    call = await asyncio.to_thread(read_call, out / "transcript.json")
    findings.append(_conversation(call))
    if not call.interruptions:
        return Verification((*findings, Finding("barge-in", passed=False, measured="the agent was never cut off")))
    recording = await asyncio.to_thread(read_recording, out / RECORDING) if voice else None
    for interruption in call.interruptions:
        findings.append(_item(call, interruption))
        if recording is None:
            continue
        findings += [
            _silence(call, recording, interruption),
            _audio_end(recording, interruption),
            await _words(interruption),
        ]
    return Verification(tuple(findings))


def _files(out: Path, voice: bool) -> Finding:
    wanted = (*FILES, RECORDING) if voice else FILES
    problems = [f"{name} is missing or empty" for name in wanted if _size(out / name) == 0]
    if not problems:
        try:
            json.loads((out / "transcript.json").read_text(encoding="utf-8"))
            json.loads((out / "mailboxes.json").read_text(encoding="utf-8"))
            ET.fromstring((out / "timeline.svg").read_text(encoding="utf-8"))  # noqa: S314  we wrote it
        except (ValueError, ET.ParseError) as error:
            problems.append(str(error))
    sizes = ", ".join(f"{name} {_size(out / name) / 1000:.0f} kB" for name in wanted)
    return Finding("files", not problems, "; ".join(problems) or sizes)


def _inside(out: Path) -> list[Finding]:
    """What was seen of the actors: the diagram shows the interruption, the mailboxes were read while it spoke."""
    diagram = (out / "sequence.md").read_text(encoding="utf-8")
    arrows = sum(">>" in line or "--x" in line for line in diagram.splitlines())
    wanted = ("```mermaid\nsequenceDiagram", "SpeechInterrupted", "UserTurnEnded", "TextDelta", "PlayoutStarted")
    missing = [name for name in wanted if name not in diagram]
    snapshot = json.loads((out / "mailboxes.json").read_text(encoding="utf-8"))
    actors = {path.split("/", 1)[-1]: actor for path, actor in snapshot["actors"].items()}
    state = actors["output"]["state"]
    waiting = sum(actor["control_depth"] + actor["data_depth"] for actor in actors.values())
    return [
        Finding("diagram", not missing, f"without {', '.join(missing)}" if missing else f"{arrows} arrows"),
        Finding(
            "mailboxes",
            state["playing"] is not None,
            f"{len(actors)} actors, {waiting} messages waiting, {state['position']:.2f} s into {state['playing']}",
        ),
    ]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _conversation(call: CallRecord) -> Finding:
    answered = sum(not playout.interrupted for playout in call.playouts)
    tools = ", ".join(mark.what for mark in call.tools) or "none"
    measured = (
        f"{call.duration:.1f} s, {len(call.turns)} turns, {answered} answers heard to the end, "
        f"{len(call.interruptions)} cut off, tools: {tools}"
    )
    return Finding("conversation", bool(call.tools) and len(call.turns) > 1, measured)


def _item(call: CallRecord, interruption: Interruption) -> Finding:
    """The item of the history is what was heard."""
    item = next((item for item in call.items if item.get("speech") == interruption.speech), None)
    if item is None:
        return Finding("interrupted item", not interruption.heard, "there is none, and nothing was heard")
    passed = item["text"] == interruption.heard and item["interrupted"] is True
    return Finding("interrupted item", passed, f"{item['text']!r}, interrupted: {item['interrupted']}")


def _silence(call: CallRecord, recording: Recorded, interruption: Interruption) -> Finding:
    """From the barge-in to the next reply there is nothing on the agent's channel."""
    later = [playout.began for playout in call.playouts if playout.began >= interruption.silent]
    until = min(later, default=call.duration) - ATTACK
    level = peak(recording.agent_between(interruption.silent, until))
    before = peak(recording.agent_between(interruption.voice_began - 0.5, interruption.voice_began))
    measured = (
        f"agent at {_db(before)} before, {_db(level)} from the barge-in at {interruption.silent:.2f} s "
        f"for {until - interruption.silent:.2f} s, until the next reply"
    )
    return Finding("silence after barge-in", before > LOUD and level < QUIET and until > interruption.silent, measured)


def _audio_end(recording: Recorded, interruption: Interruption) -> Finding:
    """The audio of what was cut off is as long as was counted, and ends where the agent was said to be silent."""
    rate = recording.sample_rate
    window = recording.agent_between(interruption.began - NEAR, interruption.silent + NEAR)
    sounding = np.flatnonzero(np.abs(window.astype(np.int32)) > 0)
    if not len(sounding):
        return Finding("audio of the interrupted item", passed=False, measured="there is none")
    began = interruption.began - NEAR + float(sounding[0]) / rate
    ended = interruption.began - NEAR + float(sounding[-1] + 1) / rate
    passed = abs(ended - began - interruption.seconds) < NEAR and abs(ended - interruption.silent) < NEAR
    measured = (
        f"{ended - began:.3f} s of sound, {interruption.seconds:.3f} s counted; "
        f"ends at {ended:.3f} s, silent at {interruption.silent:.3f} s"
    )
    return Finding("audio of the interrupted item", passed, measured)


async def _words(interruption: Interruption) -> Finding:
    """The last word of the item is the last one that its audio contains, by the voice's own word times."""
    replies = (intent.reply for intent in FRONT_DESK.intents)
    reply = next((reply for reply in replies if reply.startswith(interruption.heard)), None)
    if reply is None:
        return Finding("last word heard", passed=False, measured=f"{interruption.heard!r} begins no reply")
    agent = default_tts("agent")
    try:
        timings = [timing async for audio in agent.synthesize(_pieces(reply)) for timing in audio.timings]
    finally:
        await agent.aclose()
    spoken = sum(timing.end_time <= interruption.seconds + 0.005 for timing in timings)
    heard = len(interruption.heard.split())
    last = interruption.heard.split()[-1:] or [""]
    measured = (
        f"{heard} words, the last {last[0]!r}; its {interruption.seconds:.2f} s of audio contain {spoken} whole words"
    )
    # A voice may speak a little differently each time: one word more or less.
    return Finding("last word heard", abs(spoken - heard) <= 1, measured)


async def _pieces(text: str) -> AsyncIterator[str]:
    cutter, pieces = SentenceCutter().push(text)
    for piece in (*pieces, *cutter.finish()):
        yield piece


def peak(samples: Samples | Sequence[int]) -> float:
    """The loudest sample in dBFS."""
    loudest = int(np.abs(np.asarray(samples, np.int32)).max(initial=0))
    return 20 * math.log10(loudest / 32768) if loudest else NOTHING


def _db(level: float) -> str:
    return "digital silence" if level <= NOTHING else f"{level:.1f} dBFS"
