"""The demo's call as a journal: replayed, cut by ``kill -9``, replayed by a changed handler (``make demo-replay``).

Records two calls in real time, half a minute and a few seconds. Each replay is a process of its own, with another
``PYTHONHASHSEED``. Prints the figures; exits with 1 if anything is not as promised (P24).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sessionactors.actors.history import History
from sessionactors.journal.digest import Digest
from sessionactors.journal.reading import JournalReader
from sessionactors.journal.replay import Replay
from sessionactors.messages.history import AppendItems

KILLED_AFTER = 8.0
"""Seconds of the second call."""
HASHED_EVERY = 50
"""Messages between two hashes of all states. The journal's own are compared besides, by the replay."""


def main() -> int:
    """0: all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.journal.demo_replay", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the demo's caller")
    parser.add_argument("--child", choices=sorted(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        sys.stdout.write(json.dumps(CHILDREN[given.child](given.file)) + "\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="demo-replay-") as made:
        wrong = _show(Path(made), given.seed)
    for problem in wrong:
        _say(f"NOT AS PROMISED: {problem}")
    return 1 if wrong else 0


def _show(work: Path, seed: int) -> list[str]:
    wrong: list[str] = []
    whole, cut = work / "whole.journal", work / "killed.journal"
    _say("recording the demo, in real time")
    began = time.perf_counter()
    with _demo(work, whole, seed) as recording:
        if recording.wait():
            return [f"the demo ended with {recording.returncode}"]
    _say(f"  {time.perf_counter() - began:.1f} s, {whole.stat().st_size:,} bytes")

    first, second = _child("same", whole, hash_seed=1), _child("same", whole, hash_seed=2)
    _say(f"replayed: {_figures(first)}")
    wrong += [f"the replay parts from the journal: {run['divergence']}" for run in (first, second) if run["divergence"]]
    if first["states"] != second["states"] or not first["messages"]:
        wrong.append(f"two processes give {first['states']} and {second['states']}")
    else:
        _say(f"  states {first['states']} under PYTHONHASHSEED=1 and =2")

    changed = _child("changed", whole, hash_seed=3)
    if changed["named"] != changed["wanted"]:
        wrong.append(f"the changed handler first runs at {changed['wanted']}, the replay names {changed['named']}")
    else:
        _say(f"a changed handler is named: {changed['wanted']}")

    with _demo(work, cut, seed) as recording:
        _until(cut.exists, "the second journal was not begun")
        time.sleep(KILLED_AFTER)
        recording.kill()
    after = _child("same", cut, hash_seed=4)
    _say(f"killed with -9 after {KILLED_AFTER:g} s, replayed to the last flush: {_figures(after)}")
    if after["divergence"] or not after["messages"]:
        wrong.append(f"what was flushed before the kill does not run again: {after}")
    if after["closed"]:
        wrong.append("the journal of the killed process says that its session was closed")
    return wrong


def _demo(work: Path, journal: Path, seed: int) -> subprocess.Popen[bytes]:
    program = ["-m", "sessionactors.cli", "demo", "--out", str(work / "out"), "--seed", str(seed)]
    return subprocess.Popen(
        [sys.executable, *program, "--journal", str(journal)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _child(what: str, file: Path, *, hash_seed: int) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    program = [sys.executable, "-m", "tests.journal.demo_replay", "--child", what, "--file", str(file)]
    done = subprocess.run(program, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    read: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return read


def _same(file: Path) -> dict[str, object]:
    """Run it again: each message and, now and then, all states go into one hash."""
    replay, digest, states = Replay(file), blake2b(digest_size=16), Digest()
    began = time.perf_counter()
    for moment in replay:
        digest.update(f"{moment.number} {moment.actor} {moment.type} {moment.id} {moment.cause}\n".encode())
        if moment.number % HASHED_EVERY == 0:
            for path, state in replay.states().items():
                digest.update(f"{path} {states.of(state):08x}\n".encode())
    return {
        "messages": replay.number,
        "of": replay.messages,
        "seconds": replay.seconds,
        "took": time.perf_counter() - began,
        "states": digest.hexdigest(),
        "divergence": None if replay.divergence is None else str(replay.divergence),
        "closed": _closed(file),
    }


def _closed(file: Path) -> bool:
    with JournalReader(file) as reader:
        for _ in reader:
            continue
    return reader.closed


def _changed(file: Path) -> dict[str, object]:
    """Run it by a handler that does one thing more; where that is the first time is known from a run as it was."""
    replay = Replay(file)
    first = replay.first(lambda replay: replay.moment is not None and replay.moment.type == AppendItems.__name__)
    receive = History.receive

    def changed(self: History, state: Any, message: Any, out: Any) -> Any:
        if isinstance(message, AppendItems):
            out.log("changed")
        return receive(self, state, message, out)

    History.receive = changed  # type: ignore[method-assign]
    replay.rewind()
    parted = replay.run()
    return {
        "wanted": None if first is None else f"message {first.number}, {first.actor} handles {first.type}",
        "named": None
        if parted is None
        else f"message {parted.number}, {parted.actor} handles {parted.message.split(' ')[0]}",
    }


CHILDREN: dict[str, Callable[[Path], dict[str, object]]] = {"same": _same, "changed": _changed}


def _figures(run: dict[str, Any]) -> str:
    seconds, took = run["seconds"], run["took"]
    return (
        f"{run['messages']:,} of {run['of']:,} messages, {seconds:.1f} s in {took:.2f} s ({seconds / took:.0f} times)"
    )


def _until(holds: Callable[[], bool], otherwise: str, within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(otherwise)
        time.sleep(0.05)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
