"""The values: what goes wrong, and at which point. Each has a short text that parses back to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

from sessionactors.model.errors import OptionError

SignalAct: TypeAlias = Literal[
    "drop", "double", "swap", "delay", "drip", "fail", "dead", "hang", "stuck", "end", "garbage", "alien", "lose"
]
"""What happens to a signal.

``drop``: it never comes. ``double``: it comes twice. ``swap``: it comes behind the one that follows it. ``delay``: it
comes so many seconds late. ``drip``: it and each one behind it in the stream come so many seconds late. ``fail``: the
connection breaks instead. ``dead``: as ``fail``, and so does each later one of its kind. ``hang``: neither it nor
anything behind it ever comes. ``stuck``: as ``hang``, and for so many seconds it cannot be cancelled. ``end``: the
stream ends there as if all were well; at ``open`` that is an empty success. ``garbage``: one of its kind comes whose
contents make no sense. ``alien``: something comes that nobody knows. ``lose``: the link to the room breaks, for good.
"""
ActorAct: TypeAlias = Literal["kill", "cancel", "fill", "block"]
"""What happens to an actor between two messages.

``kill``: it fails as if a handler had. ``cancel``: all asynchronous work that it has under way is cancelled behind its
back. ``fill``: its mailbox takes no more data for so many seconds. ``block``: it handles nothing for so many seconds;
0: never again.
"""

SIGNAL_ACTS: Final = cast("tuple[SignalAct, ...]", get_args(SignalAct))
ACTOR_ACTS: Final = cast("tuple[ActorAct, ...]", get_args(ActorAct))
TIMED: Final = frozenset({"delay", "drip", "stuck", "fill", "block", "clock"})
"""Acts that are given seconds."""

_TEXT: Final = re.compile(r"(?P<act>[a-z]+)(:(?P<seconds>-?[0-9.]+))? (?P<target>\S.*)(?P<point>[#@])(?P<number>\d+)")


class FaultError(ConnectionError):
    """What an injected fault raises where a connection would break."""


@dataclass(frozen=True, slots=True)
class SignalFault:
    """Something goes wrong with a signal of a provider or transport."""

    does: SignalAct
    signal: str
    """Whose and of which kind: ``stt.final_transcript``, ``playout.finished``. See :func:`.possible`."""
    number: int = 1
    """Which one of them, from 1."""
    seconds: float = 0.0
    """Of ``delay``, ``drip`` and ``stuck``."""

    def __post_init__(self) -> None:
        """Raises :class:`OptionError` for what is no fault."""
        _check(self.does, SIGNAL_ACTS, self.number, self.seconds)

    def __str__(self) -> str:
        """Such as ``drop stt.final_transcript#2`` or ``delay:0.5 playout.finished#1``."""
        return f"{_head(self.does, self.seconds)} {self.signal}#{self.number}"


@dataclass(frozen=True, slots=True)
class ActorFault:
    """Something happens to an actor behind the n-th message that it has handled."""

    does: ActorAct
    actor: str
    """End of its path; ``supervisor``: the root of the session."""
    number: int = 1
    """Messages it has handled, from 1."""
    seconds: float = 0.0
    """Of ``fill`` and ``block``."""

    def __post_init__(self) -> None:
        """Raises :class:`OptionError` for what is no fault."""
        _check(self.does, ACTOR_ACTS, self.number, self.seconds)

    def __str__(self) -> str:
        """Such as ``kill tts@5`` or ``block:2 output@3``."""
        return f"{_head(self.does, self.seconds)} {self.actor}@{self.number}"


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock of the machine jumps behind the n-th message of the session; the kernel's stays monotone."""

    seconds: float
    """By how much: forward if > 0."""
    number: int = 1
    """Messages that the session has handled, from 1."""

    def __post_init__(self) -> None:
        """Raises :class:`OptionError` for what is no fault."""
        if self.number < 1:
            raise OptionError(f"a clock step comes behind message 1 or later, got {self.number}")

    def __str__(self) -> str:
        """Such as ``clock:-3600 *@100``."""
        return f"clock:{self.seconds:g} *@{self.number}"


Fault: TypeAlias = SignalFault | ActorFault | ClockStep


def parse(text: str) -> Fault:
    """The fault that has this text.

    Raises:
        OptionError: no fault has; the text says what one looks like.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise OptionError(f"{text!r} is no fault: one looks like 'drop stt.final_transcript#2' or 'kill tts@5'")
    act, target, number = found["act"], found["target"], int(found["number"])
    seconds = float(found["seconds"] or 0.0)
    if found["point"] == "#":
        return SignalFault(cast("SignalAct", act), target, number, seconds)
    if act == "clock":
        return ClockStep(seconds, number)
    return ActorFault(cast("ActorAct", act), target, number, seconds)


def _head(act: str, seconds: float) -> str:
    return f"{act}:{seconds:g}" if act in TIMED else act


def _check(act: str, known: tuple[str, ...], number: int, seconds: float) -> None:
    if act not in known:
        raise OptionError(f"nothing can {act!r} there; what can happen is {', '.join(known)}")
    if number < 1:
        raise OptionError(f"a fault strikes at number 1 or later, got {number}")
    if seconds < 0:
        raise OptionError(f"{act} takes seconds >= 0, got {seconds}")
