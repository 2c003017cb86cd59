"""``llm``: requests to the model, their deadlines and retries. Speeches ask; it answers with deltas, calls and one end.

Start it with ``ChildSpec(keep_state=True)``: after a restart each open request is asked again if nothing of it had been
released, and fails if something had. It knows nothing of turns, voices or the floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM, ChatChunk, CompletionUsage
from sessionactors.interfaces.speech_in_hand import in_hand
from sessionactors.messages.llm import (
    AttemptDue,
    AttemptEnded,
    AttemptStalled,
    CancelGeneration,
    ChunkArrived,
    GenerateText,
    GenerationDone,
    GenerationFailed,
    TextDelta,
    TextFlushed,
    ToolCallsRequested,
)
from sessionactors.messages.session import ComponentFailed, ComponentStumbled, Publish, Recovered
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIError, APITimeoutError, SessionActorsError, SessionStateError
from sessionactors.model.events import MetricsCollectedEvent
from sessionactors.model.metrics import LLMMetrics
from sessionactors.runtime import NS, Actor, EffectPort, Outbox
from sessionactors.runtime.frozen import replace

from .call_ids import named_for_session
from .component_metadata import metadata_of
from .retry_policy import patience, reportable, retry_delay
from .wiring import Wiring

LLMMessage: TypeAlias = GenerateText | CancelGeneration | ChunkArrived | AttemptEnded | AttemptDue | AttemptStalled

REMEMBERED = 64
"""Ended or cancelled requests that are remembered: a cancel is control and may overtake what it cancels."""


class GenerationSuperseded(SessionActorsError):
    """Raised when a request's scope was closed before the request had ended."""


class GenerationLost(SessionActorsError):
    """Raised when a restart cut a request off after something of it had been released."""


@dataclass(frozen=True, slots=True)
class Request:
    """An open request."""

    order: GenerateText
    since: int
    attempt: int = 0
    """Number of the newest attempt; what an older one still says is not wanted."""
    running: bool = False
    failures: int = 0
    first_at: int | None = None
    """When the first text or call was released; from then on nothing is asked again."""
    usage: CompletionUsage | None = None
    provider_id: str = ""
    """The provider's name for it."""


@dataclass(frozen=True, slots=True)
class LLMState:
    """What is open, and the sums."""

    requests: Mapping[str, Request] = field(default_factory=dict)
    ended: tuple[str, ...] = ()
    """The newest requests that were answered or cancelled."""
    failing: bool = False
    """The last request failed for good: the next success is a recovery."""
    call_ids: Mapping[str, str] = field(default_factory=dict)
    """Requests by the ids of the tool calls that they brought."""
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0


