"""Rooms in which a caller and an agent talk, with providers that go wrong now and then: load for other programs here.

Nobody listens: detector and recogniser follow a script, the model answers at once, the voice is a tone. All that lies
between them is real: audio in frames, turns, interruptions, playout in real time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from sessionactors import Agent, RestartPolicy, SessionSpec, Transport
from sessionactors.testing.faults import Chance, with_faults
from sessionactors.testing.faults.soak import SOAKING
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedVAD
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.transports.memory import MemoryTransport

RATE = 16000
ANSWER = "We are open from noon to midnight, on every day but Monday."
ASKS_EVERY = 6.0
"""Seconds from one question of a caller to the next; each third cuts the answer off."""
FORGOTTEN_AFTER = 600.0
"""Seconds for which a script is written: longer than any call here."""


@dataclass
class Callers:
    """Makes sessions and the rooms they are in. Faults strike the providers, not the line."""

    chance: Chance
    frame_ms: int = 20
    """Length of the callers' frames: 100 rooms at 20 ms fill a core."""

    def spec(self, room: str) -> SessionSpec:
        """A session whose caller asks again and again."""
        spoken, finals = [], []
        for number, at in _questions():
            spoken.append((at, at + 0.8))
            finals.append((at + 1.0, f"When are you open? I ask for the {number}. time."))
        return SessionSpec(
            agent=Agent(instructions="You are the front desk of a hotel."),
            vad=with_faults(ScriptedVAD(spoken), chance=self.chance),
            stt=with_faults(ScriptedSTT(finals), chance=self.chance),
            llm=with_faults(ScriptedLLM(otherwise=ScriptedReply(ANSWER, ttft=0.1, duration=0.2)), chance=self.chance),
            tts=with_faults(ScriptedTTS(seconds_per_character=0.05), chance=self.chance),
        )

    def line(self, room: str) -> Callable[[], Transport]:
        """Makes the way into a room, for its first session and for those after a restart."""
        return lambda: MemoryTransport(silence_rate=RATE, frame_ms=self.frame_ms)


def _questions() -> Iterator[tuple[int, float]]:
    at = 1.0
    for number in count(1):
        if at > FORGOTTEN_AFTER:
            return
        yield number, at
        at += ASKS_EVERY if number % 3 else ASKS_EVERY / 3


def chance(seed: int, rate: float) -> Chance:
    """What goes wrong: all but what cannot be cancelled, which would be left behind by name."""
    return Chance(seed, rate, acts=[act for act in SOAKING if act != "stuck"])


RESTART = RestartPolicy(most=5, within=60.0)
