"""Errors that providers raise and sessions report.

::

    SessionActorsError
    ├── APIError                    a provider request failed
    │   ├── APIStatusError          the provider answered with an error status
    │   ├── APIConnectionError      the provider could not be reached
    │   ├── APITimeoutError         the provider did not answer, or stopped answering, in time
    │   ├── ProviderReplaced        it failed, and another one has taken its place
    │   └── RealtimeError           a realtime model cannot do, or refused, what it was told
    ├── OptionError                 an option is unknown, out of range or contradicts another
    ├── SessionStateError           the call does not fit the state of the session
    ├── AudioFormatError            audio that cannot be read
    ├── ToolDefinitionError         a function cannot become a tool
    │   └── DuplicateToolError      two tools have one name
    ├── ToolTimeoutError            a tool ran longer than it may
    └── NodeError                   a node of the agent's own raised, or gave what it may not
"""

from __future__ import annotations


class SessionActorsError(Exception):
    """Base of all errors that sessionactors raises on purpose."""


class APIError(SessionActorsError):
    """Raised when a provider request failed.

    Args:
        message: what happened, for people.
        body: what the provider answered, if anything.
        retryable: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, body: object | None = None, retryable: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.body = body
        self.retryable = retryable


class APIStatusError(APIError):
    """Raised when a provider answered with an error status.

    Client errors (4xx) are final, except 408 (timeout), 429 (rate limit) and 499 (closed by the client).

    Args:
        message: what happened, for people.
        status_code: of HTTP; -1 where there was none.
        request_id: the provider's name for the request, if it told one.
        body: what the provider answered, if anything.
        retryable: whether the same request may succeed later; None: by the status.
        retry_after: seconds that the provider asks to wait before the next request.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        request_id: str | None = None,
        body: object | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        if retryable is None:
            retryable = not 400 <= status_code < 500 or status_code in (408, 429, 499)
        super().__init__(message, body=body, retryable=retryable)
        self.status_code = status_code
        self.request_id = request_id
        self.retry_after = retry_after


class APIConnectionError(APIError):
    """Raised when a provider could not be reached or the connection broke."""


class APITimeoutError(APIError):
    """Raised when a provider did not start, or stopped progressing, within its deadline."""


class ProviderReplaced(APIError):
    """Raised when one of several providers behind an adapter failed and another one has taken its place.

    Asking again is free: it is no failure of the whole, and it is done at once.
    """


class RealtimeError(APIError):
    """Raised when a realtime model cannot do, or refused, what it was told."""


class NodeError(SessionActorsError):
    """Raised when a node that an agent has overridden raised, or gave what it may not. Its cause is what was raised."""


class HookCutOffError(SessionActorsError):
    """Reported when a hook of an agent was cut off because the actor that ran it failed; it is not run again."""


class OptionError(SessionActorsError, ValueError):
    """Raised when an option is unknown, out of range, or contradicts another one."""


class SessionStateError(SessionActorsError, RuntimeError):
    """Raised when a call does not fit the state of the session (not started, closing, closed, other agent)."""


class AudioFormatError(SessionActorsError, ValueError):
    """Raised when audio is empty, truncated, or in a format that cannot be read."""


class VideoFormatError(SessionActorsError, ValueError):
    """Raised when a picture is empty, of another size than it says, or in an unknown format."""


class ToolDefinitionError(SessionActorsError, TypeError):
    """Raised when a function cannot become a tool: unsupported parameter kinds or types."""


class DuplicateToolError(ToolDefinitionError, ValueError):
    """Raised when two tools that a model would be offered together have one name."""


class ToolTimeoutError(SessionActorsError, TimeoutError):
    """Reported when a tool ran longer than its ``timeout``, or nobody approved its call in time."""
