"""End-of-turn detection from text: is the user done, or only pausing?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from sessionactors.model.chat import ChatContext

from .home import Home


class TurnDetector(ABC):
    """Predicts whether the user's turn is over. It proposes; the ``turn`` actor decides."""

    home: ClassVar[Home] = Home.ACTOR
    label: str = "turn_detector"
    streaming: bool = False
    """Listens to the audio itself; delays that were not given are 0.3 and 2.5 s beside it."""

    @property
    def unlikely_threshold(self) -> float:
        """Below this probability the session waits ``max_delay`` instead of ``min_delay``."""
        return 0.5

    @abstractmethod
    async def predict_end_of_turn(self, chat_ctx: ChatContext) -> float:
        """Probability (0..1) that the turn is over; the last item of ``chat_ctx`` is the user's transcript so far."""
