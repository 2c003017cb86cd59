"""Keeps docs/log-events.md true: every event that is logged at info and above, with its level, logger and fields.

What an event means stands in docs/log-events.rows, one line each; names are stable, for who counts or greps them.
`python docs/log_events.py` fails if an event has no meaning there, if one there is never logged, or if the page
differs; with `--write` it writes the page.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "log-events.md"
ROWS: Final = ROOT / "docs" / "log-events.rows"
LEVELS: Final = {"info": "info", "warning": "warning", "error": "error", "exception": "error", "critical": "critical"}
PLACES: Final = ("room", "actor", "message_id", "exc_info")
"""Fields of nearly every line: said once, above the table."""
HEAD: Final = """# Events of the log

What sessionactors logs at `info` and above. Every line is an event with a **stable name** and fields (structlog): count
names, never words. A name that changes is in the changelog. Lines about a session have `room`, `actor` (a path) and
`message_id` (the delivery, as taps and traces show it); the logger says which part speaks. Those fields are left out
below. What is logged at `debug` is not listed, and may change.

`python docs/log_events.py` keeps this page true: it reads the calls in the code.

| event | level | logger | fields | says |
|---|---|---|---|---|
"""


@dataclass
class Event:
    """One event, over all places that log it."""

    name: str
    levels: set[str] = field(default_factory=set)
    loggers: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def events() -> dict[str, Event]:
    """By name, as the code has them."""
    found: dict[str, Event] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        logger = next(_loggers(tree), "sessionactors.actor")
        for name, level, fields in _calls(tree):
            event = found.setdefault(name, Event(name))
            event.levels.add(level)
            event.loggers.add(logger.removeprefix("sessionactors."))
            event.fields |= fields - set(PLACES)
    return dict(sorted(found.items()))


def _loggers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) == "get_logger" and node.args:
            (name, *_) = node.args
            if isinstance(name, ast.Constant):
                yield str(name.value)


def _calls(tree: ast.AST) -> Iterator[tuple[str, str, set[str]]]:
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        name, fields = str(node.args[0].value), {keyword.arg or "**" for keyword in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id in aliases:
            for level in aliases[node.func.id]:
                yield name, level, fields - {"**"}
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            whom, method = node.func.value.id, node.func.attr
            if whom == "log" and method in LEVELS:
                yield name, LEVELS[method], fields - {"**"}
            elif whom == "out" and method == "log":  # an actor's: the kernel writes it
                given = [keyword.value for keyword in node.keywords if keyword.arg == "level"]
                words = {
                    str(part.value) for value in given for part in ast.walk(value) if isinstance(part, ast.Constant)
                }
                for level in words & LEVELS.keys() if given else {"info"}:
                    yield name, LEVELS[level], fields - {"**", "level"}


def _aliases(tree: ast.AST) -> dict[str, set[str]]:
    """Names that stand for a method of the log: ``write = log.info if ... else log.warning``."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.IfExp):
            methods = {_method(node.value.body), _method(node.value.orelse)}
            if "" not in methods:
                found[node.targets[0].id] = {LEVELS[method] for method in methods}
    return found


def _method(node: ast.expr) -> str:
    is_log = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "log"
    return node.attr if is_log and isinstance(node, ast.Attribute) and node.attr in LEVELS else ""


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def meanings() -> dict[str, str]:
    """What each event says, by name."""
    rows = [line.split(": ", 1) for line in ROWS.read_text().splitlines() if line.strip()]
    return {row[0]: row[1] for row in sorted(rows)}


def page() -> str:
    """The page as it should be."""
    says = meanings()
    rows = [
        f"| `{event.name}` | {', '.join(sorted(event.levels))} | {', '.join(sorted(event.loggers))} "
        f"| {', '.join(f'`{name}`' for name in sorted(event.fields))} | {says.get(event.name, '')} |"
        for event in events().values()
    ]
    return HEAD + "\n".join(rows) + "\n"


def problems() -> list[str]:
    """What is wrong; empty: nothing."""
    logged, said = set(events()), set(meanings())
    found = [f"docs/log-events.rows says nothing of {name}, which is logged" for name in sorted(logged - said)]
    found += [f"docs/log-events.rows has {name}, which is never logged" for name in sorted(said - logged)]
    if not found and (not PAGE.exists() or PAGE.read_text() != page()):
        found = ["docs/log-events.md is out of date: run `python docs/log_events.py --write`, look, commit"]
    return found


def main() -> int:
    """Checks or writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page instead of checking it")
    if parser.parse_args().write:
        PAGE.write_text(page())
    wrong = problems()
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
