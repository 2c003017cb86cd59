"""A list that can be read like any other and not be changed: what the session hands out, and what its items hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, TypeVar

T = TypeVar("T")


class ReadOnlyList(list[T]):
    """A list of which every mutator raises. Equal to a list of the same items; ``list(it)`` is an ordinary copy.

    Args:
        items: what it holds.
        advice: what to do instead of changing it; part of the error's text.
    """

    __slots__ = ("_advice",)

    def __init__(self, items: Iterable[T] = (), advice: str = "make a list of it and change that") -> None:
        super().__init__(items)
        self._advice = advice

    @property
    def advice(self) -> str:
        """What to do instead of changing it."""
        return self._advice

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"this list is read-only: {self._advice}")

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def copy(self) -> list[T]:
        """An ordinary list of the same items."""
        return list(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, object]) -> ReadOnlyList[T]:
        return self  # what it holds is immutable too

    def __reduce__(self) -> tuple[type[ReadOnlyList[T]], tuple[list[T], str]]:
        return type(self), (list(self), self._advice)
