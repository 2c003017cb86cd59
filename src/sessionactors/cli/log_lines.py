"""Where log lines go while a command runs: to standard error, from warnings on, or all of them when asked."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping

import structlog


def configure(*, verbose: bool) -> None:
    """Standard output is the command's; log lines must not come between its own."""
    _configure(logging.DEBUG if verbose else logging.WARNING)


def configure_worker(level: str) -> None:
    """The same for a worker: lines from this level on, those of the program too, each with the fields of its job."""
    number = logging.DEBUG if level.upper() == "TRACE" else logging.getLevelNamesMapping()[level.upper()]
    _configure(number)
    logging.basicConfig(
        level=number, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s%(job)s"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_JobFields())


def _configure(level: int) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_job_fields,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=False),
            structlog.processors.StackInfoRenderer(),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _with_job_fields(_logger: object, _method: str, line: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for name, value in _fields_of_job().items():
        line.setdefault(name, value)
    return line


class _JobFields(logging.Filter):
    """Gives each record of the standard library the fields of the job in which it was made."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = _fields_of_job()
        for name, value in fields.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        record.job = "".join(f" {name}={value}" for name, value in fields.items())
        return True


def _fields_of_job() -> MutableMapping[str, object]:
    loaded = sys.modules.get("sessionactors.service.worker.job_context")  # without it no job runs here
    job = None if loaded is None else loaded.get_job_context(required=False)
    return {} if job is None else job.log_context_fields


def silence() -> None:
    """No lines at all: nobody reads what thousands of runs say, and errors that a script wants are no news."""
    _configure(logging.CRITICAL)
    logging.disable(logging.CRITICAL)
