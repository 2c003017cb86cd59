"""A handle on one thing the agent says: a mirror on the user's loop, kept in step by the session's events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from sessionactors.model.chat import ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import SpeechHeardNote, SpeechStepNote
from sessionactors.model.speech import DEFAULT_INPUT_DETAILS, SPEECH_PRIORITY_NORMAL, InputDetails

if TYPE_CHECKING:
    from .agent_session import AgentSession


class SpeechHandle:
    """One speech: say it, wait for it, cut it off. Made by ``say`` and ``generate_reply``."""

    def __init__(
        self,
        session: AgentSession[object],
        speech_id: str,
        *,
        allow_interruptions: bool,
        priority: int = SPEECH_PRIORITY_NORMAL,
        input_details: InputDetails = DEFAULT_INPUT_DETAILS,
    ) -> None:
        self._session = session
        self._id = speech_id
        self._allow_interruptions = allow_interruptions
        self._priority = priority
        self._input_details = input_details
        self._num_steps = 1
        self._heard_steps = 0
        self._waiting_for_words: list[asyncio.Future[None]] = []
        self._interrupted = False
        self._was_current = False
        self._created = False
        self._items: list[ChatMessage | FunctionCall | FunctionCallOutput] = []
        self._error: BaseException | None = None
        self._done: asyncio.Future[None] = session._loop.create_future()
        self._cut: asyncio.Future[None] = session._loop.create_future()
        self._callbacks: list[Callable[[SpeechHandle], None]] = []

    @property
    def id(self) -> str:
        """Such as ``speech-7``."""
        return self._id

    @property
    def num_steps(self) -> int:
        """How many requests to the model it has made; 1 until a tool's result is answered."""
        return self._num_steps

    @property
    def input_details(self) -> InputDetails:
        """How the user said what it answers."""
        return self._input_details

    @property
    def scheduled(self) -> bool:
        """Whether it is in the queue of what is to be heard, or was. A handle that you hold is."""
        return True

    @property
    def interrupted(self) -> bool:
        """Whether it was cut off."""
        return self._interrupted

    @property
    def chat_items(self) -> list[ChatMessage | FunctionCall | FunctionCallOutput]:
        """The history items it produced, in order."""
        return list(self._items)

    @property
    def allow_interruptions(self) -> bool:
        """Whether the user may cut it off."""
        return self._allow_interruptions

    @allow_interruptions.setter
    def allow_interruptions(self, allow: bool) -> None:
        if self._interrupted and not allow:
            raise SessionStateError(f"{self._id} has been interrupted already and cannot be protected any more")
        self._allow_interruptions = allow
        self._session._set_allow_interruptions(self._id, allow)

    def done(self) -> bool:
        """Whether it is over: heard, cut off or failed, its tools included."""
        return self._done.done()

    def exception(self) -> BaseException | None:
        """What went wrong, or None.

        Raises:
            asyncio.InvalidStateError: it is not over yet.
        """
        if not self._done.done():
            raise asyncio.InvalidStateError(f"{self._id} is not over yet")
        return self._error

    def interrupt(self, *, force: bool = False) -> SpeechHandle:
        """Cut it off; does nothing when it is over or cut off already.

        Raises:
            SessionStateError: it does not allow interruptions, and ``force`` is not set.
        """
        if self._interrupted or self._done.done():
            return self
        if not self._allow_interruptions and not force:
            raise SessionStateError(
                f"{self._id} does not allow interruptions; pass force=True to cut it off all the same"
            )
        self._session._interrupt_speech(self._id, force=force)
        self._was_interrupted()
        return self

    async def wait_for_playout(self) -> None:
        """Wait until it is over, its tools and their replies included.

        Errors of the speech are not raised: see :meth:`exception`.

        Raises:
            SessionStateError: one of its own tools waits for it (or for a speech that waits for it), or a node of the
                current speech, behind which it is queued: that never ends.
        """
        if not self._done.done():
            await self._session._waits.until_over(self._id, self._done, self._is_behind)

    async def wait_if_not_interrupted(self, futures: Sequence[asyncio.Future[object]]) -> None:
        """Wait until all ``futures`` are done, or until it is cut off. The futures are neither cancelled nor read."""
        if self._interrupted or not futures:
            return
        waiting = asyncio.gather(*(asyncio.shield(future) for future in futures), return_exceptions=True)
        await asyncio.wait((waiting, self._cut), return_when=asyncio.FIRST_COMPLETED)

    def __await__(self) -> Generator[object, None, SpeechHandle]:
        async def wait() -> SpeechHandle:
            await self.wait_for_playout()
            return self

        return wait().__await__()

    def add_done_callback(self, callback: Callable[[SpeechHandle], None]) -> None:
        """Call back when it is over (soon, if it is)."""
        if self._done.done():
            self._session._loop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    def remove_done_callback(self, callback: Callable[[SpeechHandle], None]) -> None:
        """Forget a callback."""
        self._callbacks = [other for other in self._callbacks if other != callback]

    def __repr__(self) -> str:
        state = "done" if self.done() else ("current" if self._session.current_speech is self else "waiting")
        return f"<SpeechHandle {self._id} {state}{' interrupted' if self._interrupted else ''}>"

    # -- for the session ---------------------------------------------------------------------------------------------

    def _is_behind(self, speech: str) -> bool:
        """Whether that one is being heard, or about to be, and this one comes after it."""
        current = self._session._mirror.current
        return current is not None and current._id == speech and not current._interrupted and not self._was_current

    def _was_created(self) -> None:
        self._created = True

    def _became_current(self) -> None:
        self._was_current = True

    def _follow_step(self, note: SpeechStepNote | SpeechHeardNote) -> None:
        if isinstance(note, SpeechStepNote):
            self._num_steps = note.step
            return
        self._heard_steps = note.step
        for future in self._waiting_for_words:
            if not future.done():
                future.set_result(None)
        self._waiting_for_words.clear()

    async def _wait_for_words(self, step: int) -> None:
        """Wait until what it says in a step has been heard, or will not be."""
        while self._heard_steps < step and not self._done.done() and not self._cut.done():
            heard: asyncio.Future[None] = self._session._loop.create_future()
            self._waiting_for_words.append(heard)
            await asyncio.wait((heard, self._done, self._cut), return_when=asyncio.FIRST_COMPLETED)

    def _was_interrupted(self) -> None:
        self._interrupted = True
        if not self._cut.done():
            self._cut.set_result(None)

    def _add_item(self, item: ChatMessage | FunctionCall | FunctionCallOutput) -> None:
        self._items.append(item)

    def _finish(self, *, interrupted: bool, error: BaseException | None) -> None:
        if self._done.done():
            return
        if interrupted:
            self._was_interrupted()
        self._error = error
        self._done.set_result(None)
        for callback in self._callbacks:
            self._session._loop.call_soon(callback, self)
        self._callbacks.clear()
