"""What holds for every test: nothing blocks a loop, nothing is left behind, log lines reach pytest.

The guards are described in `tests/guards/`. Fixtures for one package belong in `tests/<package>/conftest.py`.
"""

from __future__ import annotations

import logging
from collections.abc import MutableSequence

import pytest
import structlog
from structlog.typing import Processor

pytest_plugins = ["tests.guards.blocking", "tests.guards.leftovers", "tests.guards.pace"]

PROCESSORS: MutableSequence[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.processors.StackInfoRenderer(),
    structlog.processors.ExceptionRenderer(),
    structlog.processors.KeyValueRenderer(key_order=["event", "room", "actor", "message_id"], drop_missing=True),
]
"""One list for the whole run: `structlog.testing.capture_logs` swaps its content, and bound loggers keep it."""


@pytest.fixture(autouse=True)
def log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Sends structlog's lines through `logging`, so that pytest shows them beside a failure.

    Set for each test, because the command line configures structlog for itself.
    """
    caplog.set_level(logging.DEBUG, logger="sessionactors")
    structlog.configure(
        processors=PROCESSORS,
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
