"""What an outbox is made of: operations, collected while a handler runs and carried out when it has returned."""

from __future__ import annotations

from typing import TypeAlias

from .errors import OutsideHandler

Operation: TypeAlias = tuple[object, ...]
"""A function of ``commit`` and its arguments; or :data:`TELL`, a ref and a message."""

TELL = None
"""Marks the commonest operation, so that carrying it out needs no call."""


class _Closed(list[Operation]):
    """The operations of an outbox outside of its handler: none, and none may be added."""

    def append(self, operation: Operation) -> None:
        raise OutsideHandler(
            "this outbox was used outside of its handler: an effect sends by its port (`await port.send(...)`), "
            "other code tells by a ref"
        )


CLOSED: list[Operation] = _Closed()
