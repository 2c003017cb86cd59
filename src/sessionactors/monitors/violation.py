"""What a monitor tells: which promise, at which message, and the messages that led to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sessionactors.runtime import InternalError


@dataclass(frozen=True, slots=True)
class CauseLink:
    """One message on the way to a violation."""

    id: int
    type: str
    sender: str
    target: str
    at: int
    """When it was handled: kernel clock nanoseconds."""

    def __str__(self) -> str:
        return f"{self.type} #{self.id} from {self.sender} to {self.target}"


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept, at the first message that shows it."""

    promise: str
    """As in the list of promises: ``P1``."""
    what: str
    """In words."""
    actor: str
    """Path of the actor that was handling."""
    message_id: int
    message_type: str
    at: int
    """Kernel clock nanoseconds."""
    chain: tuple[CauseLink, ...] = ()
    """The message and its causes, the latest first, as far as they are remembered."""

    def __str__(self) -> str:
        lines = [f"{self.promise} at {self.message_type} #{self.message_id} in {self.actor}: {self.what}"]
        return "\n".join((*lines, *(f"  because of {link}" for link in self.chain[1:])))


class PromiseViolated(InternalError):
    """The error of the event that tells of a violation: the runtime is wrong, not the program. Please report it."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(str(violation))
        self.violation = violation


def facts_of(violation: Violation) -> Mapping[str, object]:
    """For a line of the log."""
    return {
        "actor": violation.actor,
        "message_id": violation.message_id,
        "promise": violation.promise,
        "what": violation.what,
        "type": violation.message_type,
        "chain": [str(link) for link in violation.chain],
    }
