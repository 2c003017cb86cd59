"""Prints the coverage of the last run and fails if `runtime/` or `actors/` is tested too little.

Lines and branches are held to the bound separately: one percentage of both lets untaken branches hide among lines.
`make test` runs it after the suite.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import coverage

BOUND: Final = 90.0
"""Per cent, of lines and of branches."""

GATED: Final = ("src/sessionactors/runtime", "src/sessionactors/actors", "actors")
MISSING_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a directory ran."""

    lines: int
    lines_run: int
    branches: int
    branches_taken: int

    @property
    def of_lines(self) -> float:
        """Per cent of the lines; 100 where there are none."""
        return 100.0 * self.lines_run / self.lines if self.lines else 100.0

    @property
    def of_branches(self) -> float:
        """Per cent of the branches; 100 where there are none."""
        return 100.0 * self.branches_taken / self.branches if self.branches else 100.0


def share(files: dict[str, dict[str, int]], directory: str) -> Share:
    """The sum over all files below `directory`."""
    summaries = [summary for name, summary in files.items() if Path(name).is_relative_to(directory)]

    def total(key: str) -> int:
        return sum(summary[key] for summary in summaries)

    return Share(total("num_statements"), total("covered_lines"), total("num_branches"), total("covered_branches"))


def measured() -> dict[str, dict[str, int]]:
    """File to its counts, from the data of the last run."""
    data = coverage.Coverage()
    data.load()
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "coverage.json")
        quiet, sys.stdout = sys.stdout, io.StringIO()
        try:
            data.json_report(outfile=str(report))
        finally:
            sys.stdout = quiet
        files: dict[str, dict[str, dict[str, int]]] = json.loads(report.read_text())["files"]
    return {name: file["summary"] for name, file in files.items()}


def packages(files: dict[str, dict[str, int]]) -> list[str]:
    """The packages of `src/sessionactors`, as directories."""
    return sorted({Path(*parts[:3]).as_posix() for name in files if len(parts := Path(name).parts) > 3})


def main() -> int:
    """Prints the table; 1 if a gated directory is below the bound."""
    files = measured()
    low: list[str] = []
    print(f"{'coverage':32} {'lines':>8} {'branches':>9}")
    for directory in dict.fromkeys((*GATED, *packages(files))):
        part = share(files, directory)
        gated = directory in GATED
        print(f"{directory:32} {part.of_lines:7.1f}% {part.of_branches:8.1f}%{f'  >= {BOUND:.0f}%' if gated else ''}")
        if gated and min(part.of_lines, part.of_branches) < BOUND:
            low.append(directory)
    if not low:
        return 0
    print(f"\nbelow {BOUND:.0f} %: {', '.join(low)}. Most is missing in:")
    inside = [(name, counts) for name, counts in files.items() if any(Path(name).is_relative_to(part) for part in low)]
    for name, counts in sorted(inside, key=lambda entry: -missing(entry[1]))[:MISSING_SHOWN]:
        print(f"  {name}: {counts['missing_lines']} lines, {counts['missing_branches']} branches")
    print("coverage report (in the environment) lists them.")
    return 1


def missing(counts: dict[str, int]) -> int:
    """Lines and branches of one file that did not run."""
    return counts["missing_lines"] + counts["missing_branches"]


if __name__ == "__main__":
    sys.exit(main())
