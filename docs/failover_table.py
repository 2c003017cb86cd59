"""Keeps the matrix of docs/failover.md true: each cell is what came of a session in virtual time.

`python docs/failover_table.py` fails if the page says something else; with `--write` it writes the table.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "failover.md"
TABLE: Final = re.compile(r"(?<=<!-- matrix -->\n).*?(?=<!-- end of matrix -->)", re.DOTALL)
WIRE_TABLE: Final = re.compile(
    r"(?<=<!-- matrix of the wire -->\n).*?(?=<!-- end of matrix of the wire -->)", re.DOTALL
)

if TYPE_CHECKING:
    from tests.failover.matrix import Cell


def row_name(cell: Cell) -> str:
    """The first columns of a cell's row."""
    return f"| {cell.kind} | {cell.fault} |"


def cell_of(page: str, cell: Cell) -> str:
    """What the page says of a cell; empty if nothing."""
    for line in page.splitlines():
        if line.startswith(row_name(cell)):
            columns = [column.strip() for column in line.strip("|").split("|")]
            return columns[2 if cell.broken == "first" else 3]
    return ""


def table() -> str:
    """The matrix, played."""
    from tests.failover.matrix import CELLS, play  # noqa: PLC0415 - heavy, and only needed here

    lines = ["| adapter | fault | in the first provider | in both |", "|---|---|---|---|"]
    for cell in CELLS:
        if cell.broken == "first":
            both = next(other for other in CELLS if other.broken == "both" and row_name(other) == row_name(cell))
            lines.append(f"{row_name(cell)} {play(cell)} | {play(both)} |")
    return "\n".join(lines) + "\n"


def wire_table() -> str:
    """The matrix on the wire: what the tests demand, and of whom."""
    from sessionactors.testing.conformance import (  # noqa: PLC0415 - as above
        LLMRig,
        RealtimeRig,
        STTRig,
        TTSRig,
    )

    from tests.conformance.our_rigs import vendors  # noqa: PLC0415
    from tests.failover import wire  # noqa: PLC0415

    def said(kind: str, name: str, *, both: bool) -> str:
        order = (wire.NEXT, wire.ITSELF, wire.ERROR, wire.BROKE_OFF, wire.NOTHING)
        return ", or ".join(came for came in order if came in wire.expected(kind, name, both=both))

    lines = ["| adapter | fault | in the first provider | in both | brought on for |", "|---|---|---|---|---|"]
    for kind in (LLMRig, RealtimeRig, STTRig, TTSRig):
        for name, faults in wire.ON_THE_WIRE.items():
            rigs = [rig.name for rig in vendors(kind) if rig.faults & set(faults)]
            first, both = (said(kind.kind, name, both=both) for both in (False, True))
            lines.append(f"| {kind.kind} | {name} | {first} | {both} | {', '.join(rigs)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Check or write the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write the table")
    sys.path.insert(0, str(ROOT))
    import structlog  # noqa: PLC0415

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    page = PAGE.read_text()
    wanted = WIRE_TABLE.sub(lambda _: wire_table(), TABLE.sub(lambda _: table(), page))
    if arguments.parse_args().write:
        PAGE.write_text(wanted)
    elif wanted != page:
        print(f"{PAGE.relative_to(ROOT)} is not what the matrix gives: python docs/failover_table.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
