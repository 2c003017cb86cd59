"""Keeps the table of docs/promises.md true: a promise counts as kept if tests are named after it.

`python docs/promise_table.py` fails if the table differs from the tests; with `--write` it writes the table.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "promises.md"
ROW: Final = re.compile(r"^\| (?P<promise>P\d+) \| (?P<says>.+?) \| .*\|$", re.MULTILINE)
TEST: Final = re.compile(r"test_p(\d\d)_\w+")


def by_promise(directory: Path) -> dict[str, list[str]]:
    """`P5` to the names of its tests, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in directory.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (match := TEST.fullmatch(node.name)):
                found[f"P{int(match[1])}"].add(node.name)
    return {promise: sorted(names) for promise, names in found.items()}


def with_tests(page: str, tests: dict[str, list[str]]) -> str:
    """The page, its last column rewritten."""

    def row(match: re.Match[str]) -> str:
        names = tests.get(match["promise"])
        cell = "<br>".join(f"`{name}`" for name in names) if names else "not yet"
        return f"| {match['promise']} | {match['says']} | {cell} |"

    return ROW.sub(row, page)


def main() -> int:
    """Checks or writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table instead of checking it")
    page = PAGE.read_text()
    tests = by_promise(ROOT / "tests")
    if unknown := set(tests) - {match["promise"] for match in ROW.finditer(page)}:
        print(f"{PAGE.name} has no row for {', '.join(sorted(unknown))}")
        return 1
    new = with_tests(page, tests)
    if parser.parse_args().write:
        PAGE.write_text(new)
        return 0
    stale = [line for line, now in zip(page.splitlines(), new.splitlines(), strict=True) if line != now]
    if stale:
        rows = ", ".join(line.split("|")[1].strip() for line in stale)
        print(f"docs/promises.md is out of date for {rows}: run `python docs/promise_table.py --write`, look, commit")
        return 1
    print(f"{len(tests)} promises are kept by {sum(map(len, tests.values()))} tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
