"""Several speech-to-speech models as one: when one fails, the next session with the conversation so far is another's.

The session keeps the conversation, and replaces a lost connection within its own budget; here is only decided whose the
next one is. So a budget is never spent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Final

from sessionactors.interfaces.realtime import (
    GenerationCreated,
    Modality,
    RealtimeCapabilities,
    RealtimeEvent,
    RealtimeModel,
    RealtimeSession,
    RealtimeSessionError,
    ResponseAudio,
    ResponseDone,
    ResponseText,
    ResponseToolCall,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIConnectionError, APITimeoutError, OptionError, ProviderReplaced
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.model.video import VideoFrame

from .members import AvailabilityCallback, Members, is_final

SAME: Final = ("audio_output", "turn_detection")
"""Capabilities by which a session is built: they cannot change in the middle of a call."""
FAILED_RESPONSES: Final = 2
"""In a row, by which a model counts as failed; the first may be the request's own fault."""


class FallbackAdapter(RealtimeModel):
    """A speech-to-speech model that is several, first choice first.

    One that cannot be reached, breaks off, hangs, or fails or says nothing twice in a row, rests for ``cooldown``
    seconds (longer each time it fails again); the session that follows, with the conversation so far, is the next
    one's. What had begun to be heard is not said again; a reply that had not begun is asked of the next one.

    Args:
        models: two or more, first choice first. They agree on what :data:`SAME` names, and on sample rates.
        cooldown: seconds for which one that failed is not asked while another one works.
        attempt_timeout: seconds > 0 in which a reply that was asked for begins, and from piece to piece of it. Shorter
            than the ``timeout`` of the session's ``llm_conn_options``, which asks the same model again.

    Raises:
        OptionError: an argument is out of range, or the models do not agree.
    """

    def __init__(
        self, models: Sequence[RealtimeModel], *, cooldown: float = 10.0, attempt_timeout: float = 5.0
    ) -> None:
        self._members: Members[RealtimeModel] = Members(
            "realtime", models, retries=0, retry_interval=0.0, attempt_timeout=attempt_timeout, cooldown=cooldown
        )
        first = models[0]
        self._capabilities = _of_all(models)
        self.home = self._members.home
        self.label, self.model, self.provider = f"FallbackAdapter({first.label})", first.model, first.provider
        self._rates = first.input_sample_rate, first.sample_rate
        self._aligned = all(model.aligned_transcript for model in models)

    @property
    def capabilities(self) -> RealtimeCapabilities:
        """What all of them can do."""
        return self._capabilities

    @property
    def input_sample_rate(self) -> int:
        return self._rates[0]

    @property
    def sample_rate(self) -> int:
        return self._rates[1]

    @property
    def aligned_transcript(self) -> bool:
        return self._aligned

    def on(self, event: str, callback: AvailabilityCallback[RealtimeModel]) -> None:
        """Call back when a model fails or works again. The one event is ``realtime_availability_changed``.

        Raises:
            OptionError: there is no such event.
        """
        self._members.subscribe(event, callback)

    def session(self, *, turn_detection_disabled: bool = False) -> RealtimeSession:
        model = self._members.order()[0]
        self.model, self.provider = model.model, model.provider  # who is billed
        return _FallbackSession(self._members, model, turn_detection_disabled=turn_detection_disabled)

    async def aclose(self) -> None:
        await self._members.aclose()


