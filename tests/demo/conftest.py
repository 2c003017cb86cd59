"""The demo's call, held once in real time for all tests that look at its files."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from sessionactors.cli.demo.run import run_demo
from sessionactors.cli.demo.script import ScriptLine, script_for
from sessionactors.cli.demo.verify import Verification
from sessionactors.providers.offline.espeak import espeak_installed
from sessionactors.providers.offline.flite import flite_installed

from tests.cli.terminal import Printed


@dataclass(frozen=True)
class Held:
    """A call that was held."""

    out: Path
    seed: int
    script: tuple[ScriptLine, ...]
    verification: Verification
    seconds: float
    printed: list[str]

    @property
    def transcript(self) -> dict[str, list[dict[str, object]]]:
        file: dict[str, list[dict[str, object]]] = json.loads((self.out / "transcript.json").read_text())
        return file


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """Half a minute: the caller's sentences are drawn anew in each run."""
    if not (flite_installed() or espeak_installed()):
        pytest.skip("no voice: apt install flite, or pip install espeakng-loader")
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"the caller's seed: {seed}  (again: sessionactors demo --seed {seed})")
    out = tmp_path_factory.mktemp("demo")
    printed = Printed()
    began = time.monotonic()
    verification = asyncio.run(run_demo(out, seed=seed, stdout=printed))
    return Held(out, seed, script_for(seed), verification, time.monotonic() - began, printed.lines)
