"""Frozen, slotted dataclasses that are made in half the time.

The ``__init__`` of a frozen dataclass finds each slot by its name, through ``object.__setattr__``. Here each slot's own
setter is bound once: a message of one field takes 0.17 us to make instead of 0.39 (0.12 if it were not frozen).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from types import MemberDescriptorType
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _Factory:
    """As a default: made anew for each object."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


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
        slot = getattr(cls, field.name)
        if not isinstance(slot, MemberDescriptorType) or not field.init:
            return None
        given[f"_set_{field.name}"] = slot.__set__
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
