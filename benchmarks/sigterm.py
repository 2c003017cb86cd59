"""SIGTERM to a process with a hundred rooms that talk: who is refused, who hears what, and when all is over.

    python -m benchmarks.sigterm --rooms 100 --seconds 10 --deadline 30        (make sigterm)

A child process hosts the rooms; providers go wrong now and then, and more callers want to come all the time. When all
rooms have talked for a while it gets SIGTERM. A quarter of the callers hang up by themselves after that, the others
stay. The program fails if a room was opened after the signal, if the deadline was not kept, if the exit code is not
what the report says, or if somebody who stayed did not hear the farewell (faults may swallow a few: MISSED).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field

import structlog

from sessionactors import (
    AdmissionRefused,
    ChatMessage,
    DrainOnSignals,
    Farewell,
    RoomDraining,
    RoomEvent,
    RoomHandle,
    RoomSupervisor,
)

from benchmarks.rooms_that_talk import RESTART, Callers, chance

GOODBYE = "We have to stop here. Please call again."
MISSED = 0.05
"""The part of those who stay that may miss the farewell, because a voice or sink was struck by a fault just then."""
COMES_EVERY = 0.01
"""Seconds between two callers who find no place."""


@dataclass
class Told:
    """What the child tells."""

    full: int = 0
    """Callers refused before the signal."""
    draining: int = 0
    """Callers refused after it."""
    first_refusal: float = 0.0
    """When the first of them was refused, monotonic seconds."""
    opened_late: int = 0
    """Rooms opened after the first was refused."""
    over: float = 0.0
    """When the last room was over, monotonic seconds."""
    finished: int = 0
    closed: int = 0
    abandoned: list[str] = field(default_factory=list)
    heard_farewell: int = 0
    answers: int = 0
    faults: int = 0
    seconds: float = 0.0
    report: str = ""
    exit_code: int = 0


async def newcomers(rooms: RoomSupervisor, told: Told) -> None:
    """More callers than there is room for, all the time."""
    number = 0
    while True:
        number += 1
        try:
            await rooms.spawn(f"late-{number}")
        except AdmissionRefused as refused:
            if refused.reason == "draining":
                told.first_refusal = told.first_refusal or time.monotonic()
                told.draining += 1
            else:
                told.full += 1
        else:
            told.opened_late += 1
        await asyncio.sleep(COMES_EVERY)


async def child(options: argparse.Namespace) -> int:
    """Host the rooms until the signal comes."""
    told, callers, dice = (
        Told(),
        Callers(chance(options.seed, options.rate), options.frame_ms),
        random.Random(options.seed),
    )
    farewell = Farewell(GOODBYE, within=10.0)
    async with RoomSupervisor(
        callers.spec, max_sessions=options.rooms, restart=RESTART, farewell=farewell, drain_deadline=options.deadline
    ) as rooms:
        handles: list[RoomHandle] = [
            await rooms.spawn(f"room-{number}", transport=callers.line(f"room-{number}"))
            for number in range(options.rooms)
        ]
        going = {handle.room for handle in handles[: options.rooms // 4]}

        @rooms.on_room_event
        async def hang_up(event: RoomEvent) -> None:
            if isinstance(event, RoomDraining) and event.room in going:
                await asyncio.sleep(dice.uniform(0.0, event.closes_in * 0.9))
                rooms.get(event.room).session.shutdown(drain=False)

        coming = asyncio.create_task(newcomers(rooms, told))
        with DrainOnSignals(rooms) as draining:
            print("ready", flush=True)
            report = await draining.wait()
        told.over = time.monotonic()
        coming.cancel()
    said = [
        [one.text_content for one in handle.history.items if isinstance(one, ChatMessage) and one.role == "assistant"]
        for handle in handles
    ]
    told.answers = sum(map(len, said))
    told.heard_farewell = sum(bool(words) and words[-1] == GOODBYE for words in said)
    told.finished, told.closed = len(report.finished), len(report.closed)
    told.abandoned, told.seconds = [f"{path}: {at}" for path, at in report.abandoned.items()], report.seconds
    told.faults, told.report, told.exit_code = callers.chance.strikes, str(report), report.exit_code
    print(json.dumps(asdict(told)), flush=True)
    return report.exit_code


def judged(told: Told, options: argparse.Namespace, code: int, sent: float) -> list[str]:
    """What went wrong."""
    wrong = []
    if told.opened_late:
        wrong.append(f"{told.opened_late} rooms were opened after the signal")
    if not told.draining:
        wrong.append("nobody was refused after the signal")
    if told.over - sent > options.deadline + 0.5:
        wrong.append(f"all was over {told.over - sent:.2f} s after the signal, the deadline is {options.deadline} s")
    if code != told.exit_code:
        wrong.append(f"the exit code is {code}, the report says {told.exit_code}")
    if code:
        wrong.append(f"not clean: {told.report}")
    if told.heard_farewell < (1 - MISSED) * told.closed:
        wrong.append(f"{told.closed} stayed, {told.heard_farewell} heard the farewell")
    return wrong


def main() -> int:
    """The program; 1 if something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long they talk before the signal")
    parser.add_argument("--deadline", type=float, default=30.0, help="of the drain, seconds")
    parser.add_argument("--rate", type=float, default=0.0002, help="how likely each signal of a provider goes wrong")
    parser.add_argument("--frame-ms", type=int, default=100, help="length of the callers' frames")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        return asyncio.run(child(options))
    command = [sys.executable, "-m", "benchmarks.sigterm", *sys.argv[1:], "--child"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        if program.stdout is None or program.stdout.readline() != "ready\n":
            program.kill()
            parser.error("the child did not become ready")
        time.sleep(options.seconds)
        sent = time.monotonic()
        program.send_signal(signal.SIGTERM)
        out = program.stdout.read()
        code = program.wait(options.deadline + 30.0)
    told = Told(**json.loads(out.splitlines()[-1]))
    wrong = judged(told, options, code, sent)
    if options.json:
        print(json.dumps({**asdict(told), "refused_after": told.first_refusal - sent, "wrong": wrong}, indent=1))
        return 1 if wrong else 0
    print(
        f"{options.rooms} rooms that talk, frames of {options.frame_ms} ms, {told.answers} answers, "
        f"{told.faults} faults; SIGTERM"
    )
    print(f"  the first newcomer was refused {1000 * (told.first_refusal - sent):.1f} ms later, as draining;", end=" ")
    print(f"{told.draining} in all; {told.opened_late} were let in")
    print(f"  {told.finished} rooms ended by themselves, {told.closed} were closed;", end=" ")
    print(f"{told.heard_farewell} heard the farewell to its end")
    print(f"  all over after {told.over - sent:.2f} s of {options.deadline:g} s; abandoned: {told.abandoned or 'none'}")
    print(f"  exit code {code}; report: {told.report}")
    print("as promised" if not wrong else f"WRONG: {'; '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
