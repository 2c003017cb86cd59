"""The audit of what is pinned sees what is wrong with a lock, and says what it could not look at."""

from __future__ import annotations

import pytest

from tests import dependency_audit

PROJECT = {
    "project": {
        "dependencies": ["structlog>=25"],
        "optional-dependencies": {"x": ["My_Voice[a]>=1,<2; python_version>'3'"]},
    },
    "dependency-groups": {"dev": ["ruff"]},
}
GOOD = """
my-voice[a]==1.4 ; python_version > '3' \\
    --hash=sha256:1
ruff==0.9.1 \\
    --hash=sha256:2
structlog==25.1.0 \\
    --hash=sha256:3
"""


@pytest.mark.parametrize(
    "lock, part, told",
    [
        (GOOD, "ruff==0.9.1 \\\n    --hash=sha256:2\n", []),
        (GOOD.replace("25.1.0", "24.4.0"), "", ["structlog>=25 is asked for, and 24.4.0 is pinned"]),
        (GOOD.replace("ruff==0.9.1 \\\n    --hash=sha256:2\n", ""), "", ["ruff is asked for, and not pinned"]),
        (GOOD.replace("    --hash=sha256:2\n", ""), "", ["ruff 0.9.1 has no hash"]),
        (
            GOOD,
            "ruff==0.9.0 \\\n    --hash=sha256:2\n",
            ["requirements-demo.lock has ruff 0.9.0, requirements.lock has not"],
        ),
    ],
)
def test_what_is_wrong_with_a_lock_is_told(lock: str, part: str, told: list[str]) -> None:
    assert [fault.removesuffix(": make lock") for fault in dependency_audit.faults(PROJECT, lock, part)] == told


def test_an_audit_that_reaches_no_database_says_that_it_was_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dependency_audit, "DATABASE", "127.0.0.1")
    monkeypatch.setattr("socket.create_connection", refuse)
    assert dependency_audit.advisories() == 0
    assert "advisories skipped: no advisory database reachable (127.0.0.1: " in capsys.readouterr().out


def refuse(*_: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")
