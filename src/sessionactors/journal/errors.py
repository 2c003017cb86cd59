"""What can be wrong with a journal. Reading one, also a hostile one, raises nothing else."""

from __future__ import annotations

from sessionactors.model.errors import SessionActorsError


class JournalError(SessionActorsError):
    """Raised when a journal cannot be written or read. Base of the others."""


class JournalDamaged(JournalError, ValueError):
    """Raised when a journal is no journal, is cut or changed, or says what no journal says."""


class JournalVersionError(JournalError):
    """Raised when a journal is of a format that this version cannot read, or of a class that has other fields here."""


class UnknownClass(JournalError, LookupError):
    """Raised when a journal names a class that is not among those a journal may name."""


class NotInJournal(JournalError):
    """Raised when a stand-in is asked for what the journal does not hold: it only knows what the real one was."""
