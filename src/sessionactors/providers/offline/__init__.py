"""Providers that need no network and no account: everything a voice agent has, at demonstration grade.

One intent table (:class:`IntentTable`) says what callers say and what is answered; recogniser, responder and turn
detector are made from it. What this is good for and what not: ``docs/offline-quality.md``.

Importing this package imports none of the engines; a missing one is a
:class:`MissingDependencyError` where it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessionactors.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .energy_vad import EnergyVAD
    from .errors import IntentTableError, MissingDependencyError, MissingPronunciationError
    from .front_desk import FRONT_DESK
    from .intents import Completeness, Intent, IntentMatch, IntentTable, IntentTool, Slot
    from .interruption_detector import WordListInterruptionDetector
    from .responder import RuleBasedLLM
    from .stt import PocketSphinxSTT
    from .tts import EspeakTTS, FliteTTS, default_tts
    from .turn_detector import GrammarTurnDetector
    from .vad import SileroVAD

__all__ = [
    "FRONT_DESK",
    "Completeness",
    "EnergyVAD",
    "EspeakTTS",
    "FliteTTS",
    "GrammarTurnDetector",
    "Intent",
    "IntentMatch",
    "IntentTable",
    "IntentTableError",
    "IntentTool",
    "MissingDependencyError",
    "MissingPronunciationError",
    "PocketSphinxSTT",
    "RuleBasedLLM",
    "SileroVAD",
    "Slot",
    "WordListInterruptionDetector",
    "default_tts",
]

_MODULES: Final = {
    "energy_vad": ("EnergyVAD",),
    "errors": ("IntentTableError", "MissingDependencyError", "MissingPronunciationError"),
    "front_desk": ("FRONT_DESK",),
    "intents": ("Completeness", "Intent", "IntentMatch", "IntentTable", "IntentTool", "Slot"),
    "interruption_detector": ("WordListInterruptionDetector",),
    "responder": ("RuleBasedLLM",),
    "stt": ("PocketSphinxSTT",),
    "tts": ("EspeakTTS", "FliteTTS", "default_tts"),
    "turn_detector": ("GrammarTurnDetector",),
    "vad": ("SileroVAD",),
}

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
