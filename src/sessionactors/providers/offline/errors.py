"""What goes wrong only offline: a missing package, a table that contradicts itself, a word without pronunciation.

::

    APIError
    └── MissingDependencyError          a package or system library is not installed
    OptionError
    └── IntentTableError                an intent table contradicts itself
        └── MissingPronunciationError   a word has no pronunciation
"""

from __future__ import annotations

from sessionactors.model.errors import APIError, OptionError


class MissingDependencyError(APIError):
    """Raised when a provider needs a package or system library that is not installed.

    Never retryable: it is the same on the next try. The message says what to install.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class IntentTableError(OptionError):
    """Raised when an intent table contradicts itself: an unknown slot, an empty phrase, a word with digits."""


class MissingPronunciationError(IntentTableError):
    """Raised when words of an intent table are neither in the dictionary nor given a pronunciation.

    Args:
        words: the words, in alphabetical order.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        named = ", ".join(repr(word) for word in words)
        super().__init__(
            f"no pronunciation for {named}: not in the CMU dictionary. Spell it as words that are "
            f"(e.g. 'check in' for 'checkin') or give ARPAbet phones: "
            f"IntentTable(..., pronunciations={{{words[0]!r}: 'CH EH K IH N'}})"
        )
        self.words = words