class LLMActor(Actor[LLMState, LLMMessage]):
    """Asks the model."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._options = wiring.options.llm_conn_options

    def initial(self) -> LLMState:
        """Nothing is asked."""
        return LLMState()

    def restarted(self, state: LLMState, error: BaseException, out: Outbox[LLMMessage]) -> LLMState:
        """The attempts are gone: ask again what may be asked again."""
        # A fresh state has forgotten whether the provider was failing: say that it recovered rather than never.
        state = replace(state, failing=True)
        for request in list(state.requests.values()):
            if request.first_at is None:
                state = self._attempt(state, request, out)
            else:
                lost = GenerationLost("llm was restarted after part of the reply had been released")
                lost.__cause__ = error
                state = self._answer_failed(state, request, lost, out)
        return state

    def receive(self, state: LLMState, message: LLMMessage, out: Outbox[LLMMessage]) -> LLMState:
        """One message."""
        match message:
            case ChunkArrived():
                return self._on_chunk(state, message, out)
            case GenerateText():
                return self._on_request(state, message, out)
            case CancelGeneration(name):
                return self._on_cancel(state, name, out)
            case AttemptEnded(name, attempt, error):
                return self._on_ended(state, name, attempt, error, out)
            case AttemptDue(name):
                request = state.requests.get(name)
                return state if request is None or request.running else self._attempt(state, request, out)
            case AttemptStalled(name, attempt):
                return self._on_stalled(state, name, attempt, out)
            case _:
                assert_never(message)

    # -- requests ----------------------------------------------------------------------------------------------------

    def _on_request(self, state: LLMState, order: GenerateText, out: Outbox[LLMMessage]) -> LLMState:
        if order.request in state.ended or order.request in state.requests:
            out.log("request_ignored", level="debug", request=order.request, reason="cancelled, answered or running")
            return state
        return self._attempt(state, Request(order, out.now), out)

    def _on_cancel(self, state: LLMState, name: str, out: Outbox[LLMMessage]) -> LLMState:
        request = state.requests.get(name)
        if request is None:
            return state if name in state.ended else replace(state, ended=_remember(state.ended, name))
        self._stop(request, out)
        self._publish_metrics(request, out, cancelled=True)
        return _closed(replace(state, cancelled=state.cancelled + 1), name)

    def _model_of(self, order: GenerateText) -> LLM | None:
        model = self._wiring.components.llm if order.model is None else order.model
        return model if isinstance(model, LLM) else None

    def _own_budget(self, order: GenerateText) -> float | None:
        model = self._model_of(order)
        return None if model is None else model.answers_within

    def _label(self, order: GenerateText) -> str:
        model = self._model_of(order)
        return "llm" if model is None else model.label

    # -- attempts ----------------------------------------------------------------------------------------------------

    def _attempt(self, state: LLMState, request: Request, out: Outbox[LLMMessage]) -> LLMState:
        if request.order.scope.closed:
            return self._superseded(state, request, out)
        number = request.attempt + 1
        request = replace(request, attempt=number, running=True, usage=None, provider_id="")
        order, llm = request.order, self._model_of(request.order)
        out.effect(
            order.request,
            lambda port: self._stream(port, order, number),
            done=lambda _: AttemptEnded(order.request, number, None),
            failed=lambda error: AttemptEnded(order.request, number, error),
            user_loop=llm is not None and llm.home is Home.USER,
        )
        self._watch(request, out)
        return _with(state, request)

    async def _stream(self, port: EffectPort[LLMMessage], order: GenerateText, attempt: int) -> None:
        llm = self._model_of(order)
        if llm is None:
            raise SessionStateError(
                "a reply was asked for, but there is no llm: give one to AgentSession, start() or the agent"
            )
        chat = llm.chat(chat_ctx=ChatContext(order.chat_items), tools=order.tools, tool_choice=order.tool_choice)
        with in_hand(order.request, llm.label):
            async with chat as chunks:
                async for chunk in chunks:
                    await port.send(ChunkArrived(order.request, attempt, _checked(chunk, llm.label)))

    def _watch(self, request: Request, out: Outbox[LLMMessage]) -> None:
        name = request.order.request
        within = patience(self._own_budget(request.order), self._options)
        out.timer(_stall(name), within, AttemptStalled(name, request.attempt))

    def _stop(self, request: Request, out: Outbox[LLMMessage]) -> None:
        name = request.order.request
        out.cancel_effect(name)
        out.cancel_timer(_stall(name))
        out.cancel_timer(_retry(name))

    # -- what an attempt brings --------------------------------------------------------------------------------------

    def _on_chunk(self, state: LLMState, message: ChunkArrived, out: Outbox[LLMMessage]) -> LLMState:
        request = _running(state, message.request, message.attempt)
        if request is None:
            return state
        if request.order.scope.closed:
            return self._superseded(state, request, out)
        self._watch(request, out)
        chunk = message.chunk
        if chunk.tool_calls:
            calls, call_ids = named_for_session(chunk.tool_calls, message.request, state.call_ids)
            if len(calls) < len(chunk.tool_calls):
                out.log("tool_calls_sent_twice", level="warning", request=message.request)
            chunk, state = replace(chunk, tool_calls=calls), replace(state, call_ids=call_ids)
        request = self._release(request, chunk, out)
        return _with(state, request)

    def _release(self, request: Request, chunk: ChatChunk, out: Outbox[LLMMessage]) -> Request:
        order = request.order
        calls = chunk.tool_calls
        if calls and order.tool_choice == "none":
            out.log("tool_calls_ignored", level="warning", request=order.request, reason="tool_choice is none")
            calls = ()
        if chunk.content:
            out.tell(order.reply_to, TextDelta(order.request, chunk.content, order.scope))
        if chunk.flush:
            out.tell(order.reply_to, TextFlushed(order.request, order.scope))
        if calls:
            out.tell(order.reply_to, ToolCallsRequested(order.request, calls, order.scope))
        return replace(
            request,
            first_at=out.now if request.first_at is None and (chunk.content or calls) else request.first_at,
            usage=chunk.usage or request.usage,
            provider_id=chunk.request_id or request.provider_id,
        )

    def _on_ended(
        self, state: LLMState, name: str, attempt: int, error: BaseException | None, out: Outbox[LLMMessage]
    ) -> LLMState:
        request = _running(state, name, attempt)
        if request is None:
            return state
        if error is not None:
            return self._on_failure(state, request, reportable(error, self._label(request.order)), out)
        model = self._model_of(request.order)
        may_be_silent = request.order.may_be_empty or (model is not None and model.may_be_silent)
        if request.first_at is None and not may_be_silent:
            silent = APIError(f"{self._label(request.order)} answered with neither text nor calls")
            return self._on_failure(state, request, silent, out)
        return self._answer_done(state, request, out.now if request.first_at is None else request.first_at, out)

    def _on_stalled(self, state: LLMState, name: str, attempt: int, out: Outbox[LLMMessage]) -> LLMState:
        request = _running(state, name, attempt)
        if request is None:
            return state
        out.cancel_effect(name)
        what = "did not start to answer" if request.first_at is None else "stopped answering"
        within = patience(self._own_budget(request.order), self._options)
        stalled = APITimeoutError(f"{self._label(request.order)} {what} within {within} s")
        return self._on_failure(state, request, stalled, out)

    def _on_failure(self, state: LLMState, request: Request, error: Exception, out: Outbox[LLMMessage]) -> LLMState:
        """An attempt failed: ask again after a while, if nothing was released and the budget allows."""
        name = request.order.request
        out.cancel_timer(_stall(name))
        request = replace(request, running=False, failures=request.failures + 1)
        ours = request.first_at is None and self._own_budget(request.order) is None
        delay = retry_delay(error, request.failures, self._options) if ours else None
        if delay is None:
            out.tell(self._wiring.supervisor, ComponentFailed("llm", error, self._label(request.order)))
            return self._answer_failed(replace(state, failing=True), request, error, out)
        out.tell(self._wiring.supervisor, ComponentStumbled("llm", error, self._label(request.order)))
        out.log("request_retried", level="warning", request=name, failures=request.failures, error=repr(error))
        out.timer(_retry(name), delay, AttemptDue(name))
        return _with(replace(state, retried=state.retried + 1), request)

    # -- ends --------------------------------------------------------------------------------------------------------

    def _answer_done(self, state: LLMState, request: Request, first_at: int, out: Outbox[LLMMessage]) -> LLMState:
        order = request.order
        self._stop(request, out)
        ttft, duration = (first_at - request.since) / NS, (out.now - request.since) / NS
        out.tell(order.reply_to, GenerationDone(order.request, request.usage, ttft, duration, request.provider_id))
        self._publish_metrics(request, out)
        if state.failing:
            out.tell(self._wiring.supervisor, Recovered("llm"))
        return _closed(replace(state, done=state.done + 1, failing=False), order.request)

    def _answer_failed(self, state: LLMState, request: Request, error: Exception, out: Outbox[LLMMessage]) -> LLMState:
        self._stop(request, out)
        out.tell(request.order.reply_to, GenerationFailed(request.order.request, error))
        return _closed(replace(state, failed=state.failed + 1), request.order.request)

    def _superseded(self, state: LLMState, request: Request, out: Outbox[LLMMessage]) -> LLMState:
        """Nobody wants the answer any more: no fault of the provider's."""
        error = GenerationSuperseded(f"{request.order.request}: its scope {request.order.scope.path} was closed")
        return self._answer_failed(state, request, error, out)

    def _publish_metrics(self, request: Request, out: Outbox[LLMMessage], *, cancelled: bool = False) -> None:
        usage = request.usage or CompletionUsage(0, 0)
        metrics = LLMMetrics(
            label=self._label(request.order),
            request_id=request.provider_id or request.order.request,
            speech_id=request.order.speech,
            ttft=-1.0 if request.first_at is None else (request.first_at - request.since) / NS,
            duration=(out.now - request.since) / NS,
            completion_tokens=usage.completion_tokens,
            prompt_tokens=usage.prompt_tokens,
            prompt_cached_tokens=usage.prompt_cached_tokens,
            cache_creation_tokens=usage.cache_creation_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cancelled=cancelled,
            timestamp=out.wall(),
            metadata=metadata_of(self._model_of(request.order)),
        )
        out.tell(self._wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))

    def summary(self, state: LLMState) -> Mapping[str, object]:
        """Open requests, and how the others ended."""
        return {
            "open": {name: f"attempt {request.attempt}, {_phase(request)}" for name, request in state.requests.items()},
            "done": state.done,
            "failed": state.failed,
            "cancelled": state.cancelled,
            "retried": state.retried,
        }


def _phase(request: Request) -> str:
    if not request.running:
        return "waiting to ask again"
    return "waiting for the first chunk" if request.first_at is None else "streaming"


def _checked(chunk: object, label: str) -> ChatChunk:
    """A provider is not ours to trust: what is no chunk must not reach a handler."""
    if not isinstance(chunk, ChatChunk):
        raise APIError(f"{label} yielded {type(chunk).__name__} instead of ChatChunk", retryable=False)
    return chunk


def _running(state: LLMState, name: str, attempt: int) -> Request | None:
    """The request, if this attempt of it is the running one."""
    request = state.requests.get(name)
    return request if request is not None and request.running and request.attempt == attempt else None


def _with(state: LLMState, request: Request) -> LLMState:
    return replace(state, requests={**state.requests, request.order.request: request})


def _closed(state: LLMState, name: str) -> LLMState:
    left = {other: request for other, request in state.requests.items() if other != name}
    return replace(state, requests=left, ended=_remember(state.ended, name))


def _remember(ended: tuple[str, ...], name: str) -> tuple[str, ...]:
    return (*ended, name)[-REMEMBERED:]


def _stall(name: str) -> str:
    return f"stall:{name}"


def _retry(name: str) -> str:
    return f"retry:{name}"
