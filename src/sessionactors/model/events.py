"""Public events: what a session tells its user, with the payloads that LiveKit's users know.

``created_at`` is seconds since the epoch, on a clock that does not jump.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

from .answering import AMDPredictionEvent
from .answers import ClosingNote, IdleNote, UserTurnCommittedNote
from .chat import AgentHandoff, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from .debug_events import DebugMessageEvent
from .interruption_events import AgentFalseInterruptionEvent, OverlappingSpeechEvent
from .link_notes import LinkNote, ParticipantEvent, TextInputNote
from .metrics import SessionMetrics
from .realtime_events import RealtimeSessionReconnectedEvent
from .speech import InputModality
from .tool_events import ToolExecutionUpdatedEvent
from .usage import AgentSessionUsage
from .video import VideoFrame

AgentState: TypeAlias = Literal["initializing", "idle", "listening", "thinking", "speaking"]
UserState: TypeAlias = Literal["speaking", "listening", "away"]


class CloseReason(Enum):
    """Why a session ended."""

    ERROR = "error"
    JOB_SHUTDOWN = "job_shutdown"
    PARTICIPANT_DISCONNECTED = "participant_disconnected"
    USER_INITIATED = "user_initiated"
    TASK_COMPLETED = "task_completed"


@dataclass(frozen=True, slots=True)
class AgentStateChangedEvent:
    """The agent's public state changed."""

    old_state: AgentState
    new_state: AgentState
    created_at: float
    message_id: int = 0
    """Id of the delivery that caused it, as a tap shows it; 0 for the start."""
    type: Literal["agent_state_changed"] = "agent_state_changed"


@dataclass(frozen=True, slots=True)
class UserStateChangedEvent:
    """The user's public state changed; ``created_at`` is when the voice began or ended, not when it was noticed."""

    old_state: UserState
    new_state: UserState
    created_at: float
    message_id: int = 0
    """Id of the delivery that caused it, as a tap shows it; 0 for the start."""
    type: Literal["user_state_changed"] = "user_state_changed"


@dataclass(frozen=True, slots=True)
class UserInputTranscribedEvent:
    """The user was understood so far (interim) or for good (final)."""

    transcript: str
    is_final: bool
    created_at: float
    speaker_id: str | None = None
    language: str | None = None
    item_id: str | None = None
    type: Literal["user_input_transcribed"] = "user_input_transcribed"


@dataclass(frozen=True, slots=True)
class UserTranscriptionTimeoutEvent:
    """The user spoke, and no words came of it in time: the recogniser may be down, or the line too bad."""

    speech_duration: float
    """Seconds of speech in the turn that is without words, all its stretches together."""
    vad_speech_started_at: float
    """When the first of them set in."""
    created_at: float
    type: Literal["user_transcription_timeout"] = "user_transcription_timeout"


@dataclass(frozen=True, slots=True)
class UserTurnExceededEvent:
    """The user goes on for longer than ``user_turn_limit`` allows. Given to ``Agent.on_user_turn_exceeded``."""

    transcript: str
    """Words of the turn that is open; those before are in the chat context."""
    accumulated_transcript: str
    """All words since the agent was last heard."""
    accumulated_word_count: int
    duration: float
    """Seconds since the user began to speak after the agent was last heard."""
    created_at: float
    type: Literal["user_turn_exceeded"] = "user_turn_exceeded"


@dataclass(frozen=True, slots=True)
class ConversationItemAddedEvent:
    """A message or a handoff entered the history."""

    item: ChatMessage | AgentHandoff
    created_at: float
    type: Literal["conversation_item_added"] = "conversation_item_added"


@dataclass(slots=True)
class ToolReview:
    """What callbacks made of a step's tools, on their loop. What they decided goes back to the actors as a message."""

    reply: bool = True
    handoff: bool = True


