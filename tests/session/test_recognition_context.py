"""What a recogniser is told of the conversation: words to expect, given or found, and what was said last."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionactors import (
    Agent,
    AgentSession,
    AudioFrame,
    FlushSentinel,
    ModelSettings,
    OptionError,
    SpeechEvent,
    STTCapabilities,
)
from sessionactors.actors.keyterm_list import KeytermList
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.recognition_context import NO_CONTEXT, RecognitionContext, recognition_context
from sessionactors.messages.keyterms import KeytermsSearched
from sessionactors.testing import Scenario, ScriptedLLM, ScriptedSTT
from sessionactors.testing.scripted_llm import ScriptedReply

from tests.session.talks import Session, keeper, played


class Knowing(ScriptedSTT):
    """Notes the context at each flush, that is at the end of what the user says."""

    def __init__(self, capabilities: STTCapabilities, *finals: tuple[float, str]) -> None:
        super().__init__(finals)
        self._can = capabilities
        self.seen: list[RecognitionContext] = []

    @property
    def capabilities(self) -> STTCapabilities:
        return self._can

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        async def noted() -> AsyncIterator[AudioFrame | FlushSentinel]:
            async for item in audio:
                if isinstance(item, FlushSentinel):
                    self.seen.append(recognition_context(audio))
                yield item

        return super().transcribe(noted(), language=language)


BOTH = STTCapabilities(keyterms=True, chat_context=True)


def two_turns(stt: Knowing, **options: object) -> Scenario:
    scenario = Scenario(keeper(), stt=stt, **options)  # type: ignore[arg-type]
    for at, text in ((0.5, "I am Jo Smythe."), (6.0, "Good bye.")):
        scenario.user_says(text, at=at, until=at + 1.0)
        scenario.llm_replies(f"You said: {text}")
        scenario.tts_speaks(duration=1.0)
    return scenario


def knowing(capabilities: STTCapabilities = BOTH) -> Knowing:
    return Knowing(capabilities, (1.7, "I am Jo Smythe."), (7.2, "Good bye."))


def test_a_recogniser_is_told_the_words_to_expect_and_what_was_said() -> None:
    stt = knowing()
    played(two_turns(stt, stt_context_options={"keyterms": ["Smythe", "Smythe", "Acme"]}))
    first, second = stt.seen
    assert first == RecognitionContext(("Smythe", "Acme"), ())
    assert [message.text_content for message in second.turns] == ["I am Jo Smythe.", "You said: I am Jo Smythe."]
    assert second.keyterms == first.keyterms


class Filtering(Agent):
    """Hears with the stock recogniser, through audio of its own making."""

    def __init__(self, **options: object) -> None:
        super().__init__(instructions="Be kind.", **options)  # type: ignore[arg-type]
        self.seen: list[RecognitionContext] = []

    async def stt_node(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], model_settings: ModelSettings
    ) -> AsyncIterator[SpeechEvent]:
        async def filtered() -> AsyncIterator[AudioFrame | FlushSentinel]:
            async for item in audio:
                if isinstance(item, FlushSentinel):
                    self.seen.append(recognition_context(audio))
                yield item

        async for event in Agent.default.stt_node(self, filtered(), model_settings):
            yield event


def test_a_node_of_the_users_and_the_recogniser_inside_of_it_know_the_context() -> None:
    stt, agent = knowing(), Filtering()
    scenario = two_turns(stt, stt_context_options={"keyterms": ["Smythe"]})
    scenario.agent = agent
    played(scenario)
    for first, second in (stt.seen, agent.seen):
        assert first == RecognitionContext(("Smythe",), ())
        assert [message.text_content for message in second.turns] == ["I am Jo Smythe.", "You said: I am Jo Smythe."]


def test_after_a_handoff_the_new_agents_recogniser_and_node_are_told_what_they_can_use() -> None:
    first, own = knowing(STTCapabilities()), knowing(STTCapabilities(keyterms=True))
    own.timeline = first.timeline
    second = Filtering(stt=own)
    scenario = two_turns(first, stt_context_options={"keyterms": ["Smythe"]})
    scenario.call(5.0, lambda session: session.update_agent(second))
    run = played(scenario)
    assert first.seen == [NO_CONTEXT]
    assert own.seen == second.seen == [RecognitionContext(("Smythe",), ())]
    assert [text for role, text in run.conversation if role == "user"] == ["I am Jo Smythe.", "Good bye."]


@pytest.mark.parametrize(
    "capabilities, options, terms, turns",
    [
        (STTCapabilities(), {}, 0, 0),
        (STTCapabilities(keyterms=True), {}, 1, 0),
        (STTCapabilities(chat_context=True), {}, 0, 2),
        (BOTH, {"forward_chat_context": False}, 1, 0),
    ],
    ids=["nothing", "words", "talk", "talk not wanted"],
)
def test_a_recogniser_is_told_what_it_can_use(
    capabilities: STTCapabilities, options: dict[str, object], terms: int, turns: int
) -> None:
    stt = knowing(capabilities)
    played(two_turns(stt, stt_context_options={"keyterms": ["Smythe"], **options}))
    assert (len(stt.seen[-1].keyterms), len(stt.seen[-1].turns)) == (terms, turns)


def test_words_to_expect_can_be_changed_while_the_session_runs() -> None:
    stt = knowing()
    scenario = two_turns(stt, stt_context_options={"keyterms": ["Smythe"]})
    seen: list[list[str]] = []
    scenario.call(3.0, lambda session: session.update_options(keyterms=["Jones"]))
    scenario.call(3.5, lambda session: seen.append(session.keyterms))
    played(scenario)
    assert [context.keyterms for context in stt.seen] == [("Smythe",), ("Jones",)]
    assert seen == [["Jones"]]


def test_words_that_are_changed_before_a_recogniser_knows_of_them_are_told_to_the_one_that_does() -> None:
    first, own = knowing(STTCapabilities()), knowing(STTCapabilities(keyterms=True))
    own.timeline = first.timeline
    seen: list[list[str]] = []
    scenario = two_turns(first, stt_context_options={"keyterms": ["Smythe"]})
    scenario.call(3.0, lambda session: session.update_options(keyterms=["Jones"]))
    scenario.call(3.5, lambda session: seen.append(session.keyterms))
    scenario.call(5.0, lambda session: session.update_agent(Agent(instructions="Be kind.", stt=own)))
    scenario.call(5.5, lambda session: seen.append(session.keyterms))
    played(scenario)
    assert own.seen == [RecognitionContext(("Jones",), ())]
    assert seen == [["Jones"], ["Jones"]]


def record(**terms: list[str]) -> ScriptedReply:
    said = {"pending": [], "confirm": [], "remove": [], **terms}
    return ScriptedReply("", tool_calls=(FunctionToolCall("k", "record_keyterms", json.dumps(said)),))


def test_a_model_finds_words_in_the_conversation() -> None:
    stt = knowing()
    finder = ScriptedLLM([record(confirm=["Smythe"], pending=["Jo"]), record()])
    scenario = two_turns(
        stt, stt_context_options={"keyterms": ["Acme"], "keyterm_detection": {"enabled": True, "llm": finder}}
    )
    seen: list[list[str]] = []
    scenario.call(5.0, lambda session: seen.append(session.keyterms))
    run = played(scenario)
    assert seen == [["Acme", "Smythe"]]
    assert stt.seen[-1].keyterms == ("Acme", "Smythe")
    assert len(finder.requests) == 2
    asked = finder.requests[1].items[-1]
    assert "Terms in the list: Acme, Smythe\nTerms in doubt: Jo" in getattr(asked, "text_content", "")
    assert run.errors == []


@pytest.mark.parametrize(
    "finder",
    [
        ScriptedLLM([ScriptedReply("", hang=True)] * 2),
        ScriptedLLM([]),
        ScriptedLLM(["no call"] * 2),
        ScriptedLLM([ScriptedReply("", tool_calls=(FunctionToolCall("k", "record_keyterms", "[1"),))] * 2),
    ],
    ids=["hangs", "fails", "says something else", "says nonsense"],
)
def test_a_search_that_fails_changes_nothing_and_hurts_nobody(finder: ScriptedLLM) -> None:
    scenario = two_turns(
        knowing(), stt_context_options={"keyterm_detection": {"enabled": True, "llm": finder, "timeout": 2.0}}
    )
    seen: list[list[str]] = []
    scenario.call(9.9, lambda session: seen.append(session.keyterms))
    run = played(scenario)
    assert seen == [[]]
    assert len(run.said()) == 2


def test_a_search_is_made_every_few_turns() -> None:
    finder = ScriptedLLM([record()])
    options = {"keyterm_detection": {"enabled": True, "llm": finder, "turn_interval": 2}}
    played(two_turns(knowing(), stt_context_options=options))
    assert len(finder.requests) == 1


@given(
    st.lists(
        st.builds(
            KeytermsSearched,
            *(st.lists(st.sampled_from("abcdef"), max_size=3).map(tuple) for _ in range(3)),
        ),
        max_size=8,
    ),
    st.one_of(st.none(), st.integers(0, 3)),
)
def test_the_list_holds_what_is_certain_each_once(results: list[KeytermsSearched], most: int | None) -> None:
    terms = KeytermList(("a",))
    for result in results:
        terms = terms.searched(result, most)
        assert terms.terms[0] == "a"
        assert len(set(terms.terms)) == len(terms.terms)
        assert not set(terms.found) & set(result.remove)
        assert not set(terms.pending) & set(terms.terms)
        assert most is None or len(terms.found) <= most


def test_a_word_in_doubt_is_forgotten_after_three_searches() -> None:
    terms = KeytermList().searched(KeytermsSearched(pending=("Jo",)), None)
    for _ in range(2):
        assert "Jo" in terms.pending
        terms = terms.searched(KeytermsSearched(), None)
    assert "Jo" not in terms.searched(KeytermsSearched(), None).pending


def test_the_options_are_read_back_and_the_older_spelling_warns() -> None:
    new: Session = AgentSession(stt_context_options={"keyterms": ["Acme"]})
    with pytest.warns(DeprecationWarning, match="keyterms_options=...\\) is deprecated: use stt_context_options"):
        old: Session = AgentSession(keyterms_options={"keyterms": ["Acme"]})
    assert new.options.stt_context_options == old.options.stt_context_options
    assert new.options.stt_context_options["forward_chat_context"] is True
    assert new.options.stt_context_options["keyterm_detection"]["timeout"] == 10.0
    assert new.keyterms == ["Acme"]
    new.update_options(keyterms=["Other"])
    assert new.keyterms == ["Other"]
    assert recognition_context(object()) is NO_CONTEXT


@pytest.mark.parametrize(
    "options, says",
    [
        ({"terms": []}, "stt_context_options has no 'terms'; there are: keyterms"),
        ({"keyterms": "Acme"}, "keyterms must be a list of texts, got 'Acme'"),
        ({"keyterm_detection": {"every": 2}}, r"\['keyterm_detection'\] has no 'every'; there are: enabled"),
        ({"keyterm_detection": {"llm": "google/gemma"}}, "must be an LLM object or None, got 'google/gemma'"),
        ({"keyterm_detection": {"timeout": -1}}, "must not be negative"),
        ({"keyterm_detection": True}, "must be a dict, got True"),
    ],
)
def test_options_that_cannot_be_say_so(options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        AgentSession(stt_context_options=options)  # type: ignore[arg-type]
