"""How often and how long a plugin tries by itself."""

from __future__ import annotations

from typing import Final

from livekit.agents import APIConnectOptions

PATIENCE: Final = 60.0
"""Seconds that a plugin waits for a connection; a backstop, the session's deadlines come first."""

ONCE: Final = APIConnectOptions(max_retry=0, timeout=PATIENCE)
"""The session asks again, by its own ``conn_options``: two budgets of three would be one of sixteen."""
