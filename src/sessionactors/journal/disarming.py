"""What a handler asked for, with nothing in it that would leave the tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from sessionactors.runtime import EffectPort, Ref, Scope, commit
from sessionactors.runtime.effect import Inlet

from .still_system import StillEffect

if TYPE_CHECKING:
    from sessionactors.runtime import Overflow
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.operation import Operation

    from .replay_world import ReplayWorld

QUIET = (commit.subscribe, commit.log, commit.foreign_tell)
"""What comes of these is in the journal, or matters to nobody."""
ABOUT_OTHERS = (commit.watch, commit.stop)
"""Of an actor that may be in another tree."""


def disarm(ops: list[Operation], world: ReplayWorld, port: Callable[..., None]) -> list[Operation]:
    """Replace what would leave the tree, and make known what is opened and started.

    Args:
        ops: of one handler, in place.
        world: where recorded values live.
        port: in place of a port: gets the cell, the port and its arguments.

    Returns:
        What they were.
    """
    asked = list(ops)
    for index, (target, what) in enumerate(ops):
        if target is not None:
            continue
        call, *rest = cast("tuple[Any, ...]", what)
        if call is commit.open_scope:
            world.opened(cast("Scope", rest[0]))
        elif call is commit.spawn:
            child = cast("Cell", rest[0])
            world.cells[child.path] = child
        elif call is commit.effect:
            ops[index] = (None, (_still_effect, *rest))
        elif call is commit.port:
            ops[index] = (None, (port, *rest))
        elif call in QUIET or (call in ABOUT_OTHERS and not isinstance(rest[0], Ref)):
            ops[index] = (None, (_nothing,))
    return asked


def _nothing(cell: Cell) -> None:
    """In place of what leaves the tree."""


def _still_effect(
    cell: Cell,
    key: str,
    run: Callable[[EffectPort[object]], Any],
    done: Callable[[object], object] | None,
    failed: Callable[[BaseException], object],
    deadline: int | None,
    window: int,
    _user_loop: bool,
    inlet: int,
    overflow: Overflow,
) -> None:
    begun = StillEffect(
        cell,
        key,
        run,
        done=done,
        failed=failed,
        deadline=deadline,
        window=window,
        home=cast("Any", None),
        context=None,
        inlet=Inlet(inlet, overflow),
        cause=cell.cause_id,
        turn=cell.outbox.turn,
    )
    commit.begin_effect(cell, begun)
