"""What a running tool may know and do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from sessionactors.interfaces.tool_link import ToolLink
from sessionactors.model.chat import FunctionCall
from sessionactors.model.errors import OptionError, SessionStateError

from .filler import Filler, FillerSource
from .tool_handling import DEFAULTS, AsyncToolOptions, UpdatePromptArgs, rendered
from .waits import IN_FRONT

if TYPE_CHECKING:
    from .agent_session import AgentSession
    from .speech_handle import SpeechHandle

Userdata_T = TypeVar("Userdata_T")


class RunContext(Generic[Userdata_T]):
    """Given to a tool that has a parameter of this type."""

    def __init__(
        self,
        session: AgentSession[Userdata_T],
        speech_handle: SpeechHandle,
        function_call: FunctionCall,
        *,
        link: ToolLink | None = None,
        templates: AsyncToolOptions | None = None,
    ) -> None:
        self._session = session
        self._speech_handle = speech_handle
        self._function_call = function_call
        self._link = link
        self._templates = templates or DEFAULTS
        self._step = speech_handle.num_steps
        self._fillers: list[Filler] = []

    @property
    def session(self) -> AgentSession[Userdata_T]:
        """The session."""
        return self._session

    @property
    def speech_handle(self) -> SpeechHandle:
        """The speech for which the tool runs."""
        return self._speech_handle

    @property
    def function_call(self) -> FunctionCall:
        """The call."""
        return self._function_call

    @property
    def userdata(self) -> Userdata_T:
        """The session's user data.

        Raises:
            ValueError: the session has none.
        """
        return self._session.userdata

    def disallow_interruptions(self) -> None:
        """Protect the speech from now on.

        Raises:
            RuntimeError: it has been interrupted already.
        """
        self._speech_handle.allow_interruptions = False

    async def wait_for_playout(self) -> None:
        """Wait until the words before this call have been heard, or will not be. What comes after is not waited for."""
        await self._speech_handle._wait_for_words(self._step)

    async def update(self, message: object, *, template: str | Callable[[UpdatePromptArgs], str] | None = None) -> None:
        """Tell how far the tool is, and go on in the background.

        The first update answers the call: the agent replies to it and the conversation goes on. Further updates, and
        what the tool returns in the end, are told in one reply when all is quiet.

        Args:
            message: text, which is put into the template; anything else is told as JSON, as it is.
            template: text for ``str.format``, or a function, instead of the ``update_template`` of ``tool_handling``.

        Raises:
            SessionStateError: the tool has returned already.
            OptionError: the message is no text, and cannot be said in JSON.
        """
        link = self._live("update()")
        for filler in self._fillers:
            filler.hold_back()
        if isinstance(message, str):
            said = message
            args = UpdatePromptArgs(
                function_name=self._function_call.name, call_id=self._function_call.call_id, message=message
            )
            output = rendered(self._templates["update_template"] if template is None else template, args)
        else:
            try:
                said = output = json.dumps(message, ensure_ascii=False)
            except (TypeError, ValueError) as error:
                raise OptionError(
                    f"an update must be text, or what JSON can say; got {type(message).__name__}"
                ) from error
        self._session._waits.let_go(self._function_call.call_id)
        await link.update(said, output, reply_required=True)

    @asynccontextmanager
    async def foreground(self) -> AsyncIterator[None]:
        """Wait until all is quiet, and keep it: what background tools have to say waits until the block ends.

        What this tool has told before is said first. Inside, ask and say things with the session as ever.

        Raises:
            SessionStateError: the tool has returned already.
        """
        async with self._live("foreground()").quiet():
            inside = IN_FRONT.set(True)
            try:
                yield
            finally:
                IN_FRONT.reset(inside)

    @asynccontextmanager
    async def with_filler(
        self, source: FillerSource, *, delay: float = 0, interval: float | None = None, max_steps: int | None = None
    ) -> AsyncIterator[None]:
        """Say something while the block takes its time.

        Args:
            source: what to say; or a function of the number of fillers so far, which gives a text, the handle of a
                speech it has begun, or None to skip this one.
            delay: seconds >= 0 of quiet before each filler; counted anew when somebody speaks, and at :meth:`update`.
            interval: seconds >= 0 after a filler before the next one; None: only one.
            max_steps: how many at most; None: as many as there is time for.

        Raises:
            OptionError: a figure is negative.
            SessionStateError: the tool has returned already.
        """
        for name, value in (("delay", delay), ("interval", interval), ("max_steps", max_steps)):
            if value is not None and value < 0:
                raise OptionError(f"{name} must not be negative, got {value}")
        filler = Filler(
            cast("AgentSession[object]", self._session),
            self._speech_handle,
            self._live("with_filler()"),
            source,
            delay,
            interval,
            max_steps,
        )
        self._fillers.append(filler)
        filler.start()
        try:
            yield
        finally:
            self._fillers.remove(filler)
            await filler.aclose()

    def _live(self, call: str) -> ToolLink:
        if self._link is None:
            raise SessionStateError(f"{call}: tool {self._function_call.name!r} has returned already")
        return self._link

    def _over(self) -> None:
        """The tool has returned."""
        self._link = None
