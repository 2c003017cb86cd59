"""Which pieces of what users say belong together, for those who read along in the room. Pure; used by ``room`` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.messages.room import UserTranscribed
from sessionactors.runtime.frozen import replace


@dataclass(frozen=True, slots=True)
class UsersWords:
    """The stretch of transcript that each participant is in: it has one name until it is final."""

    open: Mapping[str, str] = field(default_factory=dict)
    """Names, by participant."""

    def name_of(self, participant: str) -> str | None:
        """The stretch that a participant is in; None: what comes begins another one."""
        return self.open.get(participant)

    def taken(self, said: UserTranscribed, name: str) -> tuple[UsersWords, TranscriptSegment]:
        """What is shown of it, and what is open then."""
        others = {who: open_name for who, open_name in self.open.items() if who != said.participant}
        now_open = others if said.final else {**others, said.participant: name}
        return replace(self, open=now_open), TranscriptSegment(said.participant, name, said.text, said.final)
