"""``Agent``: instructions, tools and hooks. Users subclass it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sessionactors.interfaces.plugin_objects import GivenLLM, GivenSTT, GivenTTS, GivenVAD
from sessionactors.interfaces.realtime import RealtimeModel, RealtimeSession
from sessionactors.interfaces.tool_server import ToolServer
from sessionactors.model.chat import AgentConfigUpdate, ChatContext, ChatMessage, ReadOnlyChatContext
from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import UserTurnExceededEvent
from sessionactors.model.expressive import ExpressiveOptions, expressive_of
from sessionactors.model.instructions import Instructions
from sessionactors.model.options import TurnDetection
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr

from .agent_nodes import AgentNodes
from .agent_options import agent_overrides
from .function_tool import StopResponse
from .given_components import component
from .mcp_servers import with_servers
from .tool import AnyTool, check_tools, decorated, flattened, may_offer_of
from .tool_handling import ToolHandlingOptions, check_tool_handling
from .turn_handling import TurnHandlingOptions

if TYPE_CHECKING:
    from .agent_session import AgentSession
    from .tool_approval import ToolApproval
    from .user_code import SessionUserAgent


TOO_LONG: Final = (
    "The user has been talking for long without a pause. Cut in kindly, in one short sentence, which cannot be "
    "interrupted."
)
"""What the model is told when the user does not stop."""


class Agent(AgentNodes):
    """What talks to the user.

    Args:
        instructions: the system prompt.
        chat_ctx: conversation it starts with; copied, without calls of tools that it has not.
        tools: tools and tool sets, besides the methods decorated with ``@function_tool``.
        id: names it in handoffs; the class name in snake case if not given.
        turn_handling: options about turns while it is in charge: ``turn_detection``, ``endpointing``,
            ``preemptive_generation``, and ``enabled`` and ``mode`` of ``interruption``. They take precedence over the
            session's, key by key.
        tool_handling: its words for what a model is told of tools, instead of the session's.
        min_consecutive_speech_delay: seconds between two of its speeches.
        use_tts_aligned_transcript: take its transcript from the voice's word timings.
        expressive: whether its model steers its voice; the session's option if not given.
        stt: its recogniser; the session's if not given, none if None. One that both agents have goes on in a handoff.
        vad: its detector of speech; the session's if not given, none if None.
        llm: its model; the session's if not given, none if None.
        tts: its voice; the session's if not given, none if None.
        turn_detection: deprecated, as all that follow: they are in ``turn_handling`` now.
        min_endpointing_delay: seconds of silence that end a turn.
        max_endpointing_delay: seconds of silence when the turn detector thinks that the user goes on.
        allow_interruptions: whether the user may cut it off.
        mcp_servers: servers of tools; ``tools=[MCPToolset(...)]`` now.

    Raises:
        OptionError: an option is unknown, out of range, or only a session can have it; a component is none of its kind;
            a template cannot be used.
        ToolDefinitionError: something is no tool.
        DuplicateToolError: two tools of one name.
    """

    def __init__(
        self,
        *,
        instructions: Instructions | str,
        chat_ctx: ChatContext | None = None,
        tools: Sequence[AnyTool] = (),
        id: str | None = None,
        turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN,
        tool_handling: ToolHandlingOptions | None = None,
        min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN,
        use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        stt: NotGivenOr[GivenSTT | None] = NOT_GIVEN,
        vad: NotGivenOr[GivenVAD | None] = NOT_GIVEN,
        llm: NotGivenOr[GivenLLM | None] = NOT_GIVEN,
        tts: NotGivenOr[GivenTTS | None] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetection] = NOT_GIVEN,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        mcp_servers: NotGivenOr[Sequence[ToolServer] | None] = NOT_GIVEN,
    ) -> None:
        self._instructions = instructions
        self._tools = (*with_servers("Agent", tools, mcp_servers), *decorated(self))
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
                "expressive": expressive_of(expressive),
            },
        )
        self._parts: dict[str, object] = {
            name: component(name, part)
            for name, part in (("stt", stt), ("vad", vad), ("llm", llm), ("tts", tts))
            if part is not NOT_GIVEN
        }
        """Components of its own, by name."""
        self._session: AgentSession[object] | None = None
        self._bound: SessionUserAgent | None = None
        """Itself as the session's actors see it, while it runs."""
        check_tools(self._tools, f"agent {self._id!r}")
        check_tool_handling(tool_handling)
        self._tool_handling = tool_handling
        self._chat_ctx = ChatContext.empty() if chat_ctx is None else chat_ctx.copy(tools=_names(self._tools))

    @property
    def id(self) -> str:
        """Names the agent in handoffs."""
        return self._id

    @property
    def instructions(self) -> Instructions | str:
        """The system prompt."""
        return self._instructions

    @property
    def tools(self) -> list[AnyTool]:
        """Its tools and tool sets."""
        return list(self._tools)

    @property
    def chat_ctx(self) -> ChatContext:
        """What it remembers, as a read-only copy: its instructions, and what was said while it was in charge."""
        return ReadOnlyChatContext(self._chat_ctx.items)

    @property
    def session(self) -> AgentSession[object]:
        """The session it runs in.

        Raises:
            SessionStateError: it runs in none.
        """
        if self._session is None:
            raise SessionStateError(f"agent {self._id!r} is not running in a session: start one with it first")
        return self._session

    @property
    def realtime_llm_session(self) -> RealtimeSession:
        """The session with its realtime model: for what only you know to do with it. Another one after a reconnect.

        Replies are asked for by ``session.generate_reply()`` all the same, and the session's events are its own.

        Raises:
            SessionStateError: the agent runs in no session, has no realtime model, or the model is being linked.
        """
        return self.session._realtime_session(self)

    # -- changing it -------------------------------------------------------------------------------------------------

    async def update_instructions(self, instructions: Instructions | str) -> None:
        """Give it other instructions, also while it runs: its next request is made with them.

        Its context and the session's history note the change.
        """
        self._instructions = instructions
        if self._session is not None:
            await self._session._revise(self, AgentConfigUpdate(instructions=str(instructions)))

    async def update_tools(self, tools: Sequence[AnyTool]) -> None:
        """Give it these tools instead of those it has, also while it runs: its next request is made with them.

        Its context and the session's history note the change; calls of tools that it has no more leave its context.

        Raises:
            ToolDefinitionError: something is no tool; then nothing changes.
            DuplicateToolError: two tools of one name, or one that the session has too; then nothing changes.
        """
        session_tools = () if self._session is None else self._session._tools
        check_tools((*session_tools, *tools), f"agent {self._id!r}")
        before, after = _names(self._tools), _names(tools)
        added = [name for name in after if name not in before]
        removed = [name for name in before if name not in after]
        self._tools = tuple(tools)
        if self._session is not None:
            change = AgentConfigUpdate(tools_added=added or None, tools_removed=removed or None)
            await self._session._revise(self, change)

    def update_options(
        self,
        *,
        stt: NotGivenOr[GivenSTT | None] = NOT_GIVEN,
        vad: NotGivenOr[GivenVAD | None] = NOT_GIVEN,
        llm: NotGivenOr[GivenLLM | None] = NOT_GIVEN,
        tts: NotGivenOr[GivenTTS | None] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
    ) -> None:
        """Give it other components, also while it runs: all of them at once, from the next request and speech on.

        Args:
            stt: its recogniser, which hears again what the one before has not settled; None: it has none.
            vad: its detector of speech; None: it has none.
            llm: its model; None: it has none.
            tts: its voice; None: it has none.
            expressive: whether its model steers its voice, and in which manner; in place of the session's option.

        Raises:
            OptionError: a component is none of its kind; ``expressive`` has a key or a value that there is not.
            SessionStateError: while it runs, from or to a realtime model: that is another kind of session.
        """
        if self._bound is not None and RealtimeModel in map(_kind, (self._bound.components.llm, llm)):
            raise SessionStateError(f"agent {self._id!r} runs: a realtime model can be neither left nor entered now")
        parts = (("stt", stt), ("vad", vad), ("llm", llm), ("tts", tts))
        others = {name: component(name, part) for name, part in parts if part is not NOT_GIVEN}
        if expressive is not NOT_GIVEN:
            self._overrides = {**self._overrides, "expressive": expressive_of(expressive)}
        self._parts = {**self._parts, **others}
        if (others or expressive is not NOT_GIVEN) and self._session is not None:
            self._session._swap_components(self)

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Let it remember this instead, also while it runs: its next request is made with it. The history stays.

        Calls of tools that it has not are left out; its instructions stay as they are.
        """
        session = self._session
        if session is None:
            self._chat_ctx = chat_ctx.copy(tools=_names(self._tools))
        else:
            await session._rewrite_context(self, chat_ctx.copy(tools=_names((*session._tools, *self._tools))))

    # -- hooks, overridden by users ----------------------------------------------------------------------------------

    async def on_enter(self) -> None:
        """Called when it becomes the session's agent. Speaking first is done here: ``self.session.say(...)``."""

    async def on_tool_approval(self, approval: ToolApproval) -> None:
        """Called when a call needs an approval before it runs: ``approval.approve()`` or ``approval.deny(reason)``.

        It may do neither, and leave that to whoever looks at ``session.pending_approvals``.
        """

    async def on_exit(self) -> None:
        """Called when it ceases to be the session's agent."""

    async def on_user_turn_exceeded(self, ev: UserTurnExceededEvent) -> None:
        """Called when the user goes on for longer than ``turn_handling["user_turn_limit"]`` allows.

        Cuts in with a short reply that cannot be interrupted. Override it to say something else, or nothing.
        """
        reply = self.session.generate_reply(
            user_input=ev.transcript,
            instructions=TOO_LONG,
            allow_interruptions=False,
            tool_choice="none",
        )
        await reply.wait_for_playout()

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """Called when the user's turn is complete and before the reply.

        ``turn_ctx`` is a copy: edits change this reply's context only. Raise :class:`StopResponse` for no reply.
        """


def _names(tools: Sequence[AnyTool]) -> list[str]:
    return [offered.tool.id for offered in flattened(tools, inside=may_offer_of)]


def _kind(model: object) -> type | None:
    return RealtimeModel if isinstance(model, RealtimeModel) else None


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


__all__ = ["Agent", "StopResponse"]
