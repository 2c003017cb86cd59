"""Conversations that are held: what a step does, what counts as its outcome, and what a failure says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sessionactors import SessionStateError
from sessionactors.evals.models import ModelNotUsable, Models
from sessionactors.evals.trial import How, Trial
from sessionactors.testing import ScriptedLLM

from tests.evals.agents import AGENT, held, written


def failed(trial: Trial) -> list[tuple[int, str, str]]:
    return [(failure.line, failure.key, failure.came) for failure in trial.failures]


TYPED = """
    - type: open door seven
      answers:
        - call: {open_door: {number: 7}}
        - Door seven is open.
      expect:
        calls: {open_door: {number: 7}}
        text: {exact: Door seven is open.}
        not called: others
        state: {agent: listening}
    - type: thanks
      answers: You are welcome.
      expect: {text: welcome, agent: Desk, not called: others}
"""


def test_a_typed_conversation_with_scripted_answers_passes(tmp_path: Path) -> None:
    trial = held(written(tmp_path, TYPED))
    assert trial.failures == ()
    assert trial.passed
    assert [(line.who, line.text) for line in trial.transcript if line.who in {"caller", "agent", "tool"}] == [
        ("caller", "open door seven"),
        ("tool", 'open_door({"number": 7}) -> door 7 is open'),
        ("agent", "Door seven is open."),
        ("caller", "thanks"),
        ("agent", "You are welcome."),
    ]


def test_what_is_not_as_expected_is_told_with_its_line_and_moment(tmp_path: Path) -> None:
    evals = written(
        tmp_path, TYPED.replace("welcome, agent", "goodbye, agent").replace("others}", "others, ends: true}")
    )
    trial = held(evals)
    line = next(n for n, text in enumerate(evals.path.read_text().splitlines(), 1) if "goodbye" in text)
    assert failed(trial) == [(line, "text", "'You are welcome.'"), (line, "ends", "it goes on")]
    assert trial.failures[0].step == 2
    assert trial.failures[0].at > 1.0


SPOKEN = """
    - say: tell me a story
      takes: 1.5
      answers: In a land far away, behind the mountains, there was a king who had three daughters and a very old horse.
      expect: {within: {total: 1.6, llm: 0.7}}
    - barge in: stop it
      at word: king
      answers: All right then.
      expect:
        interrupted: {contains: there was a king, contains not: horse}
        text: All right then
        within: 3
    - say: um
      hears: ""
      expect: {silent: true}
    - wait: 1
      expect: {silent: true, state: {user: listening}}
"""


def test_a_spoken_conversation_is_heard_word_by_word_and_can_be_barged_into(tmp_path: Path) -> None:
    trial = held(written(tmp_path, SPOKEN))
    assert trial.failures == ()
    assert trial.took < trial.seconds
    cut = next(line.text for line in trial.transcript if line.text.endswith("cut off"))
    assert "king who had" in cut


def test_a_seed_is_another_pace_and_another_order_and_the_same_again(tmp_path: Path) -> None:
    evals = written(tmp_path, "- {say: hello, takes: 1, answers: Hi there., expect: {text: Hi there}}")
    first, again, other = held(evals, seed=3), held(evals, seed=3), held(evals, seed=4)
    assert first.failures == other.failures == ()
    assert first.transcript == again.transcript
    assert [line.at for line in first.transcript] != [line.at for line in other.transcript]


def test_barging_into_what_is_over_or_never_begins_is_a_failure(tmp_path: Path) -> None:
    late = """
        - say: hello
          answers: Hi.
        - barge in: wait
          after: 5
          answers: Yes?
          expect: {text: Yes}
    """
    assert failed(held(written(tmp_path, late))) == [(8, "barge in", "the reply was over before: 'Hi.'")]
    never = """
        - say: um
          hears: ""
        - barge in: hello
          patience: 3
          answers: Yes?
          expect: {text: Yes}
    """
    assert failed(held(written(tmp_path, never))) == [(8, "barge in", "the agent said nothing")]


def test_a_model_that_is_asked_more_than_the_file_says_is_a_failure_that_names_the_step(tmp_path: Path) -> None:
    trial = held(written(tmp_path, "- {type: ring, answers: [{call: ring}], expect: {calls: ring}}"))
    ((_, key, what),) = failed(trial)
    assert key == "errors"
    assert (
        "asked once more than the file says: in step 1 it has 1 answers. It was asked about what ring answered" in what
    )


def test_a_scripted_call_of_a_tool_that_is_not_offered_says_which_are(tmp_path: Path) -> None:
    trial = held(written(tmp_path, "- {type: x, answers: [{call: rign}], expect: {calls: rign}}"))
    assert "calls, came no tool was called" in str([f"{key}, came {what}" for _, key, what in failed(trial)])
    assert any("was offered other tools: open_door, ring" in what for _, _, what in failed(trial))


def test_an_answer_to_all_else_is_used_when_a_step_has_no_more(tmp_path: Path) -> None:
    steps = "- {type: a, expect: {text: as you say}}\n- {type: b, answers: c, expect: {text: {exact: c}}}"
    assert held(written(tmp_path, steps, more="otherwise: As you say.\n")).failures == ()


HANGS_UP = AGENT.replace(
    "class Desk(Agent):",
    """class Desk(Agent):
    async def on_enter(self) -> None:
        self.session.on("sip_dtmf_received", self.on_key)

    async def on_key(self, event) -> None:
        await self.session.say(f"You pressed {event.digit}.").wait_for_playout()
        self.session.shutdown()
