"""The faults of one run of a scenario: given to its parts before it starts, and asked afterwards what has struck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.transport import Transport
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD
from sessionactors.runtime import ActorSystem

from .fault import Fault, SignalFault
from .point import Plan
from .room import DisturbedTransport
from .soak import disturb
from .strikes import Strike


class Injection:
    """Faults on their way into one run.

    Args:
        faults: none: signals are only counted.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self._plan = Plan(fault for fault in faults if isinstance(fault, SignalFault))
        self._strikes: list[Strike] = []

    def of_components(self, options: Mapping[str, object]) -> dict[str, object]:
        """The options of a session, with gates behind its providers."""
        return {
            name: disturb(given, self._plan) if isinstance(given, STT | VAD | LLM | TTS) else given
            for name, given in options.items()
        }

    def of_room(self, room: Transport) -> Transport:
        """The room, with a gate behind what it tells."""
        return DisturbedTransport(room, self._plan)

    def begin(self, system: ActorSystem, room: str) -> None:
        """The system runs, the session is about to start."""
        faults = [fault for fault in self.faults if not isinstance(fault, SignalFault)]
        self._strikes = [Strike(system, room, fault) for fault in faults]

    def end(self) -> None:
        """The run is over."""
        for strike in self._strikes:
            strike.undo()

    @property
    def signals(self) -> Mapping[str, int]:
        """How many signals of each kind came."""
        return self._plan.counts

    @property
    def struck(self) -> tuple[Fault, ...]:
        """Faults that came to their point."""
        met = set(self._plan.struck)
        return tuple(
            fault
            for fault in self.faults
            if fault in met or any(strike.fault is fault and strike.done for strike in self._strikes)
        )

    @property
    def killed(self) -> tuple[str, ...]:
        """Actors that were killed."""
        return tuple(strike.moment.actor for strike in self._strikes if strike.done and str(strike.fault)[:4] == "kill")
