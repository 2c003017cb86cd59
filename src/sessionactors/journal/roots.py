"""What the root actor of a session was made of, and making it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from sessionactors.actors.supervisor import Supervisor
from sessionactors.actors.wiring import Components, Wiring
from sessionactors.runtime import Actor

from .errors import JournalDamaged
from .outsiders import Outsider
from .stand_ins import CallableStandIn, StandIn


def _not_there(name: str) -> CallableStandIn:
    return cast("CallableStandIn", StandIn.of(0, CallableStandIn.kind, f"session:{name}", {}))


def root_of(given: object) -> Callable[[], Actor[Any, Any]]:
    """What makes the root actor of a recorded session.

    Raises:
        JournalDamaged: the journal is none of a session.
    """
    match given:
        case {"components": Components() as components, "guarded": bool(guarded)}:
            pass
        case _:
            raise JournalDamaged("the journal is none of a session: it does not say what its root actor was given")

    outsider = cast("Callable[[], Actor[object, object]]", Outsider)
    drop_ins = tuple(replace(part, make=outsider) for part in components.drop_ins)

    def make() -> Actor[Any, Any]:
        wiring = Wiring(replace(components, drop_ins=drop_ins))
        if guarded:
            wiring.guard_silence = _not_there("guard_silence")
            wiring.release_guard = _not_there("release_guard")
        return Supervisor(wiring, _not_there("finish"))

    return make
