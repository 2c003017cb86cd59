"""Tools for testing sessions and actors: virtual time, seeded schedules, scripted providers."""

from .seeded_dispatcher import SeededDispatcher
from .virtual_loop import Quiescent, VirtualLoop, run

__all__ = ["Quiescent", "SeededDispatcher", "VirtualLoop", "run"]
