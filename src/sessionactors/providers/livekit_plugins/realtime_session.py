"""One realtime session of a plugin: orders as the plugin takes them, its events as ours.

The plugin's session is made when an HTTP session is at hand, which may take a moment: what is ordered before waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from contextvars import Context
from typing import Final

from livekit.agents import llm, types

from sessionactors.interfaces import realtime as port
from sessionactors.interfaces.realtime import Modality, RealtimeEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.model.video import VideoFrame

from .conversation import from_plugin, offered, told_items
from .frames import picture_to_plugin
from .frames import to_plugin as frame_to_plugin
from .http_context import plugin_context
from .plugin_errors import our_error
from .realtime_events import PluginEvents

CLOSE_WITHIN: Final = 0.5
"""Seconds for a plugin to end its session; one that is about to connect again waits longer by itself."""

PluginSession = llm.RealtimeSession[str]
Replying = Callable[[PluginSession], "asyncio.Future[llm.GenerationCreatedEvent]"]


class PluginRealtimeSession(port.RealtimeSession):
    """A conversation; made by :meth:`.PluginRealtimeModel.session`, on the user's loop.

    Args:
        plugin: the user's model.
        turn_detection_disabled: the server shall not detect turns.
    """

    def __init__(self, plugin: llm.RealtimeModel, *, turn_detection_disabled: bool) -> None:
        self._model = plugin
        self._label = plugin.label
        self._turn_detection_disabled = turn_detection_disabled
        self._events = PluginEvents(plugin.label)
        self._session: PluginSession | None = None
        self._context = Context()
        self._before: list[Callable[[PluginSession], object]] = []
        """Ordered before there was a session."""
        self._tools: tuple[ToolDefinition, ...] = ()
        self._closed = False
        self._opening = asyncio.create_task(self._open(), name=f"session of {plugin.label}")

    async def _open(self) -> PluginSession:
        self._context = await plugin_context()
        disabled = self._turn_detection_disabled  # a plugin that cannot need not know the argument
        session = self._session = self._context.copy().run(
            lambda: self._model.session(turn_detection_disabled=True) if disabled else self._model.session()
        )
        self._events.listen(session)
        before, self._before = self._before, []
        for order in before:
            self._do(order)
        return session

    @property
    def plugin(self) -> PluginSession | None:
        """The plugin's own session; None while it is being made. Its methods are called on the user's loop."""
        return self._session

    async def events(self) -> AsyncGenerator[RealtimeEvent, None]:
        try:
            await asyncio.wait({self._opening})
            if self._closed:
                return
            self._opening.result()
            async with aclosing(self._events.read()) as said:
                async for event in said:
                    yield event
        except Exception as error:
            raise our_error(error, self._label) from error

    # -- what it is told ---------------------------------------------------------------------------------------------

    @property
    def chat_ctx(self) -> ChatContext:
        return ChatContext.empty() if self._session is None else from_plugin(self._session.chat_ctx)

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        return self._tools

    async def _call(self, call: Callable[[PluginSession], Coroutine[object, object, None]]) -> None:
        session = await asyncio.shield(self._opening)
        try:
            await asyncio.create_task(call(session), context=self._context.copy())
        except Exception as error:
            raise our_error(error, self._label) from error

    def _do(self, order: Callable[[PluginSession], object]) -> None:
        """Now, or as soon as there is a session."""
        if self._session is not None:
            self._context.copy().run(order, self._session)
        elif not self._closed:
            self._before.append(order)

    async def update_instructions(self, instructions: str) -> None:
        await self._call(lambda session: session.update_instructions(instructions))

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        await self._call(lambda session: session.update_chat_ctx(told_items(chat_ctx, session.chat_ctx)))

    async def update_tools(self, tools: Sequence[ToolDefinition]) -> None:
        described = offered(tools, self._label)
        await self._call(lambda session: session.update_tools(described))
        self._tools = tuple(tools)

    def update_options(self, *, tool_choice: ToolChoice) -> None:
        self._do(lambda session: session.update_options(tool_choice=tool_choice))

    def push_audio(self, frame: AudioFrame) -> None:
        self._do(lambda session: session.push_audio(frame_to_plugin(frame)))

    def push_video(self, frame: VideoFrame) -> None:
        picture = picture_to_plugin(frame)
        self._do(lambda session: session.push_video(picture))

    def start_user_activity(self) -> None:
        self._do(lambda session: session.start_user_activity())

    def commit_audio(self) -> None:
        self._do(lambda session: session.commit_audio())

    def clear_audio(self) -> None:
        self._do(lambda session: session.clear_audio())

    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        described = None if tools is None else offered(tools, self._label)
        self._ask(
            request_id,
            lambda session: session.generate_reply(
                instructions=instructions or types.NOT_GIVEN,
                tool_choice=types.NOT_GIVEN if tool_choice is None else tool_choice,
                tools=types.NOT_GIVEN if described is None else described,
            ),
        )

    def say(self, text: str, *, request_id: str) -> None:
        self._ask(request_id, lambda session: session.say(text))

    def _ask(self, request: str, replying: Replying) -> None:
        """Ask for a reply, when the plugin can take the order: it forgets those of the time without a connection."""
        self._events.ask(request, lambda expect: self._do(lambda session: expect(replying(session))))

    def interrupt(self) -> None:
        self._do(lambda session: session.interrupt() if self._events.interrupt() else None)

    def truncate(
        self,
        *,
        message_id: str,
        modalities: Sequence[Modality],
        audio_end_ms: int,
        audio_transcript: str | None = None,
    ) -> None:
        self._do(
            lambda session: session.truncate(
                message_id=message_id,
                modalities=list(modalities),
                audio_end_ms=audio_end_ms,
                audio_transcript=types.NOT_GIVEN if audio_transcript is None else audio_transcript,
            )
        )

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._before.clear()
        self._opening.cancel()
        await asyncio.wait({self._opening})
        await self._events.aclose()
        if self._session is not None:
            # What it died of was told among the events; what it waits for, such as its next attempt, is cancelled.
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_WITHIN):
                    await self._session.aclose()
