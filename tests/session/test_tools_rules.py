"""The rules of a tool: time, approval, what cannot be undone, what runs already; and that no call is ever lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from sessionactors import (
    Agent,
    FunctionCall,
    FunctionCallOutput,
    FunctionTool,
    OptionError,
    RunContext,
    ToolApproval,
    ToolExecutionUpdatedEvent,
    ToolFlag,
    ToolTimeoutError,
    function_tool,
)
from sessionactors.messages.tools import CallBegan, RunTool, ToolFinished
from sessionactors.model.events import ErrorEvent
from sessionactors.runtime.messages import Kill
from sessionactors.testing import Run, Scenario, explore, invariants

from tests.session.talks import Session, near, played


def asked(agent: Agent, *, audio: bool = False, **options: object) -> Scenario:
    """The user asks for something; complete at 3.0 s if spoken, at 0.5 s if typed."""
    scenario = Scenario(agent, audio=audio, **options)  # type: ignore[arg-type]
    if audio:
        scenario.user_says("Please.", at=0.5, until=2.5)
    else:
        scenario.user_types("Please.", at=0.5)
    return scenario


def having(*tools: Any, kind: type[Agent] = Agent) -> Agent:
    return kind(instructions="Be kind.", tools=tools)


def outputs(run: Run) -> list[tuple[str, bool]]:
    return [(item.output, item.is_error) for item in run.history if isinstance(item, FunctionCallOutput)]


def updates(run: Run) -> list[str]:
    return [event.update.type for event in run.of(ToolExecutionUpdatedEvent)]


def slow(seconds: float, log: list[str] | None = None, **rules: Any) -> FunctionTool[..., object]:
    noted = log if log is not None else []

    async def act(what: str = "x") -> str:
        noted.append(f"{what} began")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            noted.append(f"{what} cancelled")
            raise
        noted.append(f"{what} done")
        return f"{what} is done"

    tool = function_tool(act, **rules)
    assert isinstance(tool, FunctionTool)
    return tool


def call(what: str = "x", **more: object) -> tuple[str, str]:
    return ("act", json.dumps({"what": what, **more}))


# -- time ------------------------------------------------------------------------------------------------------------


def test_a_tool_that_takes_too_long_is_stopped_and_fails_with_a_typed_error() -> None:
    log: list[str] = []
    scenario = asked(having(slow(10.0, log, timeout=2.0)))
    scenario.llm_replies(tool_calls=[call()])
    scenario.llm_replies("It takes too long.")
    run = played(scenario)
    assert log == ["x began", "x cancelled"]
    assert outputs(run) == [("The tool did not return within 2 s and was stopped.", True)]
    (event,) = run.of(ErrorEvent)
    assert isinstance(event.error, ToolTimeoutError)
    (end,) = run.told(ToolFinished)
    assert (end.outcome, end.duration) == ("failed", near(2.0))
    assert updates(run) == ["tool_call_started", "tool_call_ended"]
    assert run.said() == ["It takes too long."]


def test_a_running_call_is_in_the_table_of_obligations_with_owner_and_deadline() -> None:
    seen: list[Any] = []
    scenario = asked(having(slow(5.0, timeout=8.0)))
    scenario.llm_replies(tool_calls=[call()])
    scenario.llm_replies("Done.")
    scenario.call(2.0, lambda session: seen.extend(session.inspect().obligations))
    run = played(scenario)
    (owed,) = [obligation for obligation in seen if "tool" in obligation.key]
    assert owed.owner.endswith("/tools")
    assert owed.waits_for == "tool act (call-1-1) to return"
    began = run.time_of(run.handled(CallBegan)[0])
    assert (owed.deadline - run.began) / 1e9 == near(began + 8.5)  # its own timer comes first, at 8.0


def test_a_tool_without_a_limit_is_named_when_it_takes_a_minute_and_goes_on() -> None:
    scenario = asked(having(slow(65.0)))
    scenario.llm_replies(tool_calls=[call()])
    scenario.llm_replies("At last.")
    scenario.call(70.0, lambda session: None)
    run = played(scenario)
    (event,) = run.of(ErrorEvent)
    assert "tool act (call-1-1) to return" in str(event.error)
    assert outputs(run) == [("x is done", False)]


# -- approval --------------------------------------------------------------------------------------------------------


class Careful(Agent):
    """Notes what it is asked to approve, and decides at once if told to."""

    decide: Callable[[ToolApproval], object] = staticmethod(lambda approval: None)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[FunctionCall] = []

    async def on_tool_approval(self, approval: ToolApproval) -> None:
        self.asked.append(approval.function_call)
        await asyncio.sleep(1.0)
        type(self).decide(approval)


class Yes(Careful):
    decide = staticmethod(ToolApproval.approve)


class No(Careful):
    decide = staticmethod(lambda approval: approval.deny("The limit is ten euros."))


def test_a_call_that_is_approved_runs_then() -> None:
    log: list[str] = []
    agent = having(slow(1.0, log, requires_approval=True), kind=Yes)
    scenario = asked(agent)
    scenario.llm_replies(tool_calls=[call()])
    scenario.llm_replies("Done.")
    run = played(scenario)
    assert log == ["x began", "x done"]
    assert isinstance(agent, Careful)
    assert [wanted.name for wanted in agent.asked] == ["act"]
    assert updates(run) == [
        "tool_approval_requested",
        "tool_approval_resolved",
        "tool_call_started",
        "tool_call_ended",
    ]


def test_a_call_that_is_denied_never_runs_and_the_model_is_told_why() -> None:
    log: list[str] = []
    scenario = asked(having(slow(1.0, log, requires_approval=True), kind=No))
    scenario.llm_replies(tool_calls=[call()])
    scenario.llm_replies("I may not.")
    run = played(scenario)
    assert log == []
    assert outputs(run) == [("The call was not approved. The limit is ten euros.", True)]


def test_a_call_that_nobody_approves_fails_in_time() -> None:
    log: list[str] = []
    scenario = asked(having(slow(1.0, log, requires_approval=True, approval_timeout=5.0)))
    scenario.llm_replies(tool_calls=[call()])
    scenario.llm_replies("Nobody answers.")
    seen: list[tuple[ToolApproval, ...]] = []
    scenario.call(2.0, lambda session: seen.append(session.pending_approvals))
    scenario.call(8.0, lambda session: seen.append(session.pending_approvals))
    run = played(scenario)
    assert log == []
    assert outputs(run) == [("Nobody approved the call within 5 s.", True)]
    (waiting,), after = seen
    assert (waiting.function_call.name, waiting.within, waiting.done) == ("act", 5.0, True)
    assert after == ()
    waiting.approve()  # too late: does nothing


def test_anybody_may_approve_from_the_list_of_what_waits() -> None:
    scenario = asked(having(slow(1.0, requires_approval=True)))
    scenario.llm_replies(tool_calls=[call("a"), call("b")])
    scenario.llm_replies("Done.")

    def first_only(session: Session) -> None:
        one, two = session.pending_approvals
        one.approve()
        two.deny()
        assert session.pending_approvals == ()

    scenario.call(2.0, first_only)
    run = played(scenario)
    assert outputs(run) == [("a is done", False), ("The call was not approved.", True)]


def test_a_policy_says_which_calls_have_to_be_approved() -> None:
    async def policy(wanted: FunctionCall) -> bool:
        return "big" in wanted.arguments

    agent = having(slow(0.5, requires_approval=policy), kind=No)
    scenario = asked(agent)
    scenario.llm_replies(tool_calls=[call("small"), call("big")])
    scenario.llm_replies("Half of it.")
    run = played(scenario)
    assert outputs(run) == [("small is done", False), ("The call was not approved. The limit is ten euros.", True)]


def test_a_call_that_waits_for_approval_when_its_reply_is_cut_never_runs() -> None:
    log: list[str] = []
    scenario = asked(having(slow(1.0, log, requires_approval=True)), audio=True)
    scenario.llm_replies("I am about to cancel your order, if I may do that.", tool_calls=[call()])
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("No.", at=5.0, until=6.0)
    scenario.llm_replies("Fine.")
    waiting: list[ToolApproval] = []
    scenario.call(4.0, lambda session: waiting.extend(session.pending_approvals))
    scenario.call(8.0, lambda session: waiting[0].approve())
    run = played(scenario)
    assert log == []
    assert [end.outcome for end in run.told(ToolFinished)] == ["cancelled"]
    assert FunctionCall not in {type(item) for item in run.history}


def test_p12_a_call_that_waits_for_approval_survives_the_death_of_tools() -> None:
    log: list[str] = []
    for message in (1, 2, 3):
        log.clear()
        agent = having(slow(1.0, log, requires_approval=True), kind=Yes)
        scenario = asked(agent)
        scenario.llm_replies(tool_calls=[call()])
        scenario.llm_replies("Done.")
        scenario.kill("tools", message=message)
        run = played(scenario)
        if message == 2:  # it waited, and nothing of it had run
            assert log == ["x began", "x done"]
            assert isinstance(agent, Careful)
            assert len(agent.asked) == 1
        assert len(run.told(ToolFinished)) == 1


# -- what cannot be undone -------------------------------------------------------------------------------------------


def irreversible(log: list[str], **rules: Any) -> FunctionTool[..., object]:
    return slow(1.0, log, flags=ToolFlag.IRREVERSIBLE, **rules)


def test_what_cannot_be_undone_starts_when_the_words_before_it_have_been_heard() -> None:
    log: list[str] = []
    scenario = asked(having(irreversible(log)), audio=True)
    scenario.llm_replies("I cancel your order now.", tool_calls=[call()])
    scenario.tts_speaks(duration=3.0)
    scenario.llm_replies("It is done.")
    run = played(scenario)
    assert log == ["x began", "x done"]
    # The words are heard from 3.5 to 6.5.
    assert run.time_of(run.handled(CallBegan)[0]) == near(6.5)
    assert run.said() == ["I cancel your order now.", "It is done."]


def test_what_cannot_be_undone_does_not_start_when_the_user_says_no_meanwhile() -> None:
    log: list[str] = []
    scenario = asked(having(irreversible(log)), audio=True)
    scenario.llm_replies("I cancel your order now.", tool_calls=[call()])
    scenario.tts_speaks(duration=3.0)
    scenario.user_says("No, do not!", at=4.0, until=5.0)
    scenario.llm_replies("All right.")
    run = played(scenario)
    assert log == []
    assert FunctionCall not in {type(item) for item in run.history}
    assert run.conversation[-1] == ("assistant", "All right.")


def test_p05_what_cannot_be_undone_never_starts_for_a_reply_that_was_cut_nor_twice() -> None:
    begun = 0
    for number in range(24):
        log: list[str] = []
        scenario = asked(having(irreversible(log)))
        scenario.llm_replies("Now.", tool_calls=[call()])
        scenario.llm_otherwise("Done.")
        cut: list[float] = []

        def interrupt(session: Session, cut: list[float] = cut) -> None:
            session.interrupt()
            cut.append(asyncio.get_running_loop().time())

        scenario.call(0.55 + number * 0.02, interrupt)
        if number % 3 == 0:
            scenario.kill("tools", message=1 + number // 3)
        run = scenario.play(number)
        assert invariants.broken(run) == [], number
        assert log.count("x began") <= 1
        for order in run.told(RunTool):
            if order.scope.closed and run.handled(CallBegan) == []:
                assert log == []
        begun += len(log) > 0
    assert 0 < begun < 24


# -- what runs already -----------------------------------------------------------------------------------------------


def twice(tool: FunctionTool[..., object], *second: object, first: object = None) -> Run:
    """The tool is called at 0.6 and again at 2.0 while it runs."""
    scenario = asked(having(tool))
    scenario.llm_replies(tool_calls=[call("a")])
    scenario.user_types("Again.", at=2.0)
    scenario.llm_replies(tool_calls=[second[0] if second else call("b")])  # type: ignore[list-item]
    scenario.llm_replies("I see.")
    scenario.llm_otherwise("Well.")
    return played(scenario)


def test_a_second_call_of_a_tool_may_run_beside_the_first() -> None:
    log: list[str] = []
    twice(slow(5.0, log))
    assert log == ["a began", "b began", "a done", "b done"]


def test_a_second_call_is_rejected_and_the_model_sees_the_first() -> None:
    log: list[str] = []
    run = twice(slow(5.0, log, on_duplicate="reject"))
    assert log == ["a began", "a done"]
    refused = next(output for output, _ in outputs(run) if "Not started" in output)
    assert "call-1-1" in refused
    assert "lk_agents_cancel_task" in refused


def test_only_a_call_with_the_same_arguments_counts_if_the_tool_says_so() -> None:
    log: list[str] = []
    tool = slow(5.0, log, on_duplicate="reject", duplicate_scope="name_and_args")
    twice(tool)
    assert log == ["a began", "b began", "a done", "b done"]
    log.clear()
    twice(tool, call("a"))
    assert log == ["a began", "a done"]


def test_arguments_are_compared_as_they_are_understood() -> None:
    log: list[str] = []

    @function_tool(on_duplicate="reject", duplicate_scope="name_and_args")
    async def act(what: str, much: float = 1.0) -> str:
        log.append(what)
        await asyncio.sleep(5.0)
        return what

    twice(act, call("a", much=1))
    assert log == ["a"]


def test_a_newer_call_replaces_the_running_one_if_that_may_be_cancelled() -> None:
    log: list[str] = []
    run = twice(slow(5.0, log, on_duplicate="replace", flags=ToolFlag.CANCELLABLE))
    assert sorted(log) == ["a began", "a cancelled", "b began", "b done"]
    assert ("The call was replaced by a newer one.", True) in outputs(run)
    log.clear()
    run = twice(slow(5.0, log, on_duplicate="replace"))
    assert log == ["a began", "a done"]
    assert any("cannot be cancelled" in output for output, failed in outputs(run) if failed)


def test_a_second_call_has_to_be_confirmed() -> None:
    log: list[str] = []
    tool = slow(5.0, log, on_duplicate="confirm")
    run = twice(tool)
    assert log == ["a began", "a done"]
    assert any("lk_agents_confirm_duplicate" in output for output, _ in outputs(run))
    log.clear()
    twice(tool, call("b", lk_agents_confirm_duplicate=True))
    assert log == ["a began", "b began", "a done", "b done"]


def test_the_words_about_duplicates_are_the_users_own() -> None:
    words = {"async_options": {"duplicate_reject_template": "No: {function_name} runs."}}
    scenario = asked(having(slow(5.0, on_duplicate="reject")), tool_handling=words)
    scenario.llm_replies(tool_calls=[call("a"), call("b")])
    scenario.llm_replies("I see.")
    assert ("No: act runs.", False) in outputs(played(scenario))


@pytest.mark.parametrize(
    "words, problem",
    [
        ({"async_options": {"update_template": "{nothing}"}}, "may use: function_name, call_id, message"),
        ({"async_options": {"update": "x"}}, "no template 'update'"),
        ({"async_options": {"update_template": 7}}, "must be a text or a function"),
        ({"retries": 3}, "tool_handling has no retries"),
    ],
)
def test_words_that_cannot_be_used_are_refused_at_once(words: Any, problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        Agent(instructions="", tool_handling=words)


# -- the model cancels -----------------------------------------------------------------------------------------------


def test_a_model_looks_at_running_calls_and_cancels_one() -> None:
    log: list[str] = []
    scenario = asked(having(slow(30.0, log, flags=ToolFlag.CANCELLABLE)))
    scenario.llm_replies(tool_calls=[call("a")])
    scenario.user_types("What are you doing?", at=2.0)
    scenario.llm_replies(tool_calls=[("lk_agents_get_running_tasks", "{}")])
    scenario.llm_replies(tool_calls=[("lk_agents_cancel_task", '{"call_id": "call-1-1"}')])
    scenario.llm_replies(tool_calls=[("lk_agents_cancel_task", '{"call_id": "call-9"}')])
    scenario.llm_replies("Stopped.")
    run = played(scenario)
    assert [tool.name for tool in run.requests[0].tools] == [
        "act",
        "lk_agents_get_running_tasks",
        "lk_agents_cancel_task",
    ]
    assert log == ["a began", "a cancelled"]
    told = [output for output, _ in outputs(run)]
    listed = json.loads(next(output for output in told if output.startswith("[")))
    assert [entry["call_id"] for entry in listed] == ["call-1-1"]
    assert "Call call-1-1 was cancelled." in told
    assert "The call was cancelled, as asked for." in told
    assert "No call 'call-9' is running." in told


def test_without_cancellable_tools_there_are_no_such_tools() -> None:
    scenario = asked(having(slow(1.0)))
    scenario.llm_replies(tool_calls=[("lk_agents_get_running_tasks", "{}")])
    scenario.llm_replies("Hm.")
    run = played(scenario)
    assert [tool.name for tool in run.requests[0].tools] == ["act"]
    assert "Unknown tool" in outputs(run)[0][0]


# -- conservation ----------------------------------------------------------------------------------------------------


def conversation() -> Scenario:
    """A reply of two calls, one of them slow, that is cut off; and another turn."""
    scenario = Scenario(having(slow(0.7)), audio=False)
    scenario.llm_replies("Let me see.", tool_calls=[call("a"), call("b")])
    scenario.llm_otherwise("That is it.")
    scenario.user_types("Go.", at=0.5)
    scenario.user_types("And?", at=1.3)
    return scenario


def test_p05_the_result_of_a_speech_that_died_is_stored_all_the_same() -> None:
    stored = 0
    for number in range(1, 20):
        scenario = conversation()
        scenario.kill("floor", message=number)
        run = scenario.play(number)
        assert invariants.broken(run) == [], number
        stored += int(str(run.state_of("tools")["stored_here"]))
    assert stored > 2, "no speech died with a call open: this shows nothing"


def test_p05_a_result_that_a_speech_was_told_before_it_died_is_stored_all_the_same() -> None:
    def kill_floor(session: Session) -> None:
        session.actor("floor").cell.deliver_system(Kill(RuntimeError("the test kills floor, and its speeches with it")))

    @function_tool
    async def brief() -> str:
        return "at once"

    scenario = asked(having(brief, slow(2.0)))
    scenario.llm_replies(tool_calls=[("brief", "{}"), call("long")])
    scenario.call(1.5, kill_floor)  # one result is with the speech, which waits for the other
    run = played(scenario)
    assert outputs(run) == [("at once", False), ("long is done", False)]
    assert run.state_of("tools")["stored_here"] == 2


def test_p05_calls_are_conserved_wherever_the_reply_is_cut_and_tools_is_killed() -> None:
    outcomes: set[str] = set()
    for number in range(1, 16):
        scenario = conversation()
        scenario.kill("tools", message=number)
        scenario.call_behind("tools", object, 1 + number % 5, lambda session: session.interrupt())
        run = scenario.play(number)
        assert invariants.broken(run) == [], number
        assert run.conversation[-1] == ("assistant", "That is it.")
        outcomes |= {end.outcome for end in run.told(ToolFinished)}
    assert {"abandoned", "completed"} <= outcomes


def test_p05_calls_are_conserved_in_any_order() -> None:
    explore(conversation, schedules=8)


def test_p10_a_session_closes_in_time_at_any_point_of_a_tool_phase() -> None:
    for number in range(12):
        scenario = asked(having(slow(50.0, requires_approval=number % 2 == 0), kind=Yes))
        scenario.llm_replies("One moment.", tool_calls=[call()])
        scenario.close(0.55 + number * 0.2, deadline=1.0)
        run = scenario.play(number)
        assert invariants.broken(run) == [], number


# -- in progress -----------------------------------------------------------------------------------------------------


def shown(run: Run, request: int) -> list[str]:
    """What the model was shown of calls, in order; and of what was said."""
    return [
        getattr(item, "output", "") or getattr(item, "name", "") or getattr(item, "text_content", "")
        for item in run.requests[request].items
        if item.type not in ("agent_handoff", "agent_config_update")
    ]


def test_a_call_that_outlives_its_turn_is_shown_as_in_progress_until_it_has_returned() -> None:
    scenario = asked(having(slow(3.0)))
    scenario.llm_replies(tool_calls=[call("a")])
    scenario.user_types("Are you there?", at=2.0)
    scenario.llm_replies("Yes.")
    scenario.user_types("And now?", at=6.0)
    scenario.llm_replies("Now too.")
    run = played(scenario)
    during, after = shown(run, 1), shown(run, 2)
    assert during == [
        "Be kind.",
        "Please.",
        "act",
        "In progress: the tool is running and has not returned. Do not call it again for the same thing.",
        "Are you there?",
    ]
    assert "a is done" in after
    assert not [text for text in after if text.startswith("In progress")]
    assert not [output for output, _ in outputs(run) if output.startswith("In progress")]


def test_p05_every_call_in_a_request_has_its_output_or_is_marked_as_in_progress() -> None:
    def check(run: Run) -> None:
        for request in run.requests:
            calls = [item.call_id for item in request.items if isinstance(item, FunctionCall)]
            answers = [item.call_id for item in request.items if isinstance(item, FunctionCallOutput)]
            assert sorted(calls) == sorted(answers)
            assert len(set(calls)) == len(calls)

    explore(conversation, schedules=4, expect=check)


# -- on_enter, and the end -------------------------------------------------------------------------------------------


class Greets(Agent):
    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the user.")


def test_tools_that_ignore_on_enter_are_not_offered_to_its_replies_nor_to_those_of_its_tools() -> None:
    @function_tool(flags=ToolFlag.IGNORE_ON_ENTER)
    async def hang_up() -> str:
        return "never"

    @function_tool
    async def look(context: RunContext[object]) -> None:
        context.session.generate_reply(instructions="Tell them.", tool_choice="auto")

    scenario = Scenario(having(hang_up, look, kind=Greets), audio=False)
    scenario.llm_replies(tool_calls=[("look", "{}")])
    scenario.llm_replies("Hello.")
    scenario.user_types("Bye.", at=3.0)
    scenario.llm_replies("Bye.")
    run = played(scenario)
    offered = [[tool.name for tool in request.tools] for request in run.requests]
    assert offered == [["look"], ["look"], ["hang_up", "look"]]


def test_a_session_that_closes_cancels_what_may_be_cancelled_and_waits_for_the_rest() -> None:
    log: list[str] = []
    tools = slow(3.0, log, name="a", flags=ToolFlag.CANCELLABLE), slow(1.5, log, name="b")
    scenario = asked(having(*tools))
    scenario.llm_replies(tool_calls=[("a", '{"what": "a"}'), ("b", '{"what": "b"}')])
    scenario.close(1.0, deadline=4.0)
    run = scenario.play()
    assert invariants.broken(run) == []
    assert sorted(log) == ["a began", "a cancelled", "b began", "b done"]
    assert ("The session is closing.", True) in outputs(run)
    assert ("b is done", False) in outputs(run)
