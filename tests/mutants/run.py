"""Takes each guard away, by a small patch to a copy of the tree, and shows that the test named for it fails.

The mutants are data, one file a level: ``kernel.toml`` says what an entry is. Each named test must pass on the tree as
it is and fail on the mutant; a mutant that survives, and a patch that no longer applies, fail the run.

    python tests/mutants/run.py               all of them (make mutants)
    python tests/mutants/run.py P16 timers    those whose promise, file, words or test contain one of these
    python tests/mutants/run.py --list        only their names
    python tests/mutants/run.py --apply-only  only whether each patch applies and its test is there: at once
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
COPIED: Final = ("src", "tests", "actors", "examples", "docs", "benchmarks", "pyproject.toml")
JOBS: Final = 2
PATIENCE: Final = 120.0
"""Seconds for one test; a mutant that hangs so long is killed, and has failed."""


class Outcome(Enum):
    """How one test ended."""

    PASSED = "passed"
    FAILED = "failed"
    HUNG = "hung"
    BROKEN = "could not run"
    """Not collected, or stopped by an error outside of the test: that shows nothing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A guard that is taken away."""

    promise: str
    removes: str
    file: str
    old: str
    new: str
    test: str

    def problem(self, tree: Path) -> str | None:
        """Why the patch does not apply to a tree; None if it does."""
        path = tree / self.file
        if not path.exists():
            return f"{self.file} does not exist"
        found = path.read_text().count(self.old)
        return None if found == 1 else f"its text is {found} times in {self.file}, not once"

    def stale(self, tree: Path) -> str | None:
        """Why the entry no longer fits a tree, as far as it shows without running a test; None if it fits."""
        problem = self.problem(tree)
        if problem is not None:
            return problem
        file, _, name = self.test.partition("[")[0].partition("::")
        path = tree / file
        if not path.exists():
            return f"its test's file {file} does not exist"
        defined = re.search(rf"def {re.escape(name)}\(", path.read_text()) is not None
        return None if defined else f"{file} has no {name}"

    def apply(self, tree: Path) -> None:
        """Patch a tree, and forget what was compiled of the file."""
        path = tree / self.file
        path.write_text(path.read_text().replace(self.old, self.new))
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    killed: bool
    says: str
    seconds: float = 0.0


def load() -> list[Mutant]:
    """All mutants, level by level."""
    return [
        Mutant(**entry)
        for path in sorted(HERE.glob("*.toml"))
        if path.name != "orders.toml"  # those are for orders.py
        for entry in tomllib.loads(path.read_text())["mutant"]
    ]


def chosen(mutants: Iterable[Mutant], words: list[str]) -> list[Mutant]:
    """Those that contain one of the words; all if there are no words."""
    return [
        mutant
        for mutant in mutants
        if not words or any(word in f"{mutant.promise} {mutant.removes} {mutant.file} {mutant.test}" for word in words)
    ]


def copy_of(tree: Path, to: Path) -> Path:
    """A copy of what the tests need, compiled files included."""
    to.mkdir()
    for name in COPIED:
        source = tree / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns(".hypothesis", ".mypy_cache"))
        elif source.exists():
            shutil.copy2(source, to / name)
    return to


def environment(tree: Path) -> dict[str, str]:
    """The copy's package shadows the installed one."""
    return {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


def imported_from(tree: Path) -> Path:
    """The package that a test of this copy would import."""
    said = subprocess.run(
        [sys.executable, "-c", "import sessionactors; print(sessionactors.__file__)"],
        cwd=tree,
        env=environment(tree),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return Path(said.stdout.strip()).resolve()


def outcome(tree: Path, test: str) -> tuple[Outcome, str]:
    """Run one test in a copy; how it ended, and the line that says so."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header"]
    try:
        done = subprocess.run(
            [*command, "--show-capture=no", test],
            cwd=tree,
            env=environment(tree),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome.HUNG, f"no end after {PATIENCE:.0f} s"
    lines = [line for line in done.stdout.splitlines() if line.strip()] or done.stderr.splitlines() or [""]
    causes = [line.removeprefix("E").strip() for line in lines if line.startswith("E  ")]
    said = causes[0] if causes else lines[-1]
    return {0: Outcome.PASSED, 1: Outcome.FAILED}.get(done.returncode, Outcome.BROKEN), said


class Bench:
    """Copies of the tree, made and thrown away around each run."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._original = copy_of(ROOT, work / "original")
        compileall.compile_dir(self._original, quiet=2, workers=1)
        self._count = 0
        self._lock = threading.Lock()
        package = imported_from(self._original)
        if not package.is_relative_to(self._original.resolve()):
            raise SystemExit(f"the copy is not what is imported: {package}")

    def _copy(self) -> Path:
        with self._lock:
            self._count += 1
            number = self._count
        return copy_of(self._original, self._work / f"copy-{number}")

    def unmutated(self, test: str) -> tuple[Outcome, str]:
        """The test on the tree as it is."""
        return outcome(self._original, test)

    def judge(self, mutant: Mutant) -> Verdict:
        """The test on the mutant."""
        problem = mutant.problem(self._original)
        if problem is not None:
            return Verdict(mutant, killed=False, says=f"patch no longer applies: {problem}")
        tree = self._copy()
        began = time.monotonic()
        try:
            mutant.apply(tree)
            ended, said = outcome(tree, mutant.test)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        seconds = time.monotonic() - began
        if ended in (Outcome.FAILED, Outcome.HUNG):
            return Verdict(mutant, killed=True, says=said, seconds=seconds)
        if ended is Outcome.PASSED:
            return Verdict(mutant, killed=False, says="SURVIVED: the test passes without the guard", seconds=seconds)
        return Verdict(mutant, killed=False, says=f"{ended.value}: {said}", seconds=seconds)


def run(mutants: list[Mutant], report: Callable[[Verdict], None], jobs: int = JOBS) -> bool:
    """Judge all, ``jobs`` at a time; whether every guard is needed and every test passes with it."""
    good = True
    with tempfile.TemporaryDirectory(prefix="mutants-") as work, ThreadPoolExecutor(jobs) as pool:
        bench = Bench(Path(work))
        tests = list(dict.fromkeys(mutant.test for mutant in mutants))
        for test, (ended, said) in zip(tests, pool.map(bench.unmutated, tests), strict=True):
            if ended is not Outcome.PASSED:
                good = False
                print(f"without any mutant: {test} {ended.value}: {said}", flush=True)
        for verdict in pool.map(bench.judge, mutants):
            good = good and verdict.killed
            report(verdict)
    return good


def show(verdict: Verdict) -> None:
    """One row of the table."""
    mutant = verdict.mutant
    mark = "killed" if verdict.killed else "ALIVE"
    print(f"{mutant.promise:7} {mark:7} {verdict.seconds:5.1f} s  {mutant.removes}", flush=True)
    test = mutant.test.rsplit("::", 1)[-1]
    print(f"{'':24}{test if verdict.killed else mutant.test}: {verdict.says[:100]}", flush=True)


def check(mutants: list[Mutant]) -> int:
    """Prints the mutants that no longer fit the tree; 1 if there are any."""
    stale = [(mutant, problem) for mutant in mutants if (problem := mutant.stale(ROOT)) is not None]
    for mutant, problem in stale:
        print(f"{mutant.promise:7} {mutant.removes}: {problem}")
    print(f"{len(mutants) - len(stale)} of {len(mutants)} mutants fit")
    return 1 if stale or not mutants else 0


def main() -> int:
    """Prints the table; 1 if a mutant survives, a patch does not apply, or a test fails without one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only mutants that contain one of these")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"how many tests run at a time ({JOBS})")
    parser.add_argument("--apply-only", action="store_true", help="only say whether each fits the tree as it is")
    arguments = parser.parse_args()
    mutants = chosen(load(), arguments.words)
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant.promise:7} {mutant.removes}  ({mutant.file})")
        return 0
    if arguments.apply_only:
        return check(mutants)
    if not mutants:
        print(f"no mutant contains any of {arguments.words}")
        return 1
    print(f"{len(mutants)} mutants, {arguments.jobs} at a time", flush=True)
    good = run(mutants, show, arguments.jobs)
    print("every guard is needed" if good else "some guards are not shown to be needed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
