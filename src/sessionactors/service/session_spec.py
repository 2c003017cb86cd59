"""``SessionSpec``: all that one room's session is made of, as a value. A factory makes one for each spawn."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError
from sessionactors.model.expressive import ExpressiveOptions
from sessionactors.model.options import APIConnectOptions, SessionConnectOptions, TextTransform, TurnDetection
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr
from sessionactors.runtime import ActorSystem
from sessionactors.session.agent import Agent
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.drop_in import AnyDropIn
from sessionactors.session.journaling import SessionJournal
from sessionactors.session.monitoring import SessionMonitors
from sessionactors.session.observing import SessionTelemetry
from sessionactors.session.stt_context import STTContextOptions
from sessionactors.session.tool import AnyTool
from sessionactors.session.tool_handling import ToolHandlingOptions
from sessionactors.session.turn_handling import PreemptiveGenerationOptions, TurnHandlingOptions
from sessionactors.session.video_sampler import AnyVideoSampler

from .room_limits import RoomLimits

if TYPE_CHECKING:
    from .farewell import Farewell
    from .restart_policy import RestartPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """What a session needs. Options mean what they mean for :class:`AgentSession`, and are checked at the spawn.

    Providers may be shared by many rooms and are yours to close; ``agent`` and ``actors`` belong to one session.

    Raises:
        OptionError: ``agent`` is not an :class:`Agent`.
    """

    agent: Agent
    """What talks to the user; a new one for each spec."""
    stt: STT | None = None
    """Speech to text."""
    llm: LLM | RealtimeModel | None = None
    """The model: of text, or of speech to speech."""
    tts: TTS | None = None
    """The voice."""
    vad: VAD | None = None
    """Voice activity detection."""
    turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN
    """The options about turns as one dict."""
    max_tool_steps: NotGivenOr[int] = NOT_GIVEN
    """Model requests with tools in one reply."""
    use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN
    """The transcript comes from the voice's word timings, where it has them."""
    tts_text_transforms: NotGivenOr[Sequence[TextTransform] | None] = NOT_GIVEN
    """What is left out of the text that the voice is given."""
    min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN
    """Seconds between two speeches."""
    aec_warmup_duration: NotGivenOr[float | None] = NOT_GIVEN
    """Seconds of the first speech in which voice does not interrupt."""
    expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN
    ivr_detection: NotGivenOr[bool] = NOT_GIVEN
    user_away_timeout: NotGivenOr[float | None] = NOT_GIVEN
    """Seconds in which nobody speaks until the user counts as away."""
    transcription_timeout: NotGivenOr[float | None] = NOT_GIVEN
    """Seconds in which a transcript must come after speech."""
    session_close_transcript_timeout: NotGivenOr[float] = NOT_GIVEN
    """Seconds a closing session waits for the last transcript."""
    stt_context_options: NotGivenOr[STTContextOptions | None] = NOT_GIVEN
    """What the recogniser is told of the conversation."""
    userdata: NotGivenOr[object] = NOT_GIVEN
    """Read it back as ``session.userdata``."""
    tools: tuple[AnyTool, ...] = ()
    """Tools and tool sets that every agent of the session has; sets belong to one session."""
    tool_handling: ToolHandlingOptions | None = None
    """Words for what a model is told of tools."""
    video_sampler: NotGivenOr[AnyVideoSampler | None] = NOT_GIVEN
    """Which frames a realtime model is shown."""
    conn_options: SessionConnectOptions | APIConnectOptions | None = None
    """Retries and timeouts of the providers."""
    actors: tuple[AnyDropIn, ...] = ()
    """Drop-in actors."""
    journal: SessionJournal | Sequence[SessionJournal] | None = None
    """Records the session: a :class:`.Journal` of its own."""
    monitors: SessionMonitors | None = None
    """Looks after each message whether promises are kept: a :class:`.Monitors`, which may be that of all rooms."""
    telemetry: SessionTelemetry | None = None
    """Sums up, traces and reports what the session does: a :class:`.Telemetry`, which may be that of all rooms."""
    turn_detection: NotGivenOr[TurnDetection] = NOT_GIVEN
    """As ``turn_handling["turn_detection"]``. Deprecated, as all that follow but ``prepare``."""
    min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN
    """Seconds of silence that end a turn."""
    max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN
    """Seconds of silence when the turn detector thinks that the user goes on."""
    allow_interruptions: NotGivenOr[bool] = NOT_GIVEN
    """Whether the user may cut the agent off."""
    discard_audio_if_uninterruptible: NotGivenOr[bool] = NOT_GIVEN
    """What is said over a protected speech is not recognised."""
    min_interruption_duration: NotGivenOr[float] = NOT_GIVEN
    """Seconds of speech that interrupt."""
    min_interruption_words: NotGivenOr[int] = NOT_GIVEN
    """Words that interrupt."""
    resume_false_interruption: NotGivenOr[bool] = NOT_GIVEN
    """A speech that was interrupted without words goes on."""
    false_interruption_timeout: NotGivenOr[float | None] = NOT_GIVEN
    """Seconds of silence after which it does."""
    preemptive_generation: NotGivenOr[bool | PreemptiveGenerationOptions] = NOT_GIVEN
    """Start the reply while the turn may still go on."""
    prepare: Callable[[AgentSession[object]], object] | None = None
    """Called with the session before it starts, on the loop of the spawn: the place for ``session.on(...)``."""
    limits: RoomLimits | None = None
    """How long and how much this room may; None: as the supervisor says."""
    restart: RestartPolicy | Literal["never", "on_failure"] | None = None
    """Whether this room gets another session when one failed; None: as the supervisor says."""
    farewell: Farewell | None = None
    """What this room hears before it is closed by a limit or a drain; None: as the supervisor says."""

    def __post_init__(self) -> None:
        if not isinstance(self.agent, Agent):
            raise OptionError(f"SessionSpec(agent=...) must be an Agent, got {self.agent!r}")

    async def prepared(self, session: AgentSession[object]) -> None:
        """Call ``prepare``, if there is any.

        Raises:
            BaseException: what it raised.
        """
        if self.prepare is not None:
            made = self.prepare(session)
            if inspect.isawaitable(made):
                await made

    def new_session(self, system: ActorSystem) -> AgentSession[object]:
        """A session in ``system``, not started.

        Raises:
            OptionError: an option is out of range, unknown, or contradicts another.
        """
        given = {option.name: getattr(self, option.name) for option in fields(self) if option.name not in _NOT_OPTIONS}
        return AgentSession(**given, system=system)


_NOT_OPTIONS: Final = ("agent", "prepare", "limits", "restart", "farewell")


SessionFactory: TypeAlias = Callable[[str], SessionSpec | Awaitable[SessionSpec]]
"""Makes the spec for a room, given its name; called once per spawn, on the loop of the spawn."""
