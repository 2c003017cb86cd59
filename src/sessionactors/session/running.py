"""``session.run(user_input=...)``: type something, and get all that the agent makes of it. For tests and evals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, overload

from sessionactors.model.errors import OptionError, SessionStateError

from .run_result import RunResult
from .session_link import Userdata_T
from .speaking import Speaking

Output_T = TypeVar("Output_T")


@dataclass(frozen=True, slots=True)
class RunOutputOptions:
    """What to do when a run that needs an output ends without one.

    Raises:
        OptionError: a negative number of retries.
    """

    max_retries: int = 2
    """How often the agent is asked again."""
    retry_instructions: str = "The task is not complete yet. Complete it now by calling the tool that does so."
    """What it is then told."""

    def __post_init__(self) -> None:
        if self.max_retries < 0:
            raise OptionError(f"max_retries must not be negative, got {self.max_retries}")


class Running(Speaking[Userdata_T]):
    """Runs of a session, one at a time."""

    @overload
    def run(self, *, user_input: str) -> RunResult[object]: ...
    @overload
    def run(
        self, *, user_input: str, output_type: type[Output_T], output_options: RunOutputOptions | None = ...
    ) -> RunResult[Output_T]: ...
    def run(
        self,
        *,
        user_input: str,
        output_type: type[Output_T] | None = None,
        output_options: RunOutputOptions | None = RunOutputOptions(),
    ) -> RunResult[Output_T] | RunResult[object]:
        """Let the user type ``user_input``, and watch what comes of it: replies, tools, handoffs, and theirs.

        Args:
            user_input: what the user types.
            output_type: what the run must end with: the result of an ``AgentTask``.
            output_options: what to do when it ends without; None: fail at once.

        Returns:
            The run: await it. What went wrong in its last speech is raised there.

        Raises:
            SessionStateError: the session is not running, has no model, or another run is not complete.
        """
        running = self._mirror.run
        if running is not None:
            raise SessionStateError("another run is not complete: await it first; runs cannot be nested")
        options = output_options or RunOutputOptions(max_retries=0)
        result: RunResult[Output_T] = RunResult(
            output_type,
            attempts=options.max_retries,
            ask_again=lambda: self._ask_again(options.retry_instructions),
            forget=self._forget_run,
        )
        self._mirror.run = result
        try:
            _ = self.generate_reply(user_input=user_input)
        except BaseException:
            self._mirror.run = None
            raise
        return result

    def _ask_again(self, instructions: str) -> None:
        _ = self.generate_reply(instructions=instructions)

    def _forget_run(self, run: object) -> None:
        if self._mirror.run is run:
            self._mirror.run = None
