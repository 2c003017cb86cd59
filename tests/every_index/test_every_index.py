"""A sample of what ``make every-index`` plays as a whole: indices drawn from each part of a conversation."""

from __future__ import annotations

import random

import pytest

from sessionactors.testing import faults

from tests.every_index import closing, cycles, signals
from tests.every_index.talks import TALKS

FEW_CLOSES = 2
"""For each conversation."""


def test_p09_any_lost_signal_ends_in_listening_or_in_a_named_failure() -> None:
    """One of each kind; all of them, of all kinds of faults: ``make every-index``."""
    lost = faults.possible(signals.undisturbed("voice")).only("drop")
    for fault in lost.stratified(11)[::2]:
        assert signals.what_breaks("voice", str(fault)) == [], fault


@pytest.mark.parametrize("talk", TALKS)
def test_p10_close_is_bounded_at_any_message_whoever_is_blocked(talk: str) -> None:
    dice = random.Random(talk)
    most, actors = closing.messages(talk), closing.actors(talk)
    for part in range(FEW_CLOSES):
        number = dice.randint(part * most // FEW_CLOSES + 1, (part + 1) * most // FEW_CLOSES)
        blocked = dice.choice(actors)
        assert closing.what_breaks(talk, number, blocked) == [], (number, blocked)


@pytest.mark.parametrize(
    "fault",
    [
        "drop vad.end_of_speech#3",  # the detector says that nobody speaks, and no end of speech ever comes
        "garbage vad.start_of_speech#1",  # durations that are no numbers
        "alien vad.inference_done#20",
        "garbage stt.final_transcript#2",  # a time that is no number
        "alien stt.final_transcript#1",
        "garbage playout.finished#2",  # a position that is no number
        "fill:1 output@20",  # the sink reports to a full mailbox: nothing may be raised there
        "cancel ear-caller/stt@30",
    ],
)
def test_p13_what_once_broke_an_actor_is_a_typed_failure(fault: str) -> None:
    assert signals.what_breaks("voice", fault) == []


def test_p17_sessions_leave_nothing_and_memory_is_flat() -> None:
    """A thousand: ``make every-index``."""
    before, after = cycles.run(8, settled=4)
    grown = after.grown(before)
    assert [what for what in grown if not what.startswith("resident")] == []  # others share this process
