"""Messages are frozen dataclasses whose ``__init__`` is our own: whoever makes one must not notice."""

from __future__ import annotations

import copy
import inspect
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from sessionactors.runtime import message


@message()
class Order:
    what: str
    count: int = 1
    notes: list[str] = field(default_factory=list)
    urgent: bool = field(default=False, kw_only=True)


@message()
class Nothing:
    """No fields."""


@message()
class Checked:
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("negative")


@message()
class Derived:
    count: int
    twice: int = field(init=False, default=2)


@message()
class Own:
    count: int

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "count", int(text))


@dataclass(frozen=True, slots=True)
class _Base:
    what: str


@message()
class Grown(_Base):
    count: int = 0


def test_a_message_takes_what_its_dataclass_would_take() -> None:
    assert str(inspect.signature(Order)) == (
        "(what: 'str', count: 'int' = 1, notes: 'list[str]' = <factory>, *, urgent: 'bool' = False) -> None"
    )
    assert repr(Order("tea", urgent=True)) == "Order(what='tea', count=1, notes=[], urgent=True)"
    assert Order("tea", 2, ["hot"]) == Order(what="tea", count=2, notes=["hot"])
    assert Nothing() == Nothing()
    assert Grown("tea", 2) == Grown(count=2, what="tea")


def test_each_message_has_a_default_of_its_own() -> None:
    assert Order("tea").notes is not Order("tea").notes


def test_a_message_can_be_replaced_and_copied_but_not_changed() -> None:
    order = replace(Order("tea"), count=3)
    assert copy.deepcopy(order) == order == Order("tea", 3)
    with pytest.raises(FrozenInstanceError):
        order.count = 4  # type: ignore[misc]


@pytest.mark.parametrize("arguments", [(), ("tea", 1, [], True)])
def test_wrong_arguments_are_refused_by_name(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match=r"Order\.__init__\(\)"):
        Order(*arguments)  # type: ignore[arg-type]


def test_what_is_more_than_filling_slots_still_happens() -> None:
    with pytest.raises(ValueError, match="negative"):
        Checked(-1)
    assert Derived(1).twice == 2
    assert Own("7").count == 7
