"""What the user's voice does to the agent's, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionactors.actors.interruption import Decision, OutputFacts, SpeechFacts, TurnFacts, decide
from sessionactors.messages.overlap import Judged
from sessionactors.model.options import SessionOptions

DEFAULT = SessionOptions()
TWO_WORDS = SessionOptions(min_interruption_words=2)
AT_ONCE = SessionOptions(min_interruption_duration=0.0)
NO_RESUME = SessionOptions(resume_false_interruption=False)
NO_TIMEOUT = SessionOptions(false_interruption_timeout=None)

IGNORE, HOLD, PAUSE, CUT = Decision.IGNORE, Decision.HOLD, Decision.PAUSE, Decision.CUT

PAUSABLE = OutputFacts(can_pause=True)
PLAIN = OutputFacts(can_pause=False)
WARMING = OutputFacts(can_pause=True, by_voice=False)
WARMING_PLAIN = OutputFacts(can_pause=False, by_voice=False)

HEARD = SpeechFacts(allowed=True, audible=True)
WAITING = SpeechFacts(allowed=True, audible=False, granted=False)
COMING = SpeechFacts(allowed=True, audible=False, granted=True)
PAUSED = SpeechFacts(allowed=True, audible=True, paused=True)
HELD = SpeechFacts(allowed=True, audible=False, granted=False, paused=True)
PROTECTED = SpeechFacts(allowed=False, audible=True)
PROTECTED_WAITING = SpeechFacts(allowed=False, audible=False, granted=False)


def voice(duration: float, words: int | None = 0) -> TurnFacts:
    return TurnFacts(speaking=True, duration=duration, words=words)


def final(duration: float, words: int | None = 1, *, speaking: bool = False) -> TurnFacts:
    return TurnFacts(speaking=speaking, duration=duration, words=words, final=True)


def judged(duration: float, judgement: Judged, *, speaking: bool = True) -> TurnFacts:
    return TurnFacts(speaking=speaking, duration=duration, words=0, judged=judgement)


SILENT = TurnFacts(speaking=False, duration=3.0, words=5)
HUSHED = TurnFacts(speaking=True, hushed=True, duration=0.3, words=0)


@pytest.mark.parametrize(
    "turn, speech, options, output, decision",
    [
        # how long
        (voice(0.5), HEARD, DEFAULT, PAUSABLE, PAUSE),
        (voice(0.49), HEARD, DEFAULT, PAUSABLE, IGNORE),
        (voice(0.01), HEARD, AT_ONCE, PAUSABLE, PAUSE),
        (voice(0.5), HEARD, DEFAULT, PLAIN, CUT),
        (voice(0.49), HEARD, DEFAULT, PLAIN, IGNORE),
        (SILENT, HEARD, DEFAULT, PAUSABLE, IGNORE),
        # whether it may be
        (voice(5.0, 9), PROTECTED, TWO_WORDS, PAUSABLE, IGNORE),
        (final(5.0, 9), PROTECTED, TWO_WORDS, PAUSABLE, IGNORE),
        (voice(5.0), PROTECTED_WAITING, DEFAULT, PAUSABLE, IGNORE),
        # how much; without a recogniser duration alone decides
        (voice(0.6, 0), HEARD, DEFAULT, PAUSABLE, PAUSE),
        (voice(0.6, 0), HEARD, TWO_WORDS, PAUSABLE, IGNORE),
        (voice(0.6, 1), HEARD, TWO_WORDS, PAUSABLE, IGNORE),
        (voice(0.6, 2), HEARD, TWO_WORDS, PAUSABLE, PAUSE),
        (voice(0.4, 2), HEARD, TWO_WORDS, PAUSABLE, IGNORE),
        (voice(0.6, None), HEARD, TWO_WORDS, PLAIN, CUT),
        # and without one nothing can be resumed
        (voice(0.6, None), HEARD, DEFAULT, PAUSABLE, CUT),
        (voice(0.6, None), WAITING, DEFAULT, PAUSABLE, HOLD),
        (voice(0.6, None), COMING, DEFAULT, PAUSABLE, CUT),
        # pausing that nobody wants
        (voice(0.5), HEARD, NO_RESUME, PAUSABLE, CUT),
        (voice(0.5), HEARD, NO_TIMEOUT, PAUSABLE, CUT),
        # final words are no noise
        (final(0.6, 1), HEARD, DEFAULT, PAUSABLE, CUT),
        (final(0.6, 1, speaking=True), HEARD, DEFAULT, PAUSABLE, CUT),
        (final(0.3, 1), HEARD, DEFAULT, PAUSABLE, IGNORE),
        (final(0.6, 1), HEARD, TWO_WORDS, PAUSABLE, IGNORE),
        (final(0.3, 1), PAUSED, DEFAULT, PAUSABLE, CUT),
        (final(0.3, 1), HELD, DEFAULT, PAUSABLE, CUT),
        (final(0.3, 1), HELD, TWO_WORDS, PAUSABLE, CUT),
        (final(0.6, 1), PAUSED, TWO_WORDS, PAUSABLE, CUT),
        (final(0.0, 1), WAITING, DEFAULT, PAUSABLE, IGNORE),
        # what is not heard waits, and is not cut off by voice alone
        (voice(0.0), WAITING, DEFAULT, PAUSABLE, HOLD),
        (voice(0.0), WAITING, DEFAULT, PLAIN, HOLD),
        (voice(0.6), WAITING, DEFAULT, PAUSABLE, PAUSE),
        (voice(0.6), WAITING, DEFAULT, PLAIN, PAUSE),
        (voice(0.6), WAITING, NO_RESUME, PAUSABLE, HOLD),
        (voice(0.6), WAITING, NO_TIMEOUT, PLAIN, HOLD),
        (voice(0.1), HELD, DEFAULT, PAUSABLE, HOLD),
        (voice(0.6), HELD, DEFAULT, PAUSABLE, PAUSE),
        (SILENT, WAITING, DEFAULT, PAUSABLE, IGNORE),
        # what may sound at any moment is held if it can be
        (voice(0.0), COMING, DEFAULT, PAUSABLE, HOLD),
        (voice(0.6), COMING, DEFAULT, PAUSABLE, PAUSE),
        (voice(0.0), COMING, DEFAULT, PLAIN, IGNORE),
        (voice(0.6), COMING, DEFAULT, PLAIN, CUT),
        (voice(0.0), COMING, NO_RESUME, PAUSABLE, IGNORE),
        (voice(0.6), COMING, NO_RESUME, PAUSABLE, CUT),
        # a detector of listening noises has the say
        (judged(0.9, Judged.OPEN), HEARD, DEFAULT, PAUSABLE, IGNORE),
        (judged(9.0, Judged.BACKCHANNEL), HEARD, DEFAULT, PLAIN, IGNORE),
        (judged(0.1, Judged.INTERRUPTION), HEARD, DEFAULT, PAUSABLE, PAUSE),
        (judged(0.1, Judged.INTERRUPTION), HEARD, DEFAULT, PLAIN, CUT),
        (judged(0.1, Judged.INTERRUPTION), HEARD, TWO_WORDS, PAUSABLE, IGNORE),
        (judged(0.1, Judged.INTERRUPTION), HEARD, DEFAULT, WARMING, IGNORE),
        (judged(0.1, Judged.INTERRUPTION, speaking=False), HEARD, DEFAULT, PAUSABLE, PAUSE),
        (judged(0.1, Judged.OPEN), WAITING, DEFAULT, PAUSABLE, HOLD),
        # a voice that has paused for a moment holds nothing back that is not held already
        (HUSHED, WAITING, DEFAULT, PAUSABLE, IGNORE),
        (HUSHED, COMING, DEFAULT, PAUSABLE, IGNORE),
        (HUSHED, HELD, DEFAULT, PAUSABLE, HOLD),
        (replace(HUSHED, duration=0.6), WAITING, DEFAULT, PAUSABLE, PAUSE),
        # while an echo canceller warms up
        (voice(5.0), HEARD, DEFAULT, WARMING, IGNORE),
        (final(5.0, 3), HEARD, DEFAULT, WARMING, IGNORE),
        (voice(5.0), WAITING, DEFAULT, WARMING, HOLD),
        (voice(5.0), COMING, DEFAULT, WARMING_PLAIN, IGNORE),
        (final(0.3, 1), PAUSED, DEFAULT, WARMING, CUT),
    ],
)
def test_what_the_voice_does(
    turn: TurnFacts, speech: SpeechFacts, options: SessionOptions, output: OutputFacts, decision: Decision
) -> None:
    assert decide(turn, speech, options, output) is decision
