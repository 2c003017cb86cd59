"""Checks of single option values. Each raises ``OptionError`` with the option's name and the value it got."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .errors import OptionError


def check_seconds(name: str, value: object, *, or_none: bool = False) -> None:
    """A duration: a number from zero."""
    if value is None and or_none:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise OptionError(f"{name} must be a number of seconds{' or None' if or_none else ''}, got {value!r}")
    if value < 0:
        raise OptionError(f"{name} must not be negative, got {value}")


def check_count(name: str, value: object, *, or_none: bool = False) -> None:
    """A whole number from zero."""
    if value is None and or_none:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"{name} must be a whole number{' or None' if or_none else ''}, got {value!r}")
    if value < 0:
        raise OptionError(f"{name} must not be negative, got {value}")


def check_flag(name: str, value: object) -> None:
    """True or False."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, got {value!r}")


def check_share(name: str, value: object) -> None:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise OptionError(f"{name} must be between 0 and 1, got {value!r}")


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """One of a few values."""
    if value not in choices:
        there_are = ", ".join(map(str, choices))
        raise OptionError(f"{name} has no {value!r}; there are: {there_are}")
