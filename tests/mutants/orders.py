"""Seeded faults of order: each passes every scene in the order of production, and exploration finds it.

    python tests/mutants/orders.py                 all of them (make order-mutants)
    python tests/mutants/orders.py claim handoff   those whose name contains one of these
    python tests/mutants/orders.py --write         and write the table of docs/order-mutants.md
    python tests/mutants/orders.py --thorough      runs the suites over each mutant too, in order: hours
    python tests/mutants/orders.py --first         the strategies in turn, as `explore` does it: quicker

``orders.toml`` says what an entry is. The order of production for a suite means that its seeds are ignored: a test that
explores plays first come first served (``in_order.py``). What a mutant fails there that the tree passes is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "order-mutants.md"
SUITES: Final = ("tests/actors", "tests/session", "tests/runtime")
STRATEGIES: Final = ("random", "pct", "delay")
MOST: Final = 1000
LONGEST: Final = 25
"""Messages that the order of a mutant may take to tell."""
PATIENCE: Final = 1800.0
"""Seconds for one hunt."""
BEGIN, END = "<!-- table -->", "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Edit:
    """A patch: a text that is in the file once."""

    file: str
    old: str
    new: str

    def problem(self, tree: Path) -> str | None:
        """Why it does not apply; None if it does."""
        path = tree / self.file
        found = path.read_text().count(self.old) if path.exists() else 0
        return None if found == 1 else f"its text is {found} times in {self.file}, not once: {self.old.strip()[:60]!r}"


@dataclass(frozen=True, slots=True)
class OrderMutant:
    """A fault that only some orders show."""

    name: str
    fault: str
    kind: str
    public: str
    scene: str
    edits: tuple[Edit, ...]

    def problem(self, tree: Path) -> str | None:
        """Why it does not apply, or has no scene; None if all is well."""
        scenes = (tree / "tests/mutants/order_scenes.py").read_text()
        if re.search(rf"^def {self.scene}\(", scenes, re.MULTILINE) is None:
            return f"order_scenes.py has no {self.scene}"
        copies: dict[str, str] = {}
        for edit in self.edits:
            text = copies.get(edit.file) or (tree / edit.file).read_text()
            if text.count(edit.old) != 1:
                return edit.problem(tree) or f"its edits of {edit.file} get into each other's way"
            copies[edit.file] = text.replace(edit.old, edit.new)
        return None

    def apply(self, tree: Path) -> None:
        """Patch a tree, and forget what was compiled."""
        for edit in self.edits:
            path = tree / edit.file
            path.write_text(path.read_text().replace(edit.old, edit.new))
            for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
                compiled.unlink()


@dataclass(frozen=True, slots=True)
class Found:
    """What one strategy found."""

    schedules: int
    promise: str
    what: str
    preemptions: int
    messages: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant."""

    mutant: OrderMutant
    found: Mapping[str, Found]
    problems: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """In order it is not seen; some strategy sees it, and can tell it."""
        return not self.problems


def load() -> list[OrderMutant]:
    """All of them."""
    entries = tomllib.loads((Path(__file__).parent / "orders.toml").read_text())["mutant"]
    return [
        OrderMutant(
            **{key: value for key, value in entry.items() if key != "edit"},
            edits=tuple(Edit(**edit) for edit in entry["edit"]),
        )
        for entry in entries
    ]


