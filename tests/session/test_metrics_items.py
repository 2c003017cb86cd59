"""The metrics of messages: each figure from the instants it is anchored at, to within 20 ms."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sessionactors import ChatMessage, MetricsReport
from sessionactors.actors.item_metrics import assistant_metrics, user_metrics
from sessionactors.actors.playout_segment import Segment
from sessionactors.messages.output import GenerationMarks
from sessionactors.messages.tts import SynthesisMarks
from sessionactors.messages.turn import UserTurnEnded
from sessionactors.model.metrics import Metadata
from sessionactors.testing import Run, Scenario, VirtualLoop

from tests.session.talks import Noting, barge_in, keeper, near, one_turn, played, typed

SECOND = 1_000_000_000


def messages(run: Run, role: str) -> list[ChatMessage]:
    return [item for item in run.history if isinstance(item, ChatMessage) and item.role == role]


def metrics(run: Run, role: str) -> list[MetricsReport]:
    return [message.metrics for message in messages(run, role)]


def test_a_spoken_turn_says_how_long_words_and_decision_took() -> None:
    (report,) = metrics(played(one_turn()), "user")
    assert report["started_speaking_at"] - VirtualLoop.wall_origin == near(0.5)
    assert report["stopped_speaking_at"] - VirtualLoop.wall_origin == near(2.5)
    assert report["transcription_delay"] == near(0.2)
    assert report["end_of_turn_delay"] == near(0.5)
    assert report["on_user_turn_completed_delay"] == near(0.0)
    assert report["stt_metadata"] == {"model_name": "scripted-stt"}


def test_the_time_in_the_users_hook_is_a_figure_of_its_own() -> None:
    class Slow(Noting):
        async def on_user_turn_completed(self, turn_ctx: object, new_message: ChatMessage) -> None:
            await asyncio.sleep(0.3)

    (report,) = metrics(played(one_turn(Slow())), "user")
    assert report["on_user_turn_completed_delay"] == near(0.3)
    assert report["end_of_turn_delay"] == near(0.5)


def test_a_reply_says_how_long_each_stage_took() -> None:
    """End of speech 2.5; request 3.0; first text 3.1; sentence to the voice 3.3; first audio and sound 3.5; end 5.5."""
    (report,) = metrics(played(one_turn()), "assistant")
    assert report["llm_node_ttft"] == near(0.1)
    assert report["llm_node_ttfs"] == near(0.3)
    assert report["tts_node_ttfb"] == near(0.2)
    assert report["playback_latency"] == near(0.0)
    assert report["e2e_latency"] == near(1.0)
    assert report["started_speaking_at"] - VirtualLoop.wall_origin == near(3.5)
    assert report["stopped_speaking_at"] - VirtualLoop.wall_origin == near(5.5)
    assert report["llm_metadata"] == {"model_name": "scripted"}
    assert report["tts_metadata"] == {"model_name": "marked-voice"}


def test_tokens_a_second_count_from_the_first_text_to_the_last() -> None:
    (report,) = metrics(played(one_turn()), "assistant")
    assert report["llm_node_tps"] == pytest.approx(5 / 0.2, rel=0.3)


def test_the_voice_counts_from_the_text_it_was_given_not_from_the_first_token() -> None:
    scenario = Scenario(keeper(), ttfb=0.3)
    scenario.user_says("Hello?", at=0.5, until=1.0)
    scenario.llm_replies("One long sentence that takes its time.", ttft=0.1, duration=1.1)
    (report,) = metrics(played(scenario), "assistant")
    assert (report["llm_node_ttft"], report["llm_node_ttfs"]) == (near(0.1), near(1.1))
    assert report["tts_node_ttfb"] == near(0.3)


def test_an_interrupted_reply_keeps_the_figures_of_what_was_heard() -> None:
    run = played(barge_in())
    cut, last = metrics(run, "assistant")
    assert messages(run, "assistant")[0].interrupted
    assert cut["started_speaking_at"] - VirtualLoop.wall_origin == near(3.5)
    assert cut["stopped_speaking_at"] - VirtualLoop.wall_origin == near(5.5)
    assert last["e2e_latency"] == near(1.0)


def test_text_alone_has_the_figures_of_the_model_only() -> None:
    run = played(typed(None, "Hello"))
    (user,), (assistant,) = metrics(run, "user"), metrics(run, "assistant")
    assert user == {}
    assert assistant["llm_node_ttft"] == near(0.1)
    assert not {"tts_node_ttfb", "llm_node_ttfs", "e2e_latency", "playback_latency"} & set(assistant)


def test_what_is_said_without_a_model_has_no_figures_of_one() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.5, lambda session: session.say("Welcome."))
    (report,) = metrics(played(scenario), "assistant")
    assert not {"llm_node_ttft", "llm_node_tps", "llm_node_ttfs", "llm_metadata", "e2e_latency"} & set(report)
    assert report["tts_node_ttfb"] == near(0.2)


# -- the arithmetic, as tables ----------------------------------------------------------------------------------------


def wall(at: int) -> float:
    return 1000.0 + at / SECOND


TURN = UserTurnEnded(
    "turn-1",
    "Hi",
    "caller",
    started_speaking_at=SECOND,
    stopped_speaking_at=2 * SECOND,
    last_final_at=3 * SECOND,
    recogniser=Metadata("nova", "deepgram"),
)


def test_user_metrics_hold_only_what_is_known() -> None:
    assert user_metrics(TURN, 4 * SECOND, wall) == {
        "started_speaking_at": 1001.0,
        "stopped_speaking_at": 1002.0,
        "end_of_turn_delay": 2.0,
        "transcription_delay": 1.0,
        "stt_metadata": {"model_name": "nova", "model_provider": "deepgram"},
    }
    assert user_metrics(replace(TURN, stopped_speaking_at=None), 4 * SECOND, wall) == {"started_speaking_at": 1001.0}
    early = replace(TURN, last_final_at=SECOND)
    assert user_metrics(early, SECOND, wall)["transcription_delay"] == 0.0
    assert user_metrics(early, SECOND, wall)["end_of_turn_delay"] == 0.0


def segment(**changes: object) -> Segment:
    blank = Segment("s", "speech-1", True, None, None, None)  # type: ignore[arg-type]
    return replace(blank, **changes)  # type: ignore[arg-type]


def test_a_reply_of_one_piece_has_no_rate() -> None:
    marks = GenerationMarks(requested_at=0, tokens=7).with_text(SECOND)
    assert "llm_node_tps" not in assistant_metrics(segment(text_marks=marks), SECOND, wall)
    marks = marks.with_text(3 * SECOND)
    report = assistant_metrics(segment(text_marks=marks), SECOND, wall)
    assert (report["llm_node_ttft"], report["llm_node_tps"]) == (1.0, 3.5)


def test_what_was_never_heard_has_no_moments() -> None:
    marks = SynthesisMarks(handed_at=SECOND, first_audio_at=None)
    assert assistant_metrics(segment(audio_marks=marks), SECOND, wall) == {}
    heard = segment(started_at=4 * SECOND, forwarded_at=3 * SECOND)
    assert assistant_metrics(heard, 5 * SECOND, wall) == {
        "started_speaking_at": 1004.0,
        "stopped_speaking_at": 1005.0,
        "playback_latency": 1.0,
    }
