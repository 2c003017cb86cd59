"""Frozen, slotted dataclasses that are made in half the time, and replaced in an eighth.

The ``__init__`` of a frozen dataclass finds each slot by its name, through ``object.__setattr__``. Here each slot's own
setter is bound once: a message of one field takes 0.17 us to make instead of 0.39 (0.12 if it were not frozen).

:func:`replace` makes each next state of an actor. That of dataclasses looks at each field in turn and then calls the
``__init__``. Here one function for each class copies the slots, into an object that is not frozen until it is filled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, TypeVar, cast

__all__ = ["frozen", "replace"]

T = TypeVar("T")


class _Factory:
    """As a default: made anew for each object."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()
GENERATED = "<string>"
"""The file, as code objects tell it, of an ``__init__`` that was generated: here or in dataclasses."""


def frozen(cls: type[T]) -> type[T]:
    """Make a class a frozen, slotted dataclass."""
    own_init = "__init__" in cls.__dict__
    made = dataclass(frozen=True, slots=True)(cls)
    if not own_init and not hasattr(made, "__post_init__"):
        init = _init_of(made)
        if init is not None:
            made.__init__ = init  # type: ignore[method-assign]
    return made


def _init_of(cls: type) -> Callable[..., None] | None:
    """What fills the slots; None if there is more to do than that."""
    given: dict[str, object] = {"_FACTORY": _FACTORY}
    positional, named, body = ["self"], ["*"], []
    for field in fields(cls):
        if not _is_slot(cls, field):
            return None
        given[f"_set_{field.name}"] = getattr(cls, field.name).__set__
        (named if field.kw_only else positional).append(_parameter(field, given))
        value = field.name
        if field.default_factory is not MISSING:
            value = f"_make_{field.name}() if {field.name} is _FACTORY else {field.name}"
        body.append(f"    _set_{field.name}(self, {value})\n")
    parameters = [*positional, *named] if len(named) > 1 else positional
    source = f"def __init__({', '.join(parameters)}):\n{''.join(body) or '    pass'}"
    exec(source, given)  # noqa: S102 - names of fields only, as in dataclasses
    made = cast("Callable[..., None]", given["__init__"])
    old = cls.__dict__["__init__"]
    made.__qualname__, made.__annotations__, made.__module__ = old.__qualname__, old.__annotations__, cls.__module__
    return made


def _parameter(field: Field[Any], given: dict[str, object]) -> str:
    if field.default_factory is not MISSING:
        given[f"_make_{field.name}"] = field.default_factory
        return f"{field.name}=_FACTORY"
    if field.default is not MISSING:
        given[f"_default_{field.name}"] = field.default
        return f"{field.name}=_default_{field.name}"
    return field.name


if TYPE_CHECKING:
    from dataclasses import replace  # by this name mypy knows which changes fit
else:

    def replace(old, /, **changes):  # noqa: ANN001, ANN003, ANN201 - as dataclasses.replace, see above
        """The same object but for these fields, as :func:`dataclasses.replace` makes it, in less time.

        Raises:
            TypeError: there is no such field.
        """
        cls = type(old)
        try:
            copy = _COPIES[cls]
        except KeyError:
            copy = _COPIES[cls] = _copy_of(cls)
        if copy is None:
            return dataclasses.replace(old, **changes)
        new = copy(old)
        try:
            for name, value in changes.items():
                setattr(new, name, value)
        except AttributeError:
            raise TypeError(f"{cls.__name__} has no field {name!r}") from None
        new.__class__ = cls
        return new


_COPIES: dict[type, Callable[[Any], Any] | None] = {}
"""By class: makes a copy that is of the class's unfrozen child; None where dataclasses must do it."""


def _is_slot(cls: type, field: Field[Any]) -> bool:
    return field.init and isinstance(getattr(cls, field.name, None), MemberDescriptorType)


def _copy_of(cls: type) -> Callable[[Any], Any] | None:
    """What copies the slots; None if making an object of this class is more than that."""
    init = getattr(cls, "__init__", None)
    plain = (
        dataclasses.is_dataclass(cls)
        and not hasattr(cls, "__post_init__")
        and getattr(getattr(init, "__code__", None), "co_filename", "") == GENERATED
        and all(_is_slot(cls, field) for field in fields(cls))
    )
    if not plain:
        return None
    # Both of them: they are one slot in C, and only when neither is Python does an assignment go straight to its place.
    settable = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    open_cls = type(cls)(cls.__name__, (cls,), settable)
    given: dict[str, object] = {"_new": object.__new__, "_open": open_cls}
    body = "".join(f"    new.{field.name} = old.{field.name}\n" for field in fields(cls))
    exec(f"def copy(old):\n    new = _new(_open)\n{body}    return new\n", given)  # noqa: S102 - names of fields
    return cast("Callable[[Any], Any]", given["copy"])
