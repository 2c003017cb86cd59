"""Obligations: things that are open and must end. One table per room, so that silence has a name (promise P9)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something open that must end."""

    key: str
    owner: str
    """Path of the actor that must end it."""
    waits_for: str
    """In words: what it waits for."""
    since: int
    """Kernel clock, ns."""
    deadline: int
    """Kernel clock, ns."""


@dataclass(frozen=True, slots=True)
class ObligationExpired:
    """Told to the tree's root when an obligation's deadline passes. It stays open until it is discharged."""

    key: str
    owner: str
    waits_for: str
    age: float
    """Seconds since it was opened."""
