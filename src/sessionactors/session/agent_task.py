"""``AgentTask``: an agent that takes over until it has a result. Awaited inside of a tool or a hook."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Generic, TypeVar, cast

from sessionactors.interfaces.plugin_objects import GivenLLM, GivenSTT, GivenTTS, GivenVAD
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import SessionStateError
from sessionactors.model.instructions import Instructions
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr

from .agent import Agent
from .caller import CALLER, Caller
from .function_tool import ToolError
from .tool import AnyTool
from .turn_handling import TurnHandlingOptions

TaskResult_T = TypeVar("TaskResult_T")


class AgentTask(Agent, Generic[TaskResult_T]):
    """An agent with one thing to find out or to do: ``result = await MyTask()`` in a tool, ``on_enter`` or ``on_exit``.

    While it runs, the agent that awaits it pauses, and the speech whose tool awaits it cannot be interrupted. It ends
    with :meth:`complete`; then the other agent is in charge again and remembers what was said.

    Args:
        instructions: the system prompt.
        chat_ctx: conversation it starts with; copied, without calls of tools that it has not.
        tools: tools and tool sets, besides the methods decorated with ``@function_tool``.
        id: names it in handoffs; the class name in snake case if not given.
        turn_handling: options about turns that differ from the session's.
        stt: its recogniser; the session's if not given, none if None.
        vad: its detector of speech; the session's if not given, none if None.
        llm: its model; the session's if not given, none if None.
        tts: its voice; the session's if not given, none if None.
        preserve_function_call_history: whether the agent that awaits it remembers the tools that it called, too.
    """

    def __init__(
        self,
        *,
        instructions: Instructions | str,
        chat_ctx: ChatContext | None = None,
        tools: Sequence[AnyTool] = (),
        id: str | None = None,
        turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN,
        stt: NotGivenOr[GivenSTT | None] = NOT_GIVEN,
        vad: NotGivenOr[GivenVAD | None] = NOT_GIVEN,
        llm: NotGivenOr[GivenLLM | None] = NOT_GIVEN,
        tts: NotGivenOr[GivenTTS | None] = NOT_GIVEN,
        preserve_function_call_history: bool = False,
    ) -> None:
        super().__init__(
            instructions=instructions,
            chat_ctx=chat_ctx,
            tools=tools,
            id=id,
            turn_handling=turn_handling,
            stt=stt,
            vad=vad,
            llm=llm,
            tts=tts,
        )
        self._preserve_calls = preserve_function_call_history
        self._awaited = False
        self._done = False
        self._result: TaskResult_T | Exception | None = None
        self._key = ""

    def done(self) -> bool:
        """Whether it has a result, or an error."""
        return self._done

    def complete(self, result: TaskResult_T | Exception) -> None:
        """End it, with what ``await`` gives, or with an exception that it raises.

        Raises:
            SessionStateError: it is complete already.
        """
        if self._done:
            raise SessionStateError(f"task {self.id!r} is complete already: its result cannot be given twice")
        self._end(result, cut=False)

    def cancel(self) -> None:
        """Cut off what it says and end it with :class:`ToolError`; does nothing when it has ended."""
        if not self._done:
            self._end(ToolError(f"task {self.id} was cancelled"), cut=True)

    def _end(self, result: TaskResult_T | Exception, *, cut: bool) -> None:
        self._done, self._result = True, result
        if self._session is not None and self._key:
            self._session._end_task(self._key, with_calls=self._preserve_calls, cut=cut, result=result)

    def __await__(self) -> Generator[object, None, TaskResult_T]:
        return self._run().__await__()

    async def _run(self) -> TaskResult_T:
        caller = self._admitted()
        self._awaited = True
        if not self._done:
            try:
                reason = await caller.session._run_task(cast("AgentTask[object]", self), caller)
            except BaseException:
                self._abandon(f"who awaited task {self.id!r} was cancelled or failed before the task had ended")
                raise
            if not self._done:
                self._done, self._result = True, ToolError(f"task {self.id} {reason}")
        if isinstance(self._result, Exception):
            raise self._result
        return cast("TaskResult_T", self._result)

    def _admitted(self) -> Caller:
        caller = CALLER.get()
        if caller is None or caller.over:
            where = "no tool or hook" if caller is None else f"{caller.what}, which is over"
            raise SessionStateError(
                f"task {self.id!r} is awaited in {where}: await it inside of a function tool, on_enter or on_exit"
            )
        if self._awaited:
            raise SessionStateError(f"task {self.id!r} has been awaited already: make a new one each time")
        return caller

    def _abandon(self, why: str) -> None:
        """Whoever hosts it is over."""
        if not self._done:
            self._end(SessionStateError(why), cut=True)
