"""What becomes of the actors of a session that fail. Used by ``supervisor`` only."""

from __future__ import annotations

from typing import Final

from sessionactors.runtime import ChildSpec, Restart

RESTARTED_ONCE: Final = ChildSpec(Restart.TRANSIENT, keep_state=True, max_restarts=1)
"""For the actors that hold the conversation together: one restart from their last committed state."""
RESTARTED_FREELY: Final = ChildSpec(Restart.TRANSIENT, keep_state=True)
"""For the actors around providers and sinks: as often as the window allows."""
DROP_IN: Final = ChildSpec(Restart.TEMPORARY)
"""A user's own actor that fails is gone; the call goes on."""
