"""How a check ended: a cell of the conformance table."""

from __future__ import annotations

import unittest
from dataclasses import dataclass
from typing import Literal, TypeAlias

Result: TypeAlias = Literal["ok", "failed", "not applicable"]


class Nonconforming(AssertionError):
    """Raised when a provider does not do what its port says; the text says what it did."""


class NotApplicable(unittest.SkipTest):
    """Raised when a check says nothing about a provider; the text says why. pytest shows it as a skip."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check of one provider."""

    check: str
    """Its name."""
    result: Result
    why: str = ""
    """Why it failed, or does not apply."""
    seconds: float = 0.0
    """How long it took."""
