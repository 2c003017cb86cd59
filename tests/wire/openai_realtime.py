"""A server that speaks OpenAI's realtime protocol, strict: each event that it is sent is checked with the SDK's types.

What it replies is scripted, and so is what it hears: it goes by how much audio has come, not by the sound.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web
from openai.types.realtime import (
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdateEvent,
)
from pydantic import BaseModel, ValidationError

from tests.wire.vendor_server import Fault, HungUp, Line, Received, VendorServer

RATE = 24000
USAGE = {
    "total_tokens": 30,
    "input_tokens": 10,
    "output_tokens": 20,
    "input_token_details": {"audio_tokens": 6, "text_tokens": 4, "cached_tokens": 2},
    "output_token_details": {"audio_tokens": 15, "text_tokens": 5},
}
EVENTS: dict[str, type[BaseModel]] = {
    "session.update": SessionUpdateEvent,
    "input_audio_buffer.append": InputAudioBufferAppendEvent,
    "input_audio_buffer.commit": InputAudioBufferCommitEvent,
    "input_audio_buffer.clear": InputAudioBufferClearEvent,
    "conversation.item.create": ConversationItemCreateEvent,
    "conversation.item.delete": ConversationItemDeleteEvent,
    "conversation.item.truncate": ConversationItemTruncateEvent,
    "response.create": ResponseCreateEvent,
    "response.cancel": ResponseCancelEvent,
}
PARTS = {"user": {"input_text", "input_audio", "input_image"}, "assistant": {"output_text"}, "system": {"input_text"}}


@dataclass(frozen=True)
class Reply:
    """One response of the script."""

    text: str = ""
    seconds: float = 0.5
    """Of sound."""
    pace: float = 0.0
    """Seconds from one piece of sound (a tenth of a second of it) to the next."""
    calls: Sequence[tuple[str, str]] = ()
    error: tuple[str, str] | None = None
    """It fails with this code and message."""
    incomplete: str = ""
    hangs_after: int | None = None
    """Pieces of sound; then nothing more comes."""
    waits: asyncio.Event | None = None
    """Goes on behind its first piece when this is set."""


@dataclass(frozen=True)
class Said:
    """Something that the user says."""

    text: str | None
    """None: the transcription fails."""
    at: float = 0.0
    """Seconds of audio of the connection."""
    until: float = 0.0
    logprobs: Sequence[float] = ()


@dataclass(frozen=True)
class Call:
    """How one connection goes."""

    fault: Fault | None = None


@dataclass
class Item:
    """An item of the server's conversation."""

    id: str
    body: dict[str, Any]
    sound: float = 0.0
    """Seconds."""
    heard: int | None = None
    """Milliseconds of it that were left by a truncation."""

    @property
    def text(self) -> str:
        """All that is written in it."""
        parts = self.body.get("content") or []
        return " ".join(part.get("text") or part.get("transcript") or "" for part in parts) or self.body.get(
            "output", ""
        )


@dataclass
class Session:
    """One connection, as the server sees it."""

    line: Line
    settings: dict[str, Any] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    pushed: float = 0.0
    """Seconds of audio."""
    uncommitted: float = 0.0
    speaking: tuple[Said, str] | None = None
    response: asyncio.Task[None] | None = None
    running: str = ""
    output: list[dict[str, Any]] = field(default_factory=list)
    spoken: bool = False

    def find(self, name: str) -> Item | None:
        return next((item for item in self.items if item.id == name), None)

    @property
    def detection(self) -> Mapping[str, Any] | None:
        detection = self.settings.get("audio", {}).get("input", {}).get("turn_detection")
        return detection if isinstance(detection, dict) else None

    @property
    def transcription(self) -> bool:
        return bool(self.settings.get("audio", {}).get("input", {}).get("transcription"))


class Refused(Exception):
    """What was sent is refused."""

    def __init__(self, code: str, message: str = "", kind: str = "invalid_request_error") -> None:
        super().__init__(message or code)
        self.code, self.kind = code, kind


