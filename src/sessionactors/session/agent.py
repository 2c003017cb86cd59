"""``Agent``: instructions, tools and hooks. Users subclass it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import SessionStateError
from sessionactors.model.options import TurnDetection
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr

from .agent_options import agent_overrides
from .function_tool import StopResponse
from .tool import AnyTool, check_tools, decorated
from .turn_handling import TurnHandlingOptions

if TYPE_CHECKING:
    from sessionactors.interfaces.user_code import UserAgent

    from .agent_session import AgentSession


class Agent:
    """What talks to the user.

    Args:
        instructions: the system prompt.
        chat_ctx: conversation it starts with; copied.
        tools: tools and tool sets, besides the methods decorated with ``@function_tool``.
        id: names it in handoffs; the class name in snake case if not given.
        turn_handling: options about turns while it is in charge: ``turn_detection``, ``endpointing``,
            ``preemptive_generation``, and ``enabled`` and ``mode`` of ``interruption``. They take precedence over the
            session's, key by key.
        min_consecutive_speech_delay: seconds between two of its speeches.
        use_tts_aligned_transcript: take its transcript from the voice's word timings.
        turn_detection: deprecated, as all that follow: they are in ``turn_handling`` now.
        min_endpointing_delay: seconds of silence that end a turn.
        max_endpointing_delay: seconds of silence when the turn detector thinks that the user goes on.
        allow_interruptions: whether the user may cut it off.

    Raises:
        OptionError: an option is unknown, out of range, or only a session can have it.
        ToolDefinitionError: something is no tool.
        DuplicateToolError: two tools of one name.
    """

    def __init__(
        self,
        *,
        instructions: str,
        chat_ctx: ChatContext | None = None,
        tools: Sequence[AnyTool] = (),
        id: str | None = None,
        turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN,
        min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN,
        use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetection] = NOT_GIVEN,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
    ) -> None:
        self._instructions = instructions
        self._chat_ctx = chat_ctx.copy() if chat_ctx is not None else ChatContext.empty()
        self._tools = (*tools, *decorated(self))
        self._id = id or ("default_agent" if type(self) is Agent else _snake_case(type(self).__name__))
        self._overrides = agent_overrides(
            turn_handling,
            flat={
                "turn_detection": turn_detection,
                "min_endpointing_delay": min_endpointing_delay,
                "max_endpointing_delay": max_endpointing_delay,
                "allow_interruptions": allow_interruptions,
            },
            options={
                "min_consecutive_speech_delay": min_consecutive_speech_delay,
                "use_tts_aligned_transcript": use_tts_aligned_transcript,
            },
        )
        self._session: AgentSession[object] | None = None
        self._bound: UserAgent | None = None
        """Itself as the session's actors see it, while it runs."""
        check_tools(self._tools, f"agent {self._id!r}")

    @property
    def id(self) -> str:
        """Names the agent in handoffs."""
        return self._id

    @property
    def instructions(self) -> str:
        """The system prompt."""
        return self._instructions

    @property
    def tools(self) -> list[AnyTool]:
        """Its tools and tool sets."""
        return list(self._tools)

    @property
    def chat_ctx(self) -> ChatContext:
        """A copy of the conversation it started with."""
        return self._chat_ctx.copy()

    @property
    def session(self) -> AgentSession[object]:
        """The session it runs in.

        Raises:
            SessionStateError: it runs in none.
        """
        if self._session is None:
            raise SessionStateError(f"agent {self._id!r} is not running in a session: start one with it first")
        return self._session

    # -- hooks, overridden by users ----------------------------------------------------------------------------------

    async def on_enter(self) -> None:
        """Called when it becomes the session's agent. Speaking first is done here: ``self.session.say(...)``."""

    async def on_exit(self) -> None:
        """Called when it ceases to be the session's agent."""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """Called when the user's turn is complete and before the reply.

        ``turn_ctx`` is a copy: edits change this reply's context only. Raise :class:`StopResponse` for no reply.
        """


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


__all__ = ["Agent", "StopResponse"]
