"""What an outbox is made of: operations, collected while a handler runs and carried out when it has returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import OutsideHandler

if TYPE_CHECKING:
    from .cell import Cell

Operation: TypeAlias = "tuple[Cell, object] | tuple[None, tuple[Any, ...]]"
"""A cell and what to tell it: the commonest, carried out without a call. Or a function of ``commit`` and its arguments,
which come after the cell that asks for it."""


class _Closed(list[Operation]):
    """The operations of an outbox outside of its handler: none, and none may be added."""

    def append(self, operation: Operation) -> None:
        raise OutsideHandler(
            "this outbox was used outside of its handler: an effect sends by its port (`await port.send(...)`), "
            "other code tells by a ref"
        )


CLOSED: list[Operation] = _Closed()
