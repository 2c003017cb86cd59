"""Keeps a session as a JSON file: what was said and heard, by whom and when, and every event.

The file is written when the session ends, whole or not at all::

    {
      "room": ..., "started_at": seconds since the epoch, "duration": seconds, "closed": why,
      "items": the conversation: messages (the agent's as heard), tool calls and their outputs, handoffs
      "turns": what the user said, with when the voice began and ended and when the turn was decided to be over
      "interruptions": for each: when the user's voice set in, when it was decided, when the agent was silent
      "events": all public events, and when the user's voice began and ended
    }

Times in it are seconds since the session started, on the clock on which :mod:`recorder` places sounds.

    AgentSession(actors=[TranscriptLog("call.json")])
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import structlog

from sessionactors import (
    NS,
    AgentConfigUpdate,
    AgentStateChangedEvent,
    ChatMessage,
    CloseEvent,
    ConversationItemAddedEvent,
    Delivery,
    DropIn,
    EffectPort,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    MetricsCollectedEvent,
    Outbox,
    SpeechCreatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    message,
    messages,
)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
V = TypeVar("V")

log = structlog.get_logger("sessionactors.transcript_log")

WRITER: Final = "writer"
HEARD: Final = "heard"
"""Section of what belongs to an item and is known a moment later: how it was played."""
KEPT: Final = 1_000_000
"""Entries that one session may have; hours of talk."""


@message()
class WritingFailed:
    """To itself: the file cannot be written."""

    error: BaseException


TranscriptMessage: TypeAlias = Delivery | messages.EventRaised | WritingFailed


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the file."""

    section: str
    content: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TranscriptState:
    """What is needed to tell an item's times and an interruption's end."""

    began: int = 0
    """Kernel clock, ns."""
    started_at: float = 0.0
    """Seconds since the epoch."""
    audible: Mapping[str, float] = field(default_factory=dict)
    """Segments that are being heard, and since when."""
    silenced: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Speeches that were cut off: when the reason arose, and when it was decided."""
    counts: Mapping[str, int] = field(default_factory=dict)


class TranscriptLog(DropIn[TranscriptState, TranscriptMessage]):
    """Keeps what was said.

    Args:
        path: the file; an existing one is replaced. ``{room}`` stands for the name of the room.
    """

    name = "transcript-log"
    subscribes = (
        messages.HistoryChanged,
        messages.UserTurnEnded,
        messages.SpeechStarted,
        messages.SpeechEnded,
        messages.SilenceSpeech,
        messages.PlayoutStarted,
        messages.PlayoutFinished,
    )
    events = (
        AgentStateChangedEvent,
        UserStateChangedEvent,
        UserInputTranscribedEvent,
        ConversationItemAddedEvent,
        FunctionToolsExecutedEvent,
        SpeechCreatedEvent,
        MetricsCollectedEvent,
        ErrorEvent,
        CloseEvent,
    )

    def __init__(self, path: str | Path = "transcript-{room}.json") -> None:
        self._path = str(path)

    def initial(self) -> TranscriptState:
        """Nothing said."""
        return TranscriptState()

    def started(self, state: TranscriptState, out: Outbox[TranscriptMessage]) -> TranscriptState:
        """The session's clock begins now."""
        state = replace(state, began=out.now, started_at=out.wall())
        path = Path(self._path.replace("{room}", out.room.replace("/", "-")))
        head: dict[str, Json] = {"room": out.room, "started_at": state.started_at, "duration": None, "closed": None}
        out.effect(WRITER, partial(write, path, head), failed=WritingFailed, inlet=KEPT)
        return super().started(state, out)

    def receive(
        self, state: TranscriptState, message: TranscriptMessage, out: Outbox[TranscriptMessage]
    ) -> TranscriptState:
        """One message."""
        match message:
            case messages.EventRaised(event):
                return self._on_event(state, event, out)
            case WritingFailed(error):
                raise error
            case Delivery(message=messages.HistoryChanged(_, items)):
                return self._on_items(state, items, out)
            case Delivery(message=messages.UserTurnEnded() as turn, turn=name):
                return self._on_turn(state, turn, name, message.sent_at, out)
            case Delivery(message=messages.SpeechStarted(at)):
                return self._event(state, "voice_began", at, {"noticed": self._since(state, message.sent_at)}, out)
            case Delivery(message=messages.SpeechEnded(at)):
                return self._event(state, "voice_ended", at, {"noticed": self._since(state, message.sent_at)}, out)
            case Delivery(message=messages.SilenceSpeech(speech, _, wanted_at, decided_at, paused_at)):
                decided = decided_at if paused_at is None else paused_at
                times = self._since(state, wanted_at), self._since(state, decided)
                return replace(state, silenced={**state.silenced, speech: times})
            case Delivery(message=messages.PlayoutStarted(segment, at)):
                state = self._event(state, "playout_started", at, {"segment": segment}, out)
                return replace(state, audible={**state.audible, segment: self._since(state, at)})
            case Delivery(message=messages.PlayoutFinished() as end, target=target):
                return self._on_played(state, end, target.rsplit("/", 1)[-1], out)
            case Delivery():
                pass
        return state

    # -- what happened -----------------------------------------------------------------------------------------------

    def _on_event(self, state: TranscriptState, event: object, out: Outbox[TranscriptMessage]) -> TranscriptState:
        content = _plain(event)
        if not isinstance(content, dict):
            return state
        kind, created_at = str(content.pop("type")), content.pop("created_at")
        at = float(created_at) - state.started_at if isinstance(created_at, int | float) else 0.0
        state = self._add(state, "events", {"at": round(at, 4), "type": kind, **content}, out)
        if isinstance(event, CloseEvent):
            duration = round((out.now - state.began) / NS, 4)
            out.feed(WRITER, Entry("", {"duration": duration, "closed": event.reason.value}))
            out.end_inlet(WRITER)
        return state

    def _on_items(
        self, state: TranscriptState, items: Sequence[object], out: Outbox[TranscriptMessage]
    ) -> TranscriptState:
        for item in items:
            if not isinstance(item, AgentConfigUpdate):  # what the agent was told is not what was said
                state = self._on_item(state, item, out)
        return state

    def _on_item(self, state: TranscriptState, item: object, out: Outbox[TranscriptMessage]) -> TranscriptState:
        content = _plain(item)
        if not isinstance(content, dict):
            return state
        created_at = content.pop("created_at", None)
        if isinstance(created_at, int | float):
            content["at"] = round(created_at - state.started_at, 4)
        if isinstance(item, ChatMessage):
            content["text"] = item.text_content
            del content["content"]
        return self._add(state, "items", content, out)

    def _on_turn(
        self,
        state: TranscriptState,
        turn: messages.UserTurnEnded,
        name: str,
        decided: int,
        out: Outbox[TranscriptMessage],
    ) -> TranscriptState:
        content: dict[str, Json] = {
            "turn": name or turn.turn,
            "participant": turn.participant,
            "text": turn.transcript,
            "typed": turn.typed,
            "confidence": turn.confidence,
            "decided": self._since(state, decided),
        }
        for key, at in (
            ("voice_began", turn.started_speaking_at),
            ("voice_ended", turn.stopped_speaking_at),
            ("last_words", turn.last_final_at),
        ):
            content[key] = None if at is None else self._since(state, at)
        return self._add(state, "turns", content, out)

    def _on_played(
        self, state: TranscriptState, end: messages.PlayoutFinished, speech: str, out: Outbox[TranscriptMessage]
    ) -> TranscriptState:
        ended = self._since(state, end.at)
        began = state.audible.get(end.segment, ended)
        content: dict[str, Json] = {
            "segment": end.segment,
            "began": began,
            "seconds": round(end.position, 4),
            "heard": end.heard,
            "interrupted": end.interrupted,
        }
        state = self._event(state, "playout_finished", end.at, content, out)
        if end.item is not None:
            heard: dict[str, Json] = {"began": began, "ended": ended, "seconds": round(end.position, 4)}
            out.feed(WRITER, Entry(HEARD, {"id": end.item.id, "speech": speech, "heard": heard}))
        if end.interrupted and speech in state.silenced:
            wanted, decided = state.silenced[speech]
            interruption: dict[str, Json] = {
                "speech": speech,
                "voice_began": wanted,
                "decided": decided,
                "silent": ended,
                "began": began,
                "seconds": round(end.position, 4),
                "heard": end.heard,
            }
            state = self._add(state, "interruptions", interruption, out)
        return replace(
            state,
            audible=_without(state.audible, end.segment),
            silenced=_without(state.silenced, speech),
        )

    # -- the file ----------------------------------------------------------------------------------------------------

    def _event(
        self, state: TranscriptState, kind: str, at: int, content: Mapping[str, Json], out: Outbox[TranscriptMessage]
    ) -> TranscriptState:
        return self._add(state, "events", {"at": self._since(state, at), "type": kind, **content}, out)

    @staticmethod
    def _add(
        state: TranscriptState, section: str, content: Mapping[str, Json], out: Outbox[TranscriptMessage]
    ) -> TranscriptState:
        out.feed(WRITER, Entry(section, content))
        return replace(state, counts={**state.counts, section: state.counts.get(section, 0) + 1})

    @staticmethod
    def _since(state: TranscriptState, at: int) -> float:
        return round((at - state.began) / NS, 4)

    def summary(self, state: TranscriptState) -> Mapping[str, object]:
        """File and counts."""
        return {"path": self._path, **state.counts}


