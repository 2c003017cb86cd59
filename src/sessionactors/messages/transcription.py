"""What user code makes of a segment's text for people to read. All of it ``output`` tells itself."""

from __future__ import annotations

from sessionactors.runtime import Scope, message


@message()
class NodeTextWanted:
    """The node has taken all it was given and asks for more."""

    segment: str


@message(fenced=True)
class NodeTextMade:
    """The node has made a piece of the text that is shown."""

    segment: str
    text: str
    taken: int
    """Characters of the segment's own text that the node had taken by then."""
    end_time: float | None
    """Seconds of the segment's audio at which the piece has been spoken, if the node said so."""
    scope: Scope


@message()
class NodeEnded:
    """The node ended, or raised."""

    segment: str
    error: BaseException | None


@message()
class NodeOverdue:
    """The node holds the segment up and makes nothing."""

    segment: str
