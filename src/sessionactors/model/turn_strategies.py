"""Strategies of turn-taking that users compose: what begins a user's turn, when the user is not listened to. Values.

A strategy only judges what is put before it; ``turn`` decides, and keeps what has to be remembered. Write your own by
subclassing :class:`StartStrategy` or :class:`MuteStrategy` (frozen, with no state that changes).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from .errors import OptionError
from .events import AgentState
from .words import word_count


@dataclass(frozen=True, slots=True)
class TurnScene:
    """What a strategy judges by."""

    voice: bool = False
    """The user's voice is heard."""
    text: str = ""
    """What was understood of it so far, interim words too."""
    agent_state: AgentState = "listening"
    agent_has_spoken: bool = False
    """The agent's first speech is over."""
    tools_running: int = 0


class StartStrategy(ABC):
    """Judges whether what is heard begins a user's turn. Of several, one that says so is enough."""

    open_for: float = 0.0
    """Seconds behind a turn in which the next one needs no strategy."""

    @abstractmethod
    def starts(self, scene: TurnScene) -> bool:
        """Whether a turn begins."""


class MuteStrategy(ABC):
    """Judges whether the user is not listened to now. Of several, one that says so is enough."""

    @abstractmethod
    def mutes(self, scene: TurnScene) -> bool:
        """Whether what is said now is ignored."""


@dataclass(frozen=True, slots=True)
class StartOnVoice(StartStrategy):
    """A turn begins with the voice. With :class:`StartOnTranscript` this is how it is without strategies."""

    def starts(self, scene: TurnScene) -> bool:
        """See :meth:`StartStrategy.starts`."""
        return scene.voice


@dataclass(frozen=True, slots=True)
class StartOnTranscript(StartStrategy):
    """A turn begins with words: noise begins none."""

    def starts(self, scene: TurnScene) -> bool:
        """See :meth:`StartStrategy.starts`."""
        return bool(scene.text.strip())


@dataclass(frozen=True, slots=True)
class StartOnWords(StartStrategy):
    """Over the agent's voice a turn begins with so many words; else with voice or words.

    Raises:
        OptionError: fewer than one word.
    """

    min_words: int = 3

    def __post_init__(self) -> None:
        if self.min_words < 1:
            raise OptionError(f"StartOnWords(min_words={self.min_words}): it must be at least 1")

    def starts(self, scene: TurnScene) -> bool:
        """See :meth:`StartStrategy.starts`."""
        if scene.agent_state == "speaking":
            return word_count(scene.text) >= self.min_words
        return scene.voice or bool(scene.text.strip())


@dataclass(frozen=True, slots=True)
class StartOnWakePhrase(StartStrategy):
    """A turn begins when a phrase is heard; for some seconds behind a turn the next one needs none.

    Upper and lower case and punctuation do not matter.

    Args:
        phrases: such as ``("hey agent",)``.
        open_for: seconds >= 0.

    Raises:
        OptionError: no phrase, an empty one, or a negative time.
    """

    phrases: tuple[str, ...]
    open_for: float = 10.0

    def __post_init__(self) -> None:
        given: object = self.phrases  # one string, which is easily given, would be taken for its letters
        if isinstance(given, str) or not self.phrases or not all(map(_words, self.phrases)):
            raise OptionError(f"StartOnWakePhrase needs a tuple of phrases with words, got {self.phrases!r}")
        if self.open_for < 0:
            raise OptionError(f"StartOnWakePhrase(open_for={self.open_for}): it must not be negative")

    def starts(self, scene: TurnScene) -> bool:
        """See :meth:`StartStrategy.starts`."""
        said = f" {_words(scene.text)} "
        return any(f" {_words(phrase)} " in said for phrase in self.phrases)


@dataclass(frozen=True, slots=True)
class MuteWhileAgentSpeaks(MuteStrategy):
    """Nobody is listened to while the agent is heard."""

    def mutes(self, scene: TurnScene) -> bool:
        """See :meth:`MuteStrategy.mutes`."""
        return scene.agent_state == "speaking"


@dataclass(frozen=True, slots=True)
class MuteDuringFirstSpeech(MuteStrategy):
    """The agent's first speech is not interrupted; before it, the user may speak."""

    def mutes(self, scene: TurnScene) -> bool:
        """See :meth:`MuteStrategy.mutes`."""
        return scene.agent_state == "speaking" and not scene.agent_has_spoken


@dataclass(frozen=True, slots=True)
class MuteUntilFirstSpeech(MuteStrategy):
    """The agent speaks first: nobody is listened to until its first speech is over."""

    def mutes(self, scene: TurnScene) -> bool:
        """See :meth:`MuteStrategy.mutes`."""
        return not scene.agent_has_spoken


@dataclass(frozen=True, slots=True)
class MuteWhileToolsRun(MuteStrategy):
    """Nobody is listened to while a tool runs."""

    def mutes(self, scene: TurnScene) -> bool:
        """See :meth:`MuteStrategy.mutes`."""
        return scene.tools_running > 0


def _words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))
