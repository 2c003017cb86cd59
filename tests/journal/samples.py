"""A value of every class that a journal may hold, made from its annotations."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import types
import typing
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from functools import cache, partial
from types import MappingProxyType
from typing import Any

from sessionactors.interfaces.transport import Transport
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.journal import stand_ins
from sessionactors.journal.allowed import is_allowed, modules, name_of
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIStatusError
from sessionactors.model.sentinel import FLUSH, NOT_GIVEN, FlushSentinel, NotGiven
from sessionactors.runtime import Ref, ReplyTo, Scope

LEFT_OUT = {"Wiring", "EarRefs"}
"""Neither sent nor kept in a state: refs by role, filled in by the supervisor."""


class _Cell:
    def __init__(self, path: str) -> None:
        self.path = path
        self.actor_urn = path
        self.actor_inbox = self.actor_stopped = None


def ref(path: str) -> Ref[object]:
    """A ref of which only the path matters."""
    return Ref(_Cell(path))  # type: ignore[arg-type]


def classes() -> list[type]:
    """All dataclasses and enums that a journal may name, in the order of their names."""
    found = set()
    for name in modules():
        for thing in vars(importlib.import_module(name)).values():
            if isinstance(thing, type) and is_allowed(thing) and thing.__module__ == name:
                found.add(thing)
    return sorted((cls for cls in found if cls.__name__ not in LEFT_OUT), key=name_of)


_NAMES: dict[str, object] = {}


def _names() -> dict[str, object]:
    if not _NAMES:
        for name in sorted(modules()):
            _NAMES.update(_of_module(name))
    return _NAMES


@cache
def _of_module(name: str) -> dict[str, object]:
    """Its names; an alias that is written as a string can be joined by ``|`` then."""
    return {
        key: typing.ForwardRef(value)
        if isinstance(value, str) and "[" in value and key[:1].isupper() and not key.isupper()
        else value
        for key, value in vars(importlib.import_module(name)).items()
    }


@cache
def _hints(cls: type) -> dict[str, object]:
    return typing.get_type_hints(cls, {**_names(), **_of_module(cls.__module__)})


class Samples:
    """Makes values; each live thing is made once."""

    def __init__(self) -> None:
        self._live: dict[str, object] = {}

    def of(self, kind: Any, depth: int = 0) -> Any:  # noqa: C901, PLR0911  a case for each kind of annotation
        """A value for an annotation."""
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if kind in (None, type(None)):
            return None
        if origin in (typing.Union, types.UnionType):
            return self.of(args[0] if depth < 3 or type(None) not in args else None, depth)
        if origin is typing.Literal:
            return args[0]
        if origin is tuple:
            if args[1:] == (...,):
                return (self.of(args[0], depth + 1),) if depth < 3 else ()
            return tuple(self.of(arg, depth + 1) for arg in args)
        if origin in (list, frozenset, set):
            return origin([self.of(args[0], depth + 1)])
        if origin in (Sequence, Collection):
            return (self.of(args[0], depth + 1),)
        if origin in (Mapping, dict, MappingProxyType):
            made = {self.of(args[0], depth + 1): self.of(args[1], depth + 1)}
            return MappingProxyType(made) if origin is MappingProxyType else made
        if origin in (Callable, Awaitable) or kind is Callable:
            return self._once("callable", lambda: lambda: None)
        if origin in (AsyncIterable, AsyncIterator):
            return self._once("stream", self._stream)
        if origin is type or kind is type:
            return APIStatusError
        if origin is not None:
            return self.of(origin, depth)
        if isinstance(kind, typing.ForwardRef | str):
            return "json"
        assert isinstance(kind, type), kind
        return self._of_class(kind, depth)

    def _of_class(self, kind: type, depth: int) -> object:  # noqa: PLR0911  as above
        plain: dict[type, object] = {
            str: "wört", int: -7, float: 1.5, bool: True, bytes: b"\0\1" * 8, object: 3, NotGiven: NOT_GIVEN,
            FlushSentinel: FLUSH,
        }  # fmt: skip
        if kind in plain:
            return plain[kind]
        if kind is Scope:
            return self._once("scope", lambda: Scope("a/b", Scope("a")))
        if issubclass(kind, Ref):
            return ref("room/actor")
        if kind is ReplyTo:
            return ReplyTo(None, 9)  # type: ignore[arg-type]
        if issubclass(kind, BaseException):
            return APIStatusError("no", status_code=503, request_id="r", body={"why": "busy"})
        if issubclass(kind, enum.Enum):
            return next(iter(kind))
        if kind is ChatContext:
            return ChatContext()
        for name, interface in stand_ins.INTERFACES.items():
            if kind is interface:
                return self._once(name, partial(_made_up, interface))
        if dataclasses.is_dataclass(kind):
            return self.instance(kind, depth)
        if typing.is_typeddict(kind):
            return {}
        return self._once(kind.__name__, lambda: lambda: None)  # a protocol

    def instance(self, cls: type, depth: int = 0) -> object:
        """A value of a dataclass, filled without its checks."""
        hints = _hints(cls)
        made: object = object.__new__(cls)
        for field in dataclasses.fields(cls):
            object.__setattr__(made, field.name, self.of(hints[field.name], depth + 1))
        return made

    def _once(self, name: str, make: Callable[[], object]) -> object:
        if name not in self._live:
            self._live[name] = make()
        return self._live[name]

    @staticmethod
    async def _stream() -> AsyncIterator[str]:
        yield ""


def _made_up(interface: type) -> object:
    body: dict[str, object] = dict.fromkeys(getattr(interface, "__abstractmethods__", ()), "made up")
    if interface is UserAgent:
        body |= {"tools": (), "initial_items": ()}
    if interface is Transport:
        body |= {"audio_sink": None}
    return type(f"My{interface.__name__}", (interface,), body)()
