"""Where utterances begin and end, on a scripted decoder: one word for every 100 ms of tone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from sessionactors.providers.offline.recognizer_wire import Heard
from sessionactors.providers.offline.utterance import (
    CARRY_GAP,
    PREROLL,
    WORDLESS_LIMIT,
    UtteranceStream,
    Words,
    words_of,
)

BYTES_PER_SECOND = 32000
TONE = b"\x00\x40"
HUM = b"\x00\x01"
SILENT = b"\x00\x00"
PHRASES = (("book", "a", "table", "for", "two"), ("thank", "you"), ("bye",))


def sound(sample: bytes, seconds: float) -> bytes:
    return sample * round(seconds * 16000)


class LoudGate:
    """Anything but silence sounds like speech to it, a hum too."""

    def is_speech(self, block: bytes) -> bool:
        return block.count(SILENT) < len(block) // 2


@dataclass
class ScriptedSearch:
    """Hears the phrase it was told to expect, a word for every 100 ms of tone."""

    phrase: tuple[str, ...] = PHRASES[0]
    score: float = -12.0
    fed: bytearray = field(default_factory=bytearray)
    utterances: list[bytes] = field(default_factory=list)
    running: bool = False

    def begin(self) -> None:
        assert not self.running
        self.running = True
        self.fed.clear()

    def feed(self, pcm: bytes) -> None:
        assert self.running
        self.fed += pcm

    def words(self) -> Words:
        count = self.fed.count(TONE) // 1600
        return Words(self.phrase[:count], self.score) if count else Words((), -math.inf)

    def end(self) -> Words:
        assert self.running
        self.running = False
        self.utterances.append(bytes(self.fed))
        found = self.words()
        return found if found.words in PHRASES else Words((), -math.inf)


@dataclass
class Ear:
    search: ScriptedSearch = field(default_factory=ScriptedSearch)
    interims: list[Heard] = field(default_factory=list)
    finals: list[Heard] = field(default_factory=list)
    rejected: list[bytes] = field(default_factory=list)
    max_utterance: float = 20.0

    def __post_init__(self) -> None:
        self.stream = UtteranceStream(
            self.search, LoudGate(), -36.0, self.max_utterance, self.interims.append, self._final
        )

    def _final(self, heard: Heard, rejected: bytes) -> None:
        self.finals.append(heard)
        self.rejected.append(rejected)

    def hear(self, *sounds: bytes, frame: int = 640) -> None:
        pcm = b"".join(sounds)
        for start in range(0, len(pcm), frame):
            self.stream.feed(pcm[start : start + frame])


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_an_utterance_is_heard_growing_and_finalised_by_the_flush(ear: Ear) -> None:
    ear.hear(sound(SILENT, 1), sound(TONE, 0.5), sound(SILENT, 0.5))
    ear.stream.flush()
    assert [heard.text for heard in ear.interims][-1] == "book a table for two"
    assert len(ear.interims) >= 4
    assert [(heard.text, heard.score, heard.flushed) for heard in ear.finals] == [("book a table for two", -12.0, True)]


def test_silence_is_not_decoded(ear: Ear) -> None:
    ear.hear(sound(SILENT, 60))
    ear.stream.flush()
    assert ear.search.utterances == []
    assert [(heard.text, heard.flushed) for heard in ear.finals] == [("", True)]
    assert ear.finals[0].silence == pytest.approx(60 - PREROLL, abs=0.1)


def test_what_came_just_before_speech_is_decoded_too(ear: Ear) -> None:
    ear.hear(sound(SILENT, 10), sound(TONE, 0.2), sound(SILENT, 0.5))
    ear.stream.flush()
    decoded = ear.search.utterances[0]
    assert decoded.index(TONE) / BYTES_PER_SECOND == pytest.approx(PREROLL - 0.06, abs=0.04)
    assert decoded.count(TONE) == 3200


@pytest.mark.parametrize("frame", [2, 320, 640, 1000, 3200, 31998])
def test_the_size_of_frames_does_not_matter(frame: int) -> None:
    one, other = Ear(), Ear()
    for ear, size in ((one, frame), (other, 960)):
        ear.hear(sound(SILENT, 1), sound(TONE, 0.5), sound(SILENT, 0.51), frame=size)
        ear.stream.flush()
    assert one.search.utterances == other.search.utterances
    assert one.finals == other.finals


def test_every_flush_is_answered_and_nothing_is_decoded_twice(ear: Ear) -> None:
    ear.hear(sound(TONE, 0.5), sound(SILENT, 0.2))
    ear.stream.flush()
    ear.stream.flush()
    ear.search.phrase = PHRASES[1]
    ear.hear(sound(TONE, 0.2), sound(SILENT, 0.2))
    ear.stream.flush()
    assert [heard.text for heard in ear.finals] == ["book a table for two", "", "thank you"]
    assert ear.search.utterances[1].count(TONE) == 3200


def test_words_that_fit_badly_are_rejected_with_their_audio(ear: Ear) -> None:
    ear.search.score = -50.0
    ear.hear(sound(SILENT, 1), sound(TONE, 0.5), sound(SILENT, 0.3))
    ear.stream.flush()
    assert ear.interims == []
    assert [(heard.text, heard.score) for heard in ear.finals] == [("", -50.0)]
    assert ear.rejected[0] == ear.search.utterances[0]


def test_a_hum_does_not_keep_an_utterance_open(ear: Ear) -> None:
    ear.hear(sound(HUM, 60))
    assert ear.finals == []
    assert len(ear.search.utterances) >= 60 / (WORDLESS_LIMIT + 0.5)
    assert max(map(len, ear.search.utterances)) <= (WORDLESS_LIMIT + 0.1) * BYTES_PER_SECOND


def test_speech_after_a_click_is_not_lost_with_it(ear: Ear) -> None:
    ear.hear(sound(SILENT, 1), sound(HUM, 0.1), sound(SILENT, 1), sound(TONE, 0.5), sound(SILENT, 0.3))
    ear.stream.flush()
    assert [heard.text for heard in ear.finals] == ["book a table for two"]


def test_endless_speech_is_finalised_without_a_flush() -> None:
    ear = Ear(max_utterance=3.0)
    ear.hear(sound(SILENT, 1), sound(TONE, 4), sound(SILENT, 0.3))
    ear.stream.flush()
    assert [(heard.text, heard.flushed) for heard in ear.finals] == [
        ("book a table for two", False),
        ("book a table for two", True),
    ]


def test_a_phrase_with_a_pause_in_it_is_one_phrase(ear: Ear) -> None:
    ear.hear(sound(SILENT, 1), sound(TONE, 0.3), sound(SILENT, 0.5))
    ear.stream.flush()
    ear.hear(sound(SILENT, 0.5), sound(TONE, 0.2), sound(SILENT, 0.5))
    ear.stream.flush()
    assert [(heard.before, heard.text) for heard in ear.finals] == [("", "book a table"), ("book a table", "for two")]
    assert ear.interims[-1].before == "book a table"


def test_starting_over_after_half_a_phrase_is_heard_by_itself(ear: Ear) -> None:
    ear.hear(sound(SILENT, 1), sound(TONE, 0.3), sound(SILENT, 0.5))
    ear.stream.flush()
    ear.hear(sound(SILENT, 0.5), sound(TONE, 0.5), sound(SILENT, 0.5))
    # Eight words of tone: with the first half in front no phrase, by itself one.
    ear.search.phrase = (*PHRASES[0], "again", "and", "again")
    ear.stream.flush()
    assert [(heard.before, heard.text) for heard in ear.finals] == [("", "book a table"), ("", "book a table for two")]


def test_the_rest_of_a_phrase_is_not_waited_for_long(ear: Ear) -> None:
    ear.hear(sound(SILENT, 1), sound(TONE, 0.3), sound(SILENT, 0.5))
    ear.stream.flush()
    ear.hear(sound(SILENT, CARRY_GAP + 1), sound(TONE, 0.2), sound(SILENT, 0.5))
    ear.stream.flush()
    assert [heard.text for heard in ear.finals] == ["book a table", "book a"]
    assert ear.search.utterances[-1].count(TONE) == 3200


def test_noise_after_half_a_phrase_does_not_hide_what_follows(ear: Ear) -> None:
    ear.hear(sound(SILENT, 1), sound(TONE, 0.3), sound(SILENT, 0.5))
    ear.stream.flush()
    ear.search.phrase = ("book", "a", "table")
    ear.hear(sound(SILENT, 0.5), sound(HUM, 0.3), sound(SILENT, 1.0))
    ear.search.phrase = PHRASES[1]
    ear.hear(sound(SILENT, 0.3), sound(TONE, 0.2), sound(SILENT, 0.5))
    ear.stream.flush()
    assert [(heard.before, heard.text) for heard in ear.finals] == [("", "book a table"), ("", "thank you")]


def test_abandoning_a_stream_leaves_its_search_ready(ear: Ear) -> None:
    ear.hear(sound(TONE, 0.5))
    running = [ear.search.running]
    for _ in range(2):
        ear.stream.abandon()
        running.append(ear.search.running)
    assert running == [True, False, False]


def test_the_score_is_that_of_the_words_alone() -> None:
    unit = math.log(1.0001)
    found = words_of(
        iter(
            [
                ("<sil>", 0, 99, math.exp(-100 * unit)),
                ("(NULL)", 100, 99, 1.0),
                ("order", 100, 119, math.exp(-200 * unit)),
                ("number(2)", 120, 139, math.exp(-400 * unit)),
                ("++NOISE++", 140, 149, math.exp(-900 * unit)),
            ]
        )
    )
    assert found.words == ("order", "number")
    assert found.score == pytest.approx(-15.0)


def test_a_word_that_fits_not_at_all_has_the_worst_score() -> None:
    assert words_of(iter([("order", 0, 9, 0.0)])).score == -math.inf
    assert words_of(iter([("<sil>", 0, 9, 1.0)])).words == ()
