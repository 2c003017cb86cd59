"""Which code decides: a hash of the sources of handlers, kernel, messages and values.

A journal says with which version it was recorded; between two releases, and in a checkout, other code has the same one.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

DECIDES: Final = ("actors", "interfaces", "messages", "model", "runtime")
"""Packages of sessionactors whose code makes states and messages. What providers and users do is in the journal."""
BYTES: Final = 8


@cache
def code_hash() -> str:
    """In hexadecimal; empty where the sources are not there as files. Read once in a process, in some 20 ms."""
    digest = blake2b(digest_size=BYTES)
    package = Path(__file__).parents[1]
    try:
        files = sorted((path for name in DECIDES for path in (package / name).rglob("*.py")), key=Path.as_posix)
        for path in files:
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    except OSError:
        return ""
    return digest.hexdigest() if files else ""
