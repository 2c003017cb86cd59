"""What the clock, the end of a coroutine or a caller did to a cell, done again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.runtime import failure, lifecycle, outside
from sessionactors.runtime.witness import Happening

from .records import Happened

if TYPE_CHECKING:
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.effect import Effect


def let_happen(cell: Cell, record: Happened, effect: Effect | None) -> bool:
    """Do it; False if it is about an effect that the cell does not have."""
    match record.what:
        case Happening.CLOSING:
            cell.tree.closing = True
            lifecycle.begin_stop(cell, "closed", None)
        case Happening.ABANDONED:
            lifecycle.abandon(cell)
        case Happening.CHILDREN_ABANDONED:
            lifecycle.abandon_children(cell)
        case Happening.RESTART_DUE:
            lifecycle.reincarnate(cell)
        case Happening.EFFECT_ENDED if effect is not None:
            outside.effect_over(cell, effect)
            if cell.stopping:
                lifecycle.maybe_finish(cell)
        case Happening.EFFECT_EXPIRED if effect is not None:
            outside.cancel_effect(cell, effect.key, report=False)
        case Happening.REPORT_FAILED:
            failure.on_failure(cell, RuntimeError("the report of an effect failed"))
        case Happening.EFFECT_ENDED | Happening.EFFECT_EXPIRED:
            return False
    return True


def effect_of(cell: Cell, named: tuple[str, int]) -> Effect | None:
    """The effect of this key that the message of this id started."""
    key, cause = named
    running = cell.effects.get(key)
    if running is not None and running.cause == cause:
        return running
    ending = (effect for effect in cell.ending_effects if effect.key == key and effect.cause == cause)
    return next(ending, None)
