"""Preemptive generation: a reply is prepared while the turn may still go on, and heard only if it still fits (P4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessionactors import Agent, ChatContext, ChatMessage, FunctionToolCall, SpeechCreatedEvent, function_tool
from sessionactors.messages.floor import DropSpeculation, PromoteSpeech, SpeechWasted
from sessionactors.messages.tts import SpeakText
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import Noting, Session, keeper, near, played


def pinned(agent: Agent | None = None, **options: object) -> Scenario:
    """The user speaks from 0.5 to 2.0 s; recognised after 0.1, endpointing 0.5, model 0.3, voice 0.3 s."""
    given = {"preemptive_generation": True, "preemptive_tts": False, **options}
    scenario = Scenario(agent or keeper(), ttfb=0.3, **given)  # type: ignore[arg-type]
    scenario.user_says("Hello, how are you?", at=0.5, until=2.0, stt_delay=0.1)
    scenario.llm_replies("I am doing great, thank you!", ttft=0.1, duration=0.3)
    scenario.tts_speaks(duration=3.0)
    return scenario


def dropped(run: Run) -> object:
    facts = run.state_of("agent")["speculation"]
    assert isinstance(facts, dict)
    return facts["dropped"]


@pytest.mark.parametrize(
    "options, latency",
    [
        ({"preemptive_generation": True, "preemptive_tts": True}, 0.7),
        ({"preemptive_generation": True, "preemptive_tts": False}, 0.8),
        ({"preemptive_generation": False}, 1.1),
    ],
)
def test_p04_the_reply_is_heard_so_much_sooner(options: dict[str, object], latency: float) -> None:
    run = played(pinned(None, **options))
    assert run.agent_became("speaking") == [near(2.0 + latency)]
    assert run.agent_became("thinking") == [near(2.5)]
    assert run.agent_became("listening")[-1] == near(2.0 + latency + 3.0)
    assert run.conversation == [("user", "Hello, how are you?"), ("assistant", "I am doing great, thank you!")]
    assert len(run.requests) == 1


@pytest.mark.parametrize("voice", [True, False])
def test_p04_a_prepared_reply_in_any_order_of_messages(voice: bool) -> None:
    explore(lambda: pinned(preemptive_tts=voice), schedules=3)


def test_nobody_hears_of_a_reply_before_its_turn_is_committed() -> None:
    created: list[float] = []
    scenario = pinned()

    def listen(session: Session) -> None:
        loop = session._loop
        began = loop.time()
        session.on("speech_created", lambda _: created.append(loop.time() - began))

    scenario.call(0.0, listen)
    run = played(scenario)
    assert created == [near(2.5)]
    (event,) = run.of(SpeechCreatedEvent)
    assert event.speech_id == "speech-1"
    first_text = min(d.ended_at for d in run.handled(SpeakText, "tts"))
    assert (first_text - run.began) / 1e9 == near(2.5)  # the voice is not asked before


def goes_on() -> Scenario:
    """The user pauses for less than the endpointing delay, and goes on: the first reply is made for nothing."""
    scenario = Scenario(keeper(), preemptive_generation=True, min_silence=0.2)
    scenario.user_says("Tell me a story", at=0.5, until=1.5, stt_delay=0.1)
    scenario.llm_replies("Once upon a time.", ttft=0.1, duration=0.2)
    scenario.user_says("about a horse.", at=1.9, until=3.0, stt_delay=0.1)
    scenario.llm_replies("There was a horse.", ttft=0.1, duration=0.3)
    return scenario


def test_p04_a_reply_to_words_that_went_on_is_dropped_and_its_tokens_are_counted() -> None:
    run = played(goes_on())
    assert run.conversation == [("user", "Tell me a story about a horse."), ("assistant", "There was a horse.")]
    assert dropped(run) == 1
    (wasted,) = run.told(SpeechWasted)
    assert wasted.tokens == 4
    assert wasted.characters == len("Once upon a time.")
    prepared = run.state_of("floor")["prepared"]
    assert prepared == {"speeches": [], "promoted": 1, "wasted_tokens": 4, "wasted_characters": 17}


def test_p04_dropped_replies_in_any_order_of_messages() -> None:
    explore(goes_on, schedules=3)


class Editing(Agent):
    """Its hook changes what the reply is made from."""

    def __init__(self, edit: Callable[[ChatContext, ChatMessage], object]) -> None:
        super().__init__(instructions="Be kind.")
        self._edit = edit

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        self._edit(turn_ctx, new_message)


def set_words(message: ChatMessage, text: str) -> None:
    message.content = [text]  # type: ignore[misc]


@pytest.mark.parametrize(
    "edit, fits",
    [
        (lambda _context, _message: None, True),
        (lambda context, _message: context.add_message(role="system", content="Rhyme."), False),
        (lambda _context, message: set_words(message, "hello how are YOU"), True),
        (lambda _context, message: set_words(message, "Who are you?"), False),
    ],
    ids=["nothing", "context", "case and punctuation", "words"],
)
def test_p04_what_the_hook_changes_decides_whether_the_prepared_reply_fits(
    edit: Callable[[ChatContext, ChatMessage], object], fits: bool
) -> None:
    scenario = pinned(Editing(edit))
    scenario.llm_otherwise("Another one.")
    run = played(scenario)
    assert len(run.told(PromoteSpeech)) == int(fits)
    assert len(run.requests) == (1 if fits else 2)
    assert run.said() == ["I am doing great, thank you!" if fits else "Another one."]


def test_p04_a_change_of_the_agent_makes_the_prepared_reply_unfit() -> None:
    agent = keeper()
    scenario = pinned(agent)
    scenario.llm_otherwise("Another one.")
    scenario.call(2.3, lambda _session: agent.update_instructions("Be terse."))
    run = played(scenario)
    assert run.said() == ["Another one."]
    assert dropped(run) == 1


def test_long_speech_is_not_prepared_for() -> None:
    run = played(pinned(preemptive_max_speech_duration=1.0))
    assert run.told(PromoteSpeech) == []
    assert run.agent_became("speaking") == [near(3.1)]


def test_replies_are_prepared_a_limited_number_of_times_in_a_turn() -> None:
    scenario = Scenario(keeper(), preemptive_generation=True, preemptive_max_retries=2, min_silence=0.2)
    for number in range(4):
        scenario.user_says(f"word{number}", at=0.5 + number * 0.7, until=0.8 + number * 0.7, stt_delay=0.1)
    scenario.llm_otherwise("Fine.", ttft=0.05, duration=0.1)
    run = played(scenario)
    assert run.said() == ["Fine."]
    assert len(run.requests) == 2 + 1
    assert len(run.told(DropSpeculation)) == 2


def test_nothing_is_prepared_while_the_agent_is_heard() -> None:
    scenario = Scenario(keeper(), preemptive_generation=True, allow_interruptions=False)
    text = "This is a long notice that nobody may interrupt."
    scenario.tts_speaks(duration=6.0, text=text)
    scenario.call(0.2, lambda session: session.say(text))
    scenario.user_says("Hello?", at=1.0, until=2.0)
    scenario.llm_otherwise("Yes.")
    run = scenario.play()
    assert run.told(SpeechWasted) == []
    assert run.state_of("floor")["prepared"] == {
        "speeches": [],
        "promoted": 0,
        "wasted_tokens": 0,
        "wasted_characters": 0,
    }
    assert run.said() == [text, "Yes."]


def test_interrupt_drops_what_is_being_prepared() -> None:
    scenario = pinned()
    scenario.llm_otherwise("Another one.")
    scenario.call(2.3, lambda session: session.interrupt())
    run = played(scenario)
    assert run.said() == ["Another one."]
    assert len(run.told(SpeechWasted)) == 1


def test_a_prepared_reply_that_calls_a_tool_starts_it_only_when_it_is_wanted() -> None:
    began: list[float] = []

    @function_tool
    async def look_up() -> str:
        """Looks something up."""
        began.append(1.0)
        return "found"

    scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]), preemptive_generation=True, min_silence=0.2)
    scenario.user_says("Look it up", at=0.5, until=1.5, stt_delay=0.1)
    call = FunctionToolCall("call-a", "look_up", "{}")
    scenario.llm_replies(tool_calls=[call], ttft=0.05, duration=0.1)
    scenario.user_says("or do not.", at=1.9, until=3.0, stt_delay=0.1)
    scenario.llm_replies("All right.", ttft=0.1, duration=0.3)
    run = played(scenario)
    assert began == []
    assert run.said() == ["All right."]


def test_a_model_that_fails_while_it_prepares_is_asked_again_for_the_turn() -> None:
    scenario = Scenario(keeper(), preemptive_generation=True)
    scenario.user_says("Hello, how are you?", at=0.5, until=2.0, stt_delay=0.1)
    scenario.llm_replies("", error=ValueError("a bug"), ttft=0.05, duration=0.1)
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert run.said() == ["Fine."]
    assert len(run.errors) == 1


def test_turns_are_answered_though_prepared_replies_die() -> None:
    scenario = pinned(Noting())
    scenario.kill("speech-1", message=2)
    scenario.llm_otherwise("Another one.")
    run = scenario.play()
    assert run.said() == ["Another one."]
