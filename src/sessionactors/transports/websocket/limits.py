"""What one connection may cost, as values: sizes, rates, deadlines."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sessionactors.model.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketLimits:
    """Bounds of one connection. Each has a close code or a counter that says when it was reached.

    Raises:
        OptionError: one of them is not positive.
    """

    hello_within: float = 5.0
    """Seconds for the client to say who it is."""
    max_message_bytes: int = 65536
    """Bytes of a message. A larger one ends the connection."""
    messages_per_second: float = 300.0
    """Messages of any kind, over a while; twice as many at once. More are dropped, and are faults."""
    texts_per_second: float = 1.0
    """What is typed, over a while; five times as many at once: each is a turn of its own. More are dropped, and are
    faults."""
    keys_per_second: float = 10.0
    """Keys that are pressed, and the microphone's switch, likewise."""
    faults: int = 10
    """Faults of a client that are forgiven, and one more every ten seconds: each costs the message that was wrong.
    Those before the hello are not forgiven."""
    audio_burst: float = 5.0
    """Seconds of audio that may come at once, as after a stall of the network. More is dropped and counted."""
    send_ahead: float = 1.0
    """Seconds of audio that are sent before they are due: so long may the network stall without a gap, and so long does
    a client go on that ignores ``clear``."""
    max_audio_age: float = 2.0
    """Seconds that audio may wait for a slow reader. Older audio is dropped and counted."""
    slow_after: float = 10.0
    """Seconds that any message may wait for a slow reader before the connection is closed."""
    max_waiting: int = 1000
    """Messages that may wait for a slow reader before the connection is closed."""
    silent_after: float = 20.0
    """Seconds without a message from the client before the connection is closed as half open. After half of them the
    client is pinged, where its protocol has pings."""
    clear_within: float = 0.5
    """Seconds for a client to say where it stopped; after that the position is reckoned."""
    resume_within: float = 15.0
    """Seconds in which a client may come back whose connection was lost, if it said that it would."""
    close_within: float = 2.0
    """Seconds for what waits to be sent and for the closing handshake; after that the connection is cut."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not value > 0:
                raise OptionError(f"{each.name} must be > 0, got {value!r}")


class Allowance:
    """So much at once, and so much a second: what is over is refused. A token bucket.

    Args:
        per_second: units that come back in a second.
        burst: units that may be taken at once.
        now: seconds, on the clock that ``take`` is told.
    """

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._at = now

    def take(self, units: float, now: float) -> bool:
        """Take some; False, and nothing is taken, if there is not so much left."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if units > self._left:
            return False
        self._left -= units
        return True
