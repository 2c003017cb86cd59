"""Objects of ``livekit.plugins.*`` as type checkers see them: what a session may be given beside our own components.

For annotations only: livekit need not be installed, and nothing here is asked whether an object is one. Each protocol
names what only that kind of object has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from .llm import LLM
from .realtime import RealtimeModel
from .stt import STT
from .tts import TTS
from .vad import VAD

AnyCall: TypeAlias = Callable[..., object]


class LiveKitSTT(Protocol):
    """A recogniser of livekit's."""

    @property
    def label(self) -> str:
        """Its name, for people."""

    @property
    def recognize(self) -> AnyCall:
        """Recognises an utterance."""

    @property
    def stream(self) -> AnyCall:
        """Begins to recognise."""


class _Detects(Protocol):
    update_interval: float


class LiveKitVAD(Protocol):
    """A detector of speech of livekit's."""

    @property
    def capabilities(self) -> _Detects:
        """What it can do."""

    @property
    def stream(self) -> AnyCall:
        """Begins to detect."""


class LiveKitLLM(Protocol):
    """A chat model of livekit's."""

    @property
    def label(self) -> str:
        """Its name, for people."""

    @property
    def chat(self) -> AnyCall:
        """Asks it."""

    @property
    def prewarm(self) -> AnyCall:
        """Connects beforehand."""


class _Converses(Protocol):
    auto_tool_reply_generation: bool


class LiveKitRealtimeModel(Protocol):
    """A speech-to-speech model of livekit's."""

    @property
    def capabilities(self) -> _Converses:
        """What it can do."""

    @property
    def session(self) -> AnyCall:
        """Begins a conversation."""


class LiveKitTTS(Protocol):
    """A voice of livekit's."""

    @property
    def num_channels(self) -> int:
        """Of its audio."""

    @property
    def sample_rate(self) -> int:
        """Hertz of its audio."""

    @property
    def synthesize(self) -> AnyCall:
        """Speaks a text."""


GivenSTT: TypeAlias = STT | LiveKitSTT
"""A recogniser for a session or an agent."""
GivenVAD: TypeAlias = VAD | LiveKitVAD
"""A detector of speech."""
GivenLLM: TypeAlias = LLM | RealtimeModel | LiveKitLLM | LiveKitRealtimeModel
"""A model."""
GivenTTS: TypeAlias = TTS | LiveKitTTS
"""A voice."""
