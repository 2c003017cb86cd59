"""The typed messages of a session, one module for each stretch of the path.

``ear`` source to turn; ``turn`` facts about the user; ``floor`` who may speak; ``speech`` one agent speech; ``llm``,
``tools``, ``tts``, ``output``, ``history`` the services it uses; ``room`` the link; ``session`` lifecycle and commands.

Times named ``at`` are kernel clock nanoseconds; durations are seconds.

Importable from here is what drop-in actors may rely on: what is heard, said, decided and kept. The other messages are
the actors' own affair and may change with any version.
"""

from .ear import FinalTranscript, FrameCaptured, SetInputEnabled, SpeechEnded, SpeechStarted
from .floor import SilenceSpeech
from .history import HistoryChanged
from .llm import GenerationDone, GenerationFailed, TextDelta
from .output import PlayoutFinished, PlayoutStarted, SinkReported
from .room import ParticipantJoined, ParticipantLeft, TextReceived
from .session import EventRaised
from .tools import RunTool, ToolFinished
from .tts import SegmentAudio
from .turn import UserTurnEnded

__all__ = [
    "EventRaised",
    "FinalTranscript",
    "FrameCaptured",
    "GenerationDone",
    "GenerationFailed",
    "HistoryChanged",
    "ParticipantJoined",
    "ParticipantLeft",
    "PlayoutFinished",
    "PlayoutStarted",
    "RunTool",
    "SegmentAudio",
    "SetInputEnabled",
    "SilenceSpeech",
    "SinkReported",
    "SpeechEnded",
    "SpeechStarted",
    "TextDelta",
    "TextReceived",
    "ToolFinished",
    "UserTurnEnded",
]