@dataclass(frozen=True, slots=True)
class FunctionToolsExecutedEvent:
    """The tools of one step have run."""

    function_calls: tuple[FunctionCall, ...]
    function_call_outputs: tuple[FunctionCallOutput, ...]
    """Parallel to the calls."""
    created_at: float
    speech_id: str = ""
    num_steps: int = 1
    """Which step of the speech they belong to."""
    has_agent_handoff: bool = False
    """Whether a tool returned an agent that is to take over."""
    review: ToolReview = field(default_factory=ToolReview, compare=False, repr=False)
    type: Literal["function_tools_executed"] = "function_tools_executed"

    def zipped(self) -> list[tuple[FunctionCall, FunctionCallOutput]]:
        """Pairs of call and output."""
        return list(zip(self.function_calls, self.function_call_outputs, strict=True))

    @property
    def has_tool_reply(self) -> bool:
        """Whether a reply follows."""
        return self.review.reply and any(output.reply_required for output in self.function_call_outputs)

    def cancel_tool_reply(self) -> None:
        """Have no reply follow. Only a callback that is not ``async`` is in time."""
        self.review.reply = False

    def cancel_agent_handoff(self) -> None:
        """Let the agent in charge stay. Only a callback that is not ``async`` is in time."""
        self.review.handoff = False


@dataclass(frozen=True, slots=True)
class SpeechCreatedEvent:
    """A speech was scheduled. The handle is filled in by the session."""

    speech_id: str
    source: Literal["say", "generate_reply"]
    user_initiated: bool
    created_at: float
    speech_handle: object = None
    type: Literal["speech_created"] = "speech_created"


@dataclass(frozen=True, slots=True)
class MetricsCollectedEvent:
    """Figures of one request, turn or stretch."""

    metrics: SessionMetrics
    created_at: float
    type: Literal["metrics_collected"] = "metrics_collected"


@dataclass(frozen=True, slots=True)
class SessionUsageUpdatedEvent:
    """The session has used more of a model; ``usage`` is all so far."""

    usage: AgentSessionUsage
    created_at: float
    type: Literal["session_usage_updated"] = "session_usage_updated"


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """A component failed, or the runtime had to step in."""

    error: BaseException
    """Of a provider: a :class:`.ComponentError`, whose ``error`` is the cause."""
    source: str
    """``stt``, ``llm``, ``tts``, ``vad``, ``realtime``, ``tool`` or an actor's path."""
    recoverable: bool
    """What failed is tried again, or is not missed: the conversation goes on as if nothing had been."""
    created_at: float
    type: Literal["error"] = "error"


@dataclass(frozen=True, slots=True)
class CloseEvent:
    """The session has ended; the last event, exactly once."""

    reason: CloseReason
    created_at: float
    error: BaseException | None = None
    type: Literal["close"] = "close"


