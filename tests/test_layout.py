"""The shape of the tree: what a file is called, how long it gets, what it imports, what the front door shows."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "src" / "sessionactors"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))
DROP_INS: Final = sorted((ROOT / "actors").glob("*.py"))
OURS: Final = [*MODULES, *DROP_INS]

MOST_LINES: Final = 400
LONGER: Final[dict[str, str]] = {
    # "src/sessionactors/<module>.py": "why it is one thing and cannot be two files",
    "src/sessionactors/__init__.py": "the front door: each public name for people, for type checkers and lazily",
}

DRAWERS: Final = {
    "utils",
    "util",
    "common",
    "helpers",
    "helper",
    "misc",
    "core",
    "base",
    "types",
    "manager",
    "managers",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_public(path: Path) -> bool:
    return not any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(ROOT).parts)


# One test a rule, not one a file: there are over seven hundred.
def test_every_module_says_what_lives_in_it() -> None:
    documented = {path: ast.get_docstring(ast.parse(path.read_text())) for path in OURS}
    assert not [name_of(path) for path, text in documented.items() if not text], "these open with no docstring"
    first = {path: (text or "").split("\n", 1)[0].rstrip(".") for path, text in documented.items()}
    repeated = [path for path in OURS if first[path] == path.parent.name]
    assert not [name_of(path) for path in repeated if is_public(path)], "these docstrings only repeat the name"


def test_no_module_is_a_drawer() -> None:
    names = {path: {part.removesuffix(".py").strip("_") for part in path.relative_to(ROOT).parts} for path in OURS}
    assert not [name_of(path) for path in OURS if names[path] & DRAWERS], "name these after what they do"


def test_every_module_is_one_thing() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in OURS}
    long = {name: count for name, count in lines.items() if count > MOST_LINES and name not in LONGER}
    assert not long, "make them two, or give a reason in LONGER"
    assert not [name for name in LONGER if lines[name] <= MOST_LINES], "their entries in LONGER are no longer needed"


def test_exceptions_name_modules_that_exist() -> None:
    assert set(LONGER) <= {name_of(path) for path in OURS}


@pytest.mark.parametrize("package", sorted(p.parent for p in MODULES if p.name == "__init__.py"), ids=name_of)
def test_every_name_in_all_exists_once(package: Path) -> None:
    # Their order is ruff's business (RUF022).
    dotted = ".".join(package.relative_to(PACKAGE.parent).parts)
    module = importlib.import_module(dotted)
    names: list[str] = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing, f"{dotted}.__all__ promises {missing}"


@pytest.mark.parametrize("path", DROP_INS, ids=name_of)
def test_drop_in_uses_the_public_api_only(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or ".")
    inside = {name for name in imported if name.startswith("sessionactors.")}
    assert not inside, f"{name_of(path)} reaches into {sorted(inside)}; users cannot"


def test_source_directories_are_packages() -> None:
    directories = {path.parent for path in MODULES}
    assert not [name_of(directory) for directory in directories if not (directory / "__init__.py").exists()]


def test_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
