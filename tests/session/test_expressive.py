"""``expressive``: what the model is told of a voice's markers, what the voice is given of them, what people read."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping

import pytest

from sessionactors import Agent, AgentSession, ChatMessage, ExpressiveOptions, Marker, MarkerType, Markup, OptionError
from sessionactors.actors.markers import expression_in, lowered, outside, readable, settled
from sessionactors.messages.room import PublishTranscript
from sessionactors.model.expressive import Expressive, expressive_of
from sessionactors.testing import Run, Scenario
from sessionactors.testing.scripted_tts import ScriptedTTS

from tests.session.talks import keeper

HAPPY = '<expr type="expression" label="happy"/>'
MARKED = f'{HAPPY} Good news! <expr type="sound" label="laugh"/> Your code is <expr type="spell">A7</expr>.'
READ = "Good news! Your code is A7."
GUIDE = "lk.expressive.instructions"


class Actor(Markup):
    """A voice that knows a tone, two sounds, and how to spell; its own words are in brackets."""

    @property
    def types(self) -> tuple[MarkerType, ...]:
        return (
            MarkerType("expression", "sets the tone of the sentence behind it", ("happy", "sad")),
            MarkerType("spell", "reads letter by letter", encloses=True),
        )

    @property
    def sounds(self) -> Mapping[str, tuple[str, ...]]:
        return {"laughing": ("laugh",), "sighing": ("sigh",)}

    @property
    def examples(self) -> tuple[str, ...]:
        return (f"{HAPPY} Great!", 'Well. <expr type="sound" label="sigh"/> No.')

    def native(self, marker: Marker) -> str:
        if marker.type == "spell":
            return " ".join(marker.text)
        return f"[{marker.label}]"


class ActingVoice(ScriptedTTS):
    @property
    def markup(self) -> Markup | None:
        return Actor()


def spoken(agent: Agent | None = None, *, voice: ScriptedTTS | None = None, **options: object) -> Scenario:
    """The user types; the model writes markers."""
    tts = ActingVoice() if voice is None else voice
    scenario = Scenario(agent or keeper(), without=("stt", "vad"), frame_ms=100, tts=tts, **options)  # type: ignore[arg-type]
    scenario.tts = tts  # type: ignore[attr-defined]
    scenario.user_types("Well?", at=0.2)
    scenario.llm_replies(MARKED)
    return scenario


def guides(run: Run, request: int = 0) -> list[str]:
    items = run.requests[request].items
    return [item.text_content for item in items if isinstance(item, ChatMessage) and item.id == GUIDE]


def shown(run: Run) -> str:
    return "".join(piece.text for piece in run.transcripts if piece.participant == "agent")


def test_the_model_is_told_of_the_markers_and_the_voice_is_given_its_own_words() -> None:
    scenario = spoken(expressive=True)
    run = scenario.play()
    (guide,) = guides(run)
    for part in (
        'type="expression"',
        "happy, sad",
        '<expr type="spell">words</expr>',
        "laugh, sigh",
        f"{HAPPY} Great!",
    ):
        assert part in guide
    first = run.requests[0].items
    assert [item.id == GUIDE for item in first][:2] == [False, True]  # behind the instructions
    given = "".join(synthesis.text for synthesis in scenario.tts.syntheses)  # type: ignore[attr-defined]
    assert given == "[happy] Good news! [laugh] Your code is A 7."


def test_people_read_the_words_and_the_history_keeps_the_markers() -> None:
    run = spoken(expressive=True).play()
    assert shown(run) == READ
    pieces = [delivery.message.segment for delivery in run.handled(PublishTranscript)]  # type: ignore[attr-defined]
    assert {piece.expression for piece in pieces if piece.participant == "agent"} == {"happy"}
    assert run.said() == [MARKED]


def test_without_the_option_the_model_is_told_nothing_and_sees_no_markers_of_before() -> None:
    scenario = spoken()
    scenario.user_types("And?", at=9.0)
    scenario.llm_replies("That is all.")
    run = scenario.play()
    assert guides(run) == []
    assert run.said()[0] == MARKED
    second = [item.text_content for item in run.requests[1].items if isinstance(item, ChatMessage)]
    assert second[-2:] == [READ, "And?"]


def test_where_the_voice_knows_no_markers_the_model_is_told_of_none() -> None:
    assert guides(spoken(voice=ScriptedTTS(), expressive=True).play()) == []


@pytest.mark.parametrize("session, agent, told", [(False, True, True), (True, False, False)])
def test_an_agents_own_option_comes_before_the_sessions(session: bool, agent: bool, told: bool) -> None:
    run = spoken(Agent(instructions="Be kind.", expressive=agent), expressive=session).play()
    assert bool(guides(run)) is told


def test_the_option_can_be_changed_for_the_session_and_for_an_agent() -> None:
    agent = keeper()
    scenario = spoken(agent)
    scenario.call(6.0, lambda session: session.update_options(expressive=True))
    scenario.user_types("And?", at=7.0)
    scenario.llm_replies("Fine.")
    scenario.call(9.0, lambda session: agent.update_options(expressive=False))
    scenario.user_types("And?", at=10.0)
    scenario.llm_replies("Fine.")
    run = scenario.play()
    assert [bool(guides(run, request)) for request in range(3)] == [False, True, False]


def test_the_manner_is_the_users() -> None:
    options: ExpressiveOptions = {
        "speech_steering": {"disfluencies": False, "pace": "slow", "nonverbal_sounds": {"sighing": False}},
        "tts_instructions_template": "Markers:\n{tts.markup.llm_instructions}",
        "tts_instructions_append": "Never shout.",
    }
    (guide,) = guides(spoken(expressive=options).play())
    assert guide.startswith("Markers:\nThere is one marker")
    assert "sigh" not in guide
    assert "laugh" in guide
    assert "Speak at a slow pace." in guide
    assert "no filler words" in guide
    assert guide.endswith("Never shout.")


def test_cut_off_the_history_ends_at_a_word_and_never_inside_of_a_marker() -> None:
    for cut in (0.8, 1.1, 1.4, 1.7, 2.0):
        scenario = spoken(expressive=True)
        scenario.call(cut, lambda session: session.interrupt())
        run = scenario.play()
        (said,) = run.said() or [""]
        assert MARKED.startswith(said)
        assert said.count("<expr") == said.count(">") - said.count("</expr>")
        assert READ.startswith(shown(run).strip())


def test_a_voice_of_the_agents_own_is_given_the_markers_and_the_stock_one_in_it_its_own_words() -> None:
    class Listening(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Be kind.")
            self.given = ""

        async def tts_node(self, text: AsyncIterable[str], model_settings: object) -> AsyncIterator[object]:
            async def noted() -> AsyncIterator[str]:
                async for piece in text:
                    self.given += piece
                    yield piece

            async for frame in Agent.default.tts_node(self, noted(), model_settings):  # type: ignore[arg-type]
                yield frame

    agent = Listening()
    scenario = spoken(agent, expressive=True)
    run = scenario.play()
    assert len(guides(run)) == 1
    assert agent.given == MARKED
    given = "".join(synthesis.text for synthesis in scenario.tts.syntheses)  # type: ignore[attr-defined]
    assert given == "[happy] Good news! [laugh] Your code is A 7."


# -- options -----------------------------------------------------------------------------------------------------------


def test_the_options_are_checked_and_wrong_ones_say_what_there_is() -> None:
    assert expressive_of(True) == Expressive()
    assert expressive_of(False) is None
    assert expressive_of({"speech_steering": {"nonverbal_sounds": False}}).silenced >= {"laughing", "crying"}  # type: ignore[union-attr]
    for wrong, text in (
        ({"pace": "slow"}, "expressive has no pace: it has speech_steering"),
        ({"speech_steering": {"pace": "quick"}}, "pace must be one of slow, normal, fast"),
        ({"speech_steering": {"nonverbal_sounds": {"snoring": True}}}, "has no snoring"),
        ("yes", "must be a dict"),
    ):
        with pytest.raises(OptionError, match=text):
            AgentSession[object](expressive=wrong)  # type: ignore[arg-type]
        with pytest.raises(OptionError, match=text):
            Agent(instructions="", expressive=wrong)  # type: ignore[arg-type]


# -- the rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, read",
    [
        ("Plain.", "Plain."),
        (MARKED, READ),
        (f"Yes {HAPPY} no", "Yes no"),
        (f"Yes{HAPPY} no", "Yes no"),
        (f"{HAPPY}  {HAPPY} Well", "Well"),
        ('<expr type="prosody" label="soft">so soft</expr> now', "so soft now"),
        ("1 < 2 and <express> stays", "1 < 2 and <express> stays"),
        ("a </expr> b", "a b"),
        ('unclosed <expr type="x', 'unclosed <expr type="x'),
    ],
)
def test_markers_are_left_out_with_the_space_that_would_be_double(text: str, read: str) -> None:
    assert readable(text) == read


def test_what_is_read_of_a_beginning_is_a_beginning_of_what_is_read() -> None:
    text = f"{MARKED} 1 < 2. {HAPPY} {HAPPY} End <express>"
    for end in range(len(text) + 1):
        assert readable(text).startswith(readable(text[:end], final=False))


def test_what_is_lowered_in_pieces_is_what_is_lowered_at_once() -> None:
    for cut in range(len(MARKED)):
        safe = settled(MARKED[:cut])
        whole = lowered(MARKED, Actor().native)
        assert lowered(MARKED[:safe], Actor().native) + lowered(MARKED[safe:], Actor().native) == whole


def test_a_place_inside_of_a_marker_is_before_it() -> None:
    assert [outside(f"ab {HAPPY} c", place) for place in (2, 3, 5, 3 + len(HAPPY), 4 + len(HAPPY))] == [
        *(2, 3, 3, 3 + len(HAPPY)),
        4 + len(HAPPY),
    ]


def test_a_marker_that_says_nothing_is_nothing_to_the_voice() -> None:
    assert lowered('<expr/>a<expr label="x">b</expr></expr>', Actor().native) == "ab"


@pytest.mark.parametrize(
    "text, expression",
    [
        ("Hello.", ""),
        (MARKED, "happy"),
        ('<expr type="sound" label="laugh"/> Ha! <expr type="emotion" label="sad">oh</expr>', "sad"),
        ('<expr type="emotion"/> <expr type="emotion" label="sa', ""),
    ],
)
def test_readers_are_told_the_first_expression(text: str, expression: str) -> None:
    assert expression_in(text) == expression
