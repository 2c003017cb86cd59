"""Who answered a call: a person, a menu, a mailbox; and what the session says and does not say until that is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from sessionactors import AMD, AMDCategory, AMDPredictionEvent, DebugMessageEvent, OptionError, SessionStateError
from sessionactors.actors import amd
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.model.errors import APIConnectionError
from sessionactors.testing import Run, Scenario, ScriptedLLM, ScriptedReply, ScriptedSTT, explore
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import Session, keeper, near, played

GREETING = "You have reached Miller. Please leave a message."
MENU = "For sales press one, for support press two."
PITCH = "Hello, this is Ada."


def says(label: str) -> ScriptedReply:
    return calls("save_prediction", label=label)


def calls(tool: str, **arguments: object) -> ScriptedReply:
    return ScriptedReply(tool_calls=(FunctionToolCall("call", tool, json.dumps(arguments)),))


class Call:
    """A call: the agent wants to say its pitch, and a detection runs from 0.1 s on."""

    def __init__(
        self,
        *judgements: ScriptedReply,
        room: Callable[[], MemoryTransport] | None = None,
        pitch: bool = True,
        stay: float = 0.0,
        then: Callable[[Session, AMDPredictionEvent], object] = lambda _session, _result: None,
        options: dict[str, object] | None = None,
        **session: object,
    ) -> None:
        self.judge = ScriptedLLM(judgements)
        self.results: list[AMDPredictionEvent] = []
        self.refused: list[str] = []
        self.during: list[tuple[bool, bool, bool]] = []
        session.setdefault("frame_ms", 100)
        self.scenario = Scenario(keeper(), room=room, **session)  # type: ignore[arg-type]
        self.scenario.tts_speaks(duration=1.0, text=PITCH)

        async def detect(running: Session) -> None:
            detector = AMD(running, **{"llm": self.judge, **(options or {})})  # type: ignore[arg-type]
            async with detector:
                if pitch:
                    running.say(PITCH)
                self.during.append((detector.enabled, detector.pending, running.amd is detector))
                try:
                    result = await detector.execute()
                except SessionStateError as error:
                    self.refused.append(str(error))
                    return
                self.results.append(result)
                then(running, result)
                await asyncio.sleep(stay)
            self.during.append((detector.enabled, detector.pending, running.amd is None))

        self.scenario.call(0.1, detect)

    def verdict(self, run: Run) -> tuple[AMDCategory, str, float]:
        """Who, why, when; the program and those who listen are told the same, once."""
        (event,) = run.of(AMDPredictionEvent)
        assert self.results == [event]
        return event.category, event.reason, next(timed.at for timed in run.events if timed.event is event)


def test_a_short_hello_without_words_is_a_person_who_hears_the_agent_at_once() -> None:
    call = Call()
    call.scenario.user_says("", at=1.0, until=2.0)
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.HUMAN, "short_greeting", near(2.5))
    assert run.agent_became("speaking") == [near(2.5)]  # its sound was made meanwhile
    assert run.said() == [PITCH]
    assert call.during == [(True, True, True), (False, False, True)]
    (event,) = call.results
    assert (event.is_human, event.is_machine, event.speech_duration, event.delay) == (True, False, near(1.0), near(0.5))


def test_a_person_who_says_words_is_judged_by_the_model_and_heard_out() -> None:
    call = Call(says("human"))
    call.scenario.llm_replies("Hello yourself.")
    call.scenario.user_says("Miller speaking.", at=1.0, until=2.0)
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.HUMAN, "llm", near(3.5))
    (asked,) = call.judge.requests
    assert asked.items[-1].text_content == "Miller speaking."  # type: ignore[union-attr]
    assert [tool.name for tool in asked.tools] == ["save_prediction", "postpone_termination"]
    assert asked.tool_choice == "required"
    assert PITCH in run.said()
    assert [event.payload["answer"] for event in run.of(DebugMessageEvent)] == ["human"]


@pytest.mark.parametrize("label", ["machine-vm", "machine-unavailable"])
def test_a_mailbox_gets_no_word_of_what_was_meant_for_a_person_but_what_the_program_says_then(label: str) -> None:
    def leave_message(session: Session, result: AMDPredictionEvent) -> None:
        if result.category is AMDCategory.MACHINE_VM:
            session.say("Please call us back.", allow_interruptions=False)

    call = Call(says(label), then=leave_message, stay=5.0)
    call.scenario.llm_otherwise("Whom may I speak to?")
    call.scenario.user_says(GREETING, at=1.0, until=5.0)
    call.scenario.user_says("Beep.", at=8.0, until=8.5)  # a machine is not replied to
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory(label), "llm", near(6.5))
    assert run.said() == (["Please call us back."] if label == "machine-vm" else [])
    assert ("user", GREETING) in run.conversation  # kept all the same
    assert [event.is_machine for event in call.results] == [True]


def test_a_machine_is_treated_as_a_person_if_that_is_wanted() -> None:
    call = Call(says("machine-vm"), options={"interrupt_on_machine": False})
    call.scenario.llm_otherwise("Well.")
    call.scenario.user_says(GREETING, at=1.0, until=5.0)
    assert PITCH in played(call.scenario).said()


def test_after_the_block_a_machine_is_replied_to_again() -> None:
    call = Call(says("machine-ivr"), options={"ivr_detection": False}, pitch=False)
    call.scenario.llm_otherwise("Sales, please.")
    call.scenario.user_says(MENU, at=1.0, until=4.0)
    call.scenario.user_says("Which department?", at=7.0, until=8.0)
    run = played(call.scenario)
    assert call.verdict(run)[0] is AMDCategory.MACHINE_IVR
    assert run.said() == ["Sales, please."]


def test_a_menu_is_kept_going_with_keys_where_there_is_a_telephone() -> None:
    rooms: list[MemoryTransport] = []

    def telephone() -> MemoryTransport:
        rooms.append(MemoryTransport(frame_ms=100, silence_rate=16000, telephone=True))
        return rooms[-1]

    call = Call(says("machine-ivr"), room=telephone, stay=6.0, pitch=False)
    call.scenario.close(at=13.0)
    call.scenario.llm_replies("Hm.")  # to what was no menu yet, as far as was known
    call.scenario.llm_replies("", tool_calls=[("send_dtmf_events", '{"events": ["1"]}')])
    call.scenario.llm_otherwise("One.")
    call.scenario.user_says(MENU, at=1.0, until=4.0)
    run = played(call.scenario)
    assert run.of(AMDPredictionEvent)[0].category is AMDCategory.MACHINE_IVR
    assert rooms[0].pressed == ["1"]  # nobody said anything for five seconds: the model was asked


def test_a_menu_that_the_session_watches_itself_is_watched_by_the_detection_instead() -> None:
    call = Call(*[says("human")] * 4, ivr_detection=True, pitch=False)
    call.scenario.llm_otherwise("Yes?")
    for number in range(4):
        call.scenario.user_says(MENU, at=1.0 + 2.0 * number, until=2.0 + 2.0 * number)
    run = played(call.scenario)
    assert run.errors == []
    assert run.said() == ["Yes?"]  # a person is replied to once; nobody asks for more as of a menu


def test_nobody_who_speaks_is_uncertain_after_ten_seconds() -> None:
    call = Call()
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.UNCERTAIN, "no_speech_timeout", near(0.1 + 10.0))
    assert call.results[0].delay == 0.0
    assert run.said() == [PITCH]  # the call goes on: who it is, the agent may find out


def test_a_greeting_that_the_model_cannot_place_is_uncertain_when_the_time_is_over() -> None:
    call = Call(says("uncertain"), pitch=False, options={"detection_options": {"timeout": 6.0}})
    call.scenario.llm_otherwise("Hello?")
    call.scenario.user_says("Welcome to Truly Pizza.", at=1.0, until=3.0)
    assert call.verdict(played(call.scenario)) == (AMDCategory.UNCERTAIN, "detection_timeout", near(6.1))


@pytest.mark.parametrize("finish, at", [(True, 6.6), (False, 4.1)])
def test_a_greeting_is_heard_to_its_end_beyond_the_timeout_unless_that_is_not_wanted(finish: bool, at: float) -> None:
    options = {"wait_until_finished": finish, "detection_options": {"timeout": 4.0}}
    call = Call(says("machine-vm"), options=options, pitch=False)
    call.scenario.user_says(GREETING, at=1.0, until=6.0)
    category = AMDCategory.MACHINE_VM if finish else AMDCategory.UNCERTAIN
    run = played(call.scenario)
    assert call.verdict(run) == (category, "llm" if finish else "detection_timeout", near(at))


def test_a_voice_that_never_ends_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert amd.FINISH_WITHIN == 60.0
    monkeypatch.setattr(amd, "FINISH_WITHIN", 2.0)
    call = Call(pitch=False, options={"detection_options": {"timeout": 3.0}})
    call.scenario.user_says("", at=1.0, until=7.0)
    assert call.verdict(played(call.scenario)) == (AMDCategory.UNCERTAIN, "detection_timeout", near(3.1 + 2.0))


def test_the_model_may_want_to_hear_more_and_is_asked_again_three_times_at_most() -> None:
    call = Call(*[calls("postpone_termination", seconds=1.0)] * 3, says("machine-vm"), pitch=False)
    call.scenario.user_says("Hi.", at=1.0, until=2.0)
    run = played(call.scenario)
    assert call.verdict(run)[:2] == (AMDCategory.MACHINE_VM, "llm")
    assert [len(request.tools) for request in call.judge.requests] == [2, 2, 2, 1]
    assert call.results[0].transcript == "Hi."


def test_more_words_are_judged_together_with_those_before_and_an_older_verdict_does_not_count_meanwhile() -> None:
    slow = ScriptedReply(ttft=2.0, tool_calls=says("machine-vm").tool_calls)
    call = Call(says("human"), slow, pitch=False)
    call.scenario.user_says("Hi, this is Miller.", at=1.0, until=3.0)
    call.scenario.user_says("I am not at home.", at=4.0, until=6.0)
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.MACHINE_VM, "llm", near(6.2 + 2.0 + 0.3))
    assert call.judge.requests[-1].items[-1].text_content == "Hi, this is Miller. I am not at home."  # type: ignore[union-attr]


def test_a_model_that_fails_for_a_moment_is_asked_again() -> None:
    broken = ScriptedReply(error=APIConnectionError("the line broke"))
    call = Call(broken, says("human"), pitch=False)
    call.scenario.llm_otherwise("Yes?")
    call.scenario.user_says("Hello?", at=1.0, until=2.0)
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.HUMAN, "llm", near(3.5))
    assert [(error.source, error.recoverable) for error in run.errors] == [("llm", True)]


def test_a_model_that_is_out_of_order_keeps_nobody_waiting_for_the_timeout() -> None:
    call = Call(ScriptedReply("Sure!"), ScriptedReply(error=ValueError("broken")))
    call.scenario.llm_otherwise("Yes?")
    call.scenario.user_says("Hello?", at=1.0, until=2.0)
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.UNCERTAIN, "llm_failed", near(3.5))
    assert PITCH in run.said()


def ringing(*, status: str = "dialing") -> Callable[[], MemoryTransport]:
    def room() -> MemoryTransport:
        made = MemoryTransport(participant=None, frame_ms=100, silence_rate=16000)
        made.join("caller", kind="sip", attributes={"sip.callStatus": status})
        return made

    return room


def test_what_rings_before_the_call_is_answered_is_not_heard() -> None:
    call = Call(room=ringing())
    call.scenario.user_says("", at=1.0, until=2.0)  # a tone
    call.scenario._act(8.0, lambda room: room.change(attributes={"sip.callStatus": "active"}))
    call.scenario.user_says("", at=9.0, until=10.0)
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.HUMAN, "short_greeting", near(10.5))


def test_a_call_that_was_answered_before_is_listened_to_at_once() -> None:
    def answer(room: MemoryTransport) -> None:
        room.change(attributes={"sip.callStatus": "active"})

    call = Call(room=ringing())
    call.scenario._act(0.05, answer)
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.UNCERTAIN, "no_speech_timeout", near(10.1))


def test_who_is_dialled_inside_of_the_block_is_listened_to_when_they_answer() -> None:
    call = Call(room=lambda: MemoryTransport(participant=None, frame_ms=100, silence_rate=16000))

    def dial(room: MemoryTransport) -> None:
        room.join("caller", kind="sip", attributes={"sip.callStatus": "dialing"})

    call.scenario._act(2.0, dial)
    call.scenario._act(9.0, lambda room: room.change(attributes={"sip.callStatus": "active"}))
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.UNCERTAIN, "no_speech_timeout", near(9.0 + 10.0))


def test_a_voice_that_is_on_when_the_call_is_answered_counts_from_there() -> None:
    call = Call(room=ringing())
    call.scenario.user_says("", at=1.0, until=4.0)
    call.scenario._act(3.0, lambda room: room.change(attributes={"sip.callStatus": "active"}))
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.HUMAN, "short_greeting", near(4.5))
    assert call.results[0].speech_duration == near(1.0)


def test_who_is_not_there_in_five_seconds_is_missing() -> None:
    call = Call(options={"participant_identity": "somebody"})
    call.scenario.user_says("", at=1.0, until=2.0)  # of somebody else
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.UNCERTAIN, "participant_missing", near(5.1))


def test_who_hangs_up_before_answering_is_missing() -> None:
    call = Call(room=ringing(), pitch=False)
    call.scenario.leaves(at=3.0, reason="connection_lost")
    run = played(call.scenario)
    assert call.verdict(run) == (AMDCategory.UNCERTAIN, "participant_missing", near(3.0))


def test_a_call_that_ends_meanwhile_ends_the_detection() -> None:
    call = Call()
    call.scenario.close(at=2.0)
    run = played(call.scenario)
    assert call.refused == ["execute(): the session closed before there was a verdict"]
    assert run.said() == []


def test_leaving_the_block_lets_speech_be_heard() -> None:
    async def briefly(session: Session) -> None:
        async with AMD(session, llm=ScriptedLLM()) as detector:
            session.say(PITCH)
            await asyncio.sleep(2.0)
        assert session.amd is None
        with pytest.raises(SessionStateError, match="ended before there was a verdict"):
            await detector.execute()

    scenario = Scenario(keeper(), frame_ms=100)
    scenario.call(0.1, briefly)
    run = played(scenario)
    assert run.agent_became("speaking") == [near(2.1)]


def test_a_detection_that_fails_lets_speech_be_heard_and_says_so() -> None:
    call = Call(says("human"))
    call.scenario.kill("amd-1", message=1, error=ValueError("broken"))
    call.scenario.close(at=6.0)
    run = played(call.scenario)
    assert run.said() == [PITCH]
    assert [error.source.rsplit("/", 1)[-1] for error in run.errors] == ["amd-1"]
    assert call.refused


def test_the_sessions_own_model_judges_and_a_session_without_one_is_told_so() -> None:
    call = Call(options={"llm": None}, pitch=False)
    call.scenario.llm_replies(tool_calls=[("save_prediction", '{"label": "machine-vm"}')])
    call.scenario.llm_otherwise("Hm.")
    call.scenario.user_says(GREETING, at=1.0, until=3.0)
    assert call.verdict(played(call.scenario))[0] is AMDCategory.MACHINE_VM

    async def refused(session: Session) -> None:
        with pytest.raises(OptionError, match=r"needs a model .* pass AMD\(session, llm=\.\.\.\)"):
            await AMD(session).__aenter__()
        assert session.amd is None

    scenario = Scenario(keeper(), without=["llm"], frame_ms=100)
    scenario.call(0.1, refused)
    played(scenario)


async def test_what_cannot_be_is_refused_at_once() -> None:
    session = Session()
    with pytest.raises(OptionError, match=r"AMD\(stt=...\): the words of a greeting come from the session"):
        AMD(session, stt=ScriptedSTT([]))
    with pytest.raises(OptionError, match="no detection option 'timeuot'; there are: human_speech_threshold, "):
        AMD(session, detection_options={"timeuot": 3.0})  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="timeout must be a number of seconds >= 0, got -1"):
        AMD(session, detection_options={"timeout": -1})
    with pytest.raises(OptionError, match="a detection has amd_prediction"):
        AMD(session).on("verdict", print)  # type: ignore[arg-type]
    with pytest.raises(SessionStateError, match="has not begun"):
        await AMD(session).execute()
    with pytest.raises(SessionStateError, match="not running"):
        await AMD(session).__aenter__()


def test_two_at_once_are_refused_and_one_after_the_other_are_told_apart() -> None:
    told: list[str] = []

    async def twice(session: Session) -> None:
        for number in (1, 2):
            detector = AMD(session, llm=ScriptedLLM(), detection_options={"no_speech_threshold": 1.0})
            forgotten = detector.on("amd_prediction", lambda _: told.append("forgotten"))
            detector.off("amd_prediction", forgotten)
            detector.on("amd_prediction", lambda event: told.append(event.detection))
            async with detector:
                with pytest.raises(SessionStateError, match="another AMD of the session is under way"):
                    await AMD(session, llm=ScriptedLLM()).__aenter__()
                with pytest.raises(SessionStateError, match="used already"):
                    await detector.__aenter__()
                assert (await detector.execute()).detection == f"amd-{number}"
                assert detector.result is not None

    scenario = Scenario(keeper(), frame_ms=100)
    scenario.call(0.1, twice)
    run = played(scenario)
    assert told == ["amd-1", "amd-2"]
    assert [event.reason for event in run.of(AMDPredictionEvent)] == ["no_speech_timeout"] * 2


def machine_call() -> Scenario:
    call = Call(
        says("machine-vm"), stay=5.0, then=lambda session, _: session.say("Call back.", allow_interruptions=False)
    )
    call.scenario.llm_otherwise("Whom may I speak to?")
    call.scenario.user_says(GREETING, at=1.0, until=3.0)
    call.scenario.user_says("Beep.", at=6.0, until=6.5)
    return call.scenario


def test_a_machine_hears_only_the_message_in_any_order() -> None:
    def only_the_message(run: Run) -> None:
        assert run.said() == ["Call back."]

    explore(machine_call, schedules=3, expect=only_the_message)
