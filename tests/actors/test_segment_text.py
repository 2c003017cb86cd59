"""The text of a segment: nothing is lost between what came, what a voice is given, and the places of its words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sessionactors.actors.segment_text import SegmentText
from sessionactors.actors.synthesis_attempt import Attempt, ResumePoint, WordMark, resume_point
from sessionactors.actors.withheld_audio import WithheldAudio
from sessionactors.interfaces.tts import WordTiming
from sessionactors.model.audio import AudioFrame

MARKED = st.text(alphabet=st.sampled_from("abc  .!\n*_😀-"), max_size=200)


def whole(*parts: str) -> SegmentText:
    text = SegmentText(("filter_markdown", "filter_emoji"))
    for part in parts:
        text = text.push(part)
    return text.end()


def fed(text: SegmentText, start: int = 0) -> list[str]:
    pieces = []
    while piece := text.after(start):
        pieces.append(piece)
        start += len(piece)
    return pieces


def test_a_voice_is_given_sentences() -> None:
    text = whole("**Hello!** How are you ", "doing today? 😀 Fine, I hope so.")
    assert fed(text) == ["Hello! ", "How are you doing today? ", " Fine, I hope so."]


def test_a_voice_can_go_on_in_the_middle_of_a_piece() -> None:
    text = whole("Hello! How are you doing today? Fine.")
    assert fed(text, 11) == ["are you doing today? ", "Fine."]


def test_a_text_with_nothing_to_say_is_silent() -> None:
    for silent in ("", "  \n ", "😀 😀", "**", "...", "- \n- "):
        text = whole(silent)
        assert text.is_silent_after(0)
        assert text.original_end(5) == 0
        assert fed(text) == []


def test_places_lead_over_pieces_that_are_not_said() -> None:
    original = "Hello there my friend! 😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀! And on it goes."
    text = whole(original)
    assert fed(text) == ["Hello there my friend! ", "And on it goes."]
    said = len("Hello there my friend! ")
    assert original[: text.original_end(said)] == "Hello there my friend! "
    assert original[: text.original_end(said + 3)].endswith("! And")
    assert text.original_end(text.spoken_length) == len(original)


def test_it_is_silent_after_the_last_word() -> None:
    text = whole("Hello there. ")
    assert not text.is_silent_after(0)
    assert not text.is_silent_after(6)
    assert text.is_silent_after(11)
    assert text.is_silent_after(13)


@given(MARKED)
def test_places_are_ascending_and_within_the_text(original: str) -> None:
    text = whole(original)
    places = [text.original_end(spoken) for spoken in range(text.spoken_length + 1)]
    assert places == sorted(places)
    assert all(0 <= place <= len(original) for place in places)
    assert text.original_length == len(original)
    assert sum(map(len, fed(text))) == text.spoken_length


# -- where an attempt that broke off is followed by the next ---------------------------------------------------------


def audio(received: int, handed: int = 0) -> WithheldAudio:
    return WithheldAudio(rate=1000, lead=2000, received=received, handed=handed)


def test_resume_points() -> None:
    marks = (WordMark(15, 600), WordMark(21, 900))
    began = Attempt(1, spoken_from=10, samples_from=500, fed=40)
    table = [
        # no audio: where it began
        (began, 500, True, ResumePoint(10, 500)),
        (began, 500, False, ResumePoint(10, 500)),
        # timings: after the last word that has been spoken
        (Attempt(1, 10, 500, 40, marks=marks), 700, True, ResumePoint(15, 600)),
        (Attempt(1, 10, 500, 40, marks=marks), 900, True, ResumePoint(21, 900)),
        # timings, and none has come: its first word is not complete
        (began, 550, True, ResumePoint(10, 500)),
        (Attempt(1, 10, 500, 40, marks=marks), 550, False, ResumePoint(10, 500)),
        # no timings: what it was not given was not spoken
        (began, 700, False, ResumePoint(40, 700, certain=False)),
    ]
    for attempt, received, aligned, expected in table:
        assert resume_point(attempt, audio(received), aligned=aligned) == expected


def test_timings_are_placed_in_the_segment() -> None:
    text = whole("**Hello** there, my friend.")
    attempt = Attempt(2, spoken_from=6, samples_from=500, fed=text.spoken_length)
    attempt, placed = attempt.place((WordTiming(5, 0.2), WordTiming(9, 0.4)), text, 1000)
    assert placed == (WordTiming(15, 0.7), WordTiming(19, 0.9))
    assert attempt.marks == (WordMark(11, 700), WordMark(15, 900))


def test_timings_that_make_no_sense_are_left_out() -> None:
    text = whole("Hello there, my friend.")
    attempt = Attempt(1, 0, 0, fed=12)
    given_out = ((5, 0.5), (3, 0.6), (11, 0.4), (900, 0.9), (901, 1.0))
    attempt, placed = attempt.place(tuple(WordTiming(*one) for one in given_out), text, 1000)
    assert placed == (WordTiming(5, 0.5), WordTiming(11, 0.5), WordTiming(12, 0.9))


# -- credit ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.integers(1, 700), st.floats(0.0, 4.0))), st.lists(st.integers(0, 700)))
def test_p15_credit_is_never_exceeded_and_nothing_is_lost(steps: list[int | float], cuts: list[int]) -> None:
    held = WithheldAudio(rate=1000, lead=500)
    sent, received = bytearray(), bytearray()
    value = 0
    for step in steps:
        if isinstance(step, float):
            held = held.granted(step)
        else:
            value = value % 100 + 1
            frame = AudioFrame(value.to_bytes(2, "little") * min(step, held.room), 1000)
            received += frame.data
            held = held.push(frame, ())
        held, parts = held.hand_over()
        sent += b"".join(part.frame.data for part in parts)
        assert held.handed * 2 == len(sent)
        assert held.handed <= held.credit
        assert held.received <= held.credit + held.lead
    waiting = b"".join(frame.data for frame in held.frames)
    assert bytes(sent) + waiting == bytes(received)
    for cut in cuts:
        held = held.cut_back(cut)
        assert held.received == max(held.handed, min(cut, held.received))
        assert sum(len(frame.data) for frame in held.frames) == 2 * (held.received - held.handed)


def test_a_word_goes_with_the_audio_in_which_it_ends() -> None:
    held = WithheldAudio(rate=1000, lead=5000)
    held = held.push(AudioFrame(bytes(2000), 1000), (WordTiming(3, 0.25), WordTiming(7, 0.75), WordTiming(9, 1.2)))
    held, first = held.granted(0.5).hand_over()
    assert [(part.frame.duration, part.timings) for part in first] == [(0.5, (WordTiming(3, 0.25),))]
    held, second = held.granted(9.0).hand_over()
    assert [(part.frame.duration, part.timings) for part in second] == [(0.5, (WordTiming(7, 0.75),))]
    held = held.push(AudioFrame(bytes(600), 1000), ())
    held, third = held.hand_over()
    assert third[0].timings == (WordTiming(9, 1.2),)
    assert held.granted(1.0).credit == 9000
