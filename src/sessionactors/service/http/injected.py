"""Messages that somebody puts into a mailbox by hand: made from their name and JSON, or refused in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import lru_cache
from typing import get_args, get_type_hints

import pydantic

from sessionactors import messages
from sessionactors.model.errors import OptionError
from sessionactors.runtime import Ref


def message_for(actor: Ref[object], name: str, values: Mapping[str, object]) -> object:
    """A message of that type with these fields, if the actor takes such ones: another would only make it fail.

    Raises:
        OptionError: there is no such type, the actor does not take it, a field is unknown, missing, or no such value;
            or a field holds a live object (a scope, an actor, sound), which JSON cannot name.
    """
    kind = getattr(messages, name, None) if name in messages.__all__ else None
    if not isinstance(kind, type):
        raise OptionError(f"no message type {name!r}; those that can be injected are: {', '.join(injectable())}")
    takes = accepted(type(actor.cell.actor))
    if kind not in takes:
        could = sorted(other for other in injectable() if getattr(messages, other) in takes)
        raise OptionError(f"{actor.path} takes no {name}; what can be injected there: {', '.join(could) or 'nothing'}")
    readers = _readers(kind)
    known = {field.name: field for field in fields(kind)}
    if unknown := values.keys() - known.keys():
        raise OptionError(f"{name} has no field {', '.join(sorted(unknown))}; it has: {', '.join(known)}")
    needed = [one.name for one in known.values() if one.default is MISSING and one.default_factory is MISSING]
    if missing := [one for one in needed if one not in values]:
        raise OptionError(f"{name} needs {', '.join(missing)}")
    try:
        return kind(**{one: readers[one].validate_python(value) for one, value in values.items()})
    except KeyError as live:
        raise OptionError(f"{name}.{live.args[0]} holds a live object, which cannot be given as JSON") from None
    except pydantic.ValidationError as wrong:
        told = wrong.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
        raise OptionError(f"{name} cannot be made of that: {told}") from None


def accepted(actor: type) -> frozenset[object]:
    """The messages that an actor's ``receive`` names. None, if they cannot be found out: then it takes nothing here."""
    try:
        hint = get_type_hints(actor.receive).get("message")  # type: ignore[attr-defined]
    except NameError:
        return frozenset()
    return frozenset(get_args(hint) or (hint,))


@lru_cache
def injectable() -> tuple[str, ...]:
    """The types all of whose needed fields can be given as JSON."""
    return tuple(name for name in sorted(messages.__all__) if _can_be_given(getattr(messages, name)))


def _can_be_given(kind: type) -> bool:
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    return needed <= _readers(kind).keys()


@lru_cache
def _readers(kind: type) -> Mapping[str, pydantic.TypeAdapter[object]]:
    """Who reads each field; none for those of live objects."""
    readers: dict[str, pydantic.TypeAdapter[object]] = {}
    for name, hint in get_type_hints(kind).items():
        try:
            readers[name] = pydantic.TypeAdapter(hint)
        except (pydantic.errors.PydanticSchemaGenerationError, pydantic.errors.PydanticUserError, TypeError):
            continue
    return readers
