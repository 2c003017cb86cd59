"""Strategies that users compose: what begins a turn, when the user is muted, a model that holds back its end."""

from __future__ import annotations

import pytest

from sessionactors import (
    AgentSession,
    CombinedTurnDetector,
    LLMTurnDetector,
    MuteDuringFirstSpeech,
    MuteStrategy,
    MuteUntilFirstSpeech,
    MuteWhileAgentSpeaks,
    MuteWhileToolsRun,
    OptionError,
    StartOnTranscript,
    StartOnVoice,
    StartOnWakePhrase,
    StartOnWords,
    StartStrategy,
    TurnScene,
)
from sessionactors.messages.tools import ToolsRunning
from sessionactors.messages.turn import InterruptionWanted
from sessionactors.testing import Scenario, ScriptedLLM, ScriptedReply, ScriptedTurnDetector, explore

from tests.session.talks import STORY, Session, keeper, near, played
from tests.session.test_turn_modes import asking, turns_at

OVER_AGENT = TurnScene(voice=True, agent_state="speaking")


@pytest.mark.parametrize(
    "strategy, scene, starts",
    [
        (StartOnVoice(), TurnScene(voice=True), True),
        (StartOnVoice(), TurnScene(text="hello"), False),
        (StartOnTranscript(), TurnScene(voice=True), False),
        (StartOnTranscript(), TurnScene(text="hello"), True),
        (StartOnWords(2), TurnScene(voice=True), True),
        (StartOnWords(2), OVER_AGENT, False),
        (StartOnWords(2), TurnScene(text="stop", agent_state="speaking"), False),
        (StartOnWords(2), TurnScene(text="stop it", agent_state="speaking"), True),
        (StartOnWakePhrase(("hey agent",)), TurnScene(text="hey there agent"), False),
        (StartOnWakePhrase(("hey agent",)), TurnScene(text="Well: Hey, Agent! What time is it?"), True),
        (StartOnWakePhrase(("art",)), TurnScene(text="start"), False),
    ],
)
def test_what_begins_a_turn(strategy: StartStrategy, scene: TurnScene, starts: bool) -> None:
    assert strategy.starts(scene) is starts


@pytest.mark.parametrize(
    "strategy, scene, mutes",
    [
        (MuteWhileAgentSpeaks(), OVER_AGENT, True),
        (MuteWhileAgentSpeaks(), TurnScene(), False),
        (MuteDuringFirstSpeech(), OVER_AGENT, True),
        (MuteDuringFirstSpeech(), TurnScene(), False),
        (MuteDuringFirstSpeech(), TurnScene(agent_state="speaking", agent_has_spoken=True), False),
        (MuteUntilFirstSpeech(), TurnScene(), True),
        (MuteUntilFirstSpeech(), TurnScene(agent_has_spoken=True), False),
        (MuteWhileToolsRun(), TurnScene(tools_running=1), True),
        (MuteWhileToolsRun(), TurnScene(), False),
    ],
)
def test_when_the_user_is_not_listened_to(strategy: MuteStrategy, scene: TurnScene, mutes: bool) -> None:
    assert strategy.mutes(scene) is mutes


def test_strategies_are_checked_when_they_are_given() -> None:
    with pytest.raises(OptionError, match="min_words=0"):
        StartOnWords(0)
    with pytest.raises(OptionError, match="needs a tuple of phrases with words, got 'hey'"):
        StartOnWakePhrase("hey")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="open_for=-1"):
        StartOnWakePhrase(("hey",), open_for=-1)
    with pytest.raises(OptionError, match="turn_start takes a list of StartStrategy, got MuteWhileToolsRun"):
        AgentSession(turn_handling={"start": [MuteWhileToolsRun()]})  # type: ignore[arg-type]


def lost(run_state: object) -> list[str]:
    assert isinstance(run_state, dict)
    return list(run_state["lost"])


# -- in a conversation -----------------------------------------------------------------------------------------------


def waking(**options: object) -> Scenario:
    handling = {"start": [StartOnWakePhrase(("hey agent",), open_for=4.0)]}
    scenario = Scenario(keeper(), turn_handling=handling, **options)  # type: ignore[arg-type]
    scenario.user_says("Nice weather.", at=0.5, until=1.5)
    scenario.user_says("Hey agent, how are you?", at=4.0, until=5.0)
    scenario.user_says("And now?", at=8.0, until=9.0)
    scenario.user_says("Bye bye.", at=15.0, until=16.0)
    scenario.llm_otherwise("Fine.")
    return scenario


def test_a_wake_phrase_opens_the_ear_for_a_while() -> None:
    run = played(waking())
    assert turns_at(run) == [(near(5.5), "Hey agent, how are you?"), (near(9.5), "And now?")]
    assert lost(run.state_of("ear-caller/turn")["transcripts"]) == [
        "transcript-1: not addressed",
        "transcript-4: not addressed",
    ]
    assert run.user_became("speaking") == [near(5.2), near(8.06)], "who is not addressed is not seen to speak"


