"""Whether a failed provider request is asked again, and when. Pure; shared by ``llm`` and ``tts``.

Providers never retry by themselves, so that budgets do not multiply: the session's ``APIConnectOptions`` are the only
ones. Adapters that have several providers to ask are the exception: their budget then is the only one
(``answers_within``).
"""

from __future__ import annotations

from sessionactors.model.errors import APIError, APIStatusError, ProviderReplaced
from sessionactors.model.options import APIConnectOptions


def retry_delay(error: BaseException, failures: int, options: APIConnectOptions) -> float | None:
    """Seconds until the next attempt; None: there is none.

    Args:
        error: what ended the last attempt. Only a retryable :class:`APIError` is asked again: an unexpected exception
            is a fault in code, which a second run does not heal.
        failures: how many attempts have failed, this one included, >= 1.
        options: the budget. A provider that asks to wait is given that time, unless it is longer than its ``timeout``:
            nobody on a call waits so long, so that counts as no answer.
    """
    if isinstance(error, ProviderReplaced):
        return 0.0
    if not isinstance(error, APIError) or not error.retryable or failures > options.max_retry:
        return None
    delay = options.delay_before(failures)
    wanted = error.retry_after if isinstance(error, APIStatusError) else None
    if wanted is None:
        return delay
    return None if wanted > options.timeout else max(delay, wanted)


def patience(own: float | None, options: APIConnectOptions) -> float:
    """Seconds to wait for an answer.

    Args:
        own: the ``answers_within`` of the provider.
        options: the session's.
    """
    return options.timeout if own is None else max(own, options.timeout)


def reportable(error: BaseException, of: str) -> Exception:
    """The error as it may be stored and raised elsewhere.

    A ``CancelledError`` or ``SystemExit`` that a provider let out would cancel or end whoever raises it again.

    Args:
        error: what ended the attempt.
        of: whose attempt, for people.
    """
    if isinstance(error, Exception):
        return error
    wrapped = APIError(f"{of} ended with {error!r}", retryable=False)
    wrapped.__cause__ = error
    return wrapped
