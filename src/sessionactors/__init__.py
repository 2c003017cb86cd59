"""Actor-model runtime for real-time voice-agent sessions.

Everything importable from here is public, typed and documented; the rest is not. Public as well are the packages
``sessionactors.messages`` (for drop-in actors), ``.providers``, ``.transports``, ``.testing`` and ``.cli``.

A name is imported when it is first asked for: a command or a worker process pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .interfaces.audio_io import (
        AudioSink,
        AudioSource,
        PlaybackFinished,
        PlaybackProgressed,
        PlaybackStarted,
    )
    from .interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
    from .interfaces.stt import STT, SpeechEvent, SpeechEventType
    from .interfaces.transport import TranscriptSegment, Transport, TransportEvents
    from .interfaces.tts import TTS, SynthesizedAudio, WordTiming
    from .interfaces.turn_detector import TurnDetector
    from .interfaces.vad import VAD, VADEvent, VADEventType
    from .model.audio import AudioFrame
    from .model.chat import AgentHandoff, ChatContext, ChatMessage, FunctionCall, FunctionCallOutput
    from .model.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AudioFormatError,
        DuplicateToolError,
        OptionError,
        SessionActorsError,
        SessionStateError,
        ToolDefinitionError,
        ToolTimeoutError,
    )
    from .model.events import (
        AgentStateChangedEvent,
        CloseEvent,
        CloseReason,
        ConversationItemAddedEvent,
        ErrorEvent,
        FunctionToolsExecutedEvent,
        MetricsCollectedEvent,
        SpeechCreatedEvent,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
    )
    from .model.options import APIConnectOptions, SessionOptions
    from .model.sentinel import FLUSH, NOT_GIVEN, FlushSentinel, NotGiven
    from .model.speech import SPEECH_PRIORITY_HIGH, SPEECH_PRIORITY_LOW, SPEECH_PRIORITY_NORMAL
    from .model.tools import ToolFlag
    from .runtime import NS, ActorSystem, CloseReport, Delivery, EffectPort, Outbox, Tap, TreeSnapshot, message
    from .service.errors import AdmissionRefused, RoomExists
    from .service.room_handle import RoomHandle
    from .service.room_supervisor import RoomSupervisor
    from .service.session_spec import SessionSpec
    from .session.agent import Agent
    from .session.agent_session import AgentSession
    from .session.drop_in import AnyDropIn, DropIn
    from .session.function_tool import (
        FunctionTool,
        FunctionToolInfo,
        RawFunctionTool,
        StopResponse,
        ToolError,
        function_tool,
    )
    from .session.job import JobContext, WorkerOptions
    from .session.room_options import RoomInputOptions, RoomOutputOptions
    from .session.run_context import RunContext
    from .session.speech_handle import SpeechHandle
    from .session.tool import AsyncToolset, ProviderTool, Tool, Toolset

__version__ = "0.1.0"

__all__ = [
    "FLUSH",
    "LLM",
    "NOT_GIVEN",
    "NS",
    "SPEECH_PRIORITY_HIGH",
    "SPEECH_PRIORITY_LOW",
    "SPEECH_PRIORITY_NORMAL",
    "STT",
    "TTS",
    "VAD",
    "APIConnectOptions",
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "ActorSystem",
    "AdmissionRefused",
    "Agent",
    "AgentHandoff",
    "AgentSession",
    "AgentStateChangedEvent",
    "AnyDropIn",
    "AsyncToolset",
    "AudioFormatError",
    "AudioFrame",
    "AudioSink",
    "AudioSource",
    "ChatChunk",
    "ChatContext",
    "ChatMessage",
    "CloseEvent",
    "CloseReason",
    "CloseReport",
    "CompletionUsage",
    "ConversationItemAddedEvent",
    "Delivery",
    "DropIn",
    "DuplicateToolError",
    "EffectPort",
    "ErrorEvent",
    "FlushSentinel",
    "FunctionCall",
    "FunctionCallOutput",
    "FunctionTool",
    "FunctionToolCall",
    "FunctionToolInfo",
    "FunctionToolsExecutedEvent",
    "JobContext",
    "LLMStream",
    "MetricsCollectedEvent",
    "NotGiven",
    "OptionError",
    "Outbox",
    "PlaybackFinished",
    "PlaybackProgressed",
    "PlaybackStarted",
    "ProviderTool",
    "RawFunctionTool",
    "RoomExists",
    "RoomHandle",
    "RoomInputOptions",
    "RoomOutputOptions",
    "RoomSupervisor",
    "RunContext",
    "SessionActorsError",
    "SessionOptions",
    "SessionSpec",
    "SessionStateError",
    "SpeechCreatedEvent",
    "SpeechEvent",
    "SpeechEventType",
    "SpeechHandle",
    "StopResponse",
    "SynthesizedAudio",
    "Tap",
    "Tool",
    "ToolDefinitionError",
    "ToolError",
    "ToolFlag",
    "ToolTimeoutError",
    "Toolset",
    "TranscriptSegment",
    "Transport",
    "TransportEvents",
    "TreeSnapshot",
    "TurnDetector",
    "UserInputTranscribedEvent",
    "UserStateChangedEvent",
    "VADEvent",
    "VADEventType",
    "WordTiming",
    "WorkerOptions",
    "function_tool",
    "message",
]

_HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "interfaces.audio_io": (
        "AudioSink",
        "AudioSource",
        "PlaybackFinished",
        "PlaybackProgressed",
        "PlaybackStarted",
    ),
    "interfaces.llm": (
        "ChatChunk",
        "CompletionUsage",
        "FunctionToolCall",
        "LLM",
        "LLMStream",
    ),
    "interfaces.stt": (
        "STT",
        "SpeechEvent",
        "SpeechEventType",
    ),
    "interfaces.transport": (
        "TranscriptSegment",
        "Transport",
        "TransportEvents",
    ),
    "interfaces.tts": (
        "SynthesizedAudio",
        "TTS",
        "WordTiming",
    ),
    "interfaces.turn_detector": ("TurnDetector",),
    "interfaces.vad": (
        "VAD",
        "VADEvent",
        "VADEventType",
    ),
    "model.audio": ("AudioFrame",),
    "model.chat": (
        "AgentHandoff",
        "ChatContext",
        "ChatMessage",
        "FunctionCall",
        "FunctionCallOutput",
    ),
    "model.errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "AudioFormatError",
        "DuplicateToolError",
        "OptionError",
        "SessionActorsError",
        "SessionStateError",
        "ToolDefinitionError",
        "ToolTimeoutError",
    ),
    "model.events": (
        "AgentStateChangedEvent",
        "CloseEvent",
        "CloseReason",
        "ConversationItemAddedEvent",
        "ErrorEvent",
        "FunctionToolsExecutedEvent",
        "MetricsCollectedEvent",
        "SpeechCreatedEvent",
        "UserInputTranscribedEvent",
        "UserStateChangedEvent",
    ),
    "model.options": (
        "APIConnectOptions",
        "SessionOptions",
    ),
    "model.sentinel": (
        "FLUSH",
        "FlushSentinel",
        "NOT_GIVEN",
        "NotGiven",
    ),
    "model.speech": (
        "SPEECH_PRIORITY_HIGH",
        "SPEECH_PRIORITY_LOW",
        "SPEECH_PRIORITY_NORMAL",
    ),
    "model.tools": ("ToolFlag",),
    "runtime": (
        "ActorSystem",
        "CloseReport",
        "Delivery",
        "EffectPort",
        "NS",
        "Outbox",
        "Tap",
        "TreeSnapshot",
        "message",
    ),
    "service.errors": (
        "AdmissionRefused",
        "RoomExists",
    ),
    "service.room_handle": ("RoomHandle",),
    "service.room_supervisor": ("RoomSupervisor",),
    "service.session_spec": ("SessionSpec",),
    "session.agent": ("Agent",),
    "session.agent_session": ("AgentSession",),
    "session.drop_in": (
        "AnyDropIn",
        "DropIn",
    ),
    "session.function_tool": (
        "FunctionTool",
        "FunctionToolInfo",
        "RawFunctionTool",
        "StopResponse",
        "ToolError",
        "function_tool",
    ),
    "session.job": (
        "JobContext",
        "WorkerOptions",
    ),
    "session.room_options": (
        "RoomInputOptions",
        "RoomOutputOptions",
    ),
    "session.run_context": ("RunContext",),
    "session.speech_handle": ("SpeechHandle",),
    "session.tool": (
        "AsyncToolset",
        "ProviderTool",
        "Tool",
        "Toolset",
    ),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