class _FallbackSession(RealtimeSession):
    """A session of one of them, and what shows that it does not work.

    Args:
        members: all of them.
        model: whose it is.
        turn_detection_disabled: as for the model.
    """

    def __init__(self, members: Members[RealtimeModel], model: RealtimeModel, *, turn_detection_disabled: bool) -> None:
        self._members = members
        self._model = model
        self._session = model.session(turn_detection_disabled=turn_detection_disabled)
        self._owed: set[str] = set()
        """Requests that have not begun, responses that have not ended, calls that have not returned."""
        self._overdue: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._said: set[str] = set()
        """Responses with something in them."""
        self._failures = 0
        """Responses in a row that failed, or had nothing in them."""
        self._closed = False

    async def events(self) -> AsyncGenerator[RealtimeEvent, None]:
        """See the interface.

        Raises:
            ProviderReplaced: the model failed, and the next session is another one's.
            APIError: it failed, and there is no other that works.
        """
        events = self._session.events()
        try:
            while True:
                event = await self._next(events)
                self._note(event)
                if isinstance(event, RealtimeSessionError) and not event.recoverable:
                    raise event.error
                if isinstance(event, ResponseDone) and self._is_enough(event):
                    # Not passed on: the reply has not failed, it is asked of another model.
                    raise event.error or APIConnectionError(f"{self._model.label} failed to reply")
                yield event
        except StopAsyncIteration:
            if not self._closed:
                raise self._failed(APIConnectionError(f"{self._model.label} ended the session")) from None
        except Exception as error:
            raise self._failed(error) from error
        finally:
            self._owes(None)
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    async def _next(self, events: AsyncIterator[RealtimeEvent]) -> RealtimeEvent:
        """The next event.

        Raises:
            APITimeoutError: what is owed does not come.
        """
        coming = asyncio.ensure_future(anext(events))
        try:
            await asyncio.wait((coming, self._overdue), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait((coming,))
        if coming.cancelled():
            seconds = self._members.attempt_timeout
            raise APITimeoutError(f"{self._model.label} did not answer within {seconds:g} s")
        return coming.result()

    def _note(self, event: RealtimeEvent) -> None:
        match event:
            case GenerationCreated(response, request):
                self._owed.discard(request or "")
                self._owes(response)
            case ResponseText() | ResponseAudio() | ResponseToolCall():
                self._said.add(event.response_id)
                self._owes(event.response_id)
            case ResponseDone(response, status):
                self._given(response)
                if status == "failed" or (status == "completed" and response not in self._said):
                    self._failures += 1
                elif status == "completed":
                    self._failures = 0
                    self._members.answered(self._model)
            case _:
                pass

    def _owes(self, what: str | None) -> None:
        """The time of what is owed begins anew; None: nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if what is None:
            self._owed.clear()
            return
        self._owed.add(what)
        within = self._members.attempt_timeout
        self._timer = asyncio.get_running_loop().call_later(within, self._is_overdue)

    def _given(self, what: str) -> None:
        self._owed.discard(what)
        if not self._owed:
            self._owes(None)

    def _is_overdue(self) -> None:
        if not self._overdue.done():
            self._overdue.set_result(None)

    def _is_enough(self, done: ResponseDone) -> bool:
        """Whether a response that failed is to be had of another model, if there is one that works."""
        final = done.error is not None and is_final(done.error)
        if done.response_id in self._said or not (final or self._failures >= FAILED_RESPONSES):
            return False
        return any(model is not self._model for model in self._members.order())

    def _failed(self, error: Exception) -> Exception:
        self._members.failed(self._model, error)
        if self._members.replaced(self._model):
            return ProviderReplaced(f"{self._model.label} failed, and another model takes its place: {error}")
        return self._members.all_failed() if is_final(error) else error

    @contextmanager
    def _waiting(self, call: str) -> Iterator[None]:
        self._owes(call)
        try:
            yield
        finally:
            self._given(call)

    # -- passed on ---------------------------------------------------------------------------------------------------

    @property
    def chat_ctx(self) -> ChatContext:
        return self._session.chat_ctx

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        return self._session.tools

    async def update_instructions(self, instructions: str) -> None:
        with self._waiting("update_instructions"):
            await self._session.update_instructions(instructions)

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        with self._waiting("update_chat_ctx"):
            await self._session.update_chat_ctx(chat_ctx)

    async def update_tools(self, tools: Sequence[ToolDefinition]) -> None:
        with self._waiting("update_tools"):
            await self._session.update_tools(tools)

    def update_options(self, *, tool_choice: ToolChoice) -> None:
        self._session.update_options(tool_choice=tool_choice)

    def push_audio(self, frame: AudioFrame) -> None:
        self._session.push_audio(frame)

    def push_video(self, frame: VideoFrame) -> None:
        self._session.push_video(frame)

    def commit_audio(self) -> None:
        self._session.commit_audio()

    def clear_audio(self) -> None:
        self._session.clear_audio()

    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        self._owes(request_id)
        self._session.generate_reply(
            request_id=request_id, instructions=instructions, tool_choice=tool_choice, tools=tools
        )

    def say(self, text: str, *, request_id: str) -> None:
        self._owes(request_id)
        self._session.say(text, request_id=request_id)

    def interrupt(self) -> None:
        self._owes(None)  # a reply that nobody wants may stay away
        self._session.interrupt()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: Sequence[Modality],
        audio_end_ms: int,
        audio_transcript: str | None = None,
    ) -> None:
        self._session.truncate(
            message_id=message_id,
            modalities=modalities,
            audio_end_ms=audio_end_ms,
            audio_transcript=audio_transcript,
        )

    def start_user_activity(self) -> None:
        self._session.start_user_activity()

    async def aclose(self) -> None:
        self._closed = True
        self._owes(None)
        await self._session.aclose()


def _of_all(models: Sequence[RealtimeModel]) -> RealtimeCapabilities:
    """What all can do; they must agree on what a session is built by."""
    first = models[0]
    every = [model.capabilities for model in models]
    for model in models[1:]:
        theirs = [getattr(model.capabilities, name) for name in SAME] + [model.input_sample_rate, model.sample_rate]
        ours = [getattr(first.capabilities, name) for name in SAME] + [first.input_sample_rate, first.sample_rate]
        if theirs != ours:
            raise OptionError(
                f"models behind one adapter must agree on {', '.join(SAME)} and on sample rates: {first.label} and "
                f"{model.label} do not"
            )
    names = [field.name for field in fields(RealtimeCapabilities)]
    return replace(first.capabilities, **{name: all(getattr(each, name) for each in every) for name in names})
