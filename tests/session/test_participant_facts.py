"""What participants let the others know of themselves: told to the program when it changes."""

from __future__ import annotations

from collections.abc import Callable

from sessionactors import ParticipantAttributesChangedEvent, ParticipantMetadataChangedEvent, RoomOptions
from sessionactors.testing import Scenario
from sessionactors.transports import MemoryTransport

from tests.session.talks import keeper, played


def in_the_room(scenario: Scenario, at: float, act: Callable[[MemoryTransport], object]) -> None:
    def call(session: object) -> None:
        room = session.room_io.room  # type: ignore[attr-defined]
        assert isinstance(room, MemoryTransport)
        act(room)

    scenario.call(at, call)


def test_changes_are_told_in_order() -> None:
    scenario = Scenario(keeper(), frame_ms=100)
    in_the_room(scenario, 0.5, lambda room: room.change(attributes={"hand": "up"}))
    in_the_room(scenario, 0.6, lambda room: room.change(attributes={"hand": ""}, metadata="calm"))
    in_the_room(scenario, 0.7, lambda room: room.change(metadata=""))
    scenario.close(at=1.0)
    run = played(scenario)
    attributes = [(event.participant, event.changed) for event in run.of(ParticipantAttributesChangedEvent)]
    assert attributes == [("caller", {"hand": "up"}), ("caller", {"hand": ""})]
    metadata = [(event.participant, event.metadata) for event in run.of(ParticipantMetadataChangedEvent)]
    assert metadata == [("caller", "calm"), ("caller", "")]


def test_who_is_not_there_for_the_session_is_not_told_of() -> None:
    scenario = Scenario(keeper(), frame_ms=100, room_options=RoomOptions(participant_kinds=["sip"]))
    in_the_room(scenario, 0.5, lambda room: room.change(attributes={"hand": "up"}))
    scenario.close(at=1.0)
    assert played(scenario).of(ParticipantAttributesChangedEvent) == []
