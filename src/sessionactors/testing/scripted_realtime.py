"""A speech-to-speech model that follows a script: what it hears when, what it replies, and how fast.

Its audio is marked as that of a :class:`.MarkedVoice`, so what was heard of it is known from the sound. Times are
seconds on the timeline that begins with the first frame of the user's audio, and goes on over sessions. What was not
pushed is not heard: a saying of which no audio came is not understood.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from sessionactors.interfaces.realtime import RealtimeCapabilities, RealtimeModel

from .marked_voice import SAMPLE_RATE, MarkedVoice
from .realtime_script import HeardSaying, HeardTime, ScriptedResponse
from .scripted_ear import Faults
from .scripted_hearing import Timeline
from .scripted_realtime_session import ScriptedRealtimeSession

SPEAKING = RealtimeCapabilities(
    message_truncation=True,
    turn_detection=True,
    user_transcription=True,
    auto_tool_reply_generation=False,
    audio_output=True,
    can_disable_turn_detection=True,
    mutable_chat_context=True,
    mutable_instructions=True,
    mutable_tools=True,
    per_response_tool_choice=True,
    supports_say=True,
)
"""A model that can do all that there is, but for replying to tools by itself. Its server detects turns."""

CLIENT_TURNS = replace(SPEAKING, turn_detection=False)
"""The same, with turns detected here."""


class ScriptedRealtime(RealtimeModel):
    """Replies with the n-th response to the n-th time that it is to reply, whoever asks.

    Args:
        replies: the script.
        capabilities: what it can do.
        voice: marks the audio, and knows how long a text takes.
        sayings: what the user says when.
        otherwise: the reply when the script is over; None: a failed one that says so.
        silence: seconds of silence behind which the server takes the user's turn for over.
        transcription_delay: seconds from the end of the turn to its transcript.
        pace: seconds of audio that come in one second, >= 1.
        faults: when the stream of events fails, hangs or ends.
        hanging: names of coroutines that never return.
    """

    label = "scripted-realtime"
    model = "scripted"

    def __init__(
        self,
        replies: Sequence[ScriptedResponse] = (),
        *,
        capabilities: RealtimeCapabilities = SPEAKING,
        voice: MarkedVoice | None = None,
        sayings: Sequence[HeardSaying] = (),
        otherwise: ScriptedResponse | None = None,
        silence: float = 0.5,
        transcription_delay: float = 0.1,
        pace: float = 2.0,
        faults: Faults | None = None,
        hanging: Sequence[str] = (),
    ) -> None:
        self._capabilities = capabilities
        self.replies = list(replies)
        self.voice = voice or MarkedVoice()
        self.sayings = tuple(sayings)
        self.otherwise = otherwise
        self.silence = silence
        self.transcription_delay = transcription_delay
        self.pace = pace
        self.faults = faults or Faults()
        self.hanging = frozenset(hanging)
        self.time = HeardTime(Timeline())
        self.sessions: list[ScriptedRealtimeSession] = []
        """In the order of their beginnings."""
        self.numbers = count(1)
        """Of responses and of what the user said: names them."""
        self.replied = 0
        """Responses begun."""
        self.understood: list[str] = []
        """What the user was heard to say, in order."""

    @property
    def capabilities(self) -> RealtimeCapabilities:
        """As given."""
        return self._capabilities

    @property
    def input_sample_rate(self) -> int:
        """Hertz: those of a scenario's line, so that nothing is resampled."""
        return 16000

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return SAMPLE_RATE

    @property
    def aligned_transcript(self) -> bool:
        """As its voice."""
        return self.voice.aligned_transcript

    def session(self, *, turn_detection_disabled: bool = False) -> ScriptedRealtimeSession:
        """Begin a conversation."""
        detects = self._capabilities.turn_detection and not turn_detection_disabled
        session = ScriptedRealtimeSession(self, detects_turns=detects)
        self.sessions.append(session)
        return session

    @property
    def last(self) -> ScriptedRealtimeSession:
        """The newest session.

        Raises:
            AssertionError: there was none.
        """
        if not self.sessions:
            raise AssertionError("the realtime model was never asked for a session")
        return self.sessions[-1]

    def next_response(self) -> ScriptedResponse | None:
        """The next one of the script; None: it is over."""
        number = self.replied
        self.replied += 1
        return self.replies[number] if number < len(self.replies) else self.otherwise

    def assert_complete(self) -> None:
        """Raise unless all replies were asked for and all that was said was heard.

        Raises:
            AssertionError: the text says what is left of the script.
        """
        left = [reply.text or reply.tool_calls for reply in self.replies[self.replied :]]
        unheard = [saying.text for saying in self.sayings if saying.text and saying.text not in self.understood]
        if left or unheard:
            raise AssertionError(f"the script is not over: replies not asked for {left}, sayings not heard {unheard}")


@dataclass(frozen=True, slots=True)
class RealtimeScript:
    """How the realtime model of a scenario behaves."""

    capabilities: RealtimeCapabilities
    silence: float = 0.5
    """Seconds of silence behind which the server takes the user's turn for over."""
    transcription_delay: float = 0.1
    """Seconds from the end of the turn to its transcript."""
    pace: float = 2.0
    """Seconds of audio that come in one second."""
    faults: Faults | None = None
    """When the stream of events fails, hangs or ends."""
    hanging: Sequence[str] = ()
    """Names of calls that are never answered."""

    def model(
        self, replies: Sequence[ScriptedResponse], voice: MarkedVoice, sayings: Sequence[HeardSaying]
    ) -> ScriptedRealtime:
        """A fresh one that behaves so."""
        return ScriptedRealtime(
            replies,
            capabilities=self.capabilities,
            voice=voice,
            sayings=sayings,
            silence=self.silence,
            transcription_delay=self.transcription_delay,
            pace=self.pace,
            faults=copy.deepcopy(self.faults),
            hanging=self.hanging,
        )
