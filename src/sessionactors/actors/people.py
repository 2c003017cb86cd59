"""What is known of the people in a room. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sessionactors.messages.room import ParticipantChanged, ParticipantJoined
from sessionactors.runtime.frozen import replace


def with_attributes(
    people: Mapping[str, ParticipantJoined], change: ParticipantChanged
) -> Mapping[str, ParticipantJoined]:
    """The same, with what somebody lets the others know."""
    before = people.get(change.identity)
    if before is None or not change.attributes:
        return people
    return {**people, change.identity: replace(before, attributes={**before.attributes, **change.attributes})}
