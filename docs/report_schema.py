"""Keeps docs/session-report.schema.json true: it is made from the types of :class:`sessionactors.SessionReport`.

`python docs/report_schema.py` fails if the file differs; with `--write` it writes it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import pydantic

from sessionactors import SessionReport

PAGE: Final = Path(__file__).with_name("session-report.schema.json")


def main() -> int:
    """Checks or writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the schema instead of checking it")
    schema = json.dumps(pydantic.TypeAdapter(SessionReport).json_schema(), indent=2) + "\n"
    if parser.parse_args().write:
        PAGE.write_text(schema)
        return 0
    if not PAGE.exists() or PAGE.read_text() != schema:
        print(f"docs/{PAGE.name} is out of date: run `python docs/report_schema.py --write`, look, commit")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