""",
)


def test_keys_are_pressed_and_the_agent_may_hang_up(tmp_path: Path) -> None:
    steps = '- {press: "7", expect: {text: You pressed 7, ends: true}}'
    assert held(written(tmp_path, steps, agent=HANGS_UP, more="otherwise: No.\n")).failures == ()
    more = f"{steps}\n- {{type: hello, expect: {{text: hi}}}}"
    trial = held(written(tmp_path, more, agent=HANGS_UP, more="otherwise: No.\n"))
    assert failed(trial) == [(7, "type", "it has ended before")]


@pytest.mark.parametrize(
    "agent, what",
    [
        (AGENT.replace("await ctx.connect()", "raise RuntimeError('no luck')"), "RuntimeError: no luck"),
        (AGENT.replace("await session.start(Desk(), room=ctx.room)", "pass"), "NoSessionStarted: the entry point ret"),
        (
            AGENT.replace("session = ", "raise SystemExit(3)  # "),
            "NoSessionStarted: the entry point ended the program: SystemExit(3)",
        ),
    ],
)
def test_a_module_that_fails_fails_the_trial_and_says_how(tmp_path: Path, agent: str, what: str) -> None:
    trial = held(written(tmp_path, "- {type: a, answers: b, expect: {text: b}}", agent=agent))
    assert trial.failures[0].key == "agent"
    assert trial.failures[0].came.startswith(what)


def test_agents_of_their_own_parts_and_factories_are_held_in_virtual_time_too(tmp_path: Path) -> None:
    agent = """
        from sessionactors import Agent, SessionSpec
        from sessionactors.providers.offline import FRONT_DESK, RuleBasedLLM

        class Own(Agent):
            def __init__(self) -> None:
                super().__init__(instructions="", llm=RuleBasedLLM(FRONT_DESK))

        def session_for(room: str) -> SessionSpec:
            return SessionSpec(agent=Own())
    """
    assert held(written(tmp_path, "- {say: a, answers: b, expect: {text: {exact: b}}}", agent=agent)).failures == ()


def test_a_model_that_is_somewhere_else_is_refused_in_virtual_time(tmp_path: Path) -> None:
    class Elsewhere(ScriptedLLM):
        label = "openai.LLM"

    Elsewhere.__module__ = "sessionactors.providers.openai.llm"
    models = Models(written(tmp_path, "- {type: a, expect: {text: b}}"))
    with pytest.raises(
        ModelNotUsable, match=r"own model \(openai.LLM\) is somewhere else, and virtual time cannot wait"
    ):
        models.check(Elsewhere(), real_time=False)
    models.check(Elsewhere(), real_time=True)
    models.check(ScriptedLLM(), real_time=False)


@pytest.mark.parametrize(
    "name, problem",
    [
        ("gpt", "llm 'gpt': there are own, offline, or MODULE:NAME"),
        ("nowhere:llm", "No module named 'nowhere'"),
        ("tests.evals.agents:nothing", "has no attribute 'nothing'"),
        ("tests.evals.agents:AGENT", "is no LLM and makes none, but '"),
    ],
)
def test_a_model_that_is_not_there_is_told(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(ModelNotUsable, match=problem):
        held(written(tmp_path, "- {type: a, expect: {text: b}}", head=f"llm: {name}\n"))


def test_a_greeting_is_barged_into_after_so_many_seconds(tmp_path: Path) -> None:
    greets = AGENT.replace(
        "class Desk(Agent):",
        """class Desk(Agent):
    async def on_enter(self) -> None:
        await self.session.say("Welcome to the museum of clocks, watches, bells and sundials, founded by a monk.")
""",
    )
    steps = (
        "- {barge in: stop, after: 3.2, takes: 1, answers: Yes., expect: {interrupted: museum of clocks, text: 'Yes.'}}"
    )
    trial = held(written(tmp_path, steps, agent=greets))
    assert trial.failures == ()
    began = next(line.at for line in trial.transcript if line.who == "says")
    assert began == pytest.approx(3.2 + 0.21, abs=0.02)


def test_a_conversation_is_not_held_on_a_loop_that_runs(tmp_path: Path) -> None:
    evals = written(tmp_path, "- {type: a, answers: b, expect: {text: b}}")

    async def hold_it() -> None:
        with pytest.raises(SessionStateError, match="has a loop of its own"):
            held(evals)

    asyncio.run(hold_it())


@pytest.mark.leaves_behind("a loop that stands still is given up, with what ran on it")
def test_a_module_that_stops_the_clock_is_a_failure_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessionactors.testing.virtual_loop.MOST_ROUNDS", 2000)
    busy = AGENT.replace("await ctx.connect()", "import asyncio\n    while True: await asyncio.sleep(0)")
    trial = held(written(tmp_path, "- {type: a, answers: b, expect: {text: b}}", agent=busy))
    assert trial.failures[-1].came.startswith("Livelock: the clock stands at ")


def test_that_nobody_hears_what_is_said_is_noted(tmp_path: Path) -> None:
    deaf = AGENT.replace("room=ctx.room)", "room=ctx.room, room_options=RoomOptions(audio_input=False))").replace(
        "AgentSession, JobContext", "AgentSession, JobContext, RoomOptions"
    )
    trial = held(written(tmp_path, "- {say: a, answers: b, expect: {text: b}}", agent=deaf))
    assert "nobody hears it: the session takes no audio" in [line.text for line in trial.transcript]


@pytest.mark.waits("holds a conversation in real time")
def test_in_real_time_it_takes_as_long_as_it_is(tmp_path: Path) -> None:
    trial = held(
        written(tmp_path, "- {type: a, answers: [{text: b, ttft: 0}], expect: {text: b}}"), how=How(real_time=True)
    )
    assert trial.failures == ()
    assert trial.took >= trial.seconds > 0.5
