"""Fragilities that shared coroutines have and that belong to no single actor here (section 9 of the reference).

``F16`` and so on are the numbers of that list; the others have their tests beside the behaviour they are about.
"""

from __future__ import annotations

import ast
import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import sessionactors
from sessionactors import APIConnectionError, APIConnectOptions
from sessionactors.testing import Run, Scenario, VirtualLoop, invariants

from .talks import barge_in, keeper, one_turn, played, typed

SOURCES = Path(sessionactors.__file__).parent


def test_f14_what_a_session_keeps_of_its_events_is_bounded() -> None:
    """A long call: nothing that grows with every frame or event is left in the session object."""

    def held(seconds: float) -> int:
        scenario = one_turn(frame_ms=100)
        scenario.close(at=seconds)
        sizes: list[int] = []
        scenario.call(seconds - 0.1, lambda session: sizes.append(_elements(vars(session))))
        played(scenario)
        return sizes[0]

    assert held(100.0) == held(60.0)


def _elements(values: object, depth: int = 4) -> int:
    """Elements in the containers below some values."""
    if depth == 0:
        return 0
    if isinstance(values, dict):
        return len(values) + sum(_elements(value, depth - 1) for value in values.values())
    if isinstance(values, (list, tuple, set, frozenset)):
        return len(values) + sum(_elements(value, depth - 1) for value in values)
    if not type(values).__module__.startswith("sessionactors.session"):
        return 0
    slots = [name for kind in type(values).__mro__ for name in getattr(kind, "__slots__", ())]
    return _elements({**getattr(values, "__dict__", {}), **{name: getattr(values, name, 0) for name in slots}}, depth)


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_f16_a_step_of_the_wall_clock_moves_no_turn(step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def times(run: Run) -> list[tuple[float, str]]:
        return [(timed.at, timed.event.type) for timed in run.events]

    quiet = played(one_turn())
    scenario = one_turn()
    scenario.call(2.6, lambda _: monkeypatch.setattr("time.time", lambda: VirtualLoop.wall_origin + step))
    assert times(played(scenario)) == times(quiet)


def test_f21_a_voice_that_ends_early_is_a_named_error_and_only_what_was_heard_is_history() -> None:
    scenario = one_turn(conn_options=APIConnectOptions(max_retry=0))
    scenario.tts_fails(synthesis=1, after=1.0, error=APIConnectionError("the voice broke"))
    run = scenario.play()
    invariants.check(run)
    assert [str(event.error) for event in run.errors if "the voice broke" in str(event.error)]
    (said,) = run.said()
    assert "I am fine, thank you.".startswith(said)
    assert said != "I am fine, thank you."


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_f22_retries_are_counted_once(retries: int) -> None:
    scenario = Scenario(keeper(), audio=False, conn_options=APIConnectOptions(max_retry=retries, retry_interval=0.1))
    scenario.user_types("Hello", at=0.5)
    for _ in range(retries + 3):
        scenario.llm_replies(error=APIConnectionError("down"))
    run = scenario.play()
    assert len(run.requests) == retries + 1


def test_f08_a_close_that_waits_for_everything_ends_in_its_time() -> None:
    scenario = barge_in()
    scenario.close(at=4.0, deadline=1.0)
    run = played(scenario)
    assert run.close_took <= 1.0 + 0.1
    assert run.close_event.reason.value == "user_initiated"


def test_f25_nobody_reads_or_writes_the_private_fields_of_another_package() -> None:
    """Each package's private names are its own: who needs to know is told by a message, or asks a public name."""
    owners: defaultdict[str, set[str]] = defaultdict(set)
    uses: list[tuple[str, str, str]] = []
    for path in sorted(SOURCES.rglob("*.py")):
        package = path.relative_to(SOURCES).parts[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name in _private_names(tree):
            owners[name].add(package)
        uses += [(name, package, f"{path.relative_to(SOURCES)}:{line}") for name, line in _private_uses(tree)]
    foreign = [
        f"{where} uses {name} of {', '.join(sorted(owners[name]))}"
        for name, package, where in uses
        if package not in owners[name] and owners[name] and package != "testing"
    ]
    assert foreign == []


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _private_names(tree: ast.AST) -> Iterator[str]:
    """Private names that a module defines: attributes of self, methods, fields."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if _private(name):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if _private(name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) if _private(name):
                yield name


def _private_uses(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name, lineno=line) if _private(name):
                yield name, line


async def test_f04_waiting_for_nothing_costs_nothing() -> None:
    """A speech that waits for the gap between two speeches makes nobody spin."""
    scenario = typed(None, "One", min_consecutive_speech_delay=5.0)
    scenario.call(0.6, lambda session: session.say("Again."))
    run = await asyncio.to_thread(scenario.play)
    waiting = [delivery for delivery in run.deliveries if 1.5 < run.time_of(delivery) < 5.0]
    assert len(waiting) <= 3
