"""What providers' failures do to a session: they are told of, counted for each component, and end it on the fourth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from operator import methodcaller

import pytest

from sessionactors import (
    LLM,
    APIConnectOptions,
    APIError,
    ChatChunk,
    ChatContext,
    CloseReason,
    LLMError,
    LLMStream,
    SessionConnectOptions,
    STTError,
    TTSError,
)
from sessionactors.actors import error_policy
from sessionactors.model.component_errors import RealtimeModelError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.testing import Run, Scenario
from sessionactors.testing.scripted_ear import Faults

from tests.session.talks import keeper, near, one_turn, played, typed


class Moody(LLM):
    """Fails where the script says so: ``r`` is worth a retry, ``f`` is not, everything else is an answer."""

    label = "moody.LLM"

    def __init__(self, moods: str) -> None:
        self._moods = iter(moods)

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return LLMStream(self._answer(next(self._moods, ".")))

    async def _answer(self, mood: str) -> AsyncGenerator[ChatChunk, None]:
        await asyncio.sleep(0.05)
        if mood in "rf":
            raise APIError(f"mood {mood}", retryable=mood == "r")
        yield ChatChunk(content="Yes.")


def talk(moods: str, turns: int, **options: object) -> Scenario:
    """Typed turns, a second apart, to a model in these moods."""
    return typed(keeper(), *(f"Number {n}." for n in range(turns)), llm=Moody(moods), **options)


def told(run: Run) -> list[tuple[str, bool]]:
    return [(event.source, event.recoverable) for event in run.errors]


QUICK = APIConnectOptions(max_retry=1, retry_interval=0.1)


def test_a_failure_that_is_tried_again_is_only_told_of() -> None:
    run = played(talk("r." * 8, 8, conn_options=QUICK))
    assert told(run) == [("llm", True)] * 8
    assert len(run.said()) == 8
    assert run.close_event.reason is CloseReason.USER_INITIATED


def test_an_error_event_says_which_provider_failed_and_why() -> None:
    run = played(talk("rf", 1, conn_options=QUICK))
    first, second = (event.error for event in run.errors)
    assert isinstance(first, LLMError)
    assert isinstance(second, LLMError)
    assert (first.type, first.label, first.recoverable, str(first)) == ("llm_error", "moody.LLM", True, "mood r")
    assert (second.recoverable, str(second.error)) == (False, "mood f")
    assert isinstance(second.error, APIError)
    assert second.timestamp == run.errors[1].created_at


def test_the_fourth_failure_in_a_row_ends_the_session() -> None:
    run = talk("f" * 9, 6).play()
    assert told(run) == [("llm", False)] * 4
    assert run.close_event.reason is CloseReason.ERROR
    assert "llm failed 4 times in a row; the last: APIError('mood f')" in str(run.close_event.error)
    assert run.ended_at == near(3.55)  # the fourth turn is typed at 3.5 s


@pytest.mark.parametrize("limit", [0, 1])
def test_how_many_failures_are_survived_is_an_option(limit: int) -> None:
    run = talk("f" * 9, 6, conn_options=SessionConnectOptions(max_unrecoverable_errors=limit)).play()
    assert told(run) == [("llm", False)] * (limit + 1)
    assert run.close_event.reason is CloseReason.ERROR


def test_counts_of_model_and_voice_start_anew_when_the_agent_is_heard() -> None:
    scenario = talk("f" * 6, 6)
    scenario.call(3.1, methodcaller("say", "I am still here."))  # after three failures
    run = played(scenario)
    assert told(run) == [("llm", False)] * 6
    assert run.close_event.reason is CloseReason.USER_INITIATED


def test_failures_of_different_components_are_not_added_up() -> None:
    scenario = one_turn(llm=Moody("fff"), conn_options=SessionConnectOptions(max_unrecoverable_errors=1))
    scenario.ear_fails("stt", Faults([0.2], error=APIError("no ears", retryable=False)))
    run = played(scenario)
    assert told(run) == [("stt", False), ("llm", False)]
    assert isinstance(run.errors[0].error, STTError)
    assert run.close_event.reason is CloseReason.USER_INITIATED


def test_a_voice_that_fails_for_good_ends_the_session_on_the_fourth_speech() -> None:
    scenario = Scenario(keeper(), conn_options=APIConnectOptions(max_retry=0))
    for number in range(6):
        scenario.call(1.0 + number, methodcaller("say", f"Sentence {number}."))
        scenario.tts_fails(number + 1, error=APIError("no voice", retryable=False))
    run = scenario.play()
    assert told(run) == [("tts", False)] * 4
    assert isinstance(run.errors[0].error, TTSError)
    assert run.close_event.reason is CloseReason.ERROR


@pytest.mark.parametrize(
    "component, failures, limit, fatal",
    [("stt", 3, 3, False), ("stt", 4, 3, True), ("llm", 1, 0, True), ("realtime", 1, 3, True)],
)
def test_when_a_component_has_failed_too_often(component: str, failures: int, limit: int, fatal: bool) -> None:
    counts: dict[str, int] = {"tts": 99}
    for _ in range(failures):
        counts = error_policy.counted(counts, component)
    assert error_policy.is_fatal(counts, component, limit) is fatal
    assert not error_policy.is_fatal(error_policy.recovered(counts, ("stt", "llm")), "stt", 0)


def test_each_kind_of_provider_has_its_kind_of_error() -> None:
    event = error_policy.failure_event("realtime", APIError("gone"), "", 1.0, recoverable=False)
    assert isinstance(event.error, RealtimeModelError)
    assert (event.error.type, event.error.label) == ("realtime_model_error", "realtime")
