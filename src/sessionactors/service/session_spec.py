"""``SessionSpec``: all that one room's session is made of, as a value. A factory makes one for each spawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError
from sessionactors.model.options import APIConnectOptions
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr
from sessionactors.runtime import ActorSystem
from sessionactors.session.agent import Agent
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.drop_in import AnyDropIn
from sessionactors.session.turn_handling import TurnHandlingOptions


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
    llm: LLM | None = None
    """The model."""
    tts: TTS | None = None
    """The voice."""
    vad: VAD | None = None
    """Voice activity detection."""
    turn_detection: NotGivenOr[TurnDetector | str | None] = NOT_GIVEN
    """A text turn detector, ``"vad"``, or None: silence alone decides."""
    turn_handling: TurnHandlingOptions | None = None
    """The options about turns as one dict."""
    min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN
    """Seconds of silence that end a turn."""
    max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN
    """Seconds of silence when the turn detector thinks that the user goes on."""
    allow_interruptions: NotGivenOr[bool] = NOT_GIVEN
    """Whether the user may cut the agent off."""
    min_interruption_duration: NotGivenOr[float] = NOT_GIVEN
    """Seconds of speech that interrupt."""
    min_interruption_words: NotGivenOr[int] = NOT_GIVEN
    """Words that interrupt."""
    max_tool_steps: NotGivenOr[int] = NOT_GIVEN
    """Model requests with tools in one reply."""
    min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN
    """Seconds between two speeches."""
    userdata: NotGivenOr[object] = NOT_GIVEN
    """Read it back as ``session.userdata``."""
    conn_options: APIConnectOptions | None = None
    """Retries and timeouts for all providers."""
    actors: tuple[AnyDropIn, ...] = ()
    """Drop-in actors."""
    prepare: Callable[[AgentSession[object]], object] | None = None
    """Called with the session before it starts, on the loop of the spawn: the place for ``session.on(...)``."""

    def __post_init__(self) -> None:
        if not isinstance(self.agent, Agent):
            raise OptionError(f"SessionSpec(agent=...) must be an Agent, got {self.agent!r}")

    def new_session(self, system: ActorSystem) -> AgentSession[object]:
        """A session in ``system``, not started.

        Raises:
            OptionError: an option is out of range, unknown, or contradicts another.
        """
        return AgentSession(
            stt=self.stt,
            vad=self.vad,
            llm=self.llm,
            tts=self.tts,
            turn_detection=self.turn_detection,
            turn_handling=self.turn_handling,
            min_endpointing_delay=self.min_endpointing_delay,
            max_endpointing_delay=self.max_endpointing_delay,
            allow_interruptions=self.allow_interruptions,
            min_interruption_duration=self.min_interruption_duration,
            min_interruption_words=self.min_interruption_words,
            max_tool_steps=self.max_tool_steps,
            min_consecutive_speech_delay=self.min_consecutive_speech_delay,
            userdata=self.userdata,
            conn_options=self.conn_options,
            actors=self.actors,
            system=system,
        )


SessionFactory: TypeAlias = Callable[[str], SessionSpec | Awaitable[SessionSpec]]
"""Makes the spec for a room, given its name; called once per spawn, on the loop of the spawn."""
