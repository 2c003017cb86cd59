"""The providers behind a fallback adapter: which of them work, which rest after a failure, and in what order to ask."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeAlias, TypeVar

import structlog

from sessionactors.interfaces.home import Home
from sessionactors.model.errors import APIError, OptionError
from sessionactors.model.option_checks import check_count, check_seconds

LONGEST_REST: Final = 8
"""Cool-downs that one lasts at most: it doubles each time the provider fails again."""

log = structlog.get_logger(__name__)


class Provider(Protocol):
    """What is known of every member."""

    home: Home
    label: str
    model: str
    provider: str

    async def aclose(self) -> None:
        """Release all that it holds."""


P = TypeVar("P", bound=Provider)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AvailabilityChangedEvent(Generic[P]):
    """A provider behind an adapter failed, or works again."""

    provider: P
    available: bool
    error: BaseException | None = None
    """Why it is not available."""


AvailabilityCallback: TypeAlias = Callable[[AvailabilityChangedEvent[P]], object]


@dataclass(slots=True)
class _Member(Generic[P]):
    provider: P
    rests_until: float | None = None
    """Loop time; None: it works."""
    rests: int = 0
    """Cool-downs in a row."""
    error: BaseException | None = None
    """Why it rests."""


class AllFailed(APIError):
    """Raised when nobody is left to ask. Not retryable: the attempts are spent."""

    def __init__(self, message: str, errors: Sequence[BaseException]) -> None:
        super().__init__(message, retryable=False)
        self.errors = errors
        """Why, of each that was asked."""
        if errors:
            self.__cause__ = errors[-1]


class Request(ABC, Generic[P, T]):
    """What is asked of one after the other, until somebody answers."""

    @abstractmethod
    def ask(self, provider: P) -> AsyncGenerator[T, None]:
        """From its beginning."""

    @abstractmethod
    def is_answer(self, item: T) -> bool:
        """Whether the next one would say it twice."""

    @abstractmethod
    def missing(self, provider: P) -> Exception | None:
        """What a provider that ended without an answer is blamed for; None: it may be silent."""

    def own_fault(self) -> Exception | None:
        """Why the request failed, and no provider."""
        return None

    @abstractmethod
    def answered(self, provider: P) -> None:
        """The answer is whole."""


class Members(Generic[P]):
    """The providers, first choice first. Shared by rooms, and by loops in several threads.

    Args:
        kind: for people: ``llm``, ``realtime``, ``stt``, ``tts``.
        providers: two or more; all on the same loop.
        retries: attempts after the first that each gets in one request.
        retry_interval: seconds between them.
        attempt_timeout: seconds > 0 to its first answer, and between answers.
        cooldown: seconds for which one that failed is not asked, if another one works.

    Raises:
        OptionError: an argument is out of range.
    """

    def __init__(
        self,
        kind: Literal["llm", "realtime", "stt", "tts"],
        providers: Iterable[P],
        *,
        retries: int,
        retry_interval: float,
        attempt_timeout: float,
        cooldown: float,
    ) -> None:
        self._kind = kind
        self._members = [_Member(provider) for provider in providers]
        if not self._members:
            raise OptionError(f"a FallbackAdapter needs at least one {kind}, better two: got none")
        check_count(f"max_retry_per_{kind}", retries)
        check_seconds("retry_interval", retry_interval)
        check_seconds("cooldown", cooldown)
        if attempt_timeout <= 0:
            raise OptionError(f"attempt_timeout must be > 0 seconds, got {attempt_timeout}")
        self.home = self._one_home()
        self.attempts = 1 + retries
        self.retry_interval = retry_interval
        self.attempt_timeout = attempt_timeout
        self._cooldown = cooldown
        self._callbacks: list[AvailabilityCallback[P]] = []
        self._lock = threading.Lock()

    def _one_home(self) -> Home:
        homes = {member.provider.home for member in self._members}
        if len(homes) > 1:
            where = ", ".join(f"{member.provider.label}: {member.provider.home.value}" for member in self._members)
            raise OptionError(f"providers behind one adapter must live on one loop: {where}")
        return homes.pop()

    @property
    def all(self) -> Sequence[P]:
        """The providers, first choice first."""
        return [member.provider for member in self._members]

    @property
    def answers_within(self) -> float:
        """Seconds in which a request has been answered or has failed with all of them, before anything was released."""
        each = self.attempts * self.attempt_timeout + (self.attempts - 1) * self.retry_interval
        return len(self._members) * each + 1.0

    def subscribe(self, event: str, callback: AvailabilityCallback[P]) -> None:
        """Tell a callback of every change. It is called on the loop of the request that saw it.

        Raises:
            OptionError: there is no such event.
        """
        if event != (known := f"{self._kind}_availability_changed"):
            raise OptionError(f"there is no event {event!r}; there is {known!r}")
        self._callbacks.append(callback)

    def order(self) -> list[P]:
        """Those to ask, in order: the ones that work, or whose cool-down is over; all, if there is none of these."""
        now = asyncio.get_running_loop().time()
        with self._lock:
            ready = [member for member in self._members if member.rests_until is None or member.rests_until <= now]
            asked = ready or sorted(self._members, key=lambda member: member.rests_until or 0.0)
            return [member.provider for member in asked]

    def replaced(self, provider: P) -> bool:
        """Whether another one would be asked next, which works as far as is known."""
        now = asyncio.get_running_loop().time()
        first = self.order()[0]
        with self._lock:
            rests_until = self._member(first).rests_until
        return first is not provider and (rests_until is None or rests_until <= now)

    def failed(self, provider: P, error: BaseException) -> None:
        """It is not asked for a while."""
        now = asyncio.get_running_loop().time()
        with self._lock:
            member = self._member(provider)
            worked = member.rests_until is None
            rest = self._cooldown * min(2**member.rests, LONGEST_REST)
            member.rests_until, member.rests, member.error = now + rest, member.rests + 1, error
        log.warning("provider_failed", kind=self._kind, provider=provider.label, error=repr(error), rests=rest)
        if worked:
            self._tell(AvailabilityChangedEvent(provider, available=False, error=error))

    def answered(self, provider: P) -> None:
        """It works."""
        with self._lock:
            member = self._member(provider)
            rested = member.rests_until is not None
            member.rests_until, member.rests, member.error = None, 0, None
        if rested:
            log.info("provider_works_again", kind=self._kind, provider=provider.label)
            self._tell(AvailabilityChangedEvent(provider, available=True))

    def all_failed(self, errors: Sequence[tuple[P, BaseException]] | None = None) -> AllFailed:
        """The error when nobody is left: each with its last failure, or with these."""
        if errors is None:
            known = ((member.provider, member.error) for member in self._members)
            errors = [(provider, error) for provider, error in known if error is not None]
        told = "; ".join(f"{provider.label}: {error}" for provider, error in errors)
        return AllFailed(f"all {len(self._members)} providers failed: {told}", [error for _, error in errors])

    async def in_turn(self, request: Request[P, T]) -> AsyncGenerator[T, None]:
        """The answer of the first one that gives any, each with its attempts. Nobody else is asked once it has begun.

        Raises:
            AllFailed: nobody answered.
            Exception: what the request itself failed of, or the one that had begun to answer.
        """
        errors: list[tuple[P, BaseException]] = []
        for provider in self.order():
            last: Exception | None = None
            for attempt in range(self.attempts):
                if attempt:
                    await asyncio.sleep(self.retry_interval)
                begun = False
                try:
                    async with aclosing(request.ask(provider)) as answer:
                        async for item in answer:
                            begun = begun or request.is_answer(item)
                            yield item
                    if not begun and (missing := request.missing(provider)) is not None:
                        raise missing
                except Exception as error:
                    if (own := request.own_fault()) is not None:
                        raise own from None
                    if begun:
                        self.failed(provider, error)
                        raise
                    last = error
                    if is_final(error):
                        break
                else:
                    self.answered(provider)
                    request.answered(provider)
                    return
            if last is not None:
                self.failed(provider, last)
                errors.append((provider, last))
        raise self.all_failed(errors)

    async def aclose(self) -> None:
        """Close all of them, also if one raises.

        Raises:
            ExceptionGroup: what some of them raised.
        """
        closings = (member.provider.aclose() for member in self._members)
        results = await asyncio.gather(*closings, return_exceptions=True)
        if errors := [result for result in results if isinstance(result, Exception)]:
            raise ExceptionGroup("providers that did not close", errors)

    def _member(self, provider: P) -> _Member[P]:
        return next(member for member in self._members if member.provider is provider)

    def _tell(self, event: AvailabilityChangedEvent[P]) -> None:
        for callback in self._callbacks:
            try:
                callback(event)
            except Exception:
                log.exception("callback_of_adapter_failed", kind=self._kind)


def is_final(error: BaseException) -> bool:
    """Whether the same provider would fail in the same way again."""
    return not isinstance(error, APIError) or not error.retryable
