"""Who is who in one session: the refs that its actors tell to, and the ports and options they share.

The supervisor fills it while it starts the actors; after that it does not change, but for ears that come and go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.recognition_context import RecognitionContextOptions
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.text_io import TextSink
from sessionactors.interfaces.transport import PEOPLE, ParticipantKind, Transport
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.interfaces.vad import VAD
from sessionactors.model.options import SessionOptions
from sessionactors.model.video import VideoFrame
from sessionactors.model.video_sampling import VoiceActivityVideoSampler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionactors.messages.llm import CancelGeneration, GenerateText
    from sessionactors.model.events import SessionEvent
    from sessionactors.runtime import Actor, Ref

    from .agent import AgentMessage
    from .deferred import DeferredMessage
    from .floor import FloorMessage
    from .history import HistoryMessage
    from .keyterms import KeytermsMessage
    from .output import OutputMessage
    from .realtime import RealtimeMessage
    from .room import RoomMessage
    from .supervisor import SupervisorMessage
    from .tools import ToolsMessage
    from .tts import TTSMessage
    from .video import VideoMessage


UserSampler: TypeAlias = "Callable[[VideoFrame], Awaitable[bool]]"
"""The user's own choice of pictures, on their loop."""


@dataclass(frozen=True, slots=True)
class DropInPart:
    """One of the user's own actors."""

    name: str
    make: Callable[[], Actor[object, object]]
    events: tuple[type, ...] = ()
    """Public events it is told of."""


@dataclass(frozen=True, slots=True)
class Components:
    """What the session was given: providers, link, agent, options, and where its events go."""

    options: SessionOptions
    agent: UserAgent
    """The one the session starts with; who is in charge later, ``agent`` knows."""
    emit: Callable[[SessionEvent], None]
    """Raises an event on the user's loop; returns at once."""
    llm: LLM | RealtimeModel | None = None
    stt: STT | None = None
    tts: TTS | None = None
    vad: VAD | None = None
    recognition: RecognitionContextOptions = field(default_factory=RecognitionContextOptions)
    """What the recogniser is told of the conversation."""
    vad_is_default: bool = False
    """Nobody chose it: what the recogniser says about times counts more."""
    transport: Transport | None = None
    text_input: bool = True
    audio_input: bool = True
    audio_output: bool = True
    transcription_output: bool = True
    room_audio_input: bool = True
    """The participants are listened to; False: only the session's own input is."""
    room_audio_output: bool = True
    """The agent is heard in the room; False: only through the session's own output."""
    room_text: bool = True
    """Transcripts are shown in the room; False: not even what the users say."""
    beside_room_text: TextSink | None = None
    """Gets the agent's words that the room gets."""
    sync_transcription: bool = True
    """The agent's words are shown as they are spoken; False: as soon as they are there."""
    transcription_speed: float = 1.0
    """How much faster than usual a voice without word timings is taken to speak."""
    video_sampler: VoiceActivityVideoSampler | UserSampler | None = None
    """Which pictures are kept; None: every one."""
    room_video_input: bool = False
    """What the participants show is looked at, one of them at a time."""
    participant_kinds: frozenset[ParticipantKind] = PEOPLE
    """Others are not there for the session."""
    participant_identity: str | None = None
    """The only participant who is listened to; None: all are."""
    close_on_disconnect: bool = True
    """The session ends when the last participant (who is listened to) has left."""
    text_callback: bool = False
    """What is typed is the user code's affair."""
    drop_ins: tuple[DropInPart, ...] = ()
    """Users' own actors."""
    server_turns: bool = False
    """The realtime model's server detects turns, and replies by itself."""

    @property
    def realtime(self) -> RealtimeModel | None:
        """The model, if it is a realtime one."""
        return self.llm if isinstance(self.llm, RealtimeModel) else None


@dataclass(slots=True)
class Wiring:
    """Refs by role. Read them when a message is handled, not before."""

    components: Components
    supervisor: Ref[SupervisorMessage] = field(init=False)
    history: Ref[HistoryMessage] = field(init=False)
    llm: Ref[GenerateText | CancelGeneration] = field(init=False)
    """Who replies: ``llm`` or ``realtime``."""
    tools: Ref[ToolsMessage] = field(init=False)
    deferred: Ref[DeferredMessage] = field(init=False)
    tts: Ref[TTSMessage] = field(init=False)
    output: Ref[OutputMessage] = field(init=False)
    floor: Ref[FloorMessage] = field(init=False)
    agent: Ref[AgentMessage] = field(init=False)
    realtime: Ref[RealtimeMessage] | None = None
    room: Ref[RoomMessage] | None = None
    keyterms: Ref[KeytermsMessage] | None = None
    """None: the recogniser can use nothing of the conversation."""
    video: Ref[VideoMessage] | None = None
    """From the first video source on."""
    guard_silence: Callable[[str, float], None] | None = None
    """Has the watchdog mute the sink unless the named speech is acknowledged silent within so many seconds."""
    release_guard: Callable[[str], None] | None = None
    """The named speech is silent."""

    @property
    def options(self) -> SessionOptions:
        """The session's options."""
        return self.components.options
