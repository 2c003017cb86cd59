"""Our providers conform: the rigs of each module ``rigs_<whose>.py`` here. ``make conformance`` prints the table."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionactors.testing import conformance

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("rigs_*.py"))


def _rigs() -> Iterator[conformance.Rig[Any]]:
    """What can be checked here: a module whose vendor is not installed does not import, and is left out."""
    for name in MODULES:
        try:
            module = importlib.import_module(f"tests.conformance.{name}")
        except ImportError as error:
            if (error.name or "").startswith(("sessionactors.", "tests.")) and error.__cause__ is None:
                raise
            continue
        yield from (rig for rig in module.RIGS if rig.name not in getattr(module, "LONG", ()))


def _checks() -> Iterator[object]:
    ends_with_its_loop = pytest.mark.leaves_behind("a pool keeps its connections open, each as long as its loop")
    for check in conformance.checks(*_rigs()):
        if not check.why_not:
            marks = [ends_with_its_loop] if check.check.name == "serves_two_loops" else []
            yield pytest.param(check, id=str(check), marks=marks)


@pytest.mark.parametrize("check", list(_checks()))
def test_our_provider_conforms(check: conformance.CheckOfRig) -> None:
    check()
