"""When the user's voice cuts the agent off, as a table."""

from __future__ import annotations

import pytest

from sessionactors.actors.interruption import interrupts
from sessionactors.messages.turn import InterruptionWanted
from sessionactors.model.options import SessionOptions

DEFAULT = SessionOptions()
TWO_WORDS = SessionOptions(min_interruption_words=2)
AT_ONCE = SessionOptions(min_interruption_duration=0.0)


def wish(duration: float, words: int | None = None) -> InterruptionWanted:
    return InterruptionWanted("caller", duration, words, at=0)


@pytest.mark.parametrize(
    "wanted, allowed, audible, options, cut",
    [
        # how long
        (wish(0.5), True, True, DEFAULT, True),
        (wish(0.49), True, True, DEFAULT, False),
        (wish(0.01), True, True, AT_ONCE, True),
        # whether it may be
        (wish(5.0), False, True, DEFAULT, False),
        (wish(5.0, 9), False, True, TWO_WORDS, False),
        # what is not heard is not cut off by voice alone
        (wish(5.0), True, False, DEFAULT, False),
        # how much; without a recogniser duration alone decides
        (wish(0.6, 0), True, True, DEFAULT, True),
        (wish(0.6, 0), True, True, TWO_WORDS, False),
        (wish(0.6, 1), True, True, TWO_WORDS, False),
        (wish(0.6, 2), True, True, TWO_WORDS, True),
        (wish(0.4, 2), True, True, TWO_WORDS, False),
        (wish(0.6, None), True, True, TWO_WORDS, True),
    ],
)
def test_what_interrupts(
    wanted: InterruptionWanted, allowed: bool, audible: bool, options: SessionOptions, cut: bool
) -> None:
    assert interrupts(wanted, allowed=allowed, audible=audible, options=options) is cut
