"""One session with OpenAI's realtime API: events in, orders out, over one WebSocket at a time.

What is told goes into a queue that one task empties; what the server says comes out of ``events()``. A connection that
is lost raises there, and who holds the session makes another one. Only one that has grown old is replaced here, between
two turns, with the conversation put in again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

import structlog

from sessionactors.interfaces import realtime as port
from sessionactors.interfaces.realtime import Modality, RealtimeEvent, RealtimeSessionError, SessionReconnected
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage
from sessionactors.model.errors import APIConnectionError, APIError, VideoFormatError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.model.video import VideoFrame

from .connection import Connection
from .conversation import REQUEST, Conversation
from .items import Json, to_tools, to_wire, wire_id
from .outgoing import Outgoing
from .remote import Create, Delete, RemoteItem, Step
from .server_events import parse
from .session_settings import Settings, difference

log = structlog.get_logger("sessionactors.openai.realtime")


class RealtimeSession(port.RealtimeSession):
    """A conversation; made by ``RealtimeModel.session()``.

    Args:
        label: the model's, for people.
        settings: to begin with.
        max_session_duration: seconds after which the connection is replaced; None: never.
        connect: makes a connection.
    """

    def __init__(
        self,
        label: str,
        settings: Settings,
        max_session_duration: float | None,
        connect: Callable[[], Awaitable[Connection]],
    ) -> None:
        self._label = label
        self._settings = settings
        self._max_duration = max_session_duration
        self._connect = connect
        self._outgoing = Outgoing()
        self._instructions = ""
        self._tools: tuple[ToolDefinition, ...] = ()
        transcribes = settings.input_audio_transcription is not None
        self._conversation = Conversation(label, time.time, transcribes)
        self._answers = self._conversation.answers
        self._connecting: asyncio.Future[Connection] | None = None
        self._connection: Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._configured = asyncio.Event()
        """The first settings are in force, or never will be."""
        self._error: APIError | None = None
        """Why the session is over."""
        self._turn_open = False
        """The user is in a turn that this side has to end."""
        self._aged = False
        self._closed = False
        self._picture: asyncio.Task[None] | None = None

    # -- what the server says ----------------------------------------------------------------------------------------

    async def events(self) -> AsyncGenerator[RealtimeEvent, None]:
        again = False
        try:
            while (connection := await self._connected()) is not None:
                timer = self._begin(connection, again=again)
                try:
                    if again:
                        yield SessionReconnected()
                    again = True
                    while not self._closed and not self._is_to_be_replaced():
                        for event in self._understood(await connection.next()):
                            yield event
                finally:
                    self._connection = None
                    if timer is not None:
                        timer.cancel()
                    await connection.aclose()
        except APIError as error:
            self._error = error
            if not self._closed:
                raise
        finally:
            self._answers.lost(self._error or APIConnectionError(f"{self._label}: the session is over"))
            self._closed = True
            self._configured.set()

    async def _connected(self) -> Connection | None:
        """Another connection; None: the session is over."""
        if self._closed:
            return None
        connecting = self._connecting = asyncio.ensure_future(self._connect())
        try:
            await asyncio.wait({connecting})
        finally:
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait({connecting})
        if connecting.cancelled():
            return None
        return connecting.result()

    def _begin(self, connection: Connection, *, again: bool) -> asyncio.TimerHandle | None:
        """Tell a new connection all that it must know, before anything that waits."""
        loop = self._loop = asyncio.get_running_loop()
        self._connection, self._aged = connection, False
        event = self._answers.name("settings")
        session = self._settings.to_session(self._instructions, self._tools)
        first: list[Json] = [{"type": "session.update", "event_id": event, "session": session}]
        self._answers.settings_sent(event, self._first_settings(loop))
        if again:
            first += self._told_again()
        connection.begin([json.dumps(one) for one in first], self._outgoing)
        return None if self._max_duration is None else loop.call_later(self._max_duration, self._grow_old, connection)

    def _first_settings(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        taken: asyncio.Future[None] = loop.create_future()

        def answered(answer: asyncio.Future[None]) -> None:
            error = None if answer.cancelled() else answer.exception()
            if isinstance(error, APIError):
                self._error = error
                if self._connection is not None:
                    self._connection.give_up(error)
            self._configured.set()

        taken.add_done_callback(answered)
        return taken

    def _told_again(self) -> list[Json]:
        """The conversation so far, for another connection. Sound becomes its words."""
        items = self._conversation.remote.chat_ctx.items
        self._conversation.begin_again(RemoteItem(wire_id(item.id), item, made_here=True) for item in items)
        return [{"type": "conversation.item.create", "item": to_wire(item)} for item in items]

    def _grow_old(self, connection: Connection) -> None:
        self._aged = True
        connection.wake()

    def _is_to_be_replaced(self) -> bool:
        """It is old, and nothing is under way that would be lost with it."""
        if not self._aged or self._answers.any_open or self._turn_open:
            return False
        return not self._conversation.running and not self._conversation.user_speaks

    def _understood(self, data: bytes | None) -> Iterator[RealtimeEvent]:
        """What a message means; what cannot be read costs one message."""
        if data is None:
            return
        try:
            event = parse(data)
        except APIError as error:
            yield RealtimeSessionError(APIError(f"{self._label}: {error}"))
            return
        if event is None:
            return
        try:
            yield from self._conversation.take(event)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"{self._label}: the server sent a {event.type} that cannot be read: {error!r}"
            yield RealtimeSessionError(APIError(what))

    # -- what it is told ---------------------------------------------------------------------------------------------

    @property
    def chat_ctx(self) -> ChatContext:
        return self._conversation.remote.chat_ctx

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        return self._tools

    def _put(self, event: Json) -> None:
        self._outgoing.put(event)
        if self._outgoing.is_full and self._connection is not None:
            self._connection.give_up(APIConnectionError(f"{self._label}: the server has not read for a long time"))

    async def update_instructions(self, instructions: str) -> None:
        self._instructions = instructions
        await self._change({"instructions": instructions})

    async def update_tools(self, tools: Sequence[ToolDefinition]) -> None:
        self._tools = tuple(tools)
        await self._change({"tools": to_tools(self._tools)})

    async def _change(self, session: Json) -> None:
        """Have settings taken: with the first ones, if those are still to be sent."""
        if self._connection is None:
            await self._configured.wait()
        else:
            taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._send_settings(session, taken)
            await taken
        if self._error is not None:
            raise self._error

    def _send_settings(self, session: Json, taken: asyncio.Future[None] | None) -> None:
        event = self._answers.name("settings")
        self._answers.settings_sent(event, taken)
        self._put({"type": "session.update", "event_id": event, "session": {"type": "realtime", **session}})

    def update_options(self, *, tool_choice: ToolChoice) -> None:
        self.use(self._settings.changed(tool_choice=tool_choice))

    def use(self, settings: Settings) -> None:
        """Go on with other settings; on the session's loop."""
        changed = difference(self._settings.to_session("", ()), settings.to_session("", ()))
        self._settings = settings
        self._conversation.transcribes = settings.input_audio_transcription is not None
        if changed and self._connection is not None:
            self._send_settings(changed, None)

    def use_from_elsewhere(self, change: Callable[[Settings], Settings]) -> None:
        """Change the settings, from any thread."""
        loop = self._loop
        if loop is None:
            self.use(change(self._settings))
        elif not self._closed and not loop.is_closed():
            loop.call_soon_threadsafe(lambda: self.use(change(self._settings)))

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        steps = self._conversation.remote.steps_to(chat_ctx.items)
        if not steps:
            return
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[None]] = [loop.create_future() for _ in steps]
        for step, answer in zip(steps, answers, strict=True):
            self._take_step(step, answer)
        await asyncio.wait(answers)
        errors = [error for answer in answers if (error := answer.exception()) is not None]
        if errors:
            raise errors[0]

    def _take_step(self, step: Step, answer: asyncio.Future[None] | None = None) -> None:
        """Change the server's conversation. If nobody waits for the answer, a refusal is told among the events."""
        event = self._answers.name("item")
        self._answers.step_sent(event, step, answer)
        match step:
            case Delete(name):
                self._put({"type": "conversation.item.delete", "event_id": event, "item_id": name})
            case Create(item, after):
                where: Json = {} if after is None else {"previous_item_id": after}
                self._put({"type": "conversation.item.create", "event_id": event, "item": to_wire(item), **where})

    def push_audio(self, frame: AudioFrame) -> None:
        self._outgoing.put_audio(frame.data)

    def push_video(self, frame: VideoFrame) -> None:
        """A picture; while one is being made ready, others are left out."""
        if self._picture is None or self._picture.done():
            self._picture = asyncio.create_task(self._show(frame), name=f"picture for {self._label}")

    async def _show(self, frame: VideoFrame) -> None:
        try:
            image = await asyncio.to_thread(frame.as_image)  # pixels are compressed, which takes its time
        except VideoFormatError as error:
            log.warning("picture_not_shown", model=self._label, error=str(error))
            return
        seen: ChatItem = ChatMessage("user", [image], self._answers.name("picture"), time.time())
        self._take_step(Create(seen))

    def start_user_activity(self) -> None:
        self._turn_open = not self._settings.server_takes_turns

    def commit_audio(self) -> None:
        self._turn_open = False
        if self._outgoing.commit():
            event = self._answers.may_fail(self._answers.name("commit"))
            self._put({"type": "input_audio_buffer.commit", "event_id": event})

    def clear_audio(self) -> None:
        self._turn_open = False
        self._outgoing.clear()
        self._put({"type": "input_audio_buffer.clear"})

    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        event = self._answers.name("reply")
        response: Json = {"metadata": {REQUEST: request_id}}
        if instructions:  # those of a response stand in for the session's
            response["instructions"] = f"{self._instructions}\n{instructions}" if self._instructions else instructions
        if tool_choice is not None:
            response["tool_choice"] = tool_choice
        if tools is not None:
            response["tools"] = to_tools(tools)
        self._answers.reply_sent(event, request_id)
        self._put({"type": "response.create", "event_id": event, "response": response})

    def interrupt(self) -> None:
        if not self._conversation.running and not self._answers.replies_open:
            return
        event = self._answers.may_fail(self._answers.name("cancel"))
        self._put({"type": "response.cancel", "event_id": event})

    def truncate(
        self,
        *,
        message_id: str,
        modalities: Sequence[Modality],
        audio_end_ms: int,
        audio_transcript: str | None = None,
    ) -> None:
        """Shorten a message. One that this server does not know (it was said over another connection) is left alone."""
        remote, name = self._conversation.remote, wire_id(message_id)
        one, heard = remote.get(name), audio_transcript or ""
        if one is None or not isinstance(one.item, ChatMessage):
            return
        if "audio" in modalities and not one.made_here and audio_end_ms > 0:
            cut: Json = {"item_id": name, "content_index": self._conversation.parts.get(name, 0)}
            event = self._answers.name("cut")
            self._put({"type": "conversation.item.truncate", "event_id": event, "audio_end_ms": audio_end_ms, **cut})
            self._conversation.cut(name, heard)
            return
        before = remote.before(name)
        self._take_step(Delete(name))
        if heard:
            self._take_step(Create(ChatMessage("assistant", [heard], name, one.item.created_at), before))

    # -- the end -----------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        self._closed = True
        if self._picture is not None and not self._picture.done():
            self._picture.cancel()
            await asyncio.wait({self._picture})
        if self._connecting is not None:
            self._connecting.cancel()
        connection = self._connection
        if connection is not None:
            connection.wake()
            await connection.aclose()
