"""A terminal for tests: what is typed is there from the beginning, and what is printed is kept."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def typed(*lines: str) -> Iterator[TextIO]:
    """A pipe with these lines, whose other end has been closed."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as file:
        file.writelines(f"{line}\n" for line in lines)
    with os.fdopen(read) as stdin:
        yield stdin


@contextmanager
def held_open() -> Iterator[tuple[TextIO, TextIO]]:
    """A pipe that stays open: where it is read, and where it is written."""
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "w") as file:
        yield stdin, file


class Printed(io.StringIO):
    """Standard output."""

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()
