"""The state of ``supervisor`` as a value: lifecycle, public states, failures in a row, and the end of the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionactors.interfaces.video_io import VideoSource
from sessionactors.messages.room import ParticipantJoined
from sessionactors.messages.session import (
    EventRaised,
)
from sessionactors.model.errors import SessionActorsError
from sessionactors.model.events import (
    AgentState,
    CloseReason,
    UserState,
)
from sessionactors.model.usage import AgentSessionUsage
from sessionactors.runtime import (
    Ref,
)

from .ear import EarMessage
from .options_in_force import OptionsInForce
from .states import AgentFacts

if TYPE_CHECKING:
    from .amd import AmdMessage


class SessionBroken(SessionActorsError):
    """Reported as the error of ``close`` when a part of the session failed for good."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of the session."""

    reason: CloseReason
    error: BaseException | None
    until: int
    """Kernel clock: when all must be over."""
    waits_for: frozenset[str]
    leaving: bool = False
    """The room has been told to leave."""
    settling: bool = False
    """The agent has been told that no further turn comes."""
    last_calls: frozenset[str] = frozenset()
    """Drop-ins that have not handled the close event yet."""
    finishing: bool = False
    """All parts have left, or have had their time; only drop-ins are waited for."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A drop-in that is told of public events."""

    ref: Ref[EventRaised]
    events: tuple[type, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """A call of ``commit_user_turn()`` that waits."""

    waits_for: frozenset[str]
    """Participants whose ear has not answered."""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SupervisorState:
    """Lifecycle, public states, and failures in a row."""

    options: OptionsInForce
    facts: AgentFacts = field(default_factory=AgentFacts)
    agent_state: AgentState = "initializing"
    user_state: UserState = "listening"
    speaking: frozenset[str] = frozenset()
    people: Mapping[str, ParticipantJoined] = field(default_factory=dict)
    """Everybody in the room, as they came, in the order of their coming."""
    cameras: Mapping[str, VideoSource] = field(default_factory=dict)
    """What participants show."""
    camera: VideoSource | None = None
    """The one of them that is looked at."""
    own_camera: bool = False
    """The session's user has set what is looked at."""
    keyterms: tuple[str, ...] | None = None
    """Words to expect that were given while the session ran; None: those that it began with."""
    only: str | None = None
    """The only participant who is listened to; None: all are."""
    present: frozenset[str] = frozenset()
    """Participants who are in the room, and are listened to."""
    without_echo: frozenset[str] = frozenset()
    """Those of them whose line gives no echo back."""
    echo: bool = True
    """Whether ``floor`` expects one."""
    visited: bool = False
    """Somebody has been there."""
    leaving: frozenset[str] = frozenset()
    """Those who have left, and are heard out."""
    stopping: frozenset[str] = frozenset()
    """Names of ears that were stopped and have not ended yet: a provider may take its time."""
    signs: int = 0
    """Transcripts that came where nobody detects the voice."""
    tools_running: int = 0
    commits: Mapping[str, Commit] = field(default_factory=dict)
    """Calls of ``commit_user_turn()`` that wait, by request."""
    looking: bool = True
    """Pictures are taken."""
    listening: bool = True
    """The ears are open."""
    ears: Mapping[str, Ref[EarMessage]] = field(default_factory=dict)
    usage: AgentSessionUsage = field(default_factory=AgentSessionUsage)
    """What was used of each model."""
    substituting: bool = False
    """Recognisers get silence in place of what the users say."""
    failures: Mapping[str, int] = field(default_factory=dict)
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    """Drop-ins that are told of public events, by path."""
    detections: Mapping[str, Ref[AmdMessage]] = field(default_factory=dict)
    """Who is finding out who answered a call."""
    closing: Closing | None = None
    ended: bool = False
