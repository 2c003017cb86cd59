"""A pytest plugin: a failed or hung test shows what was in the mailboxes of its sessions.

Installed with the package; nothing to switch on. What is shown was looked at when the failure happened, before the
sessions were closed: of every session that lived, of one that an error made the test leave, and of the last scenario.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import TracebackType

    from sessionactors.runtime import ActorSystem, TreeSnapshot
    from sessionactors.session.agent_session import AgentSession

    from .performance import Performance
    from .scenario_run import Run

_found = pytest.StashKey["dict[str, str]"]()

SECTION = "sessionactors"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Look at the sessions in the moment in which the test fails."""
    found: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        _note_sessions_left(patch, found)
        _note_scenarios(patch, found)
        try:
            return (yield)
        except pytest.skip.Exception:
            raise
        except BaseException:
            item.stash[_found] = {**found, **_living()}
            raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what was found, below the failure."""
    report = yield
    if call.when == "call" and report.failed:
        report.sections.extend((f"{SECTION}: {title}", text) for title, text in item.stash.get(_found, {}).items())
    return report


def _living() -> dict[str, str]:
    """Every room of every actor system of this process."""
    forks = sys.modules.get("sessionactors.runtime.forks")
    systems: list[ActorSystem] = [] if forks is None else forks.started()
    return {room: shown(system.inspect(room)) for system in systems for room in list(system.trees)}


def shown(tree: TreeSnapshot) -> str:
    """A tree of mailboxes, and what blocks progress."""
    from sessionactors.session.why import why  # noqa: PLC0415

    return f"{tree}\n{why(tree)}"


def _note_sessions_left(patch: pytest.MonkeyPatch, found: dict[str, str]) -> None:
    """``async with`` closes the session before pytest hears of the failure: look before."""
    module = sys.modules.get("sessionactors.session.agent_session")
    if module is None:  # nobody has sessions: a suite that has nothing to do with us pays nothing
        return
    kind: type[AgentSession[object]] = module.AgentSession
    leave = kind.__aexit__

    async def noting(
        session: AgentSession[object],
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with contextlib.suppress(RuntimeError):  # it does not run any more
                found[session.room_name] = shown(session.inspect())
        await leave(session, kind, error, trace)

    patch.setattr(kind, "__aexit__", noting)


def _note_scenarios(patch: pytest.MonkeyPatch, found: dict[str, str]) -> None:
    """A scenario closes its session; what was looked at before is in the run."""
    module = sys.modules.get("sessionactors.testing.performance")
    if module is None:
        return
    kind: type[Performance] = module.Performance
    result = kind.run

    def noting(performance: Performance, *args: object, **kwargs: object) -> Run:
        run = result(performance, *args, **kwargs)  # type: ignore[arg-type]
        if run.snapshot is not None:
            found["the last scenario, before its close"] = shown(run.snapshot)
        return run

    patch.setattr(kind, "run", noting)