class OpenAIRealtimeServer(VendorServer[Call]):
    """Replies with the n-th reply to the n-th response, over all connections.

    Args:
        replies: the script; or what replies to the parameters of a ``response.create``.
        said: what the user says.
        calls: how the connections go.
        silence: seconds of audio behind what is said, at which a turn ends.
        key: what the client has to show.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[dict[str, Any]], Reply] = (),
        said: Sequence[Said] = (),
        calls: Sequence[Call] = (Call(),),
        *,
        silence: float = 0.2,
        key: str = "test-key",
    ) -> None:
        super().__init__(calls, key=key)
        self.replies = replies
        self.said = list(said)
        self.silence = silence
        self.sessions: list[Session] = []
        self.refused: list[str] = []
        """Codes of what was refused."""
        self.heard: list[Said] = []
        """What was begun of what the user says."""
        self._numbers = count(1)
        self._replied = 0
        self._committed = 0

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/v1/realtime", self._serve), web.get("/openai/v1/realtime", self._serve)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def session(self) -> Session:
        """The newest."""
        return self.sessions[-1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        received, call = self.begin(request)
        fault = call.fault
        if fault is not None and fault.status is not None:
            received.gone.set()
            return web.json_response(fault.body or {}, status=fault.status, headers=dict(fault.headers))
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            received.gone.set()
            shown = f"Incorrect API key provided: {self.key[:3]}***{self.key[-4:]}."
            body = {"error": {"message": shown, "type": "invalid_request_error", "code": "invalid_api_key"}}
            return web.json_response(body, status=401, headers={"x-request-id": "req-1"})
        line = Line(request, received, fault)
        session = Session(line)
        self.open_now += 1
        self.sessions.append(session)
        try:
            await line.open({})
            await self.send(session, "session.created", session={"type": "realtime", "model": request.query["model"]})
            while (message := await line.receive()) is not None:
                await self._take(session, received, message)
        except (HungUp, ConnectionError):
            pass
        finally:
            if session.response is not None:
                session.response.cancel()
            self.open_now -= 1
            received.gone.set()
        return line.socket

    def name(self, what: str) -> str:
        return f"{what}_{next(self._numbers)}"

    async def send(self, to: Session, type_: str, /, **event: Any) -> None:
        await to.line.send({"type": type_, "event_id": self.name("event"), **event})

    async def expire(self) -> None:
        """The newest session is as old as one may be."""
        message = "Your session hit the maximum duration of 60 minutes."
        await self.error(self.session, "session_expired", message)
        await self.session.line.close(1001, "session_expired")

    async def error(self, session: Session, code: str, message: str = "", about: str | None = None) -> None:
        details = {"type": "invalid_request_error", "code": code, "message": message or code, "event_id": about}
        await self.send(session, "error", error=details)

    # -- what it is sent ---------------------------------------------------------------------------------------------

    async def _take(self, session: Session, received: Received, message: object) -> None:
        about = message.get("event_id") if isinstance(message, dict) else None
        try:
            if not isinstance(message, dict):
                raise Refused("invalid_json")
            if message.get("type") != "input_audio_buffer.append":
                received.messages.append(message)
            kind = EVENTS.get(str(message.get("type")))
            if kind is None:
                raise Refused("unknown_event", str(message.get("type")))
            try:
                event = kind.model_validate(message)
            except ValidationError as error:
                raise Refused("invalid_event", str(error)) from error
            if extra := _unknown(event):
                raise Refused("unknown_parameter", extra)
            await self._obey(session, event, message)
        except Refused as refusal:
            self.refused.append(refusal.code)
            received.complaints.append(f"{refusal.code}: {refusal}")
            await self.error(session, refusal.code, str(refusal), about)

    async def _obey(self, session: Session, event: BaseModel, message: dict[str, Any]) -> None:
        match event:
            case SessionUpdateEvent():
                await self._settings(session, message["session"])
            case ResponseCreateEvent():
                if session.response is not None and not session.response.done():
                    raise Refused("conversation_already_has_active_response")
                self._respond(session, message.get("response") or {})
            case ResponseCancelEvent():
                if session.response is None or session.response.done():
                    raise Refused("response_cancel_not_active")
                await self.cancel(session, "client_cancelled")
            case _:
                await self._change(session, event, message)

    async def _change(self, session: Session, event: BaseModel, message: dict[str, Any]) -> None:
        """Audio and items."""
        match event:
            case InputAudioBufferAppendEvent():
                session.line.received.audio += (pcm := base64.b64decode(event.audio, validate=True))
                await self._hear(session, len(pcm) / 2 / RATE)
            case InputAudioBufferCommitEvent():
                await self._commit(session)
            case InputAudioBufferClearEvent():
                session.uncommitted = 0.0
                await self.send(session, "input_audio_buffer.cleared")
            case ConversationItemCreateEvent():
                await self._create(session, message["item"], event.previous_item_id)
            case ConversationItemDeleteEvent():
                if (item := session.find(event.item_id)) is None:
                    raise Refused("item_delete_invalid_item_id", f"no item {event.item_id}")
                session.items.remove(item)
                await self.send(session, "conversation.item.deleted", item_id=event.item_id)
            case ConversationItemTruncateEvent():
                await self._truncate(session, event)
            case _:
                raise AssertionError(event)

    async def _settings(self, session: Session, new: dict[str, Any]) -> None:
        voice = new.get("audio", {}).get("output", {}).get("voice")
        if voice is not None and session.spoken and voice != session.settings["audio"]["output"]["voice"]:
            raise Refused("cannot_update_voice")
        _merge(session.settings, new)
        await self.send(session, "session.updated", session=session.settings)

    async def _create(self, session: Session, body: dict[str, Any], after: str | None) -> None:
        name = body.get("id") or self.name("item")
        if len(name) > 32:
            raise Refused("string_above_max_length", "item.id")
        if session.find(name) is not None:
            raise Refused("item_create_duplicate_item_id", name)
        allowed = PARTS.get(body.get("role", ""), set())
        if body["type"] == "message" and any(part["type"] not in allowed for part in body["content"]):
            raise Refused("invalid_value", f"content of a message of {body['role']}")
        calls = {item.body.get("call_id") for item in session.items if item.body["type"] == "function_call"}
        if body["type"] == "function_call_output" and body["call_id"] not in calls:
            raise Refused("invalid_tool_call_id", body["call_id"])
        await self._add(session, Item(name, {**body, "id": name}), after)

    async def _add(self, session: Session, item: Item, after: str | None = None) -> None:
        place = len(session.items)
        if after == "root":
            place = 0
        elif after is not None:
            if (before := session.find(after)) is None:
                raise Refused("item_not_found", after)
            place = session.items.index(before) + 1
        session.items.insert(place, item)
        previous = session.items[place - 1].id if place else None
        await self.send(session, "conversation.item.added", item=item.body, previous_item_id=previous)
        if item.body["type"] != "function_call" and not item.sound:
            await self.send(session, "conversation.item.done", item=item.body, previous_item_id=previous)

    async def _truncate(self, session: Session, event: ConversationItemTruncateEvent) -> None:
        item = session.find(event.item_id)
        if item is None or not item.sound:
            raise Refused("invalid_truncate", f"no item with sound {event.item_id}")
        if event.audio_end_ms > item.sound * 1000 + 1:
            raise Refused("invalid_value", f"only {item.sound} s of {event.item_id}")
        item.heard = event.audio_end_ms
        item.body["content"] = [{"type": "output_audio", "transcript": ""}]
        cut = {"item_id": item.id, "content_index": event.content_index, "audio_end_ms": event.audio_end_ms}
        await self.send(session, "conversation.item.truncated", **cut)

    # -- what it hears -----------------------------------------------------------------------------------------------

    async def _hear(self, session: Session, seconds: float) -> None:
        session.pushed += seconds
        session.uncommitted += seconds
        detection = session.detection
        if detection is None:
            return
        if session.speaking is None:
            for said in self.said:
                if said not in self.heard and said.at <= session.pushed < said.until:
                    self.heard.append(said)
                    session.speaking = (said, self.name("item"))
                    if detection.get("interrupt_response", True) and session.response and not session.response.done():
                        await self.cancel(session, "turn_detected")
                    start = {"audio_start_ms": int(said.at * 1000), "item_id": session.speaking[1]}
                    await self.send(session, "input_audio_buffer.speech_started", **start)
                    return
        elif session.pushed >= session.speaking[0].until + self.silence:
            said, name = session.speaking
            session.speaking = None
            end = {"audio_end_ms": int(said.until * 1000), "item_id": name}
            await self.send(session, "input_audio_buffer.speech_stopped", **end)
            await self._turn(session, said, name)
            if detection.get("create_response", True) is not False:
                self._respond(session, {})

    async def _commit(self, session: Session) -> None:
        if session.uncommitted < 0.1:
            raise Refused("input_audio_buffer_commit_empty")
        said = self.said[self._committed] if self._committed < len(self.said) else Said("")
        self._committed += 1
        await self._turn(session, said, self.name("item"))

    async def _turn(self, session: Session, said: Said, name: str) -> None:
        session.uncommitted = 0.0
        previous = session.items[-1].id if session.items else None
        await self.send(session, "input_audio_buffer.committed", item_id=name, previous_item_id=previous)
        body = {"id": name, "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
        await self._add(session, Item(name, body))
        if session.transcription:
            await self.transcribe(session, said, name)

    async def transcribe(self, session: Session, said: Said, name: str) -> None:
        """Say what the user said."""
        about = {"item_id": name, "content_index": 0}
        prefix = "conversation.item.input_audio_transcription"
        if said.text is None:
            error = {"type": "transcription_error", "code": "audio_unintelligible", "message": "too noisy"}
            await self.send(session, f"{prefix}.failed", error=error, **about)
            return
        for word in said.text.split(" ")[:-1]:
            await self.send(session, f"{prefix}.delta", delta=f"{word} ", **about)
        logprobs = [{"token": "x", "logprob": value, "bytes": []} for value in said.logprobs] or None
        usage = {"type": "duration", "seconds": 1}
        await self.send(session, f"{prefix}.completed", transcript=said.text, logprobs=logprobs, usage=usage, **about)
        if (item := session.find(name)) is not None:
            item.body["content"] = [{"type": "input_audio", "transcript": said.text}]

    # -- what it says ------------------------------------------------------------------------------------------------

    def _respond(self, session: Session, asked: dict[str, Any]) -> None:
        number, self._replied = self._replied, self._replied + 1
        if callable(self.replies):
            reply = self.replies(asked)
        else:
            reply = self.replies[number] if number < len(self.replies) else Reply("Yes.")
        session.running, session.output = self.name("resp"), []
        session.response = asyncio.create_task(self._speak(session, reply, asked, session.running))

    async def cancel(self, session: Session, reason: str) -> None:
        """End the response that is under way."""
        assert session.response is not None
        session.response.cancel()
        details = {"type": "cancelled", "reason": reason}
        await self._done(session, session.running, "cancelled", details, None)

    async def _done(
        self, session: Session, name: str, status: str, details: object, asked: dict[str, Any] | None
    ) -> None:
        response = {"id": name, "object": "realtime.response", "status": status, "status_details": details}
        metadata = None if asked is None else asked.get("metadata")
        await self.send(
            session,
            "response.done",
            response={**response, "usage": USAGE, "metadata": metadata, "output": session.output},
        )

    async def _speak(self, session: Session, reply: Reply, asked: dict[str, Any], name: str) -> None:
        began = {"id": name, "object": "realtime.response", "status": "in_progress", "metadata": asked.get("metadata")}
        try:
            await self.send(session, "response.created", response=began)
            if reply.error is not None:
                code, message = reply.error
                error = {"type": "server_error", "code": code, "message": message}
                await self._done(session, name, "failed", {"type": "failed", "error": error}, asked)
                return
            if reply.text:
                await self._say(session, reply, name)
            for tool, arguments in reply.calls:
                await self._call(session, tool, arguments, name)
            status = "incomplete" if reply.incomplete else "completed"
            details = {"type": "incomplete", "reason": reply.incomplete} if reply.incomplete else None
            await self._done(session, name, status, details, asked)
        except (HungUp, ConnectionError):
            await session.line.close()

    async def _say(self, session: Session, reply: Reply, name: str) -> None:
        sounds = "audio" in session.settings.get("output_modalities", ["audio"])
        body: dict[str, Any] = {"id": self.name("item"), "type": "message", "role": "assistant", "content": []}
        item = Item(body["id"], body)
        about = {"response_id": name, "item_id": item.id, "output_index": 0, "content_index": 0}
        await self.send(session, "response.output_item.added", response_id=name, output_index=0, item=body)
        await self._add(session, item)
        part = {"type": "audio", "transcript": ""} if sounds else {"type": "text", "text": ""}
        await self.send(session, "response.content_part.added", part=part, **about)
        pieces = max(1, round(reply.seconds * 10)) if sounds else len(reply.text.split())
        words = [f"{word} " for word in reply.text.split()]
        words[-1] = words[-1].rstrip()
        for piece in range(pieces):
            if piece == reply.hangs_after:
                await asyncio.get_running_loop().create_future()
            kind = "output_audio_transcript" if sounds else "output_text"
            for word in words[piece * len(words) // pieces : (piece + 1) * len(words) // pieces]:
                await self.send(session, f"response.{kind}.delta", delta=word, **about)
            if sounds:
                item.sound += 0.1
                session.spoken = True
                delta = base64.b64encode(b"\x10\x00" * (RATE // 10)).decode()
                await self.send(session, "response.output_audio.delta", delta=delta, **about)
            if reply.waits is not None:
                await reply.waits.wait()
            await asyncio.sleep(reply.pace)
        kind = "output_audio" if sounds else "output_text"
        body["content"] = [{"type": kind, ("transcript" if sounds else "text"): reply.text}]
        await self.send(session, "response.output_item.done", response_id=name, output_index=0, item=body)
        session.output.append(body)

    async def _call(self, session: Session, tool: str, arguments: str, name: str) -> None:
        call = {"id": self.name("item"), "type": "function_call", "call_id": self.name("call"), "name": tool}
        await self.send(
            session, "response.output_item.added", response_id=name, output_index=0, item={**call, "arguments": ""}
        )
        await self._add(session, Item(call["id"], {**call, "arguments": arguments}))
        done = {**call, "arguments": arguments, "status": "completed"}
        await self.send(session, "response.output_item.done", response_id=name, output_index=0, item=done)
        session.output.append(done)


def _unknown(model: BaseModel) -> str:
    """A field that the SDK's type does not have."""
    if model.model_extra:
        return f"{type(model).__name__}: {', '.join(model.model_extra)}"
    for value in model.__dict__.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, BaseModel) and (found := _unknown(one)):
                return found
    return ""


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict) and name in ("audio", "input", "output"):
            _merge(into[name], value)
        else:
            into[name] = value
