"""Bytes to values. No code of the journal's is run: classes come from a list (:mod:`.allowed`) and get their fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, cast

import msgspec

from sessionactors.model.chat import ChatContext
from sessionactors.model.read_only import ReadOnlyList
from sessionactors.model.sentinel import FLUSH, NOT_GIVEN
from sessionactors.model.timed_string import TimedString
from sessionactors.runtime import Scope

from .allowed import find, find_error, find_type
from .errors import JournalDamaged, JournalError, JournalVersionError
from .recorded import Opaque, RecordedRef, RecordedReply, UserValue
from .stand_ins import KINDS, Facts, StandIn
from .tags import FIRST_CLASS, Defines, Tag

Parts: TypeAlias = list[Any]

LONGEST_NUMBER: Final = 4096
"""Characters."""
MOST_SILENCE: Final = 64 * 1024 * 1024
"""Bytes that the frames of one value which were not captured may have had."""
MOST_ERRORS: Final = 1024
"""Classes of errors that are only known by name."""


class World(Protocol):
    """Where the values of a journal come to live again: what stands for refs, scopes and kept asks there."""

    def ref(self, path: str) -> object:
        """The actor of this path."""

    def scope(self, number: int, path: str, parent: object | None, *, closed: bool) -> object:
        """The scope that had this number: the same one for the same number."""

    def reply(self, message_id: int) -> object:
        """The right to answer the ask that was this message."""


class Reader:
    """A world for those who only read: nothing in it leads anywhere."""

    def __init__(self) -> None:
        self._scopes: dict[int, Scope] = {}

    def ref(self, path: str) -> RecordedRef:
        """Its path."""
        return RecordedRef(path)

    def scope(self, number: int, path: str, parent: object | None, *, closed: bool) -> Scope:
        """A scope of the same path."""
        scope = self._scopes.get(number)
        if scope is None:
            scope = self._scopes[number] = Scope(path, cast("Scope | None", parent))
        if closed:
            scope.close()
        return scope

    def reply(self, message_id: int) -> RecordedReply:
        """The id of the ask."""
        return RecordedReply(message_id)


class Decoder:
    """The values of one journal. Give it all definitions that stand before a value.

    Args:
        world: what stands for refs, scopes and kept asks; one that only reads, if not given.
    """

    def __init__(self, world: World | None = None) -> None:
        self.world: World = Reader() if world is None else world
        self._classes: dict[int, Callable[[Parts], object] | type[Enum] | str] = {}
        self._scopes: dict[int, tuple[str, int]] = {}
        self.lives: dict[int, StandIn] = {}
        """All stand-ins so far, by their numbers."""
        self._errors: dict[str, type[BaseException]] = {}
        self._silence = MOST_SILENCE

    def decode(self, data: bytes | memoryview) -> object:
        """The value of these bytes.

        Raises:
            JournalDamaged: they are not what an encoder writes.
            UnknownClass: they name a class that a journal may not name.
            JournalVersionError: a class has a field here that it had not there.
        """
        return self.guarded(lambda: self.value(_from_bytes(data)))

    def define(self, data: bytes | memoryview) -> None:
        """Take in a definition. It raises what :meth:`decode` does."""
        self.guarded(lambda: self.define_parts(_from_bytes(data)))

    def guarded(self, read: Callable[[], object]) -> object:
        """What ``read`` gives; whatever it raises is a journal's error."""
        self._silence = MOST_SILENCE
        try:
            return read()
        except JournalError:
            raise
        except RecursionError:
            raise JournalDamaged("the journal is damaged: values lie in each other too deep") from None
        except Exception as error:  # whatever odd parts lead to, the journal is what is wrong
            raise JournalDamaged(f"the journal is damaged: {type(error).__name__}: {error}") from error

    # -- definitions -------------------------------------------------------------------------------------------------

    def define_parts(self, parts: Parts) -> None:
        """As :meth:`define`, unpacked."""
        match parts:
            case [Defines.CLASS, int(number), str(name), *names] if number >= FIRST_CLASS:
                self._classes[number] = _maker(name, tuple(names))
            case [Defines.LIVE, int(number), str(kind), str(name), *told] if kind in KINDS:
                facts: Facts = {_string(fact): self.value(value) for fact, value in _pairs(told)}
                self.lives[number] = StandIn.of(number, kind, name, facts)
            case [Defines.SCOPE, int(number), str(path), int(parent)] if not parent or parent in self._scopes:
                self._scopes[number] = (path, parent)
            case _:
                raise JournalDamaged(f"the journal is damaged: it defines {str(parts)[:200]}")

    # -- values ------------------------------------------------------------------------------------------------------

    def value(self, node: object) -> object:
        """As :meth:`decode`, unpacked."""
        if not isinstance(node, list):
            if isinstance(node, dict):
                raise JournalDamaged("the journal is damaged: a map stands where a value should")
            return node
        tag = node[0]
        if not isinstance(tag, int):
            raise JournalDamaged(f"the journal is damaged: a list begins with {str(tag)[:80]}")
        if tag >= FIRST_CLASS:
            make = self._classes.get(tag)
            if not callable(make) or isinstance(make, type):
                raise JournalDamaged(f"the journal is damaged: class {tag} is not defined as one with fields")
            return make([self.value(part) for part in node[1:]])
        return self._tagged(Tag(tag), node[1:])

    def _values(self, parts: Parts) -> list[object]:
        return [self.value(part) for part in parts]

    def _tagged(self, tag: Tag, parts: Parts) -> object:  # noqa: C901, PLR0911, PLR0912  a case for each tag
        match tag:
            case Tag.TUPLE:
                return tuple(self._values(parts))
            case Tag.LIST:
                return self._values(parts)
            case Tag.DICT:
                return {self.value(key): self.value(value) for key, value in _pairs(parts)}
            case Tag.MAPPING:
                return MappingProxyType({self.value(key): self.value(value) for key, value in _pairs(parts)})
            case Tag.SET:
                return set(self._values(parts))
            case Tag.FROZENSET:
                return frozenset(self._values(parts))
            case Tag.READ_ONLY_LIST:
                return ReadOnlyList(self._values(parts[1:]), _string(parts[0]))
            case Tag.CHAT_CONTEXT:
                return ChatContext(cast("list[Any]", self._values(parts)))
            case Tag.ENUM:
                number, value = parts
                enum = self._classes[number]
                if not isinstance(enum, type):
                    raise JournalDamaged(f"the journal is damaged: class {number} is no enum")
                return enum(self.value(value))
            case Tag.LIVE:
                return self.lives[parts[0]]
            case Tag.SCOPE:
                return self._scope(parts[0], closed=bool(parts[1]))
            case Tag.REF:
                return self.world.ref(_string(parts[0]))
            case Tag.REPLY:
                return self.world.reply(int(parts[0]))
            case Tag.EXCEPTION:
                return self._error(*parts)
            case Tag.TYPE:
                name = _string(parts[0])
                return find_type(name) or Opaque(name)
            case Tag.SENTINEL:
                return {repr(NOT_GIVEN): NOT_GIVEN, repr(FLUSH): FLUSH}[parts[0]]
            case Tag.TIMED_STRING:
                return TimedString(*cast("list[Any]", self._values(parts)))
            case Tag.BIG_INT:
                return int(_string(parts[0])[:LONGEST_NUMBER], 16)
            case Tag.ODD_STRING:
                return bytes(parts[0]).decode("utf-8", "surrogatepass")
            case Tag.OPAQUE | Tag.USER_ENUM:
                return Opaque(".".join(map(_string, parts)))
            case Tag.USER_VALUE:
                return UserValue(
                    _string(parts[0]), {_string(name): self.value(value) for name, value in _pairs(parts[1:])}
                )
            case Tag.SILENCED:
                size = int(parts[0])
                self._silence -= size
                if size < 0 or self._silence < 0:
                    raise JournalDamaged(f"the journal is damaged: a frame of {size} bytes")
                return bytes(size)

    def _scope(self, number: int, *, closed: bool) -> object:
        path, within = self._scopes[number]
        parent = None if not within else self._scope(within, closed=False)
        return self.world.scope(number, path, parent, closed=closed)

    def _error_stand_in(self, name: str, base: type[BaseException]) -> type[BaseException]:
        # For an error of a class that is not here: of the nearest class that is, with its own name.
        made = self._errors.get(name)
        if made is None and len(self._errors) < MOST_ERRORS:
            told = name.rpartition(".")[2].rpartition(":")[2] or "Error"
            made = self._errors[name] = type(told, (base,), {"__module__": __name__})
        return base if made is None else made

    def _error(self, names: Parts, text: str, arguments: Parts, attributes: Parts, cause: Parts | None) -> object:
        known = [(name, find_error(name)) for name in map(_string, names[1:])]
        first, base = known[0][0], next(cls for _, cls in known if cls is not None)
        own = known[0][1] is not None
        cls = base if own else self._error_stand_in(first, base)
        given = cast("tuple[object, ...]", self.value(arguments)) if own else (_string(text),)
        made = cls.__new__(cls, *given)
        made.args = given
        for name, value in cast("dict[str, object]", self.value(attributes)).items():
            if name.startswith("_") or not isinstance(name, str):
                raise JournalDamaged(f"the journal is damaged: an error has {name!r}")
            made.__dict__[name] = value
        if cause is not None:
            made.__cause__ = cast("BaseException", self.value(cause))
        return made