# What only the session itself listens to: it keeps handles and mirror in step with the actors.


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The session listens."""

    type: Literal["_ready"] = "_ready"


@dataclass(frozen=True, slots=True)
class HistoryNote:
    """Items were added to the history."""

    version: int
    items: tuple[ChatItem, ...]
    at: int | None = None
    """The place of the first of them; None: the end."""
    type: Literal["_history"] = "_history"


@dataclass(frozen=True, slots=True)
class AgentInChargeNote:
    """An agent takes over; the one before it may still be heard."""

    agent: str
    """Its key."""
    type: Literal["_agent_in_charge"] = "_agent_in_charge"


@dataclass(frozen=True, slots=True)
class AgentLeftNote:
    """An agent has left for good, or could not take over."""

    agent: str
    """Its key."""
    type: Literal["_agent_left"] = "_agent_left"


@dataclass(frozen=True, slots=True)
class TaskOverNote:
    """An ``AgentTask`` was ended without a return to who awaits it: he goes on with its result, if it has one."""

    task: str
    """Its key."""
    reason: str
    """Why, if it has none."""
    type: Literal["_task_over"] = "_task_over"


@dataclass(frozen=True, slots=True)
class SpeechOpenedNote:
    """A speech waits to be heard: what its handle shows of how it was asked for."""

    speech_id: str
    allow_interruptions: bool
    priority: int
    modality: InputModality
    type: Literal["_speech_opened"] = "_speech_opened"


@dataclass(frozen=True, slots=True)
class SpeechHeardNote:
    """What a speech said in a step has been heard, or will not be."""

    speech_id: str
    step: int
    type: Literal["_speech_heard"] = "_speech_heard"


@dataclass(frozen=True, slots=True)
class SpeechStepNote:
    """A speech asks the model again, with what its tools gave."""

    speech_id: str
    step: int
    type: Literal["_speech_step"] = "_speech_step"


@dataclass(frozen=True, slots=True)
class ContextNote:
    """An agent remembers more, or something else."""

    agent: str
    """Its key."""
    items: tuple[ChatItem, ...]
    replaced: bool
    """These are all of them; else they came to the end."""
    ticket: str = ""
    """Of the change that was asked for, if one was."""
    type: Literal["_context"] = "_context"


@dataclass(frozen=True, slots=True)
class SpeechScheduledNote:
    """A speech waits for the floor, or has it."""

    speech_id: str
    current: bool
    type: Literal["_speech_scheduled"] = "_speech_scheduled"


@dataclass(frozen=True, slots=True)
class SpeechItemNote:
    """A speech produced an item of the history."""

    speech_id: str
    item: ChatMessage | FunctionCall | FunctionCallOutput
    type: Literal["_speech_item"] = "_speech_item"


@dataclass(frozen=True, slots=True)
class SpeechInterruptedNote:
    """A speech was cut off."""

    speech_id: str
    type: Literal["_speech_interrupted"] = "_speech_interrupted"


@dataclass(frozen=True, slots=True)
class SpeechFinishedNote:
    """A speech is over."""

    speech_id: str
    interrupted: bool
    error: BaseException | None
    type: Literal["_speech_finished"] = "_speech_finished"


@dataclass(frozen=True, slots=True)
class VideoSampledNote:
    """A picture of the user was kept."""

    frame: VideoFrame
    type: Literal["_video_sampled"] = "_video_sampled"


@dataclass(frozen=True, slots=True)
class KeytermsNote:
    """The recogniser is told to expect these words."""

    keyterms: tuple[str, ...]
    type: Literal["_keyterms"] = "_keyterms"


PublicEvent: TypeAlias = (
    AgentStateChangedEvent
    | UserStateChangedEvent
    | UserInputTranscribedEvent
    | UserTranscriptionTimeoutEvent
    | ConversationItemAddedEvent
    | FunctionToolsExecutedEvent
    | SpeechCreatedEvent
    | AgentFalseInterruptionEvent
    | OverlappingSpeechEvent
    | RealtimeSessionReconnectedEvent
    | ParticipantEvent
    | MetricsCollectedEvent
    | SessionUsageUpdatedEvent
    | AMDPredictionEvent
    | DebugMessageEvent
    | ErrorEvent
    | ToolExecutionUpdatedEvent
    | CloseEvent
)
SpeechNote: TypeAlias = (
    SpeechOpenedNote
    | SpeechStepNote
    | SpeechHeardNote
    | SpeechScheduledNote
    | SpeechItemNote
    | SpeechInterruptedNote
    | SpeechFinishedNote
)
AgentNote: TypeAlias = ContextNote | AgentInChargeNote | AgentLeftNote | TaskOverNote
SessionNote: TypeAlias = (
    SessionReady
    | HistoryNote
    | AgentNote
    | UserTurnCommittedNote
    | TextInputNote
    | VideoSampledNote
    | IdleNote
    | ClosingNote
    | KeytermsNote
    | LinkNote
    | SpeechNote
)
SessionEvent: TypeAlias = PublicEvent | SessionNote
