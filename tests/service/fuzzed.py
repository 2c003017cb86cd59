"""The HTTP API under schemathesis: what its OpenAPI allows, and what it forbids, is sent to a service with rooms.

``make fuzz-http`` sends many requests; the suite sends few.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode

from sessionactors import HttpOptions, RoomSupervisor

from tests.service.rooms import Specs

TOKEN = "everything-0123456789"
KNOWN = {"room": ("a", "b"), "actor": ("llm", "a/llm", "floor", "..")}
"""Names that exist: most requests go there, or nothing behind the first look would be seen."""


@dataclass
class Outcome:
    """What came of it."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


@contextmanager
def served() -> Iterator[tuple[FastAPI, TestClient]]:
    """A service, and a client that has all rights and may ask as often as it likes."""
    options = HttpOptions(
        tokens={TOKEN: ("look", "talk", "intervene")},
        remote=True,
        burst=10**9,
        requests_per_second=1e9,
        inspection_port=None,
    )
    rooms = RoomSupervisor(Specs(), http=options, max_sessions=20, drain_deadline=0.0)
    app = FastAPI(lifespan=rooms.lifespan)
    app.include_router(rooms.router)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield app, client


def fuzz(examples: int, *, seed: int = 1, note: Callable[[str], object] = lambda _: None) -> Outcome:
    """Send so many requests of each kind, allowed and forbidden, to each operation."""
    outcome = Outcome()
    with served() as (app, client):
        schema: Any = schemathesis.openapi.from_dict(app.openapi())
        for found in schema.get_all_operations():
            operation = found.ok()
            for room in KNOWN["room"]:
                client.post("/rooms", json={"room": room}, headers={"authorization": f"Bearer {TOKEN}"})
            for mode in GenerationMode:
                _ask(operation, mode, client, examples, seed, outcome)
            note(f"{operation.label}: {outcome.requests[operation.label]} requests")
    return outcome


def _ask(operation: Any, mode: GenerationMode, client: TestClient, examples: int, seed: int, outcome: Outcome) -> None:
    try:
        cases = operation.as_strategy(generation_mode=mode)
    except schemathesis.errors.InvalidSchema:  # nothing can be wrong with a request without parameters
        return

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=cases, choice=st.integers(0, 9))
    def send(case: Any, choice: int) -> None:
        for name, values in KNOWN.items():
            if case.path_parameters and name in case.path_parameters and choice:
                case.path_parameters[name] = values[choice % len(values)]
        if isinstance(case.body, dict) and isinstance(case.body.get("wait"), int | float):
            case.body["wait"] = 0  # what is asked for is fulfilled: a minute is a minute
        request = case.as_transport_kwargs(base_url="http://testserver")
        request["headers"] = {**request.get("headers", {}), "Authorization": f"Bearer {TOKEN}"}
        request.pop("cookies", None)
        if "data" in request:
            request["content"] = request.pop("data")
        answer = client.request(**request)
        outcome.requests[operation.label] += 1
        outcome.statuses[answer.status_code] += 1
        not_now = answer.status_code == 503 and "retry-after" in answer.headers  # full, or a mailbox is: docs/http.md
        if answer.status_code >= 500 and not not_now:
            outcome.faults.append(f"{answer.status_code} to {request}: {answer.text[:500]}")

    try:
        send()
    except hypothesis.errors.Unsatisfiable:  # a request without parameters cannot be wrong
        return


def main() -> int:
    """The command."""
    import logging

    import structlog

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="requests of each kind to each operation")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    outcome = fuzz(given.examples, seed=given.seed, note=print)
    counts = ", ".join(f"{status}: {count}" for status, count in sorted(outcome.statuses.items()))
    print(f"{outcome.requests.total()} requests; answers {counts}; {len(outcome.faults)} faults of ours")
    for fault in outcome.faults[:20]:
        print(fault)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
