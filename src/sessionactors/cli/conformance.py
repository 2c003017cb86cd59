"""``sessionactors conformance``: which of the checks the providers of some modules pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, TypeAlias

from sessionactors.testing.conformance import Rig

from .loading import NotLoaded, load_module

AnyRig: TypeAlias = "Rig[Any]"


def find_rigs(name: str) -> list[AnyRig]:
    """The rigs of a module, or the one (or list of them) that is named behind a colon.

    Args:
        name: ``path.py``, ``package.module``, or either with ``:NAME``.

    Raises:
        NotLoaded: the module does not import, or has no such rig; says which there are.
    """
    module_name, colon, attribute = name.rpartition(":")
    if not colon or "/" in attribute or "\\" in attribute:  # a drive letter is no module
        module_name, attribute = name, ""
    module = load_module(module_name)
    there_are = {key: rigs for key, value in vars(module).items() if (rigs := _rigs(value))}
    if not attribute:
        if not there_are:
            raise NotLoaded(
                f"{name} has no rigs: make an LLMRig, STTRig, ... of sessionactors.testing.conformance in it"
            )
        return list({id(rig): rig for rigs in there_are.values() for rig in rigs}.values())
    if attribute not in there_are:
        raise NotLoaded(_what_it_is(module, attribute, sorted(there_are)))
    return there_are[attribute]


def _rigs(value: object) -> list[AnyRig]:
    return list(_each(value))


def _each(value: object) -> Iterator[AnyRig]:
    if isinstance(value, Rig):
        yield value
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            if isinstance(item, Rig):
                yield item


def _what_it_is(module: ModuleType, attribute: str, there_are: Sequence[str]) -> str:
    its = f"its rigs are {', '.join(there_are)}" if there_are else "it has no rigs"
    if not hasattr(module, attribute):
        return f"{module.__name__} has no {attribute}; {its}"
    return f"{module.__name__}: {attribute} is no rig, but {getattr(module, attribute)!r}; {its}"
