"""What follows from a failure: who is restarted, who ends, and when it goes up. The rules are in ``supervision``.

Called by ``handling`` and ``lifecycle`` when something of a cell has raised or ended, on the actor loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from . import lifecycle
from .clock import nanoseconds
from .errors import RestartsExhausted
from .supervision import Restart, Strategy

if TYPE_CHECKING:
    from .cell import Cell

log = structlog.get_logger("sessionactors.runtime")


def on_failure(cell: Cell, error: BaseException) -> None:
    """Decide what becomes of a cell whose handler (or hook, or port) raised, and of its siblings."""
    if cell.stopping:
        return
    parent = cell.parent
    if parent is None or parent.stopping:
        lifecycle.begin_stop(cell, "failed", error)
        return
    spec = cell.spec
    if spec.restart is Restart.TEMPORARY:
        lifecycle.begin_stop(cell, "failed", error)
        return
    supervision = parent.actor.supervision
    now = cell.system.clock.now()
    spent = spec.max_restarts is not None and cell.restarts >= spec.max_restarts
    number = 0 if spent else parent.restart_window().grant(now)
    if number == 0:
        _give_up(parent, cell, error)
        return
    delay = nanoseconds(supervision.backoff.delay(number, cell.tree.random.random()))
    for sibling in _affected(parent, cell, supervision.strategy):
        if sibling is not cell and sibling.spec.restart is Restart.TEMPORARY:
            lifecycle.begin_stop(sibling, "sibling failed", None)
        else:
            lifecycle.restart(sibling, error, delay)


def on_ended(cell: Cell) -> None:
    """A cell has ended by itself: if it was significant, its parent ends too."""
    parent = cell.parent
    if parent is None or parent.stopping:
        return
    if cell.spec.significant:
        lifecycle.begin_stop(parent, f"significant child {cell.name} ended", cell.end_error)


def _affected(parent: Cell, failed: Cell, strategy: Strategy) -> list[Cell]:
    children = list(parent.children.values())
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [failed]
        case Strategy.REST_FOR_ONE:
            return children[children.index(failed) :]
        case Strategy.ONE_FOR_ALL:
            return children


def _give_up(parent: Cell, cell: Cell, error: BaseException) -> None:
    exhausted = RestartsExhausted(f"{cell.path} failed again after {cell.restarts} restart(s): {error!r}")
    exhausted.__cause__ = error
    log.error(
        "restarts_exhausted",
        room=cell.tree.name,
        actor=cell.path,
        message_id=0,
        restarts=cell.restarts,
        error=repr(error),
    )
    heard = lifecycle.watches(parent, cell)
    lifecycle.begin_stop(cell, "failed", exhausted)
    if not heard:  # nobody upstairs handles the end of this child: the failure is the parent's own
        on_failure(parent, exhausted)
