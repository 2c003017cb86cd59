"""What a connection says and hears, whatever its format: the words, and the port that formats implement.

``Link`` moves messages, ``RemotePlayout`` decides what is played: both speak these words. A :class:`Wire` turns them
into what a kind of client understands, and back. It knows neither sockets nor clocks. One is made for each connection:
codecs remember.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

from sessionactors.interfaces.transport import ParticipantKind, TranscriptSegment
from sessionactors.model.audio import AudioFrame

from .close_code import CloseCode

Data: TypeAlias = str | bytes
"""A message as a WebSocket carries it."""

NAME: Final = r"^[^/\x00-\x1f\x7f]{1,128}$"
"""What a client may call itself and its room: the names stand in the paths of actors, and in logs."""

# -- what clients say ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """Who calls. The first word of every connection."""

    identity: str
    """Who, unique in the room."""
    room: str | None = None
    """The room they want, if they say so."""
    token: str | None = field(default=None, repr=False)
    """What proves that they may."""
    kind: ParticipantKind = "standard"
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What else they say of themselves; for a telephone call what the provider says of it."""
    may_return: bool = False
    """They will come back if the connection is lost."""
    ticket: str | None = field(default=None, repr=False)
    """They come back: what their last :class:`Ready` said."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Audio of the client, of any length."""

    frame: AudioFrame


@dataclass(frozen=True, slots=True)
class Typed:
    """A text."""

    text: str


@dataclass(frozen=True, slots=True)
class Muted:
    """The client's microphone is off, or on again."""

    muted: bool


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key of a telephone."""

    digit: str


@dataclass(frozen=True, slots=True)
class Played:
    """All before a mark was played."""

    stretch: int
    samples: int
    """As the mark said: since the stretch began."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """A stretch was dropped."""

    stretch: int
    samples: int
    """Those that were played of it."""


@dataclass(frozen=True, slots=True)
class Alive:
    """The answer to a ping."""


@dataclass(frozen=True, slots=True)
class Left:
    """The client ends the call."""

    reason: str


Heard: TypeAlias = Hello | Spoken | Typed | Muted | Pressed | Played | Cleared | Alive | Left

# -- what clients are told -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The session listens."""

    room: str
    ticket: str | None = field(default=None, repr=False)
    """With it the client may come back to the session, if the connection is lost; None: it may not."""
    within: float = 0.0
    """Seconds in which it may."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Audio follows that is played without a gap: a stretch. A segment is one, or several when it was paused."""

    stretch: int


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio of the stretch, int16 little-endian mono in the wire's rate, to be played behind what is buffered."""

    stretch: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """To be answered by :class:`Played` when all before it was played."""

    stretch: int
    samples: int


@dataclass(frozen=True, slots=True)
class End:
    """The stretch is complete."""

    stretch: int


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop what is buffered, at once."""

    stretch: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """Something to read."""

    segment: TranscriptSegment


@dataclass(frozen=True, slots=True)
class State:
    """What agent or user do."""

    who: str
    """``agent`` or ``user``."""
    state: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A message of the client was wrong; or the connection ends for this reason."""

    code: CloseCode
    message: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""


@dataclass(frozen=True, slots=True)
class Bye:
    """The session is over."""

    reason: str


Told: TypeAlias = Ready | Begin | Sound | Mark | End | Clear | Transcript | State | Fault | Ping | Bye


class Wire(ABC):
    """A format of messages, for one connection."""

    label: ClassVar[str] = "wire"
    marks: bool = True
    """Whether :class:`Mark` is answered: positions are what was played. False: they are reckoned by the clock."""
    answers_clear: bool = False
    """Whether :class:`Clear` is answered by :class:`Cleared`."""
    answers_ping: bool = False
    """Whether :class:`Ping` is answered."""
    frame_ms: int = 20
    """A :class:`Sound` has whole frames of so many milliseconds; the last of a segment may be shorter."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Hertz of the agent's audio. Valid after the hello."""

    @abstractmethod
    def read(self, data: Data) -> Sequence[Heard]:
        """What a message of the client says; nothing for one that is known and of no interest.

        Raises:
            WireError: it cannot be read, or not at this point.
        """

    @abstractmethod
    def write(self, told: Told) -> Sequence[Data]:
        """The messages that say it; none if the format has no words for it."""
