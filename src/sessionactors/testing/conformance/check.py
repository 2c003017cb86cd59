"""A check: what a kind of provider must do, said in its docstring and tried by its function; and how one is run."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from .fault import Fault
from .outcome import Nonconforming, NotApplicable, Outcome, Result
from .rig import Rig

AnyRig: TypeAlias = "Rig[Any]"
R = TypeVar("R", bound="Rig[Any]")
Body: TypeAlias = Callable[[AnyRig], Coroutine[object, object, None]]

LIMIT = 30.0
"""Seconds that a check may take altogether; each wait in it has the rig's patience."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check by name."""

    name: str
    summary: str
    """What the provider must do, in one line or a few."""
    fault: Fault | None
    """The rig must be able to bring it on."""
    body: Body


class Checks:
    """The checks of a kind, in their order.

    Args:
        include: checks of others that are checks of this kind too.
        without: names of those that are not.
    """

    def __init__(self, *include: Checks, without: tuple[str, ...] = ()) -> None:
        self.all: list[Check] = [check for other in include for check in other.all if check.name not in without]

    def needs(self, fault: Fault | None = None) -> Callable[[Callable[[R], Coroutine[object, object, None]]], Check]:
        """Make a check of a function: its name and docstring are the check's.

        Args:
            fault: the rig must be able to bring it on; None: a healthy backend is enough.
        """

        def made(function: Callable[[R], Coroutine[object, object, None]]) -> Check:
            check = Check(
                cast("str", getattr(function, "__name__", "")),
                " ".join(inspect.cleandoc(function.__doc__ or "").split()),
                fault,
                cast("Body", function),
            )
            self.all.append(check)
            return check

        return made


@dataclass(frozen=True, slots=True)
class CheckOfRig:
    """A check for one provider: call it. In pytest it is a case of a parametrised test."""

    check: Check
    rig: AnyRig

    def __str__(self) -> str:
        return f"{self.rig.name}-{self.check.name}"

    @property
    def why_not(self) -> str:
        """Why it does not apply, where the rig alone says so: waived, or a fault that it cannot bring on."""
        if reason := self.rig.waived.get(self.check.name):
            return reason
        fault = self.check.fault
        return "" if fault is None or fault in self.rig.faults else f"the rig cannot bring on: {fault.value}"

    def __call__(self) -> None:
        """Run it, on a loop of its own.

        Raises:
            Nonconforming: the provider does not do what it must.
            NotApplicable: the check says nothing about this provider.
        """
        if self.why_not:
            raise NotApplicable(self.why_not)
        with asyncio.Runner(loop_factory=self.rig.loop_factory) as runner:
            runner.run(self._run())

    def outcome(self) -> Outcome:
        """Run it, and say how it ended."""
        began = time.perf_counter()

        def ended(result: Result, why: str = "") -> Outcome:
            return Outcome(self.check.name, result, why, time.perf_counter() - began)

        try:
            self()
        except NotApplicable as reason:
            return ended("not applicable", str(reason))
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the cell
            return ended("failed", str(error) if isinstance(error, Nonconforming) else repr(error))
        return ended("ok")

    async def _run(self) -> None:
        reported: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, told: reported.append(f"{told.get('message')}: {told.get('exception')!r}"))
        task = asyncio.create_task(self._body(), name=str(self))
        await asyncio.wait({task}, timeout=LIMIT)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=self.rig.patience)
            raise Nonconforming(f"the check did not end within {LIMIT:g} s")
        task.result()
        if reported:
            raise Nonconforming(f"the provider left errors to the loop: {'; '.join(reported)}")

    async def _body(self) -> None:
        try:
            await self.check.body(self.rig)
        except (Nonconforming, NotApplicable):
            raise
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            raise Nonconforming(f"raised {type(error).__name__}: {error}") from error
