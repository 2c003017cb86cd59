"""What an actor is, whatever room and participant it is of: the names that figures are counted by.

There are as many as the package has kinds of actors, and one for all that users add: a metric that is counted by role
has a number of series that no room and no caller can raise.
"""

from __future__ import annotations

from typing import Final

from sessionactors.actors.ear_names import EAR_NAME

ROLES: Final = frozenset(
    {"agent", "deferred", "detector", "floor", "history", "input", "ivr", "keyterms", "llm", "output", "overlap"}
    | {"realtime", "room", "stt", "tools", "tts", "turn", "vad", "video"}
)
"""Actors that go by their own name."""
NUMBERED: Final = frozenset({"amd", "menu", "speech"})
OTHER: Final = "drop-in"


def role_of(path: str) -> str:
    """The role of the actor at a path, such as ``vad`` for ``room-7/ear-alice/vad``; ``supervisor`` for a room's root.

    What is not of this package is ``drop-in``.
    """
    room, _, rest = path.partition("/")
    if not rest:
        return "supervisor" if room else ""
    name = rest.rpartition("/")[2]
    if name in ROLES:
        return name
    if name.startswith(EAR_NAME):
        return "ear"
    if name == "audio" and "speech-" in rest:
        return "reader"
    kind = name.rpartition("-")[0]
    if kind in NUMBERED or kind in ROLES:  # another stt beside the one that ends has a number
        return kind
    return OTHER
