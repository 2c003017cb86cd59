"""The last words in a room that is closed by a limit or because the process ends."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.model.errors import OptionError
from sessionactors.model.speech import SPEECH_PRIORITY_HIGH

from .room_end import RoomEndCause

if TYPE_CHECKING:
    from .room_handle import RoomHandle

LastWords: TypeAlias = "str | Callable[[RoomHandle, RoomEndCause], object]"
"""A text that the agent says, or a function, plain or ``async``, that has it said: ``handle.session.say(...)``."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """What a room hears before it is closed, right after what is being said.

    Raises:
        OptionError: nothing to say, or a negative time.
    """

    says: LastWords | None = None
    """None: nothing; what is being said is heard to its end all the same."""
    within: float = 5.0
    """Seconds >= 0 for all of that to be heard."""

    def __post_init__(self) -> None:
        given: object = self.says
        if given is not None and not callable(given) and not (isinstance(given, str) and given.strip()):
            raise OptionError(f"a farewell is a text, or a function of (handle, cause) that says one, got {given!r}")
        if not self.within >= 0:
            raise OptionError(f"the seconds for a farewell must be >= 0, got {self.within!r}")

    @property
    def ends_it(self) -> bool:
        """Whether nothing is to be heard after what :meth:`bid` gave; a function may have asked for more."""
        return isinstance(self.says, str)

    def bid(self, handle: RoomHandle, cause: RoomEndCause) -> Awaitable[object] | None:
        """Say it. Gives what has to be awaited before the room may be closed, if anything.

        A text is heard next: before replies that wait for the floor, which nobody will be there to hear.

        Raises:
            SessionStateError: the session cannot speak now.
            Exception: what the function raised.
        """
        if self.says is None:
            return None
        if isinstance(self.says, str):
            return handle.session.say(self.says, allow_interruptions=False, priority=SPEECH_PRIORITY_HIGH)
        result = self.says(handle, cause)
        return result if inspect.isawaitable(result) else None


def farewell_of(given: Farewell | LastWords | None) -> Farewell:
    """A farewell, of any of its spellings.

    Raises:
        OptionError: it is none.
    """
    return given if isinstance(given, Farewell) else Farewell(given)
