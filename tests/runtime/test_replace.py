"""`runtime.frozen.replace` makes what `dataclasses.replace` makes: the next state of every actor comes from it."""

from __future__ import annotations

import dataclasses
from dataclasses import FrozenInstanceError, InitVar, dataclass, field
from typing import Generic, TypeVar

import pytest

from sessionactors.runtime import message
from sessionactors.runtime.frozen import replace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    open: bool = False
    waiting: tuple[str, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)
    hidden: int = field(default=0, repr=False, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Grown(State):
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Box(Generic[T]):
    content: T


@message()
class Told:
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("negative")


@dataclass(frozen=True, slots=True)
class Derived:
    count: int
    twice: int = field(init=False, default=2)


@dataclass(frozen=True, slots=True)
class Counted:
    count: int

    def __init__(self, count: int) -> None:
        object.__setattr__(self, "count", count + 1)


@dataclass(frozen=True)
class Spacious:
    count: int


@dataclass(frozen=True, slots=True)
class Given:
    count: int
    by: InitVar[int] = 1

    def __post_init__(self, by: int) -> None:
        object.__setattr__(self, "count", self.count * by)


def test_only_the_named_fields_change() -> None:
    old = State(open=False, waiting=("a",), notes={"a": 1}, hidden=3)
    new = replace(old, open=True)
    assert new == State(open=True, waiting=("a",), notes={"a": 1})
    assert (new.hidden, new.notes is old.notes) == (3, True)
    assert old == State(open=False, waiting=("a",), notes={"a": 1})
    assert replace(old) == old
    assert replace(old) is not old


def test_what_it_makes_is_of_the_class_and_as_frozen() -> None:
    for old in (State(), Grown(), Told("a"), Box(1)):
        new = replace(old)
        assert type(new) is type(old)
        assert (hash(type(new)), repr(new)) == (hash(type(old)), repr(old))
        with pytest.raises(FrozenInstanceError):
            setattr(new, dataclasses.fields(new)[0].name, None)


def test_fields_of_base_classes_are_kept_too() -> None:
    assert replace(Grown(open=True, depth=1), depth=2) == Grown(open=True, depth=2)
    assert replace(Box("a"), content="b") == Box("b")
    assert replace(Told("a"), text="b") == Told("b")


def test_a_field_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match="State has no field 'opne'"):
        replace(State(), opne=True)  # type: ignore[call-arg]


def test_a_class_that_does_more_when_it_is_made_does_it_again() -> None:
    with pytest.raises(ValueError, match="negative"):
        replace(Checked(1), count=-1)
    assert replace(Counted(1), count=5).count == 6
    assert replace(Spacious(1), count=2) == Spacious(2)
    assert replace(Derived(1), count=2) == Derived(2)
    with pytest.raises((TypeError, ValueError), match="twice"):
        replace(Derived(1), twice=3)
    assert replace(Given(2), count=3, by=2).count == 6
