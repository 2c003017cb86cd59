"""What is pinned: that it is what pyproject.toml asks for, and that no advisory is known against it.

The first is looked at offline. For the second pip-audit asks the database of OSV; where that cannot be reached, it is
skipped, and said so: ``make audit``, part of ``make check``.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
DATABASE = "api.osv.dev"
REACHED_WITHIN = 3.0
"""Seconds."""
_PIN = re.compile(r"^([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==([^ ;\\]+)(.*)$")


def pins(lock: str) -> Iterator[tuple[str, Version, bool]]:
    """The packages of a lock, their versions, and whether each has a hash."""
    lines = lock.splitlines()
    for number, line in enumerate(lines):
        if found := _PIN.match(line):
            hashed = number + 1 < len(lines) and lines[number + 1].lstrip().startswith("--hash=")
            yield canonicalize_name(found[1]), Version(found[2]), hashed


def wanted(project: Mapping[str, object]) -> Iterator[Requirement]:
    """What a project asks for, its extras and development tools included."""
    about = project["project"]
    groups = project["dependency-groups"]
    assert isinstance(about, dict)
    assert isinstance(groups, dict)
    for listed in (about["dependencies"], *about["optional-dependencies"].values(), *groups.values()):
        yield from map(Requirement, listed)


def faults(project: Mapping[str, object], lock: str, part: str) -> Iterator[str]:
    """What is wrong with a lock, and with the lock that must be a part of it."""
    whole: dict[str, set[Version]] = {}
    for name, version, hashed in pins(lock):
        whole.setdefault(name, set()).add(version)
        if not hashed:
            yield f"{name} {version} has no hash: make lock"
    for requirement in wanted(project):
        versions = whole.get(canonicalize_name(requirement.name), set())
        if not versions:
            yield f"{requirement} is asked for, and not pinned: make lock"
        elif not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
            yield f"{requirement} is asked for, and {', '.join(map(str, sorted(versions)))} is pinned: make lock"
    for name, version, _ in pins(part):
        if version not in whole.get(name, set()):
            yield f"requirements-demo.lock has {name} {version}, requirements.lock has not: make lock"


def main() -> int:
    """The command."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock, part = (ROOT / "requirements.lock").read_text(), (ROOT / "requirements-demo.lock").read_text()
    found = list(faults(project, lock, part))
    for fault in found:
        print(f"audit: {fault}")
    if not found:
        print(f"audit: {sum(1 for _ in pins(lock))} pins, each with hashes, are what pyproject.toml asks for")
    return max(int(bool(found)), advisories())


def advisories() -> int:
    """Ask for advisories; the exit code."""
    try:
        socket.create_connection((DATABASE, 443), REACHED_WITHIN).close()
    except OSError as error:
        print(f"audit: advisories skipped: no advisory database reachable ({DATABASE}: {error.strerror or error})")
        return 0
    asked = ["--disable-pip", "--require-hashes", "--vulnerability-service", "osv", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", *asked, "--requirement", str(ROOT / "requirements.lock")]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
