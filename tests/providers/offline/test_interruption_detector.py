"""The word list, as a table; and a conversation with it."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import OptionError, Overlap
from sessionactors.providers.offline import WordListInterruptionDetector
from sessionactors.testing import Scenario

from tests.session.talks import STORY, keeper, played


def judge(words: str, duration: float = 0.5, *, final: bool = True, **options: object) -> bool | None:
    """Whether it is an interruption; None: no opinion."""
    detector = WordListInterruptionDetector(**options)  # type: ignore[arg-type]
    verdict = asyncio.run(detector.judge(Overlap((), words, duration, ended=final, final=final)))
    return None if verdict is None else verdict.is_interruption


@pytest.mark.parametrize(
    "words, interruption",
    [
        ("Mm-hm.", False),
        ("uh-huh", False),
        ("Yeah, I see.", False),
        ("Right, got it, okay!", False),
        ("Oh, really?", False),
        ("yeah yeah yeah yeah yeah", True),
        ("Yeah, but wait.", True),
        ("Stop!", True),
        ("I see a problem.", True),
        ("No.", True),
    ],
)
def test_listening_noises_are_told_from_interruptions_by_their_words(words: str, interruption: bool) -> None:
    assert judge(words) is interruption
    assert judge(words, final=False) is interruption


def test_without_words_duration_decides_once_none_are_to_come() -> None:
    assert judge("", 0.6) is False
    assert judge("", 0.6, final=False) is None
    assert judge("", 1.6, final=False) is True


def test_the_list_is_the_users() -> None:
    assert judge("ja genau", backchannels=["ja", "genau"]) is False
    assert judge("Genau!", backchannels=["GENAU"]) is False
    assert judge("yeah", backchannels=["ja"]) is True


@pytest.mark.parametrize("options", [{"most_words": 0}, {"longest": 0.0}])
def test_options_out_of_range_are_errors(options: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        WordListInterruptionDetector(**options)  # type: ignore[arg-type]


def test_a_conversation_with_listening_noises_and_an_interruption() -> None:
    scenario = Scenario(keeper(), turn_handling={"interruption": {"mode": WordListInterruptionDetector()}})
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("Mm-hm.", at=5.0, until=5.4)
    scenario.user_says("Yeah, right.", at=8.0, until=9.0)
    scenario.user_says("Stop it, please.", at=12.0, until=13.5)
    scenario.llm_replies("All right then.")
    run = played(scenario)
    assert [text for role, text in run.conversation if role == "user"] == ["Tell me a story.", "Stop it, please."]
    assert run.conversation[-1] == ("assistant", "All right then.")
