"""What ears are called: after their participant, and by a number while an older ear of theirs has not ended yet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection

EAR_NAME = "ear-"
"""Ears are named after it and their participant."""
AGAIN = "~"
"""Comes between that and the number of who came back."""

_NUMBERED = re.compile(rf"{AGAIN}\d+$")


def ear_name(identity: str) -> str:
    """The name of a participant's ear."""
    return f"{EAR_NAME}{identity}"


def free_ear_name(identity: str, taken: Collection[str]) -> str:
    """The name of another ear of theirs, which nobody has: who comes back may find that the last one still ends."""
    first = ear_name(identity)
    names = itertools.chain([first], (f"{first}{AGAIN}{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)


def without_number(name: str) -> str:
    """The name that :func:`ear_name` gives to the participant whose ear it is."""
    return _NUMBERED.sub("", name)
