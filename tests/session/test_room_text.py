"""What people in the room can read: what the users say, what the agent says and when, and what it is doing."""

from __future__ import annotations

from itertools import groupby

from sessionactors import RoomOptions, TranscriptSegment
from sessionactors.messages.room import UserTranscribed
from sessionactors.testing import Run, Scenario, explore
from sessionactors.testing.scenario import LINE_RATE
from sessionactors.transports import MemoryTransport

from tests.session.talks import barge_in, keeper, one_turn, played


class Readable(MemoryTransport):
    """A room of which the test reads everything."""

    def __init__(self, participant: str | None = "caller") -> None:
        super().__init__(participant=participant, frame_ms=100, silence_rate=LINE_RATE)

    def said_by(self, participant: str) -> list[TranscriptSegment]:
        return [piece for piece in self.transcripts if piece.participant == participant]


def names(pieces: list[TranscriptSegment]) -> list[tuple[int, list[str]]]:
    """How many pieces each stretch has, in order, and their texts."""
    groups = [list(group) for _, group in groupby(pieces, key=lambda piece: piece.segment)]
    assert len({group[0].segment for group in groups}) == len(groups), "no stretch is taken up again"
    assert all([piece.final for piece in group] == [False] * (len(group) - 1) + [True] for group in groups)
    return [(len(group), [piece.text for piece in group]) for group in groups]


def two_sayings(room: Readable) -> Scenario:
    scenario = Scenario(keeper(), room=lambda: room, frame_ms=100, without=("tts",))
    scenario.user_says("How are you", at=0.2, until=1.2, interims=[(0.6, "How"), (0.9, "How are")])
    scenario.llm_replies("Fine.")
    scenario.user_says("Good", at=4.0, until=4.5, interims=[(4.3, "Goo")])
    scenario.llm_replies("Yes.")
    return scenario


def test_each_stretch_of_a_users_words_has_one_name_until_it_is_final() -> None:
    room = Readable()
    played(two_sayings(room))
    assert names(room.said_by("caller")) == [(3, ["How", "How are", "How are you"]), (2, ["Goo", "Good"])]
    assert {piece.participant for piece in room.transcripts} == {"agent", "caller"}


def test_the_words_of_two_who_speak_at_once_are_kept_apart() -> None:
    room = Readable()
    scenario = Scenario(keeper(), room=lambda: room, frame_ms=100, without=("tts",))
    scenario.joins("other")
    scenario.user_says("How are you", at=0.2, until=1.2, interims=[(0.6, "How")])
    scenario.user_says("Me too", at=0.2, until=1.3, interims=[(0.6, "Me")], participant="other")
    scenario.llm_replies("Fine.")
    scenario.llm_replies("Fine.")
    played(scenario)
    assert names(room.said_by("caller")) == [(2, ["How", "How are you"])]
    assert names(room.said_by("other")) == [(2, ["Me", "Me too"])]


def test_without_text_output_nothing_of_the_users_is_shown_either() -> None:
    room = Readable()
    scenario = one_turn(room=lambda: room, frame_ms=100, room_options=RoomOptions(text_output=False))
    run = scenario.play()  # unchecked: a promise compares what was said with what was shown
    assert room.transcripts == ()
    assert run.handled(UserTranscribed) == []


def test_the_room_knows_what_the_agent_is_doing() -> None:
    room = Readable()
    run = played(barge_in(room=lambda: room, frame_ms=100))
    assert [change["lk.agent.state"] for change in room.attribute_changes] == run.agent_states[1:]
    assert room.agent_attributes == {"lk.agent.state": "listening"}


def test_pieces_of_the_agents_words_say_when_they_are_spoken() -> None:
    room = Readable()
    played(one_turn(room=lambda: room, frame_ms=100))
    pieces = [piece for piece in room.said_by("agent") if piece.text.strip()]
    assert "".join(piece.text for piece in room.said_by("agent")) == "I am fine, thank you."
    times = [(piece.start_time, piece.end_time) for piece in pieces]
    assert times[0][0] == 0.0
    ends = [end for _, end in times if end is not None]
    assert len(ends) == len(times) > 3
    assert ends == sorted(ends)
    assert [start for start, _ in times[1:]] == ends[:-1]


def test_a_voice_that_tells_no_times_leaves_them_out() -> None:
    room = Readable()
    played(one_turn(room=lambda: room, frame_ms=100, word_timings=False))
    assert {(piece.start_time, piece.end_time) for piece in room.said_by("agent")} == {(None, None)}


def test_what_is_shown_is_right_in_any_order() -> None:
    rooms: list[Readable] = []

    def make() -> Scenario:
        rooms.append(Readable())
        return two_sayings(rooms[-1])

    def shown(run: Run) -> None:
        room = rooms[-1]
        assert [texts[-1] for _, texts in names(room.said_by("caller"))] == ["How are you", "Good"]
        assert room.agent_attributes["lk.agent.state"] == run.agent_states[-1]

    explore(make, schedules=3, expect=shown)
