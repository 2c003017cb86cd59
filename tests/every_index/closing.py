"""P10: ``close(deadline)`` at every message index, with each actor blocked in turn."""

from __future__ import annotations

from functools import cache

from sessionactors.runtime.messages import Suspend
from sessionactors.testing import Run, invariants

from tests.every_index.signals import is_about_stubborn
from tests.every_index.talks import TALKS
from tests.session.talks import Session

DEADLINE = 0.5
ALLOWED = frozenset({"P10", "P12", "P17", "P18", "P1", "P6"})
"""What is owed when an actor does nothing any more; the others need it."""


@cache
def undisturbed(talk: str) -> Run:
    """The conversation as it is without a close in its midst."""
    return TALKS[talk]().play()


def messages(talk: str) -> int:
    """How many messages are handled before the session closes by itself."""
    run = undisturbed(talk)
    assert run.snapshot is not None
    return sum(
        1 for delivery in run.deliveries if delivery.outcome == "handled" and delivery.began_at < run.snapshot.now
    )


def actors(talk: str) -> list[str]:
    """The actors of the conversation, by the end of their paths; first nobody."""
    run = undisturbed(talk)
    paths = {delivery.target for delivery in run.deliveries}
    return ["", *sorted(path.removeprefix(f"{run.room}/") for path in paths if path != run.room)]


def what_breaks(talk: str, number: int, blocked: str, seed: int | None = None) -> list[str]:
    """What is wrong with a close right behind the n-th message, while one actor (empty: none) does nothing."""

    def close(session: Session) -> object:
        path = f"scenario/{blocked}"
        if blocked and path in session.inspect():
            session.actor(blocked).cell.deliver_system(Suspend())
        return session.aclose(deadline=DEADLINE)

    scenario = TALKS[talk]()
    scenario.call_behind("*", object, number, close)
    run = scenario.play(seed)
    handled = [delivery for delivery in run.deliveries if delivery.outcome == "handled"]
    found = [
        str(one)
        for one in invariants.broken(run)
        if (not blocked or one.promise in ALLOWED) and not is_about_stubborn(one, talk)
    ]
    if len(handled) < number:
        return [*found, f"only {len(handled)} messages were handled"]
    took = run.ended_at - run.time_of(handled[number - 1])
    if took > DEADLINE + 0.1:
        found.append(f"P10: the close took {took:.3f} s")
    found += _report_is_exact(run)
    return found


def _report_is_exact(run: Run) -> list[str]:
    """Each actor that lived at the close is in it once."""
    if run.report is None:
        return ["P10: there is no report"]
    told = [*run.report.clean, *run.report.abandoned]
    if len(told) != len(set(told)):
        return [f"P10: an actor ended twice: {sorted(told)}"]
    if run.room not in told:
        return [f"P10: the session itself is not in the report: {told}"]
    abandoned, left = dict(run.report.abandoned), {leak.removeprefix("effect ").split("#")[0] for leak in run.leaks}
    if set(abandoned) != left or not left <= {f"{run.room}/tools"}:
        return [f"P10: given up was {abandoned}, left behind is {run.leaks}"]
    return []
