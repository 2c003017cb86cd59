"""One agent follows another: by a tool, by ``update_agent``, while the user speaks, while tools run, at the end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from sessionactors import (
    ActorSystem,
    Agent,
    AgentHandoff,
    AgentSession,
    ChatContext,
    ChatMessage,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionCallOutput,
    FunctionToolsExecutedEvent,
    SessionStateError,
    function_tool,
)
from sessionactors.interfaces.home import Home
from sessionactors.testing import Run, Scenario, ScriptedLLM, ScriptedReply, ScriptedSTT, ScriptedVAD, explore

from tests.session.talks import Session, near, played, typed


class Second(Agent):
    """Says who it is."""

    def __init__(self, greeting: str = "I am the second.") -> None:
        super().__init__(instructions="You are the second.")
        self.greeting = greeting
        self.heard: list[str] = []

    async def on_enter(self) -> None:
        if self.greeting:
            self.session.say(self.greeting)

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        self.heard.append(new_message.text_content)


class First(Agent):
    """Hands over when its model says so."""

    def __init__(self, second: Agent | None = None, *, answer: str = "") -> None:
        super().__init__(instructions="You are the first.")
        self.second = second or Second()
        self.answer = answer
        self.left = 0

    @function_tool
    async def transfer(self) -> object:
        """Hand over."""
        return (self.second, self.answer) if self.answer else self.second

    async def on_exit(self) -> None:
        self.left += 1


TRANSFER = ("transfer", "{}")


def handoffs(run: Run) -> list[tuple[str | None, str]]:
    return [(item.old_agent_id, item.new_agent_id) for item in run.history if isinstance(item, AgentHandoff)]


def outputs(run: Run) -> list[tuple[str, bool]]:
    return [(item.output, item.is_error) for item in run.history if isinstance(item, FunctionCallOutput)]


def instructions(run: Run) -> list[str]:
    return [
        item.text_content for request in run.requests for item in request.items[:1] if isinstance(item, ChatMessage)
    ]


def transferred(first: First, **options: object) -> Scenario:
    """The user types; the first agent hands over; the user types again and the second one answers."""
    scenario = Scenario(first, audio=False, **options)  # type: ignore[arg-type]
    scenario.user_types("The other one, please.", at=0.5)
    scenario.llm_replies(tool_calls=[TRANSFER])
    if first.answer:
        scenario.llm_replies("One moment.")
    scenario.user_types("Hello.", at=3.0)
    scenario.llm_replies("Yes?")
    return scenario


def test_a_tool_that_returns_an_agent_hands_over() -> None:
    first = First()
    run = played(transferred(first))
    assert handoffs(run) == [(None, "first"), ("first", "second")]
    assert outputs(run) == [("", False)]
    assert run.said() == ["I am the second.", "Yes?"]
    assert instructions(run) == ["You are the first.", "You are the second."]
    assert (first.left, first.second.heard) == (1, ["Hello."])  # type: ignore[attr-defined]


def test_a_handoff_is_a_public_item_also_the_first_one() -> None:
    run = played(transferred(First()))
    told = [event.item for event in run.of(ConversationItemAddedEvent) if isinstance(event.item, AgentHandoff)]
    assert [(item.old_agent_id, item.new_agent_id) for item in told] == handoffs(run)


def test_each_agent_remembers_its_own_talk() -> None:
    first = First()
    run = played(transferred(first))
    assert [text.text_content for text in first.second.chat_ctx.messages()] == [
        *("You are the second.", "I am the second.", "Hello.", "Yes?")
    ]
    assert [text.text_content for text in first.chat_ctx.messages()] == ["You are the first.", "The other one, please."]
    assert [text for _, text in run.conversation] == ["The other one, please.", "I am the second.", "Hello.", "Yes?"]


def test_what_a_tool_returns_beside_the_agent_is_answered_by_the_old_one_before_it_leaves() -> None:
    run = played(transferred(First(answer="The user is transferred.")))
    assert outputs(run) == [("The user is transferred.", False)]
    assert run.said() == ["One moment.", "I am the second.", "Yes?"]
    assert instructions(run) == ["You are the first.", "You are the first.", "You are the second."]
    assert run.requests[1].tool_choice == "none"


def test_update_agent_hands_over_and_the_new_one_is_current_at_once() -> None:
    second = Second()
    current: list[Agent] = []

    def switch(session: Session) -> None:
        session.update_agent(second)
        current.append(session.current_agent)

    scenario = typed(None, "One.")
    scenario.call(2.0, switch)
    scenario.user_types("Two.", at=3.0)
    scenario.llm_replies("Answer 2.")
    run = played(scenario)
    assert current == [second]
    assert handoffs(run) == [(None, "default_agent"), ("default_agent", "second")]
    assert second.heard == ["Two."]


def test_the_old_agent_is_heard_to_its_end() -> None:
    scenario = Scenario(First(), min_silence=0.5)
    scenario.user_says("The other one.", at=0.5, until=1.5)
    scenario.llm_replies("A moment please, I hand you over.", tool_calls=[TRANSFER])
    scenario.tts_speaks(duration=3.0)
    scenario.tts_speaks(duration=1.0, text="I am the second.")
    run = played(scenario)
    (old, new) = run.audible("speech-1"), run.audible("speech-2")
    assert new[0][0] >= old[-1][1]
    assert run.said() == ["A moment please, I hand you over.", "I am the second."]


def test_a_callback_may_cancel_a_handoff() -> None:
    def refuse(event: FunctionToolsExecutedEvent) -> None:
        assert event.has_agent_handoff
        event.cancel_agent_handoff()

    first = First()
    scenario = transferred(first)
    scenario.call(0.1, lambda session: session.on("function_tools_executed", refuse))
    run = played(scenario)
    assert handoffs(run) == [(None, "first")]
    assert instructions(run) == ["You are the first.", "You are the first."]
    assert first.second._session is None


# -- F5, P3: what the user says meanwhile --------------------------------------------------------------------------


class SlowToLeave(First):
    async def on_exit(self) -> None:
        await super().on_exit()
        await asyncio.sleep(2.0)


def said_while_leaving() -> Scenario:
    scenario = Scenario(SlowToLeave(), audio=False)
    scenario.user_types("The other one, please.", at=0.5)
    scenario.llm_replies(tool_calls=[TRANSFER])
    scenario.user_types("Are you there?", at=1.5)
    scenario.user_types("Hello?", at=1.6)
    scenario.llm_otherwise("Yes.")
    return scenario


def test_what_the_user_says_during_a_handoff_is_answered_by_the_new_agent() -> None:
    scenario = said_while_leaving()
    run = played(scenario)
    second = scenario.agent.second  # type: ignore[attr-defined]
    assert second.heard == ["Are you there?", "Hello?"]
    assert [text for role, text in run.conversation if role == "user"][1:] == ["Are you there?", "Hello?"]
    assert set(instructions(run)[1:]) == {"You are the second."}


def test_f05_nothing_that_is_said_during_a_handoff_is_lost_in_any_order() -> None:
    def expect(run: Run) -> None:
        assert handoffs(run) == [(None, "slow_to_leave"), ("slow_to_leave", "second")]
        assert [text for role, text in run.conversation if role == "user"][1:] == ["Are you there?", "Hello?"]

    explore(said_while_leaving, schedules=3, expect=expect)


class Router(Agent):
    """Its hook decides who answers."""

    def __init__(self, second: Agent) -> None:
        super().__init__(instructions="You are the router.")
        self.second = second

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        new_message.content.append("(routed)")
        self.session.update_agent(self.second)


def test_a_turn_whose_hook_hands_over_is_answered_by_the_new_agent() -> None:
    second = Second("")
    run = played(typed(Router(second), "Help."))
    assert second.heard == ["Help.\n(routed)"]
    assert instructions(run) == ["You are the second."]
    assert run.conversation == [("user", "Help.\n(routed)"), ("assistant", "Answer 1.")]


def test_speaking_over_a_handoff_in_any_order() -> None:
    def scenario() -> Scenario:
        scenario = Scenario(First(answer="Done."), min_silence=0.5, frame_ms=50)
        scenario.user_says("The other one, please.", at=0.5, until=1.5)
        scenario.llm_replies(tool_calls=[TRANSFER])
        scenario.llm_replies("One moment please, I look for somebody.")
        scenario.tts_speaks(duration=3.0)
        scenario.user_says("Hurry up please.", at=3.5, until=5.0)
        scenario.llm_otherwise("Yes.")
        return scenario

    def expect(run: Run) -> None:
        assert handoffs(run) == [(None, "first"), ("first", "second")]
        assert [text for role, text in run.conversation if role == "user"][-1] == "Hurry up please."
        assert instructions(run)[-1] == "You are the second."

    explore(scenario, schedules=3, expect=expect)


# -- F1: several agents ----------------------------------------------------------------------------------------------


class Torn(Agent):
    """Its tools want different things."""

    def __init__(self, one: Agent, other: Agent | None) -> None:
        super().__init__(instructions="You are torn.")
        self.one, self.other = one, other

    @function_tool
    async def left(self) -> object:
        """Go left."""
        return self.one

    @function_tool
    async def right(self) -> object:
        """Go right."""
        return self.other

    @function_tool
    async def both(self) -> object:
        """Go both ways."""
        return [self.one, self.other]


def torn(one: Agent, other: Agent | None, *calls: str) -> Scenario:
    scenario = Scenario(Torn(one, other), audio=False)
    scenario.user_types("Decide.", at=0.5)
    scenario.llm_replies(tool_calls=[(name, "{}") for name in calls])
    scenario.llm_otherwise("I am sorry.")
    return scenario


def test_f01_two_agents_from_the_tools_of_one_step_are_no_handoff_and_the_model_is_told() -> None:
    one, other = Second(), Second()
    run = played(torn(one, other, "left", "right"))
    assert handoffs(run) == [(None, "torn")]
    assert [is_error for _, is_error in outputs(run)] == [True, True]
    assert "different agents" in outputs(run)[0][0]
    assert run.said() == ["I am sorry."]
    assert (one._session, other._session) == (None, None)


def test_f01_a_tool_that_returns_no_agent_does_not_undo_the_handoff_of_another() -> None:
    run = played(torn(Second(), None, "left", "right"))
    assert handoffs(run) == [(None, "torn"), ("torn", "second")]


def test_one_agent_from_two_tools_is_one_handoff() -> None:
    second = Second()
    run = played(torn(second, second, "left", "right"))
    assert handoffs(run) == [(None, "torn"), ("torn", "second")]


def test_a_tool_may_return_one_agent_at_most() -> None:
    run = played(torn(Second(), Second(), "both"))
    assert handoffs(run) == [(None, "torn")]
    assert "one at most" in outputs(run)[0][0]


def test_an_agent_of_another_session_does_not_take_over_and_the_model_is_told() -> None:
    second = Second()
    second._session = AgentSession()
    run = played(torn(second, None, "left"))
    assert handoffs(run) == [(None, "torn")]
    assert "runs in another session" in outputs(run)[0][0]


# -- interruption ----------------------------------------------------------------------------------------------------


class SlowTransfer(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are slow.")
        self.second = Second()

    @function_tool
    async def transfer(self) -> object:
        """Hand over, slowly."""
        await asyncio.sleep(2.0)
        return self.second


def test_a_handoff_whose_reply_was_interrupted_does_not_happen_and_the_output_says_so() -> None:
    first = SlowTransfer()
    scenario = Scenario(first, audio=False)
    scenario.user_types("The other one, please.", at=0.5)
    scenario.llm_replies(tool_calls=[TRANSFER])
    scenario.user_types("No, wait.", at=1.5)
    scenario.llm_replies("All right.")
    run = played(scenario)
    assert handoffs(run) == [(None, "slow_transfer")]
    assert outputs(run) == [("The handoff to second was interrupted by the user: there was no handoff.", True)]
    assert run.said() == ["All right."]
    assert first.second._session is None


# -- who says what, when ---------------------------------------------------------------------------------------------


class SaysGoodbye(First):
    async def on_exit(self) -> None:
        await super().on_exit()
        await self.session.say("Goodbye.")


def test_what_on_exit_says_is_heard_before_the_new_agent_begins() -> None:
    run = played(transferred(SaysGoodbye()))
    assert run.said() == ["Goodbye.", "I am the second.", "Yes?"]


class SwitchesAndSpeaks(Agent):
    def __init__(self, second: Agent) -> None:
        super().__init__(instructions="You are the first.")
        self.second = second

    @function_tool
    async def transfer(self) -> None:
        """Hand over, and say so."""
        self.session.update_agent(self.second)
        await asyncio.sleep(0.5)
        await self.session.say("Here they come.")


def test_a_tool_of_an_agent_that_leaves_may_still_speak_and_wait_for_it() -> None:
    second = Second()
    scenario = Scenario(SwitchesAndSpeaks(second), audio=False)
    scenario.user_types("The other one.", at=0.5)
    scenario.llm_replies(tool_calls=[TRANSFER])
    run = played(scenario)
    assert run.said() == ["Here they come.", "I am the second."]


def test_what_is_said_while_the_old_agent_is_heard_out_belongs_to_the_new_one() -> None:
    second = Second("")
    scenario = Scenario(First(), min_silence=0.5)
    scenario.user_says("Tell me.", at=0.5, until=1.5)
    scenario.llm_replies("This takes me a rather long time to say.")
    scenario.tts_speaks(duration=4.0)
    scenario.call(3.5, lambda session: session.update_agent(second))
    scenario.call(4.0, lambda session: session.generate_reply(user_input="Now you."))
    scenario.llm_replies("Gladly.")
    run = played(scenario)
    assert instructions(run) == ["You are the first.", "You are the second."]
    assert [text.text_content for text in second.chat_ctx.messages()] == ["You are the second.", "Now you.", "Gladly."]


def test_handoffs_follow_one_another() -> None:
    one, two = Second(""), Second("Third.")
    scenario = typed(None, "One.")

    def switch(session: Session) -> None:
        session.update_agent(one)
        session.update_agent(two)

    scenario.call(2.0, switch)
    run = played(scenario)
    assert handoffs(run) == [(None, "default_agent"), ("default_agent", "second"), ("second", "second")]
    assert run.said() == ["Answer 1.", "Third."]
    assert run.state_of("agent")["stack"] == ["second#2"]


def test_an_agent_may_come_back_and_remembers() -> None:
    back = Agent(instructions="You are the first.", id="back")
    second = Second("")
    scenario = typed(back, "One.")
    scenario.call(2.0, lambda session: session.update_agent(second))
    scenario.call(3.0, lambda session: session.update_agent(back))
    scenario.user_types("Two.", at=4.0)
    scenario.llm_replies("Answer 2.")
    run = played(scenario)
    assert [item.text_content for item in run.requests[1].items if isinstance(item, ChatMessage)] == [
        *("You are the first.", "One.", "Answer 1.", "Two.")
    ]


def test_handing_over_to_the_one_in_charge_changes_nothing() -> None:
    agent = Agent(instructions="Be kind.")
    scenario = typed(agent, "One.")
    scenario.call(2.0, lambda session: session.update_agent(agent))
    run = played(scenario)
    assert handoffs(run) == [(None, "default_agent")]
    assert agent._session is None


class Broken(Second):
    async def on_enter(self) -> None:
        raise KeyError("enter")


def test_an_agent_whose_on_enter_raises_is_in_charge_all_the_same() -> None:
    run = played(transferred(First(Broken())))
    assert handoffs(run) == [(None, "first"), ("first", "broken")]
    assert [event.source for event in run.of(ErrorEvent)] == ["on_enter"]
    assert run.said() == ["Yes?"]


# -- the session -----------------------------------------------------------------------------------------------------


def test_update_agent_on_a_session_that_is_not_running_or_closing_is_an_error() -> None:
    session: Session = AgentSession()
    with pytest.raises(SessionStateError, match="not running"):
        session.update_agent(Second())
    found: list[str] = []

    async def close_and_switch(running: Session) -> None:
        running.shutdown()
        try:
            running.update_agent(Second())
        except SessionStateError as error:
            found.append(str(error))
        await running.wait_closed()
        try:
            running.update_agent(Second())
        except SessionStateError as error:
            found.append(str(error))

    scenario = typed(None, "One.")
    scenario.call(2.0, close_and_switch)
    scenario.close(5.0)
    scenario.play()
    assert len(found) == 2
    assert "closing" in found[0]
    assert "has been closed" in found[1]


def test_a_close_in_the_middle_of_a_handoff_starts_nobody_and_keeps_the_users_words() -> None:
    scenario = said_while_leaving()
    scenario.close(1.8)
    run = played(scenario)
    assert handoffs(run) == [(None, "slow_to_leave")]
    assert [text for role, text in run.conversation if role == "user"] == [
        *("The other one, please.", "Are you there?", "Hello?")
    ]
    first = scenario.agent
    assert isinstance(first, First)
    assert (first.left, first.second._session) == (1, None)


@pytest.mark.parametrize("at", [0.5, 0.9, 1.0, 1.5, 2.8, 3.0, 3.2])
def test_a_close_at_any_time_ends_in_time(at: float) -> None:
    scenario = said_while_leaving()
    scenario.close(at, deadline=3.0)
    played(scenario)


def test_a_handoff_takes_no_time_of_its_own() -> None:
    run = played(transferred(First()))
    added = [timed.at for timed in run.events if isinstance(timed.event, ConversationItemAddedEvent)]
    assert added[2] == near(0.8)


def test_f23_the_plain_class_keeps_the_id_that_it_is_given() -> None:
    run = played(typed(Agent(instructions="Be kind.", id="host"), "One."))
    assert handoffs(run) == [(None, "host")]


# -- components of an agent ------------------------------------------------------------------------------------------


def test_an_agent_has_a_model_of_its_own_while_it_is_in_charge() -> None:
    own = ScriptedLLM([ScriptedReply("I am another model.")])
    second = Agent(instructions="You are the second.", llm=own)
    scenario = Scenario(First(second), audio=False)
    scenario.user_types("The other one, please.", at=0.5)
    scenario.llm_replies(tool_calls=[TRANSFER])
    scenario.user_types("Hello.", at=3.0)
    run = played(scenario)
    assert run.said() == ["I am another model."]
    assert len(run.requests) == 1
    assert len(own.requests) == 1


def test_a_model_is_swapped_while_the_agent_runs() -> None:
    own = ScriptedLLM([ScriptedReply("I am another model.")])
    agent = Agent(instructions="Be kind.")
    scenario = typed(agent, "One.", "Two.")
    scenario.call(1.2, lambda session: agent.update_options(llm=own))
    run = played(scenario)
    assert run.said() == ["Answer 1.", "I am another model."]


def test_an_agent_without_a_model_listens_and_keeps_what_is_said() -> None:
    run = played(typed(Agent(instructions="Be still.", llm=None), "One."))
    assert run.conversation == [("user", "One.")]


class Warm(ScriptedLLM):
    def __init__(self) -> None:
        super().__init__([])
        self.warmed_on: list[asyncio.AbstractEventLoop] = []

    def prewarm(self) -> None:
        self.warmed_on.append(asyncio.get_running_loop())


@pytest.mark.parametrize("home", list(Home))
async def test_models_get_ready_at_home_when_their_agent_takes_over(home: Home) -> None:
    first, second = Warm(), Warm()
    first.home = second.home = home
    system = ActorSystem("own")
    session = AgentSession[object](llm=first, system=system)
    await session.start(Agent(instructions=""))
    session.update_agent(Agent(instructions="", llm=second))
    await session.wait_for_idle()
    at_home = asyncio.get_running_loop() if home is Home.USER else system.loop
    # Nobody waits for a model to get ready: what its loop does after it tells that it has.
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0), at_home))
    assert (first.warmed_on, second.warmed_on) == ([at_home], [at_home])
    await session.aclose()
    await system.aclose()


class Unready(Warm):
    def prewarm(self) -> None:
        raise ValueError("no")


async def test_a_model_that_cannot_get_ready_is_asked_all_the_same() -> None:
    with capture_logs() as lines:
        async with AgentSession[object](llm=Unready()) as session:
            await session.start(Agent(instructions=""))
    assert [line["error"] for line in lines if line["event"] == "prewarm_failed"] == ["ValueError('no')"]


# -- P12 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["agent", "history", "floor"])
@pytest.mark.parametrize("message", [2, 4, 6, 8, 10, 12])
def test_p12_a_handoff_survives_the_restart_of_who_carries_it(actor: str, message: int) -> None:
    scenario = said_while_leaving()
    scenario.kill(actor, message=message)
    run = played(scenario)
    assert handoffs(run)[0] == (None, "slow_to_leave")
    users = [text for role, text in run.conversation if role == "user"]
    assert users == ["The other one, please.", "Are you there?", "Hello?"]
    if actor != "floor" or len(handoffs(run)) > 1:  # the speech whose tool hands over dies with the floor
        assert handoffs(run)[1:] == [("slow_to_leave", "second")]


def heard_by_two(second: Agent, at: float, first: ScriptedSTT, *others: ScriptedSTT) -> Scenario:
    """The user says two things; the second agent takes over at that time."""
    for other in others:
        other.timeline = first.timeline
    scenario = Scenario(Agent(instructions="You are the first."), stt=first, min_silence=0.5)
    scenario.user_says("Hello there.", at=0.5, until=1.5)
    scenario.llm_replies("Hi.")
    scenario.call(at, lambda session: session.update_agent(second))
    scenario.user_says("Can you hear me?", at=4.0, until=6.0)
    scenario.llm_replies("I hear you.")
    return scenario


WORDS = [(1.7, "Hello there."), (6.2, "Can you hear me?")]


def test_a_recogniser_that_both_agents_have_is_not_restarted() -> None:
    stt = ScriptedSTT(WORDS)
    run = played(heard_by_two(Agent(instructions="You are the second."), 3.5, stt))
    assert stt.streams == 1
    assert instructions(run) == ["You are the first.", "You are the second."]


@pytest.mark.parametrize("at", [3.5, 5.0])
def test_an_agent_hears_with_a_recogniser_of_its_own_also_what_was_being_said(at: float) -> None:
    first, own = ScriptedSTT(WORDS), ScriptedSTT(WORDS[1:])
    run = played(heard_by_two(Agent(instructions="You are the second.", stt=own), at, first, own))
    assert (first.streams, own.streams) == (1, 1)
    assert [text for role, text in run.conversation if role == "user"] == ["Hello there.", "Can you hear me?"]
    assert instructions(run) == ["You are the first.", "You are the second."]


def test_the_sessions_recogniser_comes_back_with_the_next_agent() -> None:
    first, own = ScriptedSTT(WORDS), ScriptedSTT([])
    scenario = heard_by_two(Agent(instructions="You are the second.", stt=own), 2.9, first, own)
    scenario.call(3.5, lambda session: session.update_agent(Agent(instructions="You are the third.")))
    run = played(scenario)
    assert (first.streams, own.streams) == (2, 1)
    assert instructions(run) == ["You are the first.", "You are the third."]


@pytest.mark.parametrize("at", [3.5, 5.0])
def test_a_recogniser_is_swapped_while_the_agent_runs(at: float) -> None:
    first, own = ScriptedSTT(WORDS), ScriptedSTT(WORDS[1:])
    own.timeline = first.timeline
    agent = Agent(instructions="You are the first.")
    scenario = Scenario(agent, stt=first, min_silence=0.5)
    scenario.user_says("Hello there.", at=0.5, until=1.5)
    scenario.llm_replies("Hi.")
    scenario.call(at, lambda session: agent.update_options(stt=own))
    scenario.user_says("Can you hear me?", at=4.0, until=6.0)
    scenario.llm_replies("I hear you.")
    run = played(scenario)
    assert (first.streams, own.streams) == (1, 1)
    assert run.said() == ["Hi.", "I hear you."]


def test_what_an_agent_hears_with_goes_on_when_something_else_of_it_is_changed() -> None:
    stt = ScriptedSTT(WORDS)
    agent = Agent(instructions="You are the first.")
    scenario = Scenario(agent, stt=stt)
    scenario.user_says("Hello there.", at=0.5, until=1.5)
    scenario.llm_otherwise("Hi.")
    scenario.call(5.0, lambda session: agent.update_instructions("Be brief."))
    scenario.call(5.5, lambda session: agent.update_options(tts=None))
    scenario.user_says("Can you hear me?", at=6.0, until=7.0)
    played(scenario)
    assert stt.streams == 1


def test_an_agent_without_a_recogniser_hears_nothing_until_it_has_left() -> None:
    first = ScriptedSTT(WORDS)
    deaf = Agent(instructions="You are deaf.", stt=None, id="deaf")
    run = played(heard_by_two(deaf, 3.5, first))
    assert first.streams == 1
    assert [text for role, text in run.conversation if role == "user"] == ["Hello there."]


@pytest.mark.parametrize("at", [3.5, 5.0])
def test_an_agent_has_a_detector_of_its_own(at: float) -> None:
    own = ScriptedVAD([(0.5, 1.5), (4.0, 6.0)], min_silence=0.5)
    stt = ScriptedSTT(WORDS)
    own.timeline = stt.timeline
    second = Agent(instructions="You are the second.", vad=own)
    run = played(heard_by_two(second, at, stt))
    assert [text for role, text in run.conversation if role == "user"][-1] == "Can you hear me?"
    assert instructions(run)[-1] == "You are the second."


def test_another_recogniser_in_any_order() -> None:
    def scenario() -> Scenario:
        first, own = ScriptedSTT(WORDS), ScriptedSTT(WORDS[1:])
        return heard_by_two(Agent(instructions="You are the second.", stt=own), 5.0, first, own)

    def expect(run: Run) -> None:
        assert [text for role, text in run.conversation if role == "user"] == ["Hello there.", "Can you hear me?"]

    explore(scenario, schedules=3, expect=expect)
