"""Prints digests of traces, for the test that two processes print the same: ``python -m tests.exploration.traces``."""

from __future__ import annotations

import logging
from hashlib import sha256

import structlog

from sessionactors.testing import Schedule
from sessionactors.testing.trace import trace

from tests.exploration import catalogue

RUNS = (
    (catalogue.pauses_and_words, Schedule.random(5)),
    (catalogue.a_spoken_handoff, Schedule.pct(7, expected=600)),
)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for make, schedule in RUNS:
        text = trace(make().play(schedule))
        print(make.__name__, len(text), sha256(text).hexdigest())


if __name__ == "__main__":
    main()
