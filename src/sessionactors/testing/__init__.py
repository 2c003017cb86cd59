"""Tools for testing sessions and actors: scenarios, virtual time, seeded schedules, scripted providers, invariants.

A name is imported when it is first asked for, as in :mod:`sessionactors`: pytest imports this package for its plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sessionactors.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .cases_of_evals import EvalCase, eval_cases
    from .covered import Covered
    from .escapes import Escaped
    from .exploration import PromiseBroken, expecting, explore
    from .invariants import Broken
    from .journal_tests import RunsPart, from_journal
    from .marked_voice import MarkedVoice
    from .realtime_script import ScriptedResponse
    from .scenario import Scenario
    from .scenario_run import HeardAudio, Run, TimedEvent
    from .schedule import Schedule, ScheduleError
    from .scripted_ear import Faults, ScriptedSTT, ScriptedTurnDetector, ScriptedVAD
    from .scripted_listener import ScriptedStreamingTurnDetector
    from .scripted_llm import ScriptedLLM, ScriptedReply
    from .scripted_realtime import CLIENT_TURNS, SPEAKING, RealtimeScript, ScriptedRealtime
    from .scripted_realtime_session import ScriptedRealtimeSession
    from .scripted_tts import ScriptedTTS
    from .seeded_dispatcher import SeededDispatcher
    from .virtual_loop import Quiescent, VirtualLoop, run
    from .watched import watched

__all__ = [
    "CLIENT_TURNS",
    "SPEAKING",
    "Broken",
    "Covered",
    "Escaped",
    "EvalCase",
    "Faults",
    "HeardAudio",
    "MarkedVoice",
    "PromiseBroken",
    "Quiescent",
    "RealtimeScript",
    "Run",
    "RunsPart",
    "Scenario",
    "Schedule",
    "ScheduleError",
    "ScriptedLLM",
    "ScriptedRealtime",
    "ScriptedRealtimeSession",
    "ScriptedReply",
    "ScriptedResponse",
    "ScriptedSTT",
    "ScriptedStreamingTurnDetector",
    "ScriptedTTS",
    "ScriptedTurnDetector",
    "ScriptedVAD",
    "SeededDispatcher",
    "TimedEvent",
    "VirtualLoop",
    "eval_cases",
    "expecting",
    "explore",
    "from_journal",
    "run",
    "watched",
]

_HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "cases_of_evals": ("EvalCase", "eval_cases"),
    "covered": ("Covered",),
    "escapes": ("Escaped",),
    "exploration": ("PromiseBroken", "expecting", "explore"),
    "invariants": ("Broken",),
    "journal_tests": ("RunsPart", "from_journal"),
    "marked_voice": ("MarkedVoice",),
    "scenario": ("Scenario",),
    "schedule": ("Schedule", "ScheduleError"),
    "scenario_run": ("HeardAudio", "Run", "TimedEvent"),
    "scripted_ear": ("Faults", "ScriptedSTT", "ScriptedTurnDetector", "ScriptedVAD"),
    "realtime_script": ("ScriptedResponse",),
    "scripted_listener": ("ScriptedStreamingTurnDetector",),
    "scripted_llm": ("ScriptedLLM", "ScriptedReply"),
    "scripted_realtime": ("CLIENT_TURNS", "SPEAKING", "RealtimeScript", "ScriptedRealtime"),
    "scripted_realtime_session": ("ScriptedRealtimeSession",),
    "scripted_tts": ("ScriptedTTS",),
    "seeded_dispatcher": ("SeededDispatcher",),
    "virtual_loop": ("Quiescent", "VirtualLoop", "run"),
    "watched": ("watched",),
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
