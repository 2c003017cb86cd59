"""Sentinels: an option that was not given, and the end of a flush unit in a stream."""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar, final

T = TypeVar("T")


@final
class NotGiven:
    """Type of :data:`NOT_GIVEN`: falsy, and distinct from ``None`` (absent means default, ``None`` means off)."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()
NotGivenOr: TypeAlias = T | NotGiven


def given(value: T | NotGiven, default: T) -> T:
    """The value if it was given, else the default."""
    return default if isinstance(value, NotGiven) else value


@final
class FlushSentinel:
    """In a stream of audio or text: what came before belongs together and must be finished now."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "FLUSH"


FLUSH: Final = FlushSentinel()
