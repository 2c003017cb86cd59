"""Keeps docs/surface.md and docs/fragilities.md true: what users of LiveKit know, and what stands for it here.

The rows are in docs/surface.rows and docs/fragilities.rows, one a line: `theirs | ours | tests | note`. Every name
under *ours* is looked up in the package, every test in tests/. A row without ours says `cloud:` or `elsewhere:` in its
note. A name with a question mark is wanted and not there yet; when it is there, the table is out of date until the mark
is gone.

`python docs/surface_table.py` checks; with `--write` it writes the pages.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Final, get_args

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = ("surface", "fragilities")
PARAMETER: Final = re.compile(r"(?P<path>[\w.]+)\((?P<name>\w+)=\)")
OPTION: Final = re.compile(r"turn_handling\['(?P<group>\w+)'\](?:\['(?P<key>\w+)'\])?")
MEMBER: Final = re.compile(r"(?P<path>[\w.]+):(?P<value>[\w-]+)")
HEADING: Final = "| known from LiveKit | here | pinned by |"
SYNTAX: Final = {"__aenter__": ("async with",), "__await__": ("await ",), "text_received": ("log.texts()",)}
"""What tests do not call by its name; of a room's texts they look at the log of what was told."""
EXCUSES: Final = ("cloud:", "elsewhere:")


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing that users know."""

    theirs: str
    ours: tuple[str, ...]
    tests: tuple[str, ...]
    note: str

    @classmethod
    def read(cls, line: str) -> Row:
        """A line of a rows file."""
        theirs, ours, tests, note = [*(cell.strip() for cell in line.split("|")), "", ""][:4]
        return cls(theirs, _names(ours), _names(tests), note)

    def faults(self, known_tests: Mapping[str, str], *, by_name: bool = True) -> Iterator[str]:
        """What is wrong with it.

        Args:
            known_tests: the text of the file in which each test stands.
            by_name: the tests must mention what the row names.
        """
        for name in self.ours:
            there = exists(name.lstrip("?"))
            if name.startswith("?") and there:
                yield f"{self.theirs}: {name[1:]} is there now: take the mark away and name its test"
            if not name.startswith("?") and not there:
                yield f"{self.theirs}: there is no {name}"
        for test in self.tests:
            if test.startswith("?") and test[1:] in known_tests:
                yield f"{self.theirs}: {test[1:]} is there now: take the mark away"
            if not test.startswith("?") and test not in known_tests:
                yield f"{self.theirs}: there is no test {test}"
        if self.is_here and by_name:
            pinned = "".join(known_tests.get(test, "") for test in self.tests)
            found = [name for name in self.ours if exists(name)]
            unsaid = [name for name in found if pinned and not any(word in pinned for word in words_for(name))]
            for name in unsaid:
                yield f"{self.theirs}: its tests stand in files that do not mention {name}: name one that pins it"
        if not self.ours and not self.note.startswith(EXCUSES):
            yield f"{self.theirs}: nothing stands for it, and the note does not say whose it is"
        if self.is_here and not self.tests:
            yield f"{self.theirs}: no test pins it"

    @property
    def is_here(self) -> bool:
        """Whether something stands for it."""
        return bool(self.ours) and not any(name.startswith("?") for name in (*self.ours, *self.tests))

    def markdown(self) -> str:
        """The row of the page."""
        ours = ", ".join(f"`{name}`" for name in self.ours) if self.is_here else ""
        if self.ours and not self.is_here:
            ours = "not yet"
        note = f"{' ' if ours else ''}{self.note}" if self.note else ""
        return f"| {self.theirs} | {ours}{note} | {'<br>'.join(f'`{test}`' for test in self.tests if test[0] != '?')} |"


def words_for(name: str) -> tuple[str, ...]:
    """What a test that pins the thing of that name would have to mention, in one way or another."""
    if match := PARAMETER.fullmatch(name):
        return (match["name"],)
    if match := OPTION.fullmatch(name):
        return (match["key"] or match["group"], f"{match['key']}_{match['group']}")
    if match := MEMBER.fullmatch(name):
        return (match["value"], match["value"].upper().replace("-", "_"), match["path"])
    last = name.strip('"').rsplit(".", 1)[-1]
    return SYNTAX.get(last, (last, *_values_of_public(last)))


def _values_of_public(name: str) -> tuple[str, ...]:
    """A function or field may be used by the name of its event class."""
    return (f"{''.join(part.title() for part in name.split('_'))}Event",) if name.islower() else ()


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in cell.split(",") if name.strip())


def exists(name: str) -> bool:
    """Whether the package has what is named so: `Name.attribute`, `Name(parameter=)`, `"event"`, `Kind:value`."""
    if name.startswith('"'):
        return name.strip('"') in _events()
    if match := OPTION.fullmatch(name):
        groups = importlib.import_module("sessionactors.session.turn_handling").GROUPS
        return match["group"] == "turn_detection" or (
            match["group"] in groups and (match["key"] is None or match["key"] in groups[match["group"]])
        )
    if match := PARAMETER.fullmatch(name):
        found = _find(match["path"])
        return callable(found) and match["name"] in inspect.signature(found).parameters
    if match := MEMBER.fullmatch(name):
        return match["value"] in _values(match["path"])
    return _find(name) is not None


def _events() -> tuple[object, ...]:
    return get_args(importlib.import_module("sessionactors.session.event_emitter").EventTypes)


def _values(path: str) -> list[object]:
    kind = _find(path)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.value for member in kind]
    return list(get_args(kind))


def _find(path: str) -> object | None:
    """The thing at a path: a public name, or a module below the package, and attributes or fields of it."""
    first, *rest = path.split(".")
    found: object | None = getattr(importlib.import_module("sessionactors"), first, None)
    if found is None or inspect.ismodule(found):
        module, names = _module(path)
        if module is not None:
            found, rest = module, names
    if found is None:
        return None
    for attribute in rest:
        found = _attribute(found, attribute)
        if found is None:
            return None
    return found


def _module(path: str) -> tuple[object | None, list[str]]:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            return importlib.import_module(".".join(["sessionactors", *parts[:length]])), parts[length:]
        except ModuleNotFoundError:
            continue
    return None, []


def _attribute(owner: object, name: str) -> object | None:
    if (value := inspect.getattr_static(owner, name, None)) is not None:
        return getattr(value, "__wrapped__", value) if not isinstance(value, property) else value
    if dataclasses.is_dataclass(owner) and name in {field.name for field in dataclasses.fields(owner)}:
        return name
    for kind in getattr(owner, "__mro__", ()):
        if name in getattr(kind, "__annotations__", {}):
            return name
    return None


def known_tests(directory: Path) -> dict[str, str]:
    """The text of the file in which each test stands, by the test's name."""
    found: dict[str, str] = {}
    for path in directory.rglob("test_*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[node.name] = found.get(node.name, "") + text
    return found


def page(rows_file: str, tests: Mapping[str, str], *, by_name: bool = True) -> tuple[str, list[str], int]:
    """The page of a rows file, its faults, and how many of its rows are not there yet."""
    lines: list[str] = []
    faults: list[str] = []
    missing = 0
    in_table = False
    for line in rows_file.splitlines():
        if " | " not in line:
            lines.append(line)
            in_table = False
            continue
        row = Row.read(line)
        faults.extend(row.faults(tests, by_name=by_name))
        missing += bool(row.ours) and not row.is_here
        if not in_table:
            lines += [HEADING, "|---|---|---|"]
            in_table = True
        lines.append(row.markdown())
    return "\n".join(lines) + "\n", faults, missing


def main(say: Callable[[str], None] = print) -> int:
    """Checks or writes the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the pages instead of checking them")
    write, failed = parser.parse_args().write, False
    tests = known_tests(ROOT / "tests")
    for name in PAGES:
        target = ROOT / "docs" / f"{name}.md"
        # A fragility names who owns what could break, not what a test calls.
        by_name = name == "surface"
        text, faults, missing = page((ROOT / "docs" / f"{name}.rows").read_text(), tests, by_name=by_name)
        if write:
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            faults.append(f"docs/{name}.md is out of date: run `python docs/surface_table.py --write`, look, commit")
        for fault in faults:
            say(f"{name}: {fault}")
        rows = len([line for line in text.splitlines() if line.startswith("| ") and line != HEADING])
        say(f"{name}: {rows} rows, {missing} not there yet")
        failed = failed or bool(faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
