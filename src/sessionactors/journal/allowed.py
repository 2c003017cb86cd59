"""Which classes a journal may name. Reading one imports nothing but modules of ours, and calls none of their code.

A value is made by filling the fields of an empty object; so a class must be a dataclass, an enum or an exception, and
defined (not just imported) in one of the packages here.
"""

from __future__ import annotations

import asyncio
import builtins
import dataclasses
import importlib
import pkgutil
from enum import Enum
from functools import cache
from typing import Final

from .errors import UnknownClass

PACKAGES: Final = (
    "sessionactors.runtime",
    "sessionactors.model",
    "sessionactors.interfaces",
    "sessionactors.messages",
    "sessionactors.actors",
)
"""What messages and states are made of."""
RECORDS: Final = "sessionactors.journal.records"
"""What a journal says about itself."""
_BEGINNINGS: Final = (*(f"{package}." for package in PACKAGES), RECORDS)
_FOREIGN_ERRORS: Final = frozenset({asyncio.CancelledError, asyncio.InvalidStateError, asyncio.IncompleteReadError})


def name_of(cls: type) -> str:
    """The name by which a journal knows a class: ``module:Class``."""
    return f"{cls.__module__}:{cls.__qualname__}"


def is_allowed(cls: type) -> bool:
    """Whether values of this class may be made by reading a journal."""
    return cls.__module__.startswith(_BEGINNINGS) and (dataclasses.is_dataclass(cls) or issubclass(cls, Enum))


def is_allowed_error(cls: type) -> bool:
    """Whether an exception of this class may be made by reading a journal."""
    if not issubclass(cls, BaseException):
        return False
    if cls.__module__ == "builtins" or cls in _FOREIGN_ERRORS:
        return True
    return cls.__module__.startswith(_BEGINNINGS)


@cache
def modules() -> frozenset[str]:
    """Names of the modules in which allowed classes are defined."""
    names = {RECORDS}
    for package in PACKAGES:
        found = importlib.import_module(package)
        names |= {info.name for info in pkgutil.walk_packages(found.__path__, f"{package}.")}
    return frozenset(names)


@cache
def find(name: str) -> type:
    """The allowed class of this name.

    Raises:
        UnknownClass: there is none, or it is none that a journal may name.
    """
    cls = _class_of(name)
    if cls is None or not is_allowed(cls):
        raise UnknownClass(
            f"the journal names {name!r}, which is none of the dataclasses and enums in {', '.join(PACKAGES)}: "
            "it was recorded by another version, or made by hand"
        )
    return cls


@cache
def find_error(name: str) -> type[BaseException] | None:
    """The allowed exception of this name, if there is one."""
    module, _, qualname = name.partition(":")
    if module == "builtins":
        found: object = getattr(builtins, qualname, None)
    else:
        found = next((cls for cls in _FOREIGN_ERRORS if name_of(cls) == name), None) or _class_of(name)
    return found if isinstance(found, type) and is_allowed_error(found) else None


def find_type(name: str) -> type | None:
    """The class of ours that has this name, to be compared and not to be made; None if there is none."""
    return _class_of(name)


def _class_of(name: str) -> type | None:
    module, _, qualname = name.partition(":")
    if module not in modules():
        return None
    found: object = importlib.import_module(module)
    for part in qualname.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
        if found is None:
            return None
    return found if isinstance(found, type) and found.__module__ == module else None
