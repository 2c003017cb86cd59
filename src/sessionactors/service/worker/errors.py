"""What goes wrong between a worker and a server.

::

    SessionActorsError
    └── AssignmentTimeoutError    a job that was accepted did not come
"""

from __future__ import annotations

from sessionactors.model.errors import SessionActorsError


class AssignmentTimeoutError(SessionActorsError, TimeoutError):
    """Raised by :meth:`JobRequest.accept` when the server does not give the job after all. Its slot is free again."""
