"""A journal becomes a test: the recorded call must come out of today's handlers as it did."""

from __future__ import annotations

from pathlib import Path

from sessionactors.journal.divergence import Divergence
from sessionactors.journal.replay import Replay


class RunsPart(AssertionError):
    """Raised when a recorded session does not run again as it was; the text says at which message, and how."""

    def __init__(self, divergence: Divergence) -> None:
        self.divergence = divergence
        super().__init__(str(divergence))


def from_journal(file: str | Path | bytes) -> Replay:
    """Run a recorded session again, with no provider, no user code and no real time, and compare each message.

    The test of a call that went wrong: keep its journal beside the test, and look at what matters of it::

        def test_the_call_of_monday() -> None:
            replay = from_journal("tests/calls/monday.journal")
            assert replay.first(lambda replay: replay.facts("floor").get("current") == "speech-2") is not None

    Args:
        file: the journal: its path, or its bytes.

    Returns:
        The replay, at its beginning again: go to any message and look.

    Raises:
        RunsPart: a handler has changed what it does, and this call shows it.
        JournalError: it cannot be read, or not be run again; says why.
    """
    replay = Replay(file)
    divergence = replay.run()
    if divergence is not None:
        raise RunsPart(divergence)
    replay.rewind()
    return replay
