"""Tools for testing sessions and actors: scenarios, virtual time, seeded schedules, scripted providers, invariants."""

from .exploration import PromiseBroken, explore
from .invariants import Broken
from .marked_voice import MarkedVoice
from .scenario import Scenario
from .scenario_run import HeardAudio, Run, TimedEvent
from .scripted_ear import Faults, ScriptedSTT, ScriptedTurnDetector, ScriptedVAD
from .scripted_llm import ScriptedLLM, ScriptedReply
from .scripted_tts import ScriptedTTS
from .seeded_dispatcher import SeededDispatcher
from .virtual_loop import Quiescent, VirtualLoop, run

__all__ = [
    "Broken",
    "Faults",
    "HeardAudio",
    "MarkedVoice",
    "PromiseBroken",
    "Quiescent",
    "Run",
    "Scenario",
    "ScriptedLLM",
    "ScriptedReply",
    "ScriptedSTT",
    "ScriptedTTS",
    "ScriptedTurnDetector",
    "ScriptedVAD",
    "SeededDispatcher",
    "TimedEvent",
    "VirtualLoop",
    "explore",
    "run",
]
