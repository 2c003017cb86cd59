"""``session.run(...)``: one exchange, for tests: what the user types, and all that the agent makes of it.

Lives on the user's loop and is fed by the session's mirror. It watches the speeches that begin while it runs; it is
complete when all of them are over and no handoff or hook that may speak is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar

from sessionactors.model.chat import AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import SessionStateError

from .run_events import AgentHandoffEvent, RunEvent, run_event
from .run_expect import RunExpect

if TYPE_CHECKING:
    from .agent import Agent
    from .speech_handle import SpeechHandle

Output_co = TypeVar("Output_co", covariant=True)

NO_OUTPUT = object()


class UnexpectedModelBehavior(RuntimeError):
    """Raised when a run should have ended with an output of some type, and did not."""


class RunResult(Generic[Output_co]):
    """What a run brought about. Await it; then look at :attr:`expect`, :attr:`events` and :attr:`final_output`.

    Args:
        output_type: what :attr:`final_output` must be; None: anything, or nothing.
        attempts: how often the agent may be asked again for an output.
        ask_again: has the agent asked again.
    """

    def __init__(
        self,
        output_type: type[Output_co] | None,
        *,
        attempts: int,
        ask_again: Callable[[], None],
        forget: Callable[[object], None],
    ) -> None:
        self._output_type = output_type
        self._attempts = attempts
        self._ask_again = ask_again
        self._forget = forget
        self._events: list[RunEvent] = []
        self._handles: dict[str, SpeechHandle] = {}
        self._open: set[str] = set()
        self._work: set[str] = set()
        self._output: object = NO_OUTPUT
        self._errors: list[BaseException] = []
        self._expect: RunExpect | None = None
        self._complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # -- for users ---------------------------------------------------------------------------------------------------

    @property
    def events(self) -> list[RunEvent]:
        """Messages, tool calls, outputs and handoffs, by the time of their items. What the user typed is not in it."""
        return sorted(self._events, key=attrgetter("item.created_at"))

    @property
    def expect(self) -> RunExpect:
        """Assertions on the events; it remembers which of them were looked at.

        Raises:
            SessionStateError: the run is not complete.
        """
        if not self._complete.done():
            raise SessionStateError("the run is not complete: await it before looking at its events")
        if self._expect is None:
            self._expect = RunExpect(self.events)
        return self._expect

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """What went wrong in the speeches of the run, all of it, in order."""
        return tuple(self._errors)

    def done(self) -> bool:
        """Whether it is complete."""
        return self._complete.done()

    @property
    def final_output(self) -> Output_co:
        """What the last ``AgentTask`` of the run completed with.

        Raises:
            SessionStateError: the run is not complete, or ended with no output.
            BaseException: the task completed with this error.
        """
        if not self._complete.done():
            raise SessionStateError("the run is not complete: await it first")
        self._complete.result()
        if self._output is NO_OUTPUT:
            raise SessionStateError("the run ended with no output: no AgentTask completed in it")
        if isinstance(self._output, BaseException):
            raise self._output
        return self._output  # type: ignore[return-value]  # its type was checked when the run completed

    def __await__(self) -> Generator[object, None, RunResult[Output_co]]:
        async def wait() -> RunResult[Output_co]:
            await asyncio.shield(self._complete)
            return self

        return wait().__await__()

    # -- for the session ---------------------------------------------------------------------------------------------

    def watch(self, handle: SpeechHandle) -> None:
        """The run includes this speech."""
        if handle.id not in self._handles and not self._complete.done():
            self._handles[handle.id] = handle
            if not handle.done():
                self._open.add(handle.id)

    def work_begins(self, token: str) -> None:
        """A hook or a handoff that may speak has begun: it is not over before that has ended."""
        self._work.add(token)

    def work_ends(self, token: str) -> None:
        """It has ended."""
        self._work.discard(token)
        self._settle()

    def add(self, speech_id: str, item: ChatMessage | FunctionCall | FunctionCallOutput) -> None:
        """A speech produced an item."""
        if speech_id in self._handles and not self._complete.done():
            self._events.append(run_event(item))

    def add_handoff(self, item: AgentHandoff, old_agent: Agent | None, new_agent: Agent) -> None:
        """Another agent took over."""
        if not self._complete.done():
            self._events.append(AgentHandoffEvent(item, old_agent, new_agent))

    def put_output(self, output: object) -> None:
        """An ``AgentTask`` completed, with a result or an error."""
        self._output = output

    def speech_over(self, speech_id: str, error: BaseException | None) -> None:
        """A speech is over."""
        if speech_id not in self._open:
            return
        self._open.discard(speech_id)
        if error is not None:
            self._errors.append(error)
        self._settle()

    def close(self) -> None:
        """The session closed: what is not complete never will be."""
        if not self._complete.done():
            self._end(SessionStateError("the session closed before the run was complete"))

    def _settle(self) -> None:
        if self._open or self._work or self._complete.done():
            return
        # Later in this round of the loop: whoever waited for the last speech may say something more.
        asyncio.get_running_loop().call_soon(self._end_if_idle)

    def _end_if_idle(self) -> None:
        if self._open or self._work or self._complete.done():
            return
        if self._errors:
            self._end(self._errors[-1])
        elif self._output_type is None:
            self._end(None)
        elif self._output is NO_OUTPUT:
            self._without_output()
        elif isinstance(self._output, (BaseException, self._output_type)):
            self._end(None)
        else:
            got, wanted = type(self._output).__name__, self._output_type.__name__
            self._end(UnexpectedModelBehavior(f"the run ended with a {got}, not with a {wanted}: {self._output!r}"))

    def _without_output(self) -> None:
        if self._attempts > 0:
            self._attempts -= 1
            self._ask_again()
            return
        wanted = self._output_type.__name__ if self._output_type is not None else "output"
        self._end(UnexpectedModelBehavior(f"the run ended without the {wanted} that was asked for"))

    def _end(self, error: BaseException | None) -> None:
        self._forget(self)
        if error is None:
            self._complete.set_result(None)
            return
        self._complete.set_exception(error)
        self._complete.exception()  # whoever awaits the run gets it; nobody has to
