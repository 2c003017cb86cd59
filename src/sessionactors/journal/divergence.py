"""Where a run parts from the one that was recorded, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first message at which a replay did something else than the journal says."""

    number: int
    """Of the message, counted from 1 in the order of handling; 0: before the first."""
    actor: str
    """Path."""
    message: str
    """What was handled, and from whom it came."""
    recorded: str
    """What the journal says."""
    now: str
    """What happened this time."""
    changes: tuple[str, ...] = ()
    """What this time changed in the actor's state, a line each."""

    def __str__(self) -> str:
        lines = [
            f"the runs part at message {self.number}: {self.actor} handles {self.message}",
            f"  recorded: {self.recorded}",
            f"  now:      {self.now}",
        ]
        if self.changes:
            lines.append("  what the handler made of its state this time:")
            lines.extend(f"    {change}" for change in self.changes)
        return "\n".join(lines)
