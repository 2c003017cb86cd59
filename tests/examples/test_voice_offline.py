"""The offline voice agent, typed to: its voice has no loudspeaker here, so its answers are shown."""

from __future__ import annotations

import pytest

from sessionactors.cli import end_of_input
from sessionactors.cli.console import talk

from examples import voice_offline
from tests.cli.terminal import Printed, typed


async def test_greets_and_uses_its_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_of_input, "QUIET", 0.3)
    out = Printed()
    with typed("where is my order number seven") as stdin:
        await talk(voice_offline.entrypoint, stdin=stdin, stdout=out)
    assert "agent: Order 7 is on its way." in out.lines
    assert 'tool: order_status({"order": 7}) -> Order 7 is on its way.' in out.lines
