"""`llm`: each request ends once, attempts have deadlines, retries stop where something has been released."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sessionactors.actors.call_ids import named_for_session
from sessionactors.actors.llm import GenerationLost, GenerationSuperseded, LLMActor
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
from sessionactors.messages.llm import (
    CancelGeneration,
    GenerateText,
    GenerationDone,
    GenerationFailed,
    TextDelta,
    ToolCallsRequested,
)
from sessionactors.messages.session import ComponentFailed, Recovered
from sessionactors.model.chat import ChatMessage
from sessionactors.model.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    SessionStateError,
)
from sessionactors.model.metrics import LLMMetrics, Metadata
from sessionactors.runtime import Scope
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply

from tests.actors.service_stage import SEEDS, Boom, Stage, now, text_of, virtually

CALL = FunctionToolCall("call-1", "weather", '{"place": "Bern"}')
ITEMS = (ChatMessage("user", ["Hello?"], id="item-1", created_at=0.0),)


def ask(stage: Stage, scope: Scope, name: str = "speech-1/step-1", **changes: Any) -> GenerateText:
    order = {"chat_items": ITEMS, "tools": (), "tool_choice": "auto", "speech": "speech-1", **changes}
    return GenerateText(request=name, reply_to=stage.speech_ref, scope=scope, **order)


def with_model(
    replies: list[ScriptedReply | str], body: Callable[[Stage, ScriptedLLM], Awaitable[None]], **options: Any
) -> None:
    """Run a test body on a stage with a scripted model, in every order."""
    for seed in SEEDS:
        model = ScriptedLLM(replies)

        async def main(model: ScriptedLLM = model, seed: int | None = seed) -> None:
            async with Stage(LLMActor, llm=model, seed=seed, **options) as stage:
                await body(stage, model)
            assert all(request.closed for request in model.requests)

        virtually(main)


def ends(stage: Stage) -> list[Any]:
    return stage.speech.of(GenerationDone, GenerationFailed)


def test_reply_comes_as_deltas_and_ends_once() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(10)
        assert text_of(stage.speech.of(TextDelta)) == "Hello there, how are you?"
        (done,) = ends(stage)
        assert done == GenerationDone("speech-1/step-1", CompletionUsage(5, 1), done.ttft, done.duration, "scripted-1")
        assert done.ttft == pytest.approx(0.1, abs=0.003)
        assert done.duration == pytest.approx(0.4, abs=0.003)
        assert stage.speech.messages[-1] is done
        (request,) = model.requests
        assert request.items == ITEMS
        assert request.finished
        assert stage.inspect().state["open"] == {}
        assert not stage.inspect().timers

    with_model(["Hello there, how are you?"], body)


def test_metrics_name_the_speech_and_the_providers_request() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(1)
        (metrics,) = stage.metrics()
        assert metrics == LLMMetrics(
            "scripted.LLM",
            "scripted-1",
            "speech-1",
            metrics.ttft,
            metrics.duration,
            completion_tokens=1,
            prompt_tokens=1,
            timestamp=metrics.timestamp,
            metadata=Metadata("scripted"),
        )
        assert metrics.ttft == pytest.approx(0.1, abs=0.003)

    with_model(["Hello."], body)


def test_metrics_name_every_kind_of_token() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(1)
        (metrics,) = stage.metrics()
        assert (metrics.completion_tokens, metrics.prompt_tokens, metrics.prompt_cached_tokens) == (9, 20, 5)
        assert (metrics.cache_creation_tokens, metrics.reasoning_tokens) == (4, 6)

    with_model([ScriptedReply("Hello.", usage=CompletionUsage(9, 20, 5, 4, 6))], body)


def test_calls_are_passed_on_complete() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(1)
        assert [message.calls for message in stage.speech.of(ToolCallsRequested)] == [(CALL,)]
        assert isinstance(stage.speech.messages[-1], GenerationDone)

    with_model([ScriptedReply(tool_calls=(CALL,))], body)


def test_calls_are_ignored_when_none_are_allowed() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope(), tool_choice="none"))
        await asyncio.sleep(1)
        assert stage.speech.of(ToolCallsRequested) == []
        assert model.requests[0].tool_choice == "none"
        assert isinstance(stage.speech.messages[-1], GenerationDone)

    with_model([ScriptedReply("Well.", tool_calls=(CALL,))], body)


def test_an_attempt_that_fails_before_its_first_delta_is_asked_again() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(10)
        assert text_of(stage.speech.of(TextDelta)) == "At last."
        (done,) = ends(stage)
        assert isinstance(done, GenerationDone)
        # 0.1 s to the error, 0.1 s to the first retry, 0.1 s to the next error, 1 s to the second retry, 0.1 s.
        assert done.ttft == pytest.approx(1.4, abs=0.01)
        assert stage.facts(ComponentFailed) == []
        assert stage.inspect().state["retried"] == 2

    with_model(
        [
            ScriptedReply(error=APIConnectionError("refused")),
            ScriptedReply(error=APIStatusError("slow down", status_code=429)),
            "At last.",
        ],
        body,
    )


def test_a_provider_that_asks_to_wait_is_given_the_time() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(10)
        (done,) = ends(stage)
        assert done.ttft == pytest.approx(0.1 + 3.0 + 0.1, abs=0.01)

    slow_down = APIStatusError("slow down", status_code=429, retry_after=3.0)
    with_model([ScriptedReply(error=slow_down), "At last."], body)


def test_a_wait_longer_than_the_deadline_of_an_answer_is_no_answer() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(30)
        (failed,) = ends(stage)
        assert failed.error is slow_down
        assert len(model.requests) == 1

    slow_down = APIStatusError("slow down", status_code=429, retry_after=5.1)
    with_model([ScriptedReply(error=slow_down), "Too late."], body)


def test_nothing_is_asked_again_after_the_first_delta() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(10)
        assert text_of(stage.speech.of(TextDelta)) == "Hello there"
        (failed,) = ends(stage)
        assert isinstance(failed.error, APIConnectionError)
        assert len(model.requests) == 1
        assert [fact.component for fact in stage.facts(ComponentFailed)] == ["llm"]

    with_model([ScriptedReply("Hello there you", error=APIConnectionError("broken"), after=2), "Again."], body)


def test_the_retry_budget_is_the_sessions() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(60)
        (failed,) = ends(stage)
        assert isinstance(failed.error, APIConnectionError)
        assert len(model.requests) == 3
        assert [fact.error for fact in stage.facts(ComponentFailed)] == [failed.error]

    with_model([ScriptedReply(error=APIConnectionError("refused"))] * 9, body)


@pytest.mark.parametrize(
    "error", [APIStatusError("bad key", status_code=401), ValueError("a bug"), asyncio.CancelledError(), SystemExit(3)]
)
def test_what_a_second_try_would_not_heal_is_not_tried_again(error: BaseException) -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(60)
        (failed,) = ends(stage)
        assert len(model.requests) == 1
        # A CancelledError or SystemExit is not handed on as such: it would cancel or end whoever raises it.
        assert isinstance(failed.error, Exception)
        assert failed.error is error or failed.error.__cause__ is error

    with_model([ScriptedReply(error=error), "Again."], body)


def test_an_empty_success_is_a_failure() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(60)
        (failed,) = ends(stage)
        assert isinstance(failed.error, APIError)
        assert "neither text nor calls" in str(failed.error)
        assert len(model.requests) == 3

    with_model([ScriptedReply()] * 9, body)


def test_a_model_that_does_not_start_is_given_up_in_time_and_asked_again() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(5.05)
        assert model.requests[0].closed
        assert stage.speech.messages == []
        await asyncio.sleep(1)
        assert isinstance(stage.speech.messages[-1], GenerationDone)

    with_model([ScriptedReply("Late.", ttft=99), "In time."], body)


def test_a_model_that_hangs_in_the_middle_fails_in_time() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(60)
        (failed,) = ends(stage)
        assert isinstance(failed.error, APITimeoutError)
        assert "stopped answering" in str(failed.error)
        assert stage.speech.at(GenerationFailed)[0] == pytest.approx(5.1, abs=0.02)
        assert model.requests[0].closed

    with_model([ScriptedReply("Hello there you", duration=0.3, hang=True, after=1)], body)


def test_a_slow_model_that_goes_on_is_not_cut_off() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(60)
        assert text_of(stage.speech.of(TextDelta)) == "one two three four"
        assert isinstance(stage.speech.messages[-1], GenerationDone)

    with_model([ScriptedReply("one two three four", ttft=4.0, duration=16.0, drip=1)], body)


def test_recovery_is_told_once() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        scope = stage.scope()
        for number in range(3):
            stage.tell(ask(stage, scope, f"request-{number}"))
            await asyncio.sleep(5)
        assert [type(fact) for fact in stage.facts(ComponentFailed, Recovered)] == [ComponentFailed, Recovered]

    with_model([ScriptedReply(error=ValueError("a bug")), "Better.", "Well."], body)


def test_cancel_stops_the_provider_and_answers_nothing_more() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(0.25)
        heard = len(stage.speech.messages)
        assert heard
        stage.tell(CancelGeneration("speech-1/step-1"))
        await stage.settle()
        assert model.requests[0].closed
        await asyncio.sleep(60)
        assert len(stage.speech.messages) == heard
        (metrics,) = stage.metrics()
        assert metrics.cancelled
        assert not stage.inspect().timers

    with_model([ScriptedReply("one two three four five six", duration=6.0)], body)


def test_cancel_while_waiting_to_ask_again() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(0.15)
        assert stage.inspect().state["open"] == {"speech-1/step-1": "attempt 1, waiting to ask again"}
        stage.tell(CancelGeneration("speech-1/step-1"))
        await asyncio.sleep(60)
        assert stage.speech.messages == []
        assert len(model.requests) == 1

    with_model([ScriptedReply(error=APIConnectionError("refused")), "Again."], body)


def test_cancel_that_overtakes_its_request_still_cancels_it() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()), CancelGeneration("speech-1/step-1"))
        await asyncio.sleep(60)
        assert stage.speech.messages == []
        assert model.requests == []

    with_model(["Hello."], body)


def test_a_request_told_twice_is_answered_once() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        order = ask(stage, stage.scope())
        stage.tell(order, order)
        await asyncio.sleep(1)
        stage.tell(order)
        await asyncio.sleep(1)
        assert len(ends(stage)) == 1
        assert len(model.requests) == 1

    with_model(["Hello.", "Hello."], body)


def test_a_request_whose_scope_closed_is_not_asked_again() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        scope = stage.scope()
        stage.tell(ask(stage, scope))
        await asyncio.sleep(0.15)
        stage.close_scope(scope)
        await asyncio.sleep(60)
        assert len(model.requests) == 1
        (failed,) = ends(stage)
        assert isinstance(failed.error, GenerationSuperseded)
        assert stage.facts(ComponentFailed) == []

    with_model([ScriptedReply(error=APIConnectionError("refused")), "Again."], body)


def test_p05_a_call_of_a_superseded_reply_is_not_passed_on() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        scope = stage.scope()
        stage.tell(ask(stage, scope))
        await asyncio.sleep(0.05)
        stage.close_scope(scope)
        await asyncio.sleep(60)
        assert [type(message) for message in stage.speech.messages] == [GenerationFailed]
        assert model.requests[0].closed

    with_model([ScriptedReply("Well.", tool_calls=(CALL,))], body)


def test_p12_a_restart_before_the_first_delta_asks_again() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(0.05)
        stage.kill()
        await asyncio.sleep(10)
        assert model.requests[0].closed
        assert text_of(stage.speech.of(TextDelta)) == "Second."
        assert isinstance(stage.speech.messages[-1], GenerationDone)
        assert stage.inspect().restarts == 1

    with_model(["First.", "Second."], body)


def test_p12_a_restart_after_the_first_delta_fails_the_request() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(0.15)
        stage.kill()
        await asyncio.sleep(10)
        (failed,) = ends(stage)
        assert isinstance(failed.error, GenerationLost)
        assert isinstance(failed.error.__cause__, Boom)
        assert len(model.requests) == 1
        assert stage.facts(ComponentFailed) == []

    with_model(["one two three four", "Second."], body)


def test_p12_a_restart_while_waiting_to_ask_again_asks_at_once() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(0.15)
        stage.kill()
        await asyncio.sleep(10)
        assert len(model.requests) == 2
        assert isinstance(stage.speech.messages[-1], GenerationDone)

    with_model([ScriptedReply(error=APIConnectionError("refused")), "Second."], body)


def test_p12_a_kill_at_any_moment_leaves_each_request_with_one_end() -> None:
    for seed in range(30):
        chosen = random.Random(seed)

        async def main(seed: int = seed, chosen: random.Random = chosen) -> None:
            model = ScriptedLLM(otherwise=ScriptedReply("one two three four", tool_calls=(CALL,)))
            async with Stage(LLMActor, llm=model, seed=seed) as stage:
                scope = stage.scope()
                for number in range(3):
                    stage.tell(ask(stage, scope, f"request-{number}"))
                    await asyncio.sleep(chosen.uniform(0, 0.2))
                stage.kill()
                await asyncio.sleep(60)
                assert sorted(end.request for end in ends(stage)) == ["request-0", "request-1", "request-2"]
                snapshot = stage.inspect()
                assert snapshot.state["open"] == {}
                assert not snapshot.timers
                assert not snapshot.effects

        virtually(main)


def test_requests_do_not_mix() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        scope = stage.scope()
        stage.tell(ask(stage, scope, "a"), ask(stage, scope, "b"))
        await asyncio.sleep(5)
        deltas = stage.speech.of(TextDelta)
        texts = {text_of([delta for delta in deltas if delta.request == name]) for name in ("a", "b")}
        assert texts == {"one two", "three four"}
        assert len(ends(stage)) == 2

    with_model(["one two", "three four"], body)


class Garbage(LLM):
    """Yields what is no chunk."""

    label = "garbage.LLM"
    home = Home.USER

    def chat(self, **_: object) -> LLMStream:
        async def chunks() -> Any:
            yield ChatChunk(content="Hello")
            yield "there"

        return LLMStream(chunks())


def test_p13_garbage_is_a_typed_failure() -> None:
    async def main() -> None:
        async with Stage(LLMActor, llm=Garbage()) as stage:
            stage.tell(ask(stage, stage.scope()))
            await asyncio.sleep(1)
            (failed,) = ends(stage)
            assert isinstance(failed.error, APIError)
            assert "yielded str instead of ChatChunk" in str(failed.error)
            assert stage.inspect().restarts == 0

    virtually(main)


def test_without_a_model_a_request_fails_with_what_to_do() -> None:
    async def main() -> None:
        async with Stage(LLMActor) as stage:
            stage.tell(ask(stage, stage.scope()))
            await asyncio.sleep(1)
            (failed,) = ends(stage)
            assert isinstance(failed.error, SessionStateError)
            assert "no llm" in str(failed.error)
            assert now() >= 1

    virtually(main)


def test_p01_what_waits_when_a_request_is_cancelled_is_not_released() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(0.05)
        await stage.under_test.suspend()
        await asyncio.sleep(1)
        assert stage.inspect().data_depth == 5
        stage.tell(CancelGeneration("speech-1/step-1"))
        await stage.under_test.resume()
        await asyncio.sleep(60)
        assert stage.speech.messages == []
        assert model.requests[0].closed

    with_model(["one two three"], body)


def test_p20_its_summary_says_what_each_request_waits_for() -> None:
    async def body(stage: Stage, model: ScriptedLLM) -> None:
        stage.tell(ask(stage, stage.scope()))
        await asyncio.sleep(0.05)
        assert stage.inspect().state["open"] == {"speech-1/step-1": "attempt 1, waiting for the first chunk"}
        await asyncio.sleep(0.1)
        assert stage.inspect().state["open"] == {"speech-1/step-1": "attempt 1, streaming"}

    with_model(["one two three"], body)


# -- ids of calls -----------------------------------------------------------------------------------------------------


def call(call_id: str) -> FunctionToolCall:
    return FunctionToolCall(call_id, "tool", "{}")


@pytest.mark.parametrize(
    "ids, known, named",
    [
        (["a", "b"], {}, ["a", "b"]),
        (["a"], {"a": "speech-1/step-1"}, ["speech-2_step-1_call-1"]),
        (["a", "b"], {"a": "speech-1/step-1"}, ["speech-2_step-1_call-1", "b"]),
        (["", ""], {}, ["speech-2_step-1_call-1", "speech-2_step-1_call-2"]),
        (["a", "a"], {}, ["a"]),
        (["a"], {"a": "speech-2/step-1"}, []),
    ],
    ids=["new", "of another reply", "one of two", "none at all", "twice in a reply", "again in the same reply"],
)
def test_calls_have_ids_of_their_own(ids: list[str], known: dict[str, str], named: list[str]) -> None:
    calls, used = named_for_session([call(name) for name in ids], "speech-2/step-1", known)
    assert [made.call_id for made in calls] == named
    assert set(named) <= set(used)
