"""The pure parts of an ear, as tables."""

from __future__ import annotations

import pytest

from sessionactors.actors.audio_ring import CHUNK, AudioRing
from sessionactors.actors.barge_in import worth_telling
from sessionactors.actors.endpointing import Known, Wait, seconds_left, silence_needed, waits_for
from sessionactors.actors.recognition_progress import Delivered, RecognitionProgress
from sessionactors.actors.recognizer_audio import LONGEST_FRAME, joined
from sessionactors.actors.transcript_ledger import TranscriptLedger
from sessionactors.actors.turn_rules import EndsBy
from sessionactors.messages.turn import InterruptionWanted
from sessionactors.model.audio import AudioFrame
from sessionactors.model.words import word_count

# -- endpointing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recognised, finals, interim, opinion_wanted, expected",
    [
        (False, 0, "", False, Wait.NOTHING),
        (False, 0, "", True, Wait.NOTHING),
        (True, 0, "", False, Wait.WORDS),
        (True, 0, "er", True, Wait.WORDS),
        (True, 1, "and", False, Wait.WORDS),
        (True, 1, "and", True, Wait.WORDS),
        (True, 1, "", True, Wait.OPINION),
        (True, 1, "", False, Wait.SILENCE),
        (True, 3, "", False, Wait.SILENCE),
    ],
)
def test_what_a_silent_users_turn_waits_for(
    recognised: bool, finals: int, interim: str, opinion_wanted: bool, expected: Wait
) -> None:
    known = Known(recognised=recognised, finals=finals, interim=interim, opinion_wanted=opinion_wanted)
    assert waits_for(EndsBy.VOICE, known) is expected


@pytest.mark.parametrize(
    "ends_by, ended, finals, expected",
    [
        (EndsBy.COMMAND, False, 1, Wait.COMMAND),
        (EndsBy.COMMAND, True, 0, Wait.COMMAND),
        (EndsBy.SERVER, True, 1, Wait.COMMAND),
        (EndsBy.RECOGNIZER, False, 1, Wait.RECOGNIZER),
        (EndsBy.RECOGNIZER, False, 0, Wait.RECOGNIZER),
        (EndsBy.RECOGNIZER, True, 0, Wait.WORDS),
        (EndsBy.RECOGNIZER, True, 1, Wait.SILENCE),
    ],
)
def test_what_it_waits_for_where_the_voice_does_not_end_turns(
    ends_by: EndsBy, ended: bool, finals: int, expected: Wait
) -> None:
    assert waits_for(ends_by, Known(recognised=True, finals=finals, recognizer_ended=ended)) is expected


@pytest.mark.parametrize("probability, expected", [(None, 0.5), (0.0, 3.0), (0.49, 3.0), (0.5, 0.5), (1.0, 0.5)])
def test_how_long_the_user_must_be_silent(probability: float | None, expected: float) -> None:
    assert silence_needed(0.5, 3.0, probability, threshold=0.5) == expected


@pytest.mark.parametrize("now, expected", [(2.0, 0.5), (2.3, 0.2), (2.5, 0.0), (9.0, 0.0)])
def test_the_delay_counts_from_the_end_of_speech(now: float, expected: float) -> None:
    assert seconds_left(2_000_000_000, 0.5, round(now * 1e9)) == pytest.approx(expected)


# -- barge-in --------------------------------------------------------------------------------------------------------


def wish(duration: float, words: int | None) -> InterruptionWanted:
    return InterruptionWanted("ann", duration, words, 0)


@pytest.mark.parametrize(
    "now, told, expected",
    [
        (wish(0.4, 3), None, False),
        (wish(0.5, 0), None, True),
        (wish(0.5, None), None, True),
        (wish(0.9, 0), wish(0.5, 0), False),
        (wish(0.9, 1), wish(0.5, 0), True),
        (wish(9.0, None), wish(0.5, None), False),
    ],
)
def test_when_the_floor_hears_of_a_wish(
    now: InterruptionWanted, told: InterruptionWanted | None, expected: bool
) -> None:
    assert worth_telling(now, told, min_duration=0.5) is expected


@pytest.mark.parametrize(
    "texts, count",
    [
        (("", " what  time ", "is it?"), 4),
        (("Wait, wait - please ...",), 3),
        (("don't", "24/7"), 2),
        (("你好。",), 2),  # without spaces each character is one
        (("AI は 便利です",), 6),
        (("สวัสดี",), 4),
        (("안녕 하세요",), 2),
    ],
)
def test_words_are_between_spaces_or_single_characters_where_there_are_none(texts: tuple[str, ...], count: int) -> None:
    assert word_count(*texts) == count


# -- transcripts -----------------------------------------------------------------------------------------------------


def test_p03_the_ledger_balances() -> None:
    ledger = TranscriptLedger().receive("a").receive("b").commit().receive("c").discard("cleared").receive("d")
    assert (ledger.committed, ledger.merged, ledger.discarded, ledger.open) == (1, 1, 1, ("d",))
    assert ledger.balances
    assert ledger.commit().balances
    assert TranscriptLedger().commit() == TranscriptLedger()


