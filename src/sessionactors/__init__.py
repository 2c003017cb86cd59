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
    from .interfaces.audio_io import AudioSink, AudioSource, PlaybackFinished, PlaybackProgressed, PlaybackStarted
    from .interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
    from .interfaces.stt import (
        STT,
        RecognitionUsage,
        RecognizedWord,
        SpeechData,
        SpeechEvent,
        SpeechEventType,
        STTCapabilities,
    )
    from .interfaces.text_io import TextSink
    from .interfaces.transport import TranscriptSegment, Transport, TransportEvents
    from .interfaces.tts import TTS, SynthesizedAudio, WordTiming
    from .interfaces.turn_detector import StreamingTurnDetector, TurnDetector, TurnDetectorStream
    from .interfaces.vad import VAD, VADCapabilities, VADEvent, VADEventType
    from .interfaces.video_io import VideoSource
    from .model.audio import AudioFrame
    from .model.chat import ChatContext
    from .model.chat_items import (
        AgentConfigUpdate,
        AgentHandoff,
        AudioContent,
        ChatMessage,
        FunctionCall,
        FunctionCallOutput,
        ImageContent,
    )
    from .model.component_errors import ComponentError, LLMError, RealtimeModelError, STTError, TTSError, VADError
    from .model.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AudioFormatError,
        DuplicateToolError,
        NodeError,
        OptionError,
        SessionActorsError,
        SessionStateError,
        ToolDefinitionError,
        ToolTimeoutError,
        VideoFormatError,
    )
    from .model.events import (
        AgentFalseInterruptionEvent,
        AgentStateChangedEvent,
        CloseEvent,
        CloseReason,
        ConversationItemAddedEvent,
        ErrorEvent,
        FunctionToolsExecutedEvent,
        MetricsCollectedEvent,
        SessionUsageUpdatedEvent,
        SpeechCreatedEvent,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
    )
    from .model.instructions import Instructions
    from .model.metrics import (
        AgentMetrics,
        EOTInferenceMetrics,
        EOUMetrics,
        InterruptionMetrics,
        LLMMetrics,
        Metadata,
        MetricsReport,
        RealtimeModelMetrics,
        STTMetrics,
        TTSMetrics,
        VADMetrics,
    )
    from .model.options import APIConnectOptions, SessionConnectOptions, SessionOptions
    from .model.sentinel import FLUSH, NOT_GIVEN, FlushSentinel, NotGiven
    from .model.speech import SPEECH_PRIORITY_HIGH, SPEECH_PRIORITY_LOW, SPEECH_PRIORITY_NORMAL
    from .model.tool_events import (
        ToolApprovalRequested,
        ToolApprovalResolved,
        ToolCallEnded,
        ToolCallStarted,
        ToolCallUpdated,
        ToolExecutionUpdatedEvent,
        ToolReplyUpdated,
    )
    from .model.tools import ModelSettings, ToolFlag
    from .model.usage import (
        AgentSessionUsage,
        EOTModelUsage,
        InterruptionModelUsage,
        LLMModelUsage,
        ModelUsage,
        ModelUsageCollector,
        STTModelUsage,
        TTSModelUsage,
    )
    from .model.video import VideoFrame
    from .runtime import NS, ActorSystem, CloseReport, Delivery, EffectPort, Outbox, Tap, TreeSnapshot, message
    from .service.errors import AdmissionRefused, RoomExists
    from .service.room_handle import RoomHandle
    from .service.room_supervisor import RoomSupervisor
    from .service.session_spec import SessionSpec
    from .session.agent import Agent
    from .session.agent_session import AgentSession
    from .session.agent_task import AgentTask
    from .session.drop_in import AnyDropIn, DropIn
    from .session.endpoints import (
        AudioInput,
        AudioOutput,
        AudioOutputCapabilities,
        PlaybackFinishedEvent,
        PlaybackStartedEvent,
        TextOutput,
        VideoInput,
        VideoOutput,
    )
    from .session.function_tool import (
        FunctionTool,
        FunctionToolInfo,
        RawFunctionTool,
        StopResponse,
        ToolError,
        function_tool,
    )
    from .session.job import JobContext, WorkerOptions
    from .session.mock_tools import mock_tools
    from .session.room_options import (
        AudioInputOptions,
        AudioOutputOptions,
        RoomInputOptions,
        RoomOptions,
        RoomOutputOptions,
        TextInputEvent,
        TextInputOptions,
        TextOutputOptions,
        VideoInputOptions,
    )
    from .session.run_context import RunContext
    from .session.run_events import AgentHandoffEvent, ChatMessageEvent, FunctionCallEvent, FunctionCallOutputEvent
    from .session.run_result import RunResult, UnexpectedModelBehavior
    from .session.running import RunOutputOptions
    from .session.speech_handle import SpeechHandle
    from .session.tool import AsyncToolset, ProviderTool, Tool, Toolset
    from .session.tool_approval import ToolApproval
    from .session.tool_handling import (
        AsyncToolOptions,
        DuplicatePromptArgs,
        ReplyPromptArgs,
        ToolHandlingOptions,
        UpdatePromptArgs,
    )
    from .session.turn_handling import (
        EndpointingOptions,
        InterruptionOptions,
        PreemptiveGenerationOptions,
        TurnHandlingOptions,
        UserTurnLimitOptions,
    )
    from .session.turn_latency import LatencyKind, LatencyPart, TurnLatency

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
    "AgentConfigUpdate",
    "AgentFalseInterruptionEvent",
    "AgentHandoff",
    "AgentHandoffEvent",
    "AgentMetrics",
    "AgentSession",
    "AgentSessionUsage",
    "AgentStateChangedEvent",
    "AgentTask",
    "AnyDropIn",
    "AsyncToolOptions",
    "AsyncToolset",
    "AudioContent",
    "AudioFormatError",
    "AudioFrame",
    "AudioInput",
    "AudioInputOptions",
    "AudioOutput",
    "AudioOutputCapabilities",
    "AudioOutputOptions",
    "AudioSink",
    "AudioSource",
    "ChatChunk",
    "ChatContext",
    "ChatMessage",
    "ChatMessageEvent",
    "CloseEvent",
    "CloseReason",
    "CloseReport",
    "CompletionUsage",
    "ComponentError",
    "ConversationItemAddedEvent",
    "Delivery",
    "DropIn",
    "DuplicatePromptArgs",
    "DuplicateToolError",
    "EOTInferenceMetrics",
    "EOTModelUsage",
    "EOUMetrics",
    "EffectPort",
    "EndpointingOptions",
    "ErrorEvent",
    "FlushSentinel",
    "FunctionCall",
    "FunctionCallEvent",
    "FunctionCallOutput",
    "FunctionCallOutputEvent",
    "FunctionTool",
    "FunctionToolCall",
    "FunctionToolInfo",
    "FunctionToolsExecutedEvent",
    "ImageContent",
    "Instructions",
    "InterruptionMetrics",
    "InterruptionModelUsage",
    "InterruptionOptions",
    "JobContext",
    "LLMError",
    "LLMMetrics",
    "LLMModelUsage",
    "LLMStream",
    "LatencyKind",
    "LatencyPart",
    "Metadata",
    "MetricsCollectedEvent",
    "MetricsReport",
    "ModelSettings",
    "ModelUsage",
    "ModelUsageCollector",
    "NodeError",
    "NotGiven",
    "OptionError",
    "Outbox",
    "PlaybackFinished",
    "PlaybackFinishedEvent",
    "PlaybackProgressed",
    "PlaybackStarted",
    "PlaybackStartedEvent",
    "PreemptiveGenerationOptions",
    "ProviderTool",
    "RawFunctionTool",
    "RealtimeModelError",
    "RealtimeModelMetrics",
    "RecognitionUsage",
    "RecognizedWord",
    "ReplyPromptArgs",
    "RoomExists",
    "RoomHandle",
    "RoomInputOptions",
    "RoomOptions",
    "RoomOutputOptions",
    "RoomSupervisor",
    "RunContext",
    "RunOutputOptions",
    "RunResult",
    "STTCapabilities",
    "STTError",
    "STTMetrics",
    "STTModelUsage",
    "SessionActorsError",
    "SessionConnectOptions",
    "SessionOptions",
    "SessionSpec",
    "SessionStateError",
    "SessionUsageUpdatedEvent",
    "SpeechCreatedEvent",
    "SpeechData",
    "SpeechEvent",
    "SpeechEventType",
    "SpeechHandle",
    "StopResponse",
    "StreamingTurnDetector",
    "SynthesizedAudio",
    "TTSError",
    "TTSMetrics",
    "TTSModelUsage",
    "Tap",
    "TextInputEvent",
    "TextInputOptions",
    "TextOutput",
    "TextOutputOptions",
    "TextSink",
    "Tool",
    "ToolApproval",
    "ToolApprovalRequested",
    "ToolApprovalResolved",
    "ToolCallEnded",
    "ToolCallStarted",
    "ToolCallUpdated",
    "ToolDefinitionError",
    "ToolError",
    "ToolExecutionUpdatedEvent",
    "ToolFlag",
    "ToolHandlingOptions",
    "ToolReplyUpdated",
    "ToolTimeoutError",
    "Toolset",
    "TranscriptSegment",
    "Transport",
    "TransportEvents",
    "TreeSnapshot",
    "TurnDetector",
    "TurnDetectorStream",
    "TurnHandlingOptions",
    "TurnLatency",
    "UnexpectedModelBehavior",
    "UpdatePromptArgs",
    "UserInputTranscribedEvent",
    "UserStateChangedEvent",
    "UserTurnLimitOptions",
    "VADCapabilities",
    "VADError",
    "VADEvent",
    "VADEventType",
    "VADMetrics",
    "VideoFormatError",
    "VideoFrame",
    "VideoInput",
    "VideoInputOptions",
    "VideoOutput",
    "VideoSource",
    "WordTiming",
    "WorkerOptions",
    "function_tool",
    "message",
    "mock_tools",
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
        "RecognitionUsage",
        "RecognizedWord",
        "STT",
        "STTCapabilities",
        "SpeechData",
        "SpeechEvent",
        "SpeechEventType",
    ),
    "interfaces.text_io": ("TextSink",),
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
    "interfaces.turn_detector": (
        "StreamingTurnDetector",
        "TurnDetector",
        "TurnDetectorStream",
    ),
    "interfaces.vad": (
        "VAD",
        "VADCapabilities",
        "VADEvent",
        "VADEventType",
    ),
    "interfaces.video_io": ("VideoSource",),
    "model.audio": ("AudioFrame",),
    "model.chat": ("ChatContext",),
    "model.chat_items": (
        "AgentConfigUpdate",
        "AgentHandoff",
        "AudioContent",
        "ChatMessage",
        "FunctionCall",
        "FunctionCallOutput",
        "ImageContent",
    ),
    "model.component_errors": (
        "ComponentError",
        "LLMError",
        "RealtimeModelError",
        "STTError",
        "TTSError",
        "VADError",
    ),
    "model.errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "AudioFormatError",
        "DuplicateToolError",
        "NodeError",
        "OptionError",
        "SessionActorsError",
        "SessionStateError",
        "ToolDefinitionError",
        "ToolTimeoutError",
        "VideoFormatError",
    ),
    "model.events": (
        "AgentFalseInterruptionEvent",
        "AgentStateChangedEvent",
        "CloseEvent",
        "CloseReason",
        "ConversationItemAddedEvent",
        "ErrorEvent",
        "FunctionToolsExecutedEvent",
        "MetricsCollectedEvent",
        "SessionUsageUpdatedEvent",
        "SpeechCreatedEvent",
        "UserInputTranscribedEvent",
        "UserStateChangedEvent",
    ),
    "model.instructions": ("Instructions",),
    "model.metrics": (
        "AgentMetrics",
        "EOTInferenceMetrics",
        "EOUMetrics",
        "InterruptionMetrics",
        "LLMMetrics",
        "Metadata",
        "MetricsReport",
        "RealtimeModelMetrics",
        "STTMetrics",
        "TTSMetrics",
        "VADMetrics",
    ),
    "model.options": (
        "APIConnectOptions",
        "SessionConnectOptions",
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
    "model.tool_events": (
        "ToolApprovalRequested",
        "ToolApprovalResolved",
        "ToolCallEnded",
        "ToolCallStarted",
        "ToolCallUpdated",
        "ToolExecutionUpdatedEvent",
        "ToolReplyUpdated",
    ),
    "model.tools": (
        "ModelSettings",
        "ToolFlag",
    ),
    "model.usage": (
        "AgentSessionUsage",
        "EOTModelUsage",
        "InterruptionModelUsage",
        "LLMModelUsage",
        "ModelUsage",
        "ModelUsageCollector",
        "STTModelUsage",
        "TTSModelUsage",
    ),
    "model.video": ("VideoFrame",),
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
    "session.agent_task": ("AgentTask",),
    "session.drop_in": (
        "AnyDropIn",
        "DropIn",
    ),
    "session.endpoints": (
        "AudioInput",
        "AudioOutput",
        "AudioOutputCapabilities",
        "PlaybackFinishedEvent",
        "PlaybackStartedEvent",
        "TextOutput",
        "VideoInput",
        "VideoOutput",
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
    "session.mock_tools": ("mock_tools",),
    "session.room_options": (
        "AudioInputOptions",
        "AudioOutputOptions",
        "RoomInputOptions",
        "RoomOptions",
        "RoomOutputOptions",
        "TextInputEvent",
        "TextInputOptions",
        "TextOutputOptions",
        "VideoInputOptions",
    ),
    "session.run_context": ("RunContext",),
    "session.run_events": (
        "AgentHandoffEvent",
        "ChatMessageEvent",
        "FunctionCallEvent",
        "FunctionCallOutputEvent",
    ),
    "session.run_result": (
        "RunResult",
        "UnexpectedModelBehavior",
    ),
    "session.running": ("RunOutputOptions",),
    "session.speech_handle": ("SpeechHandle",),
    "session.tool": (
        "AsyncToolset",
        "ProviderTool",
        "Tool",
        "Toolset",
    ),
    "session.tool_approval": ("ToolApproval",),
    "session.tool_handling": (
        "AsyncToolOptions",
        "DuplicatePromptArgs",
        "ReplyPromptArgs",
        "ToolHandlingOptions",
        "UpdatePromptArgs",
    ),
    "session.turn_handling": (
        "EndpointingOptions",
        "InterruptionOptions",
        "PreemptiveGenerationOptions",
        "TurnHandlingOptions",
        "UserTurnLimitOptions",
    ),
    "session.turn_latency": (
        "LatencyKind",
        "LatencyPart",
        "TurnLatency",
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
