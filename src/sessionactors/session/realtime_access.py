"""``agent.realtime_llm_session``: the session with the realtime model, for what only the user knows to do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from sessionactors.interfaces.realtime import Modality, RealtimeEvent, RealtimeSession
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import SessionStateError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.model.video import VideoFrame

from .across_loops import called

T = TypeVar("T")


class HeldRealtimeSession(RealtimeSession):
    """A realtime session that the actors hold: what is called here is carried to its home.

    Args:
        held: the provider's own.
        home: the loop on which it lives.
    """

    def __init__(self, held: RealtimeSession, home: asyncio.AbstractEventLoop) -> None:
        self._held = held
        self._home = home

    @property
    def native(self) -> RealtimeSession:
        """The provider's own object. Its methods may be called on its home loop only: see :meth:`call`."""
        return self._held

    async def call(self, function: Callable[[RealtimeSession], Awaitable[T]]) -> T:
        """Await on the session's home what ``function`` gives of the provider's own object, and give its result."""
        return await called(self._home, lambda: function(self._held))

    @property
    def chat_ctx(self) -> ChatContext:
        """A copy of the conversation as the server has it."""
        return self._held.chat_ctx

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        """The tools as the server has them."""
        return self._held.tools

    def events(self) -> AsyncIterator[RealtimeEvent]:
        """Read by the session's actors, and by nobody else.

        Raises:
            SessionStateError: always.
        """
        raise SessionStateError("the session reads the events of its realtime model itself: use session.on(...)")

    async def update_instructions(self, instructions: str) -> None:
        """Set the system prompt."""
        await self.call(lambda held: held.update_instructions(instructions))

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Make the server's conversation this one."""
        await self.call(lambda held: held.update_chat_ctx(chat_ctx))

    async def update_tools(self, tools: Sequence[ToolDefinition]) -> None:
        """Set the tools."""
        await self.call(lambda held: held.update_tools(tools))

    def update_options(self, *, tool_choice: ToolChoice) -> None:
        """Set the tool choice of the replies to come."""
        self._soon(lambda: self._held.update_options(tool_choice=tool_choice))

    def push_audio(self, frame: AudioFrame) -> None:
        """More audio of the user, besides what the session pushes."""
        self._soon(lambda: self._held.push_audio(frame))

    def push_video(self, frame: VideoFrame) -> None:
        """A picture of the user, besides those that the sampler keeps."""
        self._soon(lambda: self._held.push_video(frame))

    def commit_audio(self) -> None:
        """What was pushed since the last commit is the user's turn."""
        self._soon(self._held.commit_audio)

    def clear_audio(self) -> None:
        """Forget what was pushed since the last commit."""
        self._soon(self._held.clear_audio)

    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        """Replies are asked for by ``session.generate_reply()``: the floor has to know of them.

        Raises:
            SessionStateError: always.
        """
        del request_id, instructions, tool_choice, tools
        raise SessionStateError("ask for a reply with session.generate_reply(...), so that it gets its turn")

    def say(self, text: str, *, request_id: str) -> None:
        """What is to be said goes through ``session.say()``: the floor has to know of it.

        Raises:
            SessionStateError: always.
        """
        del text, request_id
        raise SessionStateError("have it said with session.say(...), so that it gets its turn")

    def interrupt(self) -> None:
        """Cancel the response that is being generated."""
        self._soon(self._held.interrupt)

    def start_user_activity(self) -> None:
        """The user is active. A hint."""
        self._soon(self._held.start_user_activity)

    def truncate(
        self,
        *,
        message_id: str,
        modalities: Sequence[Modality],
        audio_end_ms: int,
        audio_transcript: str | None = None,
    ) -> None:
        """Shorten a message to what was heard of it."""
        self._soon(
            lambda: self._held.truncate(
                message_id=message_id,
                modalities=modalities,
                audio_end_ms=audio_end_ms,
                audio_transcript=audio_transcript,
            )
        )

    async def aclose(self) -> None:
        """The session ends with its owner.

        Raises:
            SessionStateError: always.
        """
        raise SessionStateError("the realtime session ends with the agent's session: call session.aclose()")

    def _soon(self, call: Callable[[], object]) -> None:
        self._home.call_soon_threadsafe(call)