async def write(path: Path, head: Mapping[str, Json], port: EffectPort[TranscriptMessage]) -> None:
    """Gather what is fed until there is no more, or until the session is ended; then write the file.

    Raises:
        OSError: the file cannot be written; nothing of it is left.
    """
    content: dict[str, Json] = dict(head)
    sections: dict[str, list[Json]] = {"items": [], "turns": [], "interruptions": [], "events": []}

    played: dict[str, Mapping[str, Json]] = {}

    def keep(entry: object) -> None:
        match entry:
            case Entry("", fields):
                content.update(fields)
            case Entry(section, fields) if section == HEARD:
                played[str(fields["id"])] = fields
            case Entry(section, fields):
                sections[section].append(dict(fields))
            case _:
                return

    try:
        await _in_thread(partial(_check, path))
        async for entry in port.inlet:
            keep(entry)
    finally:
        while port.inlet.depth():
            left = await anext(port.inlet, None)
            keep(left)
            if left is None:
                break
        sections["items"] = [
            {**item, **played.get(str(item["id"]), {})} for item in sections["items"] if isinstance(item, dict)
        ]
        try:
            await _in_thread(partial(_save, path, {**content, **sections}))
        except OSError as error:  # logged, because the session may be over: nobody else would hear of it
            log.exception("transcript_not_written", path=str(path), error=repr(error))
            raise


async def _in_thread(call: Callable[[], None]) -> None:
    """Run in a thread. A cancellation comes through when that has ended."""
    work = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        work.result()
        raise


def _check(path: Path) -> None:
    """Fail now rather than at the end of the call."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no directory {path.parent}")


def _save(path: Path, content: Mapping[str, Json]) -> None:
    _check(path)
    partial_file = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial_file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        partial_file.replace(path)
    finally:
        partial_file.unlink(missing_ok=True)


def _plain(value: object) -> Json:
    """An event or an item as JSON; what is no value (a handle, an error) as it would be written."""
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(content) for content in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value)


def _without(mapping: Mapping[str, V], key: str) -> dict[str, V]:
    return {name: value for name, value in mapping.items() if name != key}
