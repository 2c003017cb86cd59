"""Our providers conform: the rigs of each module ``rigs_<whose>.py`` here. ``make conformance`` prints the table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessionactors.testing import conformance

from tests.conformance.our_rigs import MODULES, rigs_of


def _checks() -> Iterator[object]:
    ends_with_its_loop = pytest.mark.leaves_behind("a pool keeps its connections open, each as long as its loop")
    for check in conformance.checks(*(rig for name in MODULES for rig in rigs_of(name))):
        if not check.why_not:
            marks = [ends_with_its_loop] if check.check.name == "serves_two_loops" else []
            yield pytest.param(check, id=str(check), marks=marks)


@pytest.mark.parametrize("check", list(_checks()))
def test_our_provider_conforms(check: conformance.CheckOfRig) -> None:
    check()
