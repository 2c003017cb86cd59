"""Where faults strike: the signals of providers and transports, counted by kind, and who decides what happens there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from .fault import SignalAct, SignalFault

STREAMS: Final = ("stt", "vad", "llm", "tts")
"""Parts whose signals come as streams: each opens, says things, and ends."""
OPENS: Final[tuple[SignalAct, ...]] = ("fail", "dead", "hang", "stuck", "end", "delay", "drip")
ENDS: Final[tuple[SignalAct, ...]] = ("hang", "fail", "delay")
SAYS: Final[tuple[SignalAct, ...]] = (
    *("drop", "double", "swap", "delay", "drip", "fail", "hang", "stuck", "end", "garbage", "alien"),
)
TELLS: Final[tuple[SignalAct, ...]] = ("drop", "double", "swap", "delay", "lose")
"""Of a transport."""
CALLED: Final[tuple[SignalAct, ...]] = ("fail", "hang", "stuck", "delay")
"""Of what a transport is asked to do."""


def acts_on(signal: str) -> tuple[SignalAct, ...]:
    """What can happen to signals of a kind."""
    part, _, kind = signal.partition(".")
    if part in STREAMS:
        return {"open": OPENS, "end": ENDS}.get(kind, SAYS)
    if signal in ("transport.connect", "transport.close"):
        return CALLED
    return (*TELLS, "garbage") if signal in ("playout.progressed", "playout.finished", "transport.text") else TELLS


class Gate(Protocol):
    """Decides what happens to each signal. Thread-safe."""

    def meet(self, signal: str) -> SignalFault | None:
        """The next signal of this kind is there."""


class Plan(Gate):
    """Lets faults strike exactly where they say, and counts what passes.

    Args:
        faults: at most one for each signal counts.
    """

    def __init__(self, faults: Iterable[SignalFault] = ()) -> None:
        wanted = list(faults)
        self._at = {(fault.signal, fault.number): fault for fault in wanted}
        self._dead = {fault.signal: fault for fault in wanted if fault.does == "dead"}
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.struck: list[SignalFault] = []
        """Those that have, in order."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Signals of each kind so far."""
        return dict(self._counts)

    def meet(self, signal: str) -> SignalFault | None:
        """The one that is planned for it."""
        with self._lock:
            self._counts[signal] += 1
            number = self._counts[signal]
            fault = self._at.get((signal, number))
            if fault is not None:
                self.struck.append(fault)
                return fault
            dead = self._dead.get(signal)
            return dead if dead is not None and number > dead.number else None