def test_p03_transcripts_behind_a_gate_are_conserved_in_any_order() -> None:
    explore(lambda: waking(frame_ms=100), schedules=3)


def test_noise_begins_no_turn_where_words_do() -> None:
    scenario = Scenario(keeper(), turn_handling={"start": [StartOnTranscript()]})
    scenario.call(0.1, lambda session: session.say(STORY))
    scenario.tts_speaks(text=STORY, duration=6.0)
    scenario.user_says("", at=2.0, until=3.5)
    run = played(scenario)
    assert run.audible("speech-1") == [(near(0.3), near(6.3))], "the noise has not paused it"
    assert (run.told(InterruptionWanted), run.user_states) == ([], ["listening"])


def test_enough_words_begin_a_turn_over_the_agent() -> None:
    scenario = Scenario(keeper(), turn_handling={"start": [StartOnWords(2)]})
    scenario.call(0.1, lambda session: session.say(STORY))
    scenario.tts_speaks(text=STORY, duration=9.0)
    scenario.user_says("Please stop it.", at=2.0, until=4.0, interims=[(2.8, "please"), (3.2, "please stop")])
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert run.user_became("speaking") == [near(3.2)]
    assert [text for _, text in turns_at(run)] == ["Please stop it."]


@pytest.mark.parametrize("strategy", [MuteWhileAgentSpeaks(), MuteDuringFirstSpeech(), MuteUntilFirstSpeech()])
def test_what_is_said_over_a_muting_agent_is_ignored(strategy: MuteStrategy) -> None:
    scenario = Scenario(keeper(), turn_handling={"mute": [strategy]})
    scenario.call(0.1, lambda session: session.say(STORY))
    scenario.tts_speaks(text=STORY, duration=5.0)
    scenario.user_says("Stop!", at=2.0, until=3.0)
    scenario.user_says("Go on.", at=7.0, until=8.0)
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert run.audible("speech-1") == [(near(0.3), near(5.3))]
    assert turns_at(run) == [(near(8.5), "Go on.")]
    assert lost(run.state_of("ear-caller/turn")["transcripts"]) == ["transcript-1: muted"]


def test_a_mute_ends_the_speech_that_it_falls_into_and_its_end_lets_the_voice_begin_anew() -> None:
    """The user speaks from 1 to 6 s; a tool runs from 2 to 4 s."""

    def tools(count: int) -> object:
        def tell(session: Session) -> None:
            root = session._root
            assert root is not None
            root.tell(ToolsRunning(count))

        return tell

    scenario = Scenario(keeper(), turn_handling={"mute": [MuteWhileToolsRun()]})
    scenario.user_says("and that is all", at=1.0, until=6.0)
    scenario.call(2.0, tools(1))  # type: ignore[arg-type]
    scenario.call(4.0, tools(0))  # type: ignore[arg-type]
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert run.user_states == ["listening", "speaking", "listening", "speaking", "listening"]
    assert run.user_became("listening")[0] == near(2.0)
    assert run.user_became("speaking")[1] == near(4.06)
    assert turns_at(run) == [(near(6.5), "and that is all")]


# -- a model that holds back the end ---------------------------------------------------------------------------------


def model(*answers: str) -> ScriptedLLM:
    return ScriptedLLM([ScriptedReply(answer, 0.1, 0.0) for answer in answers])


@pytest.mark.parametrize("answer, ends", [("COMPLETE", 3.1), ("Incomplete.", 5.5), ("I cannot say.", 3.1)])
def test_a_model_says_whether_the_user_is_done(answer: str, ends: float) -> None:
    """The VAD notices the end at 3.0 and the model takes 0.1 s; incomplete turns end 3 s after the voice."""
    llm = model(answer)
    run = played(asking(turn_handling={"turn_detection": LLMTurnDetector(llm)}))
    assert turns_at(run) == [(near(ends), "How are you?")]
    assert [getattr(item, "role", "") for item in llm.requests[0].items] == ["system", "user"]


async def test_one_detector_that_doubts_is_enough() -> None:
    from sessionactors import ChatContext, ChatMessage

    said = ChatContext([ChatMessage("user", ["well"])])
    sure, doubting = ScriptedTurnDetector({}), ScriptedTurnDetector({"well": 0.2})
    broken = ScriptedTurnDetector({}, error=RuntimeError("no model"))
    assert await CombinedTurnDetector([sure, doubting]).predict_end_of_turn(said) == 0.0
    assert await CombinedTurnDetector([sure, broken]).predict_end_of_turn(said) == 1.0
    with pytest.raises(Exception, match="no detector could tell"):
        await CombinedTurnDetector([broken]).predict_end_of_turn(said)
    with pytest.raises(OptionError, match="needs detectors that read text"):
        CombinedTurnDetector([])
    with pytest.raises(OptionError, match="needs an LLM"):
        LLMTurnDetector("gpt")  # type: ignore[arg-type]
