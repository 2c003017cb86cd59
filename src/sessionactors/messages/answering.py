"""Who answered a call: between the session, ``supervisor``, ``amd``, ``floor`` and ``agent``."""

from __future__ import annotations

from enum import Enum

from sessionactors.interfaces.llm import LLM
from sessionactors.model.answering import AMDCategory, AMDOptions
from sessionactors.runtime import Lane, Overflow, Ref, message

from .room import ParticipantJoined


@message()
class DetectAnswer:
    """Find out who answered. Session to ``supervisor``, which starts ``amd``; ``floor`` withholds speech already."""

    detection: str
    llm: LLM
    options: AMDOptions


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.detection)
class EndDetection:
    """Nobody wants to know any more. Session to ``supervisor``."""

    detection: str


@message()
class DetectionEnded:
    """``supervisor``, to itself: an ``amd`` has ended, well or not."""

    detection: str
    error: BaseException | None


@message()
class PeopleWanted:
    """Who is in the room, and speaks? ``amd`` to ``supervisor``; what changes then, it sees by itself."""

    reply_to: Ref[PeopleThere]


@message()
class PeopleThere:
    """These are. ``supervisor`` to ``amd``."""

    people: tuple[ParticipantJoined, ...]
    speaking: frozenset[str]


@message()
class MenuReached:
    """A telephone menu answered: keep the call going. ``amd`` to ``supervisor``."""

    transcript: str
    """What it has said."""


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.by)
class WithholdSpeech:
    """Let no speech begin to be heard, or let them again. Session, ``amd`` and ``supervisor`` to ``floor``."""

    by: str
    """The detection that wants it: there may be several."""
    withheld: bool


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE, key=lambda order: order.by)
class WithholdReplies:
    """Keep what is said, and reply nothing by yourself: a machine says it. ``amd`` and ``supervisor`` to ``agent``."""

    by: str
    withheld: bool


class Due(Enum):
    """What ``amd`` waits for, by the names of its timers."""

    PARTICIPANT = "participant"
    """Somebody who can be heard."""
    NO_SPEECH = "no speech"
    VERDICT = "verdict"
    """Any verdict."""
    SHORT = "short greeting"
    """Silence after a short greeting in which no words were found."""
    SILENCE = "silence"
    """Silence after any other."""
    TURN = "turn"
    """The end of a turn that no detector has found."""
    POSTPONED = "postponed"
    """What the model wanted to hear besides."""
    RETRY = "retry"
    """The model is asked again."""
    ENDLESS = "endless"
    """The greeting still goes on."""


@message()
class AnswerDue:
    """``amd``, to itself: the time is over."""

    due: Due


@message()
class AnswerJudged:
    """``amd``, to itself: what the model says of the greeting."""

    attempt: int
    category: AMDCategory | None
    """None: it wants to hear more."""
    postpone: float = 0.0
    """For so many seconds; 0.0: until there are more words."""


@message()
class JudgeFailed:
    """``amd``, to itself: the model did not answer."""

    attempt: int
    error: BaseException
