"""What each public event carries, field by field, heard under its name: what users of LiveKit's events rely on."""

from __future__ import annotations

import pytest

from sessionactors import (
    SPEECH_PRIORITY_HIGH,
    SPEECH_PRIORITY_LOW,
    SPEECH_PRIORITY_NORMAL,
    Agent,
    AgentSession,
    AgentStateChangedEvent,
    AudioContent,
    AudioFrame,
    ChatContext,
    CloseEvent,
    CloseReason,
    FunctionCall,
    FunctionCallOutput,
    FunctionToolsExecutedEvent,
    InterruptionDetector,
    Overlap,
    OverlapVerdict,
    RunContext,
    RunOutputOptions,
    ToolCallEnded,
    ToolCallStarted,
    ToolCallUpdated,
    ToolReplyUpdated,
    UnexpectedModelBehavior,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    function_tool,
)
from sessionactors.interfaces.stt import SpeechData, SpeechEvent, SpeechEventType
from sessionactors.model.events import UserTranscriptionTimeoutEvent
from sessionactors.model.interruption_events import AgentFalseInterruptionEvent, OverlappingSpeechEvent
from sessionactors.model.tool_events import ToolExecutionUpdatedEvent
from sessionactors.testing import Scenario, ScriptedLLM

from tests.session.talks import STORY, Session, keeper, near, one_turn, played


def heard(scenario: Scenario, *names: str) -> list[object]:
    """What callbacks of these names are given."""
    events: list[object] = []

    def listen(session: Session) -> None:
        for name in names:
            session.on(name, events.append)  # type: ignore[call-overload]

    scenario.call(0.0, listen)
    return events


def test_states_name_what_was_and_what_is() -> None:
    scenario = one_turn(frame_ms=100)
    events = heard(scenario, "agent_state_changed", "user_state_changed")
    run = played(scenario)
    agent = [(one.old_state, one.new_state) for one in run.of(AgentStateChangedEvent)]
    assert agent[1:] == [("listening", "thinking"), ("thinking", "speaking"), ("speaking", "listening")]
    assert [(one.old_state, one.new_state) for one in run.of(UserStateChangedEvent)] == [
        ("listening", "speaking"),
        ("speaking", "listening"),
    ]
    assert len(events) >= 5


def test_a_transcript_names_speaker_and_language() -> None:
    data = SpeechData(text="Bonjour", language="fr", speaker_id="S1", confidence=0.9)
    scenario = Scenario(keeper(), frame_ms=100)
    scenario.stt_reports(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, alternatives=(data,)), at=1.0)
    scenario.llm_otherwise("Oui?")
    events = heard(scenario, "user_input_transcribed")
    played(scenario)
    (event,) = events
    assert isinstance(event, UserInputTranscribedEvent)
    assert (event.transcript, event.is_final, event.language, event.speaker_id) == ("Bonjour", True, "fr", "S1")
    assert not event.item_id  # a realtime model's


def test_a_voice_without_words_and_a_false_interruption_are_heard_by_name() -> None:
    scenario = Scenario(keeper(), transcription_timeout=1.5, frame_ms=100)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=8.0)
    scenario.user_says("", at=5.0, until=6.0)
    events = heard(scenario, "user_transcription_timeout", "agent_false_interruption")
    played(scenario)
    timeout = next(one for one in events if isinstance(one, UserTranscriptionTimeoutEvent))
    resumed = next(one for one in events if isinstance(one, AgentFalseInterruptionEvent))
    assert (timeout.speech_duration, resumed.resumed) == (near(1.0), True)


class Judge(InterruptionDetector):
    """Says that it is an interruption, when asked the second time."""

    label = "judge"
    sample_rate = 16000

    def __init__(self) -> None:
        self.asked = 0

    async def judge(self, overlap: Overlap) -> OverlapVerdict | None:
        self.asked += 1
        return OverlapVerdict(is_interruption=True, probability=0.8) if self.asked == 2 else None


