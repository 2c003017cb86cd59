"""The rigs of our providers: of each module ``rigs_<whose>.py`` here."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, TypeAlias

from sessionactors.testing import conformance

AnyRig: TypeAlias = "conformance.RequestRig[Any]"
MODULES = sorted(path.stem for path in Path(__file__).parent.glob("rigs_*.py"))

VENDORS = ("rigs_deepgram", "rigs_elevenlabs", "rigs_openai", "rigs_openai_realtime")
"""Modules of those that have a server of their own."""


def rigs_of(name: str) -> list[conformance.Rig[Any]]:
    """What can be checked here: a module whose vendor is not installed does not import, and is left out."""
    try:
        module = importlib.import_module(f"tests.conformance.{name}")
    except ImportError as error:
        if (error.name or "").startswith(("sessionactors.", "tests.")) and error.__cause__ is None:
            raise
        return []
    return [rig for rig in module.RIGS if rig.name not in getattr(module, "LONG", ())]


def vendors(kind: type[AnyRig]) -> list[AnyRig]:
    """The rigs of a kind that have a server of their own."""
    return [rig for name in VENDORS for rig in rigs_of(name) if isinstance(rig, kind)]
