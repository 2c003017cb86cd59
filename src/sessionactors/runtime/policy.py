"""How a type of message travels: its lane, what happens when the lane is full, and whether a closed scope discards it.

Decorate a class with :func:`message` to make it a frozen, slotted dataclass that carries its policy. Any other object
may be sent too; it travels in the data lane and is refused when that is full.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Any, TypeVar, dataclass_transform

from .flight_recorder import type_codes
from .frozen import frozen

T = TypeVar("T")


class Lane(IntEnum):
    """The two lanes of a mailbox. Control is always served before data."""

    CONTROL = 0
    DATA = 1


CONTROL, DATA = Lane.CONTROL, Lane.DATA
"""For what runs at every message: Python 3.11 takes 0.13 us to find a member by ``Lane.DATA``."""


class Overflow(Enum):
    """What a full lane does with a new message."""

    REFUSE = "refuse"
    """The message becomes a dead letter; at the edge the sender gets :class:`~.errors.MailboxFull`."""
    DROP_OLDEST = "drop_oldest"
    """The oldest waiting message of the same type gives way."""
    DROP_NEWEST = "drop_newest"
    """The new message is dropped."""
    CONFLATE = "conflate"
    """A waiting message with the same key is replaced, full or not: only the newest matters."""


@dataclass(frozen=True, slots=True)
class MessagePolicy:
    """The policy of one message type."""

    lane: Lane = Lane.DATA
    overflow: Overflow = Overflow.REFUSE
    limit: int = 0
    """How many messages of this type may wait; 0 means only the lane's own bound counts."""
    key: Callable[[Any], Hashable] | None = None
    """For ``CONFLATE``: messages of this type with equal keys replace each other (None: the type is the key)."""
    fenced: bool = False
    """Discarded at dequeue once its ``scope`` is closed. Messages that are not fenced are always handled."""
    plain: bool = field(init=False, default=True)
    """Whether it goes into the data lane after no more than a look at the depth: the common case, tested first."""
    checked: bool = field(init=False, default=False)
    """Whether something must be looked at when it is taken out."""
    special: bool = field(init=False, default=False)
    """Whether a put needs more than a look at the lane's depth."""
    code: int = field(init=False, default=0, compare=False)
    """The number of the message type in flight recorders."""

    def __post_init__(self) -> None:
        special = self.overflow is Overflow.CONFLATE or self.limit > 0
        object.__setattr__(self, "special", special)
        object.__setattr__(self, "plain", self.lane is Lane.DATA and not special)
        object.__setattr__(self, "checked", self.fenced or self.limit > 0)


DEFAULT_POLICY = MessagePolicy()


class _Policies(dict[type, MessagePolicy]):
    """Policies by message type, each with the type's number: a look-up is one step in C, and a type is made once."""

    def __missing__(self, kind: type) -> MessagePolicy:
        policy = replace(getattr(kind, "__policy__", DEFAULT_POLICY))
        object.__setattr__(policy, "code", type_codes[kind])
        self[kind] = policy
        return policy


policies: Mapping[type, MessagePolicy] = _Policies()
"""The policy of every type of message that was ever sent; ``policies[kind]`` finds any."""


def policy_of(kind: type) -> MessagePolicy:
    """The policy of a message type."""
    return policies[kind]


@dataclass_transform(frozen_default=True)
def message(
    *,
    lane: Lane = Lane.DATA,
    overflow: Overflow = Overflow.REFUSE,
    limit: int = 0,
    key: Callable[[Any], Hashable] | None = None,
    fenced: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Make a class a message: a frozen, slotted dataclass with a policy.

    Args:
        lane: which lane it travels in.
        overflow: what a full lane (or ``limit``) does with it.
        limit: how many of this type may wait in one mailbox; 0 for no bound but the lane's.
        key: with ``CONFLATE``, what must be equal for a newer message to replace a waiting one.
        fenced: discard it at dequeue once ``message.scope`` is closed; the class must have a field ``scope``.

    Raises:
        TypeError: a fenced message without a field ``scope``, or a key without ``CONFLATE``.
    """
    policy = MessagePolicy(lane, overflow, limit, key, fenced)
    if key is not None and overflow is not Overflow.CONFLATE:
        raise TypeError("key is only meaningful with overflow=Overflow.CONFLATE")

    def decorate(cls: type[T]) -> type[T]:
        made = frozen(cls)
        if fenced and "scope" not in made.__dataclass_fields__:  # type: ignore[attr-defined]
            raise TypeError(f"{cls.__name__} is fenced but has no field 'scope'")
        made.__policy__ = policy  # type: ignore[attr-defined]
        return made

    return decorate