def _maker(name: str, names: tuple[str, ...]) -> Callable[[Parts], object] | type[Enum]:
    """What makes a value of a class from its fields."""
    cls = find(name)
    if not is_dataclass(cls):
        return cast("type[Enum]", cls)
    here = {field.name: field for field in fields(cls)}
    given = set(names)
    if unknown := [field for field in names if field not in here]:
        raise JournalVersionError(f"the journal's {name} has fields that it has not in this version: {unknown}")
    added: dict[str, Callable[[], object]] = {}
    for field in here.values():
        if field.name in given:
            continue
        if field.default is not MISSING:
            added[field.name] = partial(_same, field.default)
        elif field.default_factory is not MISSING:
            added[field.name] = field.default_factory
        else:
            raise JournalVersionError(f"the journal's {name} lacks {field.name!r}, which it has in this version")
    put = object.__setattr__

    def make(values: Parts) -> object:
        made = object.__new__(cls)
        for field, value in zip(names, values, strict=True):
            put(made, field, value)
        for field, value_of in added.items():
            put(made, field, value_of())
        return made

    return make


def _same(value: object) -> object:
    return value


def _from_bytes(data: bytes | memoryview) -> Any:
    return msgspec.msgpack.decode(data)


def _pairs(parts: Parts) -> zip[tuple[Any, Any]]:
    return zip(parts[::2], parts[1::2], strict=True)


def _string(part: object) -> str:
    if not isinstance(part, str):
        raise JournalDamaged(f"the journal is damaged: {str(part)[:80]} stands where a name should")
    return part
