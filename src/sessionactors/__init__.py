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
    from .interfaces.background_audio import BackgroundSink
    from .interfaces.interruption_detector import InterruptionDetector, Overlap, OverlapVerdict
    from .interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
    from .interfaces.markup import Marker, MarkerType, Markup
    from .interfaces.realtime import (
        GenerationCreated,
        InputAudioTranscriptionCompleted,
        InputSpeechStarted,
        InputSpeechStopped,
        RealtimeCapabilities,
        RealtimeEvent,
        RealtimeModel,
        RealtimeSession,
        RealtimeSessionError,
        RealtimeUsage,
        RemoteItemAdded,
        ResponseAudio,
        ResponseDone,
        ResponseText,
        ResponseToolCall,
        SessionReconnected,
    )
    from .interfaces.recognition_context import RecognitionContext, recognition_context
    from .interfaces.room_wants import AudioInWants, AudioOutWants, RoomWants, TextOutWants
    from .interfaces.rpc import RpcError, RpcErrorCode, RpcInvocation
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
    from .interfaces.transport import ParticipantKind, TranscriptSegment, Transport, TransportEvents
    from .interfaces.tts import TTS, SynthesizedAudio, WordTiming
    from .interfaces.turn_detector import StreamingTurnDetector, TurnDetector, TurnDetectorStream
    from .interfaces.vad import VAD, VADCapabilities, VADEvent, VADEventType
    from .interfaces.video_io import VideoSink, VideoSource
    from .journal.black_box import BlackBox
    from .journal.divergence import Divergence
    from .journal.errors import JournalDamaged, JournalError, JournalVersionError
    from .journal.journal import Journal
    from .journal.reading import JournalReader
    from .journal.replay import Moment, NotReplayable, Replay
    from .model.answering import AMDCategory, AMDPredictionEvent
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
    from .model.debug_events import DebugMessageEvent
    from .model.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AudioFormatError,
        DuplicateToolError,
        HookCutOffError,
        NodeError,
        OptionError,
        RealtimeError,
        SessionActorsError,
        SessionStateError,
        ToolDefinitionError,
        ToolTimeoutError,
        VideoFormatError,
    )
    from .model.events import (
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
        UserTranscriptionTimeoutEvent,
        UserTurnExceededEvent,
    )
    from .model.expressive import ExpressiveOptions, NonverbalOptions, SpeechSteeringOptions
    from .model.instructions import Instructions
    from .model.interruption_events import AgentFalseInterruptionEvent, OverlappingSpeechEvent
    from .model.link_notes import (
        ParticipantAttributesChangedEvent,
        ParticipantMetadataChangedEvent,
        SipDTMFReceivedEvent,
    )
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
    from .model.realtime_events import RealtimeSessionReconnectedEvent
    from .model.sentinel import FLUSH, NOT_GIVEN, FlushSentinel, NotGiven
    from .model.speech import SPEECH_PRIORITY_HIGH, SPEECH_PRIORITY_LOW, SPEECH_PRIORITY_NORMAL
    from .model.timed_string import TimedString
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
    from .model.turn_strategies import (
        MuteDuringFirstSpeech,
        MuteStrategy,
        MuteUntilFirstSpeech,
        MuteWhileAgentSpeaks,
        MuteWhileToolsRun,
        StartOnTranscript,
        StartOnVoice,
        StartOnWakePhrase,
        StartOnWords,
        StartStrategy,
        TurnScene,
    )
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
    from .model.video_sampling import VoiceActivityVideoSampler
    from .monitors import Monitors, PromiseViolated, Violation
    from .providers.mcp import MCPServerHTTP, MCPServerStdio
    from .runtime import NS, ActorSystem, CloseReport, Delivery, EffectPort, Outbox, Tap, TreeSnapshot, message
    from .runtime.supervision import Backoff
    from .service.blocking_rooms import BlockingRooms
    from .service.drain import DrainReport
    from .service.errors import AdmissionRefused, RoomCrashLoop, RoomExists, RoomOverLimit
    from .service.farewell import Farewell
    from .service.held_memory import held_memory
    from .service.http.options import HttpOptions, Right
    from .service.mailbox_dump import dump_mailboxes, dumping_at_signal
    from .service.restart_policy import RestartPolicy, RoomFailure
    from .service.room_end import RoomEnd, RoomEndCause
    from .service.room_events import (
        RoomDismissed,
        RoomDraining,
        RoomEnded,
        RoomEvent,
        RoomLimitReached,
        RoomOpened,
        RoomRestarted,
        RoomRestarting,
    )
    from .service.room_handle import RoomHandle
    from .service.room_limits import Limit, RoomLimits, RoomUse
    from .service.room_supervisor import RoomSupervisor
    from .service.session_spec import SessionSpec
    from .service.signals import DrainOnSignals
    from .service.unwelcome import PeerLimits, forwarded_for, public_address
    from .service.websocket_rooms import WebSocketRooms, WebSocketRoomsStats
    from .service.websocket_server import RoomServer, serve_rooms
    from .service.worker.agent_server import AgentServer
    from .service.worker.errors import AssignmentTimeoutError
    from .service.worker.job_context import JobContext, get_job_context
    from .service.worker.job_process import JobProcess
    from .service.worker.job_request import JobRequest
    from .service.worker.joining import AutoSubscribe
    from .service.worker.messages import JobAcceptArguments, RunningJobInfo
    from .service.worker.options import (
        JobExecutorType,
        ServerEnvOption,
        ServerOptions,
        ServerType,
        WorkerOptions,
        WorkerPermissions,
        WorkerType,
    )
    from .service.worker.server_program import WorkerInfo
    from .service.worker.worker_state import WorkerStats
    from .session.agent import Agent
    from .session.agent_session import AgentSession
    from .session.agent_task import AgentTask
    from .session.amd import AMD, DetectionOptions
    from .session.background_audio import AudioConfig, BackgroundAudioPlayer, PlayHandle
    from .session.builtin_clips import BuiltinAudioClip
    from .session.drop_in import AnyDropIn, DropIn
    from .session.dtmf_task import GetDtmfResult, GetDtmfTask
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
    from .session.mcp_toolset import MCPToolset
    from .session.mock_tools import mock_tools
    from .session.room_io import RoomIO
    from .session.room_options import (
        AudioInputOptions,
        AudioOutputOptions,
        RoomOptions,
        TextInputEvent,
        TextInputOptions,
        TextOutputOptions,
        VideoInputOptions,
    )
    from .session.room_options_legacy import RoomInputOptions, RoomOutputOptions
    from .session.room_video import RoomVideoOutput
    from .session.run_context import RunContext
    from .session.run_events import AgentHandoffEvent, ChatMessageEvent, FunctionCallEvent, FunctionCallOutputEvent
    from .session.run_result import RunResult, UnexpectedModelBehavior
    from .session.running import RunOutputOptions
    from .session.speech_handle import SpeechHandle
    from .session.stt_context import KeytermDetectionOptions, STTContextOptions
    from .session.telephone import send_dtmf_events
    from .session.text_transforms import text_transforms
    from .session.tool import AsyncToolset, ProviderTool, Tool, Toolset
    from .session.tool_approval import ToolApproval
    from .session.tool_handling import (
        AsyncToolOptions,
        DuplicatePromptArgs,
        ReplyPromptArgs,
        ToolHandlingOptions,
        UpdatePromptArgs,
    )
    from .session.tool_proxy import ToolProxyToolset
    from .session.tool_ranking import BM25SearchStrategy, KeywordSearchStrategy, SearchItem, SearchStrategy
    from .session.tool_search import ToolSearchToolset
    from .session.turn_detectors import CombinedTurnDetector, LLMTurnDetector
    from .session.turn_handling import (
        EndpointingOptions,
        InterruptionOptions,
        PreemptiveGenerationOptions,
        TurnHandlingOptions,
        UserTurnLimitOptions,
    )
    from .session.turn_latency import LatencyKind, LatencyPart, TurnLatency
    from .telemetry import SessionReport, Telemetry
    from .transports.websocket.close_code import CloseCode
    from .transports.websocket.limits import WebSocketLimits
    from .transports.websocket.media_stream import MediaStream, TwilioMediaStream
    from .transports.websocket.sockets import AiohttpSocket, StarletteSocket, WebsocketsSocket
    from .transports.websocket.statistics import WebSocketStatistics
    from .transports.websocket.transport import WebSocketTransport

