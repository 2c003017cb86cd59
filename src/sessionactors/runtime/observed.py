"""Handling messages of a tree that has witnesses: what ``handling.serve`` does at speed, told step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Sized
from typing import TYPE_CHECKING

from . import handling
from .operation import Operation

if TYPE_CHECKING:
    from .cell import Cell
    from .envelope import Envelope


def serve(cell: Cell, waiting: deque[Envelope], left: int, enough: int, control: Sized, posted: Sized) -> int:
    """What :func:`.handling.serve` does with one cell, if its tree has witnesses: the same, in the same order."""
    system = cell.system
    newest = waiting[-1]
    while True:
        envelope = waiting.popleft()
        left -= 1
        began = system.clock.now()
        if not envelope.checked or handling.wanted(cell, envelope, began):
            handle(cell, envelope, began)
        if envelope is newest or not left or control or posted or not waiting or cell.held or began >= enough:
            return left


def handle(cell: Cell, envelope: Envelope, began: int) -> None:
    """Handle and commit one message of a cell whose tree has witnesses."""
    out, system = cell.outbox, cell.system
    ops: list[Operation] = []
    cell.current = envelope
    out.ops, out.now, out.turn = ops, began, envelope.turn
    system.handling = cell
    try:
        state = cell.actor.receive(cell.state, envelope.message, out)
        if state is None and cell.state is not None:
            raise handling.no_state(cell, envelope.message)
    except BaseException as error:
        handling.handler_failed(cell, envelope, error, began)
        return
    handling.handled(cell, envelope, state, began)