# -- the audio that is kept ------------------------------------------------------------------------------------------


def frame(number: int, seconds: float = 0.1) -> AudioFrame:
    return AudioFrame(number.to_bytes(2, "little") * round(16000 * seconds), 16000)


def ring_of(count: int, limit: float = 15.0, seconds: float = 0.1) -> AudioRing:
    ring = AudioRing(limit)
    for number in range(1, count + 1):
        ring = ring.add(frame(number, seconds))
    return ring


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_a_ring_keeps_frames_in_order(count: int) -> None:
    ring = ring_of(count)
    first, frames = ring.after(0)
    assert (first, ring.next_number) == (1, count + 1)
    assert frames == tuple(frame(number) for number in range(1, count + 1))
    assert ring.seconds == pytest.approx(0.1 * count)


def test_a_ring_forgets_the_oldest() -> None:
    ring = ring_of(500)
    first, frames = ring.after(0)
    assert 15.0 - CHUNK * 0.1 <= ring.seconds <= 15.0
    assert first == ring.first_number == 501 - len(frames)
    assert frames[-1] == frame(500)
    assert ring.seconds == pytest.approx(0.1 * len(frames))


def test_a_ring_keeps_its_limit_with_the_longest_frames() -> None:
    assert ring_of(200, limit=2.0, seconds=0.2).seconds <= 0.2 * CHUNK


@pytest.mark.parametrize("upto, left", [(0, 100), (1, 99), (CHUNK, 100 - CHUNK), (99, 1), (100, 0), (200, 0)])
def test_a_ring_without_what_is_settled(upto: int, left: int) -> None:
    ring = ring_of(100).without(upto)
    first, frames = ring.after(0)
    assert (len(frames), ring.next_number) == (left, 101)
    assert first == ring.first_number == 101 - left
    assert ring.seconds == pytest.approx(0.1 * left)
    assert ring.after(upto)[1] == frames


def test_audio_is_joined_without_loss() -> None:
    frames = tuple(frame(number, 0.03) for number in range(1, 12))
    made = joined(frames)
    assert b"".join(each.data for each in made) == b"".join(each.data for each in frames)
    assert max(each.duration for each in made) <= LONGEST_FRAME
    assert len(made) == 4
    assert joined(()) == []


# -- progress of recognition -----------------------------------------------------------------------------------------


def test_a_final_in_silence_covers_all_that_was_heard() -> None:
    progress = RecognitionProgress(heard=100).utterance_began()
    progress = RecognitionProgress(heard=150, voice=progress.voice).utterance_ended()
    assert (progress.cuts, progress.open) == ((150,), (150,))
    after = progress.final("hello")
    assert (after.settled, after.cuts, after.open, after.uncertain) == (150, (), (), ())


def test_a_final_for_which_two_utterances_come_into_question_covers_the_older_one() -> None:
    progress = RecognitionProgress(heard=200, cuts=(150,), open=(150,), voice=True).final("hello")
    assert (progress.settled, progress.open) == (150, ())
    assert progress.uncertain == (Delivered(200, "hello"),)
    assert progress.final("world").uncertain == (), "with one utterance left it is clear again"


def test_an_utterance_that_was_answered_in_its_middle_owes_nothing_at_its_end() -> None:
    progress = RecognitionProgress(heard=100).utterance_began().final("hello").utterance_ended()
    assert progress.open == ()
    progress = RecognitionProgress(heard=100).utterance_began().final("hello").words_seen()
    longer = RecognitionProgress(heard=150, settled=progress.settled, voice=True, answered=progress.answered)
    assert longer.utterance_ended().open == (150,)


def test_the_same_end_is_not_noted_twice() -> None:
    progress = RecognitionProgress(heard=100, voice=True).utterance_ended()
    assert progress.utterance_ended() == progress


def test_an_empty_final_answers_the_oldest_utterance() -> None:
    progress = RecognitionProgress(heard=200, cuts=(100, 150), open=(100, 150))
    assert (progress.empty().settled, progress.empty().open) == (100, (150,))
    assert progress.empty().empty().settled == 200
    assert RecognitionProgress(heard=9).empty() == RecognitionProgress(heard=9)


def test_utterances_of_which_nothing_came_were_noise() -> None:
    progress = RecognitionProgress(heard=200, cuts=(100, 150), open=(100, 150), voice=True).quiet()
    assert (progress.settled, progress.cuts, progress.open, progress.voice) == (150, (), (), True)
    assert RecognitionProgress(heard=200, settled=50).quiet().settled == 50


def test_what_the_ring_forgot_is_not_waited_for() -> None:
    progress = RecognitionProgress(heard=200, cuts=(20, 150), open=(20, 150)).replayed(60, 210)
    assert (progress.heard, progress.settled, progress.cuts, progress.open) == (210, 59, (150,), (150,))
