"""One suite over every dispatcher: a test that asks for `system` (or `mode`) runs once in each mode."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from sessionactors.runtime import ActorSystem
from sessionactors.testing import SeededDispatcher, VirtualLoop

from tests.runtime.scripted import Mode, Probe

SEEDS = (1, 2)


def _own(**options: Any) -> ActorSystem:
    return ActorSystem("own", **options)


def _running(**options: Any) -> ActorSystem:
    return ActorSystem("running", **options)


def _seeded(seed: int) -> Callable[..., ActorSystem]:
    def make(**options: Any) -> ActorSystem:
        return ActorSystem("running", dispatcher=SeededDispatcher.with_seed(seed), **options)

    return make


MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("own", asyncio.new_event_loop, _own, own=True),
        Mode("own+uvloop", asyncio.new_event_loop, _own, own=True),
        Mode("running", asyncio.new_event_loop, _running),
        Mode("virtual", VirtualLoop, _running, virtual=True),
        *(Mode(f"virtual+seed-{seed}", VirtualLoop, _seeded(seed), virtual=True) for seed in SEEDS),
    )
}
PLAIN: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every mode for tests of actors; the plain loop for the others."""
    wanted: set[str] = set(getattr(item, "fixturenames", ()))
    marker = item.get_closest_marker("modes")
    if marker is not None:
        return {name: MODES[name] for name in marker.args}
    return MODES if wanted & {"system", "mode", "make_system"} else PLAIN


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "modes(*names): runs in these modes only")


@pytest.fixture
def mode(_asyncio_loop_factory: Mode, monkeypatch: pytest.MonkeyPatch) -> Mode:
    """How this test runs its actors."""
    if _asyncio_loop_factory.name == "own+uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed: own loops are asyncio's")
    else:
        monkeypatch.setitem(sys.modules, "uvloop", None)  # importing it fails: the fallback is asyncio's loop
    return _asyncio_loop_factory


@pytest.fixture
async def make_system(mode: Mode) -> AsyncIterator[Callable[..., Awaitable[ActorSystem]]]:
    """Makes and starts systems in this mode, and closes them."""
    made: list[ActorSystem] = []

    async def make(**options: Any) -> ActorSystem:
        system = mode.new_system(**options)
        if mode.own:
            await asyncio.to_thread(system.start)
        else:
            system.start()
        made.append(system)
        return system

    yield make
    for system in made:
        await system.aclose(0.5)


@pytest.fixture
async def system(make_system: Callable[..., Awaitable[ActorSystem]]) -> ActorSystem:
    """A running actor system."""
    return await make_system()


@pytest.fixture
def probe() -> Probe:
    """Collects what actors do to the outside."""
    return Probe()
