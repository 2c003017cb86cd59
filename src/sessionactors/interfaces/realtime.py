"""Speech-to-speech models: the user's audio in, the agent's audio and text out, over one lasting session.

A :class:`RealtimeModel` makes a :class:`RealtimeSession` for each conversation. What the server says comes as one
stream of typed events (:data:`RealtimeEvent`); what it is told goes through calls that either return at once or are
coroutines with a deadline, which is ours. No call is made from another loop than the model's home.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatItem
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.model.video import VideoFrame

from .home import Home
from .llm import LLM, FunctionToolCall
from .tts import WordTiming

Modality: TypeAlias = Literal["text", "audio"]


@dataclass(frozen=True, slots=True)
class RealtimeCapabilities:
    """What a model can do; the session goes by this and not by names of vendors."""

    message_truncation: bool
    """A message that was cut off can be shortened to what was heard."""
    turn_detection: bool
    """The server detects when the user speaks, and replies by itself."""
    user_transcription: bool
    """It says what the user said."""
    auto_tool_reply_generation: bool
    """It replies by itself when it is given the outputs of tools."""
    audio_output: bool
    """It speaks. False: it gives text, and a TTS beside it speaks (half-cascade)."""
    manual_function_calls: bool = True
    """Function calls that it did not make itself may be in the chat context."""
    can_disable_turn_detection: bool = False
    """``session(turn_detection_disabled=True)`` leaves turn-taking to the client."""
    mutable_chat_context: bool = False
    """Messages can be added to the conversation while it runs. (Outputs of tools always can.)"""
    mutable_instructions: bool = False
    """The instructions can be changed while the session runs."""
    mutable_tools: bool = False
    """The tools can be changed while the session runs."""
    per_response_tool_choice: bool = False
    """``generate_reply`` takes tools and tool choice for one reply."""
    supports_say: bool = False
    """It can be told to say a text as it is."""


@dataclass(frozen=True, slots=True)
class RealtimeUsage:
    """Tokens of one response."""

    input_tokens: int = 0
    output_tokens: int = 0
    input_audio_tokens: int = 0
    input_text_tokens: int = 0
    input_cached_tokens: int = 0
    output_audio_tokens: int = 0
    output_text_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


# -- what the server says --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputSpeechStarted:
    """The server hears the user speak. It has cancelled its own response already, if it does so."""

    item_id: str = ""
    """The server's id of what the user begins to say, if it has one already: that of its transcript."""


@dataclass(frozen=True, slots=True)
class InputSpeechStopped:
    """The server hears that the user is done."""

    user_transcription_enabled: bool = False
    """A final transcript of it will follow."""
    item_id: str = ""
    """As that of :class:`InputSpeechStarted`."""


@dataclass(frozen=True, slots=True)
class InputAudioTranscriptionCompleted:
    """What the user said, so far or for good."""

    item_id: str
    """The server's id of the user's item: the id of the message in the history."""
    transcript: str
    is_final: bool = True
    confidence: float | None = None
    """0..1."""


@dataclass(frozen=True, slots=True)
class GenerationCreated:
    """The server begins a response."""

    response_id: str
    request_id: str | None = None
    """Of the :meth:`RealtimeSession.generate_reply` or ``say`` it answers; None: the server began by itself."""

    @property
    def user_initiated(self) -> bool:
        """Whether it was asked for."""
        return self.request_id is not None


@dataclass(frozen=True, slots=True)
class ResponseText:
    """More text of a message of a response: what it says, or the transcript of what it speaks."""

    response_id: str
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ResponseAudio:
    """More audio of a message of a response: mono, at :attr:`RealtimeModel.sample_rate`. May come faster than heard."""

    response_id: str
    message_id: str
    frame: AudioFrame
    timings: tuple[WordTiming, ...] = ()
    """Of words that end in it, if the model can tell: places in the response's text, seconds of its audio."""


@dataclass(frozen=True, slots=True)
class ResponseToolCall:
    """The response asks for a tool."""

    response_id: str
    call: FunctionToolCall


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """A response is over; exactly once for each :class:`GenerationCreated`."""

    response_id: str
    status: Literal["completed", "cancelled", "failed"] = "completed"
    """``cancelled``: by the client's ``interrupt()``, or by the server because the user speaks."""
    usage: RealtimeUsage | None = None
    error: Exception | None = None
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class RemoteItemAdded:
    """The server has added an item to the conversation."""

    item: ChatItem
    previous_item_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionReconnected:
    """The session had lost its connection and has made another one by itself, with all it knew."""


@dataclass(frozen=True, slots=True)
class RealtimeSessionError:
    """Something went wrong at the server. What ends the session is raised by the stream of events instead."""

    error: Exception
    recoverable: bool = True
    """False: the model cannot go on; the agent's session ends with this error."""


