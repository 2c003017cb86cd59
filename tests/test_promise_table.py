"""The table of promises follows the tests."""

from __future__ import annotations

from pathlib import Path

from docs.promise_table import by_promise, with_tests

PAGE = "| promise | says | kept by |\n|---|---|---|\n| P1 | quiet | `test_p01_gone` |\n| P20 | readable | not yet |\n"


def test_a_promise_without_tests_is_not_kept() -> None:
    assert "| P1 | quiet | not yet |" in with_tests(PAGE, {})


def test_a_kept_promise_names_its_tests() -> None:
    assert "| P20 | readable | `test_p20_a`<br>`test_p20_b` |" in with_tests(
        PAGE, {"P20": ["test_p20_a", "test_p20_b"]}
    )


def test_tests_are_found_by_name_in_classes_and_coroutines(tmp_path: Path) -> None:
    source = "async def test_p05_b(): ...\nclass TestX:\n    def test_p05_a(self): ...\ndef test_p5(): ...\n"
    (tmp_path / "test_any.py").write_text(source)
    assert by_promise(tmp_path) == {"P5": ["test_p05_a", "test_p05_b"]}
