"""What a speech tells itself: the text that user code gives it, and its deadlines."""

from __future__ import annotations

from sessionactors.runtime import Scope, message


@message(fenced=True)
class SourceText:
    """A piece of the text that ``say`` was given as an iterable."""

    text: str
    scope: Scope


@message()
class SourceTextEnded:
    """The iterable ended, or raised."""

    error: BaseException | None


@message()
class AccountsOverdue:
    """An interrupted speech has not settled its accounts in time."""