def test_a_judged_overlap_has_all_its_figures() -> None:
    scenario = Scenario(keeper(), turn_handling={"interruption": {"mode": Judge()}}, frame_ms=100)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("Stop!", at=6.0, until=7.0)
    scenario.llm_otherwise("Fine.")
    events = heard(scenario, "overlapping_speech")
    played(scenario)
    (overlap,) = events
    assert isinstance(overlap, OverlappingSpeechEvent)
    assert (overlap.is_interruption, overlap.probability, overlap.agent_ended) == (True, 0.8, False)
    assert overlap.num_requests == 2
    assert overlap.detection_delay == near(overlap.detected_at - overlap.overlap_started_at)
    assert overlap.total_duration > 0.0
    assert overlap.prediction_duration >= 0.0
    assert sum(frame.duration for frame in overlap.speech_input) > 0.0


@function_tool
async def search(ctx: RunContext[object], word: str) -> str:
    """Search."""
    await ctx.update("on it")
    return f"found {word}"


def with_tool() -> Scenario:
    scenario = Scenario(Agent(instructions="Be kind.", tools=[search]), audio=False)
    scenario.user_types("Find it.", at=0.5)
    scenario.llm_replies("", tool_calls=[("search", '{"word": "gold"}')])
    scenario.llm_replies("I am searching.")
    scenario.llm_otherwise("Found.")
    return scenario


def test_a_tool_that_goes_on_is_told_of_from_its_start_to_its_reply() -> None:
    scenario = with_tool()
    events = heard(scenario, "tool_execution_updated")
    played(scenario)
    updates = [event.update for event in events if isinstance(event, ToolExecutionUpdatedEvent)]
    started = next(one for one in updates if isinstance(one, ToolCallStarted))
    told = next(one for one in updates if isinstance(one, ToolCallUpdated))
    ended = next(one for one in updates if isinstance(one, ToolCallEnded))
    call = started.function_call
    assert (call.name, call.arguments) == ("search", '{"word": "gold"}')
    assert (told.call_id, "on it" in told.message) == (call.call_id, True)
    assert (ended.call_id, ended.status, "found gold" in (ended.message or "")) == (call.call_id, "done", True)
    replies = [one.status for one in updates if isinstance(one, ToolReplyUpdated)]
    assert replies[0] == "scheduled"
    assert replies[-1] in ("completed", "skipped")


def test_the_tools_of_a_step_are_told_with_calls_and_outputs_side_by_side() -> None:
    scenario = with_tool()
    events = heard(scenario, "function_tools_executed")
    played(scenario)
    event = events[0]
    assert isinstance(event, FunctionToolsExecutedEvent)
    ((call, output),) = event.zipped()
    assert [call] == list(event.function_calls)
    assert [output] == list(event.function_call_outputs)
    assert (output.call_id, output.is_error, output.reply_required) == (call.call_id, False, True)


@pytest.mark.parametrize("reason", list(CloseReason))
def test_a_close_tells_any_of_its_reasons(reason: CloseReason) -> None:
    scenario = one_turn(frame_ms=100)
    scenario.call(1.0, lambda session: session.shutdown(drain=False, reason=reason))
    events = heard(scenario, "close")
    played(scenario)
    (event,) = events
    assert isinstance(event, CloseEvent)
    assert event.reason is reason


def test_items_keep_what_belongs_to_them_when_they_are_written_and_read() -> None:
    frame = AudioFrame(b"\x00\x00" * 80, 8000, 1)
    calls = FunctionCall("call-1", "search", '{"word":"gold"}', extra={"sig": "x"}, group_id="step-1")
    output = FunctionCallOutput("call-1", "search", "found", reply_required=False)
    context = ChatContext([calls, output])
    assert ChatContext.from_dict(context.to_dict(exclude_timestamp=False)).items == context.items
    assert AudioContent(frame=[frame], transcript="hm").frame == [frame]


def test_priorities_are_the_numbers_that_users_know() -> None:
    assert (SPEECH_PRIORITY_LOW, SPEECH_PRIORITY_NORMAL, SPEECH_PRIORITY_HIGH) == (0, 5, 10)


async def test_a_run_is_repeated_as_often_as_it_is_told() -> None:
    model = ScriptedLLM(["One.", "Two."])
    session = AgentSession[object](llm=model)
    await session.start(keeper())
    try:
        with pytest.raises(UnexpectedModelBehavior):
            await session.run(user_input="Hello", output_type=int, output_options=RunOutputOptions(max_retries=0))
        assert len(model.requests) == 1
    finally:
        await session.aclose()
