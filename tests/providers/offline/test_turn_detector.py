"""The end of a turn, from the grammar."""

from __future__ import annotations

import pytest

from sessionactors.model.chat import ChatContext, ChatRole
from sessionactors.providers.offline.front_desk import FRONT_DESK
from sessionactors.providers.offline.turn_detector import GrammarTurnDetector


async def probability(text: str, role: ChatRole = "user") -> float:
    context = ChatContext()
    context.add_message(role=role, content=text)
    return await GrammarTurnDetector(FRONT_DESK).predict_end_of_turn(context)


async def test_a_whole_phrase_more_likely_ends_a_turn_than_one_that_may_grow_or_one_in_the_middle() -> None:
    whole = await probability("when do you close")
    may_grow = await probability("book a table for two at seven")
    unknown = await probability("lovely weather")
    partial = await probability("book a table for")
    threshold = GrammarTurnDetector(FRONT_DESK).unlikely_threshold()
    assert threshold is not None
    assert whole > may_grow > unknown >= threshold > partial


@pytest.mark.parametrize("text, role", [("", "user"), ("book a table for", "assistant")])
async def test_without_words_of_the_user_it_decides_nothing(text: str, role: ChatRole) -> None:
    assert await probability(text, role) == 0.5


async def test_an_empty_conversation_decides_nothing() -> None:
    assert await GrammarTurnDetector(FRONT_DESK).predict_end_of_turn(ChatContext()) == 0.5
