"""Who answered a call: the verdict of a detection of answering machines (AMD), and when it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class AMDCategory(StrEnum):
    """Who answered."""

    HUMAN = "human"
    MACHINE_IVR = "machine-ivr"
    """A menu, or a screening of calls: it wants a key or an answer."""
    MACHINE_VM = "machine-vm"
    """A voice mailbox that takes a message."""
    MACHINE_UNAVAILABLE = "machine-unavailable"
    """A machine that takes no message: the mailbox is full, or was never set up."""
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class AMDPredictionEvent:
    """The verdict of a detection. The session raises it once for each that was not ended before."""

    speech_duration: float
    """Seconds from the beginning of the first speech to the end of the last."""
    category: AMDCategory
    reason: str
    """What decided: ``short_greeting``, ``llm``, ``llm_failed``, ``no_speech_timeout``, ``detection_timeout`` or
    ``participant_missing``."""
    transcript: str
    """What was understood until then."""
    delay: float
    """Seconds from the end of the speech to the verdict; 0.0 if nobody spoke."""
    detection: str = ""
    """Which one, of several in one session."""
    created_at: float = 0.0
    """Seconds since the epoch."""
    type: Literal["amd_prediction"] = "amd_prediction"

    @property
    def is_human(self) -> bool:
        """Whether a person answered."""
        return self.category is AMDCategory.HUMAN

    @property
    def is_machine(self) -> bool:
        """Whether a machine answered, of whatever kind."""
        return self.category.value.startswith("machine-")


@dataclass(frozen=True, slots=True)
class AMDOptions:
    """What a detection goes by; all times in seconds. Names and defaults are LiveKit's."""

    human_speech_threshold: float = 2.5
    """A greeting that is longer is no person's "Hello?"."""
    human_silence_threshold: float = 0.5
    """Silence after a short greeting without words that makes it a person."""
    machine_silence_threshold: float = 1.5
    """Silence after any other greeting before a verdict counts."""
    no_speech_threshold: float = 10.0
    """So long nobody may say anything."""
    timeout: float = 20.0
    """So long there may be no verdict, once it is listened."""
    max_endpointing_delay: float = 3.0
    """Silence after which a greeting is over that no turn detector has ended."""
    prompt: str = ""
    """What the model is told; empty: the stock one."""
    participant: str | None = None
    """Who is listened to; None: the first who can be heard."""
    interrupt_on_machine: bool = True
    """A machine gets no reply that was meant for a person."""
    ivr_detection: bool = True
    """A menu is kept going, as with the session's ``ivr_detection``."""
    wait_until_finished: bool = True
    """A greeting is heard to its end, also beyond ``timeout``."""
