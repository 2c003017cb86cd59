"""Faults around real providers, drawn from a seed at some rate: for soak runs of live sessions."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from collections.abc import Collection
from typing import TypeVar, cast

import structlog

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.transport import Transport
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError

from .fault import SIGNAL_ACTS, TIMED, SignalAct, SignalFault
from .point import Gate, acts_on
from .providers import DisturbedLLM, DisturbedSTT, DisturbedTTS, DisturbedVAD
from .room import DisturbedTransport

P = TypeVar("P", STT, VAD, LLM, TTS, Transport)

log = structlog.get_logger("sessionactors.testing")

REMEMBERED = 1000
"""Faults that are remembered, the newest."""
LONGEST = 5.0
"""Seconds that a drawn delay may take at most."""
SOAKING: Collection[SignalAct] = tuple(act for act in SIGNAL_ACTS if act not in ("dead", "lose"))
"""What is drawn unless it is said otherwise: nothing that ends a call by itself."""


class Chance(Gate):
    """Draws from a seed whether something goes wrong with a signal, and what.

    Args:
        seed: the same decisions for the same signals in the same order.
        rate: how likely a signal is to be struck, 0 to 1.
        acts: what may happen.
        warm_up: signals of each kind that pass before anything is drawn.

    Raises:
        OptionError: an argument is out of range.
    """

    def __init__(
        self, seed: int = 0, rate: float = 0.001, *, acts: Collection[SignalAct] = SOAKING, warm_up: int = 0
    ) -> None:
        if not 0 <= rate <= 1:
            raise OptionError(f"rate is the part of signals that is struck, 0 to 1, got {rate}")
        if unknown := [act for act in acts if act not in SIGNAL_ACTS]:
            raise OptionError(f"no signal can {unknown[0]!r}; what can happen is {', '.join(SIGNAL_ACTS)}")
        self._rate = rate
        self._acts = frozenset(acts)
        self._warm_up = warm_up
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.struck: deque[SignalFault] = deque(maxlen=REMEMBERED)
        """The newest faults, in order. The text of each can be given to :meth:`.Scenario.inject`."""
        self.strikes = 0
        """All of them."""

    def meet(self, signal: str) -> SignalFault | None:
        """Perhaps a fault; it is logged."""
        with self._lock:
            self._counts[signal] += 1
            number = self._counts[signal]
            if number <= self._warm_up or self._dice.random() >= self._rate:
                return None
            acts = [act for act in acts_on(signal) if act in self._acts]
            if not acts:
                return None
            act = self._dice.choice(acts)
            seconds = round(self._dice.uniform(0.1, LONGEST), 1) if act in TIMED else 0.0
            fault = SignalFault(act, signal, number, seconds)
            self.struck.append(fault)
            self.strikes += 1
        log.warning("fault_injected", room="", actor="", message_id=0, fault=str(fault))
        return fault


def with_faults(
    provider: P,
    seed: int = 0,
    rate: float = 0.001,
    *,
    acts: Collection[SignalAct] = SOAKING,
    chance: Chance | None = None,
) -> P:
    """A provider or transport that goes wrong now and then, and else is the one given.

    It can be used wherever the original can, in a live session too. Each fault is logged as ``fault_injected`` with its
    text.

    Args:
        provider: a recogniser, detector, model, voice or transport.
        seed: of what happens when.
        rate: how likely each signal (event, chunk, frame, report) is to be struck, 0 to 1.
        acts: what may happen.
        chance: instead of all that: one that several providers share, or that can be asked what has struck.

    Raises:
        OptionError: an argument is out of range, or the object is none of those.
    """
    gate = chance or Chance(seed, rate, acts=acts)
    return cast("P", disturb(provider, gate))


def disturb(provider: object, gate: Gate) -> object:
    """The provider with a gate behind its signals.

    Raises:
        OptionError: it is of no kind whose signals are known.
    """
    for kind, stand_in in (
        (STT, DisturbedSTT),
        (VAD, DisturbedVAD),
        (LLM, DisturbedLLM),
        (TTS, DisturbedTTS),
        (Transport, DisturbedTransport),
    ):
        if isinstance(provider, kind):
            return stand_in(provider, gate)  # type: ignore[arg-type]
    raise OptionError(f"faults come to an STT, VAD, LLM, TTS or Transport of ours, got {provider!r}")
