"""Faults as values: what goes wrong at which point, in a scenario or around a live provider.

A point is a count, not a time: the n-th signal of a kind from a provider or transport, or the n-th message of an actor.
So a fault strikes at the same place whatever the schedule, can be written down, and can be given again::

    scenario.inject("drop playout.finished#1", "kill tts@5")
    faults.possible(run)      # all faults that apply to what a fault-free run did
    with_faults(stt, seed=7, rate=0.001)   # a provider that now and then goes wrong, for soak runs
"""

from __future__ import annotations

from .fault import ActorFault, ClockStep, Fault, FaultError, SignalFault, parse
from .judgement import broken
from .point import acts_on
from .possible import Possible, possible
from .soak import Chance, with_faults

__all__ = [
    "ActorFault",
    "Chance",
    "ClockStep",
    "Fault",
    "FaultError",
    "Possible",
    "SignalFault",
    "acts_on",
    "broken",
    "parse",
    "possible",
    "with_faults",
]