__version__ = "0.1.0"

__all__ = [
    "AMD",
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
    "AMDCategory",
    "AMDPredictionEvent",
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
    "AgentServer",
    "AgentSession",
    "AgentSessionUsage",
    "AgentStateChangedEvent",
    "AgentTask",
    "AiohttpSocket",
    "AnyDropIn",
    "AssignmentTimeoutError",
    "AsyncToolOptions",
    "AsyncToolset",
    "AudioConfig",
    "AudioContent",
    "AudioFormatError",
    "AudioFrame",
    "AudioInWants",
    "AudioInput",
    "AudioInputOptions",
    "AudioOutWants",
    "AudioOutput",
    "AudioOutputCapabilities",
    "AudioOutputOptions",
    "AudioSink",
    "AudioSource",
    "AutoSubscribe",
    "BM25SearchStrategy",
    "BackgroundAudioPlayer",
    "BackgroundSink",
    "Backoff",
    "BlackBox",
    "BlockingRooms",
    "BuiltinAudioClip",
    "ChatChunk",
    "ChatContext",
    "ChatMessage",
    "ChatMessageEvent",
    "CloseCode",
    "CloseEvent",
    "CloseReason",
    "CloseReport",
    "CombinedTurnDetector",
    "CompletionUsage",
    "ComponentError",
    "ConversationItemAddedEvent",
    "DebugMessageEvent",
    "Delivery",
    "DetectionOptions",
    "Divergence",
    "DrainOnSignals",
    "DrainReport",
    "DropIn",
    "DuplicatePromptArgs",
    "DuplicateToolError",
    "EOTInferenceMetrics",
    "EOTModelUsage",
    "EOUMetrics",
    "EffectPort",
    "EndpointingOptions",
    "ErrorEvent",
    "ExpressiveOptions",
    "Farewell",
    "FlushSentinel",
    "FunctionCall",
    "FunctionCallEvent",
    "FunctionCallOutput",
    "FunctionCallOutputEvent",
    "FunctionTool",
    "FunctionToolCall",
    "FunctionToolInfo",
    "FunctionToolsExecutedEvent",
    "GenerationCreated",
    "GetDtmfResult",
    "GetDtmfTask",
    "HookCutOffError",
    "HttpOptions",
    "ImageContent",
    "InputAudioTranscriptionCompleted",
    "InputSpeechStarted",
    "InputSpeechStopped",
    "Instructions",
    "InterruptionDetector",
    "InterruptionMetrics",
    "InterruptionModelUsage",
    "InterruptionOptions",
    "JobAcceptArguments",
    "JobContext",
    "JobExecutorType",
    "JobProcess",
    "JobRequest",
    "Journal",
    "JournalDamaged",
    "JournalError",
    "JournalReader",
    "JournalVersionError",
    "KeytermDetectionOptions",
    "KeywordSearchStrategy",
    "LLMError",
    "LLMMetrics",
    "LLMModelUsage",
    "LLMStream",
    "LLMTurnDetector",
    "LatencyKind",
    "LatencyPart",
    "Limit",
    "MCPServerHTTP",
    "MCPServerStdio",
    "MCPToolset",
    "Marker",
    "MarkerType",
    "Markup",
    "MediaStream",
    "Metadata",
    "MetricsCollectedEvent",
    "MetricsReport",
    "ModelSettings",
    "ModelUsage",
    "ModelUsageCollector",
    "Moment",
    "Monitors",
    "MuteDuringFirstSpeech",
    "MuteStrategy",
    "MuteUntilFirstSpeech",
    "MuteWhileAgentSpeaks",
    "MuteWhileToolsRun",
    "NodeError",
    "NonverbalOptions",
    "NotGiven",
    "NotReplayable",
    "OptionError",
    "Outbox",
    "Overlap",
    "OverlapVerdict",
    "OverlappingSpeechEvent",
    "ParticipantAttributesChangedEvent",
    "ParticipantKind",
    "ParticipantMetadataChangedEvent",
    "PeerLimits",
    "PlayHandle",
    "PlaybackFinished",
    "PlaybackFinishedEvent",
    "PlaybackProgressed",
    "PlaybackStarted",
    "PlaybackStartedEvent",
    "PreemptiveGenerationOptions",
    "PromiseViolated",
    "ProviderTool",
    "RawFunctionTool",
    "RealtimeCapabilities",
    "RealtimeError",
    "RealtimeEvent",
    "RealtimeModel",
    "RealtimeModelError",
    "RealtimeModelMetrics",
    "RealtimeSession",
    "RealtimeSessionError",
    "RealtimeSessionReconnectedEvent",
    "RealtimeUsage",
    "RecognitionContext",
    "RecognitionUsage",
    "RecognizedWord",
    "RemoteItemAdded",
    "Replay",
    "ReplyPromptArgs",
    "ResponseAudio",
    "ResponseDone",
    "ResponseText",
    "ResponseToolCall",
    "RestartPolicy",
    "Right",
    "RoomCrashLoop",
    "RoomDismissed",
    "RoomDraining",
    "RoomEnd",
    "RoomEndCause",
    "RoomEnded",
    "RoomEvent",
    "RoomExists",
    "RoomFailure",
    "RoomHandle",
    "RoomIO",
    "RoomInputOptions",
    "RoomLimitReached",
    "RoomLimits",
    "RoomOpened",
    "RoomOptions",
    "RoomOutputOptions",
    "RoomOverLimit",
    "RoomRestarted",
    "RoomRestarting",
    "RoomServer",
    "RoomSupervisor",
    "RoomUse",
    "RoomVideoOutput",
    "RoomWants",
    "RpcError",
    "RpcErrorCode",
    "RpcInvocation",
    "RunContext",
    "RunOutputOptions",
    "RunResult",
    "RunningJobInfo",
    "STTCapabilities",
    "STTContextOptions",
    "STTError",
    "STTMetrics",
    "STTModelUsage",
    "SearchItem",
    "SearchStrategy",
    "ServerEnvOption",
    "ServerOptions",
    "ServerType",
    "SessionActorsError",
    "SessionConnectOptions",
    "SessionOptions",
    "SessionReconnected",
    "SessionReport",
    "SessionSpec",
    "SessionStateError",
    "SessionUsageUpdatedEvent",
    "SipDTMFReceivedEvent",
    "SpeechCreatedEvent",
    "SpeechData",
    "SpeechEvent",
    "SpeechEventType",
    "SpeechHandle",
    "SpeechSteeringOptions",
    "StarletteSocket",
    "StartOnTranscript",
    "StartOnVoice",
    "StartOnWakePhrase",
    "StartOnWords",
    "StartStrategy",
    "StopResponse",
    "StreamingTurnDetector",
    "SynthesizedAudio",
    "TTSError",
    "TTSMetrics",
    "TTSModelUsage",
    "Tap",
    "Telemetry",
    "TextInputEvent",
    "TextInputOptions",
    "TextOutWants",
    "TextOutput",
    "TextOutputOptions",
    "TextSink",
    "TimedString",
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
    "ToolProxyToolset",
    "ToolReplyUpdated",
    "ToolSearchToolset",
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
    "TurnScene",
    "TwilioMediaStream",
    "UnexpectedModelBehavior",
    "UpdatePromptArgs",
    "UserInputTranscribedEvent",
    "UserStateChangedEvent",
    "UserTranscriptionTimeoutEvent",
    "UserTurnExceededEvent",
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
    "VideoSink",
    "VideoSource",
    "Violation",
    "VoiceActivityVideoSampler",
    "WebSocketLimits",
    "WebSocketRooms",
    "WebSocketRoomsStats",
    "WebSocketStatistics",
    "WebSocketTransport",
    "WebsocketsSocket",
    "WordTiming",
    "WorkerInfo",
    "WorkerOptions",
    "WorkerPermissions",
    "WorkerStats",
    "WorkerType",
    "dump_mailboxes",
    "dumping_at_signal",
    "forwarded_for",
    "function_tool",
    "get_job_context",
    "held_memory",
    "message",
    "mock_tools",
    "public_address",
    "recognition_context",
    "send_dtmf_events",
    "serve_rooms",
    "text_transforms",
]

_HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "interfaces.audio_io": (
        "AudioSink",
        "AudioSource",
        "PlaybackFinished",
        "PlaybackProgressed",
        "PlaybackStarted",
    ),
    "interfaces.background_audio": ("BackgroundSink",),
    "interfaces.interruption_detector": (
        "InterruptionDetector",
        "Overlap",
        "OverlapVerdict",
    ),
    "interfaces.llm": (
        "ChatChunk",
        "CompletionUsage",
        "FunctionToolCall",
        "LLM",
        "LLMStream",
    ),
    "interfaces.markup": ("Marker", "MarkerType", "Markup"),
    "interfaces.realtime": (
        "GenerationCreated",
        "InputAudioTranscriptionCompleted",
        "InputSpeechStarted",
        "InputSpeechStopped",
        "RealtimeCapabilities",
        "RealtimeEvent",
        "RealtimeModel",
        "RealtimeSession",
        "RealtimeSessionError",
        "RealtimeUsage",
        "RemoteItemAdded",
        "ResponseAudio",
        "ResponseDone",
        "ResponseText",
        "ResponseToolCall",
        "SessionReconnected",
    ),
    "interfaces.recognition_context": (
        "RecognitionContext",
        "recognition_context",
    ),
    "interfaces.room_wants": ("AudioInWants", "AudioOutWants", "RoomWants", "TextOutWants"),
    "interfaces.rpc": ("RpcError", "RpcErrorCode", "RpcInvocation"),
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
    "interfaces.transport": ("ParticipantKind", "TranscriptSegment", "Transport", "TransportEvents"),
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
    "interfaces.video_io": ("VideoSink", "VideoSource"),
    "journal.black_box": ("BlackBox",),
    "journal.divergence": ("Divergence",),
    "journal.errors": (
        "JournalDamaged",
        "JournalError",
        "JournalVersionError",
    ),
    "journal.journal": ("Journal",),
    "journal.reading": ("JournalReader",),
    "journal.replay": ("Moment", "NotReplayable", "Replay"),
    "model.answering": ("AMDCategory", "AMDPredictionEvent"),
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
    "model.debug_events": ("DebugMessageEvent",),
    "model.errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "AudioFormatError",
        "DuplicateToolError",
        "HookCutOffError",
        "NodeError",
        "OptionError",
        "RealtimeError",
        "SessionActorsError",
        "SessionStateError",
        "ToolDefinitionError",
        "ToolTimeoutError",
        "VideoFormatError",
    ),
    "model.events": (
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
        "UserTranscriptionTimeoutEvent",
        "UserTurnExceededEvent",
    ),
    "model.expressive": ("ExpressiveOptions", "NonverbalOptions", "SpeechSteeringOptions"),
    "model.instructions": ("Instructions",),
    "model.interruption_events": (
        "AgentFalseInterruptionEvent",
        "OverlappingSpeechEvent",
    ),
    "model.link_notes": (
        "ParticipantAttributesChangedEvent",
        "ParticipantMetadataChangedEvent",
        "SipDTMFReceivedEvent",
    ),
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
    "model.realtime_events": ("RealtimeSessionReconnectedEvent",),
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
    "model.timed_string": ("TimedString",),
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
    "model.turn_strategies": (
        "MuteDuringFirstSpeech",
        "MuteStrategy",
        "MuteUntilFirstSpeech",
        "MuteWhileAgentSpeaks",
        "MuteWhileToolsRun",
        "StartOnTranscript",
        "StartOnVoice",
        "StartOnWakePhrase",
        "StartOnWords",
        "StartStrategy",
        "TurnScene",
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
    "model.video_sampling": ("VoiceActivityVideoSampler",),
    "monitors": ("Monitors", "PromiseViolated", "Violation"),
    "providers.mcp": (
        "MCPServerHTTP",
        "MCPServerStdio",
    ),
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
    "runtime.supervision": ("Backoff",),
    "service.blocking_rooms": ("BlockingRooms",),
    "service.drain": ("DrainReport",),
    "service.errors": ("AdmissionRefused", "RoomCrashLoop", "RoomExists", "RoomOverLimit"),
    "service.farewell": ("Farewell",),
    "service.held_memory": ("held_memory",),
    "service.http.options": ("HttpOptions", "Right"),
    "service.mailbox_dump": ("dump_mailboxes", "dumping_at_signal"),
    "service.restart_policy": ("RestartPolicy", "RoomFailure"),
    "service.room_end": ("RoomEnd", "RoomEndCause"),
    "service.room_events": (
        "RoomDismissed",
        "RoomDraining",
        "RoomEnded",
        "RoomEvent",
        "RoomLimitReached",
        "RoomOpened",
        "RoomRestarted",
        "RoomRestarting",
    ),
    "service.room_handle": ("RoomHandle",),
    "service.room_limits": ("Limit", "RoomLimits", "RoomUse"),
    "service.room_supervisor": ("RoomSupervisor",),
    "service.session_spec": ("SessionSpec",),
    "service.signals": ("DrainOnSignals",),
    "service.unwelcome": ("PeerLimits", "forwarded_for", "public_address"),
    "service.websocket_rooms": ("WebSocketRooms", "WebSocketRoomsStats"),
    "service.websocket_server": ("RoomServer", "serve_rooms"),
    "service.worker.agent_server": ("AgentServer", "WorkerInfo"),
    "service.worker.errors": ("AssignmentTimeoutError",),
    "service.worker.job_context": ("AutoSubscribe", "JobContext", "get_job_context"),
    "service.worker.job_process": ("JobProcess",),
    "service.worker.job_request": ("JobRequest",),
    "service.worker.joining": ("AutoSubscribe",),
    "service.worker.messages": ("JobAcceptArguments", "RunningJobInfo"),
    "service.worker.options": (
        "JobExecutorType",
        "ServerEnvOption",
        "ServerOptions",
        "ServerType",
        "WorkerOptions",
        "WorkerPermissions",
        "WorkerType",
    ),
    "service.worker.server_program": ("WorkerInfo",),
    "service.worker.worker_state": ("WorkerStats",),
    "session.agent": ("Agent",),
    "session.agent_session": ("AgentSession",),
    "session.agent_task": ("AgentTask",),
    "session.amd": ("AMD", "DetectionOptions"),
    "session.background_audio": ("AudioConfig", "BackgroundAudioPlayer", "PlayHandle"),
    "session.builtin_clips": ("BuiltinAudioClip",),
    "session.drop_in": (
        "AnyDropIn",
        "DropIn",
    ),
    "session.dtmf_task": ("GetDtmfResult", "GetDtmfTask"),
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
    "session.mcp_toolset": ("MCPToolset",),
    "session.mock_tools": ("mock_tools",),
    "session.room_io": ("RoomIO",),
    "session.room_options": (
        "AudioInputOptions",
        "AudioOutputOptions",
        "RoomOptions",
        "TextInputEvent",
        "TextInputOptions",
        "TextOutputOptions",
        "VideoInputOptions",
    ),
    "session.room_options_legacy": ("RoomInputOptions", "RoomOutputOptions"),
    "session.room_video": ("RoomVideoOutput",),
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
    "session.stt_context": (
        "KeytermDetectionOptions",
        "STTContextOptions",
    ),
    "session.telephone": ("send_dtmf_events",),
    "session.text_transforms": ("text_transforms",),
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
    "session.tool_proxy": ("ToolProxyToolset",),
    "session.tool_ranking": ("BM25SearchStrategy", "KeywordSearchStrategy", "SearchItem", "SearchStrategy"),
    "session.tool_search": ("ToolSearchToolset",),
    "session.turn_detectors": (
        "CombinedTurnDetector",
        "LLMTurnDetector",
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
    "telemetry": (
        "SessionReport",
        "Telemetry",
    ),
    "transports.websocket.close_code": ("CloseCode",),
    "transports.websocket.limits": ("WebSocketLimits",),
    "transports.websocket.media_stream": ("MediaStream", "TwilioMediaStream"),
    "transports.websocket.sockets": ("AiohttpSocket", "StarletteSocket", "WebsocketsSocket"),
    "transports.websocket.statistics": ("WebSocketStatistics",),
    "transports.websocket.transport": ("WebSocketTransport",),
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
