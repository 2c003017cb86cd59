"""Events of the log have stable names that are documented. `make check` keeps the rest of the page true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LOGGED: Final = re.compile(
    r"\b(?:log\.(?:info|warning|error|exception|critical))\(\s*\"([^\"]+)\""  # what a module logs
    r"|\bout\.log\(\s*\"([^\"]+)\"(?![^()]*level=\"debug\")"  # what an actor logs, but at debug
)


def test_every_event_that_is_logged_has_a_name_that_can_be_counted_and_a_line_that_explains_it() -> None:
    explained = {row.split(": ", 1)[0] for row in (ROOT / "docs" / "log-events.rows").read_text().splitlines()}
    sources = [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    logged = {first or second for source in sources for first, second in LOGGED.findall(source)}
    assert len(logged) > 100
    assert {"loop_blocked", "promise_violated", "room_closed"} <= logged
    assert sorted(logged - explained) == [], "say what they mean in docs/log-events.rows, and write the page"
    assert [name for name in sorted(explained) if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
    whole = "".join(sources)
    assert [name for name in sorted(explained) if f'"{name}"' not in whole] == []