RealtimeEvent: TypeAlias = (
    InputSpeechStarted
    | InputSpeechStopped
    | InputAudioTranscriptionCompleted
    | GenerationCreated
    | ResponseText
    | ResponseAudio
    | ResponseToolCall
    | ResponseDone
    | RemoteItemAdded
    | SessionReconnected
    | RealtimeSessionError
)


# -- what it is told -------------------------------------------------------------------------------------------------


class RealtimeSession(ABC):
    """One conversation with a speech-to-speech model.

    All methods are called on the model's home loop, one after the other. Those that are no coroutines return at once:
    they put what is to be sent into the session's own bounded queue.
    """

    @property
    @abstractmethod
    def chat_ctx(self) -> ChatContext:
        """A copy of the conversation as the server has it, as far as that is known."""

    @property
    @abstractmethod
    def tools(self) -> tuple[ToolDefinition, ...]:
        """The tools as the server has them."""

    @abstractmethod
    def events(self) -> AsyncIterator[RealtimeEvent]:
        """What the server says, until the session ends. Iterated once, while the other methods are called.

        Raises:
            APIError: the connection could not be made or is lost; if it is retryable, a new session is made, with the
                conversation so far. (A session that reconnects by itself says :class:`SessionReconnected` instead.)
        """

    @abstractmethod
    async def update_instructions(self, instructions: str) -> None:
        """Set the system prompt. Called at the start; later only with ``mutable_instructions``."""

    @abstractmethod
    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Make the server's conversation this one: ``chat_ctx`` with items added at its end, or another one.

        Called at the start; later with ``mutable_chat_context``, and for the outputs of tools in any case.

        Raises:
            APIError: the server refused it. One that does not answer is given up by the caller, by its deadline.
        """

    @abstractmethod
    async def update_tools(self, tools: Sequence[ToolDefinition]) -> None:
        """Set the tools. Called at the start; later only with ``mutable_tools``."""

    @abstractmethod
    def update_options(self, *, tool_choice: ToolChoice) -> None:
        """Set the tool choice of the replies to come; used without ``per_response_tool_choice``."""

    @abstractmethod
    def push_audio(self, frame: AudioFrame) -> None:
        """More audio of the user: mono at :attr:`RealtimeModel.input_sample_rate`."""

    def push_video(self, frame: VideoFrame) -> None:
        """A picture of the user. A model that cannot see takes no notice."""

    @abstractmethod
    def commit_audio(self) -> None:
        """What was pushed since the last commit is the user's turn. Only while the server detects no turns."""

    @abstractmethod
    def clear_audio(self) -> None:
        """Forget what was pushed since the last commit."""

    @abstractmethod
    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        """Ask for a response; it is announced by :class:`GenerationCreated` with this ``request_id``.

        Args:
            request_id: names the request.
            instructions: for this response, besides the session's.
            tool_choice: for this response; None: the session's.
            tools: for this response; None: the session's.
        """

    def say(self, text: str, *, request_id: str) -> None:
        """Speak a text as it is. Only with ``supports_say``; answered as :meth:`generate_reply` is.

        Raises:
            NotImplementedError: the session cannot.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be told what to say")

    @abstractmethod
    def interrupt(self) -> None:
        """Cancel the response that is being generated. Does nothing when there is none."""

    @abstractmethod
    def truncate(
        self,
        *,
        message_id: str,
        modalities: Sequence[Modality],
        audio_end_ms: int,
        audio_transcript: str | None = None,
    ) -> None:
        """Shorten a message to what was heard of it. Only with ``message_truncation``.

        Args:
            message_id: the server's.
            modalities: of the message.
            audio_end_ms: milliseconds of its audio that were heard, >= 0.
            audio_transcript: its text that was heard.
        """

    def start_user_activity(self) -> None:
        """The client hears the user speak (before the server does, if it does at all). A hint."""

    @abstractmethod
    async def aclose(self) -> None:
        """End the session and its stream of events. Safe to call twice."""


class RealtimeModel(ABC):
    """A speech-to-speech model. One object may serve many sessions at once."""

    home: Home = Home.ACTOR
    label: str = "realtime"
    model: str = ""
    provider: str = ""

    @property
    @abstractmethod
    def capabilities(self) -> RealtimeCapabilities:
        """What it can do."""

    @property
    def input_sample_rate(self) -> int:
        """Hertz of the mono audio that it wants of the user; the session resamples."""
        return 24000

    @property
    def sample_rate(self) -> int:
        """Hertz of the mono audio that it gives."""
        return 24000

    @property
    def aligned_transcript(self) -> bool:
        """Whether :attr:`ResponseAudio.timings` are given for every word."""
        return False

    @abstractmethod
    def session(self, *, turn_detection_disabled: bool = False) -> RealtimeSession:
        """Begin a conversation; returns at once, and connects while its events are read.

        Args:
            turn_detection_disabled: the server shall not detect turns. Only with ``can_disable_turn_detection``.
        """

    async def aclose(self) -> None:
        """Release what the model holds. Safe to call twice."""


AnyModel: TypeAlias = LLM | RealtimeModel
"""What a session may be given as its ``llm``."""
