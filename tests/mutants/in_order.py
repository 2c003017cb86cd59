"""A pytest plugin for ``orders.py --thorough``: scenarios ignore their seeds, and are played as in production."""

from __future__ import annotations

import pytest

from sessionactors.testing import Scenario


@pytest.fixture(autouse=True)
def _in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Scenario.play
    monkeypatch.setattr(Scenario, "play", lambda self, schedule=None: play(self))