def copied(work: Path, mutant: OrderMutant | None) -> Path:
    """A copy of the tree, patched."""
    tree = work / (mutant.name if mutant else "original")
    for name in ("src", "tests", "actors", "examples", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns(".hypothesis", ".mypy_cache"))
    shutil.copy2(ROOT / "pyproject.toml", tree / "pyproject.toml")
    if mutant is not None:
        mutant.apply(tree)
    return tree


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy, whose package shadows the installed one."""
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def judge(mutant: OrderMutant, work: Path, strategies: Sequence[str], most: int, *, shrunk: bool = True) -> Verdict:
    """Hunt it."""
    problem = mutant.problem(ROOT)
    if problem is not None:
        return Verdict(mutant, {}, (problem,))
    tree, how = copied(work, mutant), "shrunk" if shrunk else "as found"
    try:
        done = python(tree, "-m", "tests.mutants.order_hunt", mutant.scene, str(most), ",".join(strategies), how)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    if done.returncode:
        return Verdict(mutant, {}, (f"the hunt failed: {done.stderr.strip().splitlines()[-1:]}",))
    result = json.loads(done.stdout.splitlines()[-1])
    found = {strategy: Found(**what) for strategy, what in result["found"].items()}
    problems = [f"seen in the order of production: {what}" for what in result["fifo"]]
    problems += [f"seen in order in {scene}: {what[0]}" for scene, what in result["elsewhere"].items()]
    if not found:
        problems.append(f"not found in {most} schedules")
    elif min(each.messages for each in found.values()) > LONGEST:
        problems.append(f"takes more than {LONGEST} messages to tell")
    return Verdict(mutant, found, tuple(problems))


def failures(tree: Path) -> set[str]:
    """Tests of the suites that fail in a copy, in the order of production."""
    done = python(
        tree, "-m", "pytest", "-q", "-p", "tests.mutants.in_order", "-p", "no:randomly", "-p", "no:cacheprovider",
        "--tb=no", "-rf", *SUITES,
    )  # fmt: skip
    return set(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE))


def table(verdicts: Sequence[Verdict], strategies: Sequence[str]) -> str:
    """For the page."""
    columns = ("mutant", "what is done wrong", "kind", "like", "breaks", *strategies, "preemptions", "messages")
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for verdict in verdicts:
        mutant = verdict.mutant
        needed = [str(verdict.found[name].schedules) if name in verdict.found else "-" for name in strategies]
        best = min(verdict.found.values(), key=lambda each: (each.messages, each.preemptions))
        facts = (mutant.name, mutant.fault, mutant.kind, mutant.public, best.promise, *needed)
        lines.append("| " + " | ".join((*facts, str(best.preemptions), str(best.messages))) + " |")
    return "\n".join(lines)


def write(verdicts: Sequence[Verdict], strategies: Sequence[str]) -> None:
    """Put the table into the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(verdicts, strategies)}\n{END}{rest.partition(END)[2]}")


def main() -> int:
    """Prints what was found; 1 if a mutant is seen in order, or is not found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only mutants whose name contains one of these")
    parser.add_argument("--write", action="store_true", help="write the table of docs/order-mutants.md")
    parser.add_argument("--thorough", action="store_true", help="also run the suites over each mutant, in order")
    parser.add_argument("--first", action="store_true", help="mixed strategies only: quicker")
    parser.add_argument("--as-found", action="store_true", help="do not shrink the orders: quicker")
    parser.add_argument("--jobs", type=int, default=2, help="how many are hunted at a time (2)")
    parser.add_argument("--most", type=int, default=MOST, help=f"schedules for each strategy ({MOST})")
    arguments = parser.parse_args()
    words = arguments.words
    mutants = [each for each in load() if not words or any(word in each.name for word in words)]
    strategies = ("mixed",) if arguments.first else STRATEGIES
    with tempfile.TemporaryDirectory(prefix="orders-") as made, ThreadPoolExecutor(arguments.jobs) as pool:
        work = Path(made)
        verdicts = []
        for verdict in pool.map(
            lambda each: judge(each, work, strategies, arguments.most, shrunk=not arguments.as_found), mutants
        ):
            verdicts.append(verdict)
            needed = {name: found.schedules for name, found in verdict.found.items()}
            print(f"{'ok' if verdict.good else 'BAD':4}{verdict.mutant.name:26}{needed}", flush=True)
            for problem in verdict.problems:
                print(f"      {problem}", flush=True)
        if arguments.thorough:
            usual = failures(copied(work, None))
            for mutant in mutants:
                seen = failures(copied(work, mutant)) - usual
                print(f"{mutant.name:26}{len(seen)} tests fail in order {sorted(seen)[:3]}", flush=True)
                verdicts.append(Verdict(mutant, {}, tuple(sorted(seen))))
    if arguments.write:
        write([verdict for verdict in verdicts if verdict.found], strategies)
    return 0 if verdicts and all(verdict.good for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
