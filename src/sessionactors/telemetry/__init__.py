"""Telemetry: what sessions came to, as metrics, traces and reports.

:class:`Telemetry` is what users give their sessions to. What is computed (:mod:`.account`, :mod:`.sums`) knows nothing
of who exports it: inspectors read the same numbers. Prometheus and OpenTelemetry are imported when they are used.
"""

from __future__ import annotations

from .report import SessionReport
from .telemetry import Telemetry

__all__ = ["SessionReport", "Telemetry"]
