"""Rooms that are observed: each session that a factory describes is given to the supervisor's telemetry."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import cast

from sessionactors.session.observing import SessionTelemetry

from .session_spec import SessionFactory, SessionSpec


def observed(session_for: SessionFactory, telemetry: SessionTelemetry | None) -> SessionFactory:
    """The factory, its sessions observed; where a spec names somebody else, they are observed by those."""
    if telemetry is None:
        return session_for

    async def observed_session_for(room: str) -> SessionSpec:
        made = session_for(room)
        spec: object = await made if inspect.isawaitable(made) else made
        if isinstance(spec, SessionSpec) and spec.telemetry is None:
            return replace(spec, telemetry=telemetry)
        return cast("SessionSpec", spec)  # what is none is refused by who asked for it

    return observed_session_for
