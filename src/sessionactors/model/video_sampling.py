"""Which pictures of a video are worth a model's while. Pure; tested as a table."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import OptionError

SLACK = 0.001
"""Seconds by which a picture may come early: cameras and clocks round differently."""


@dataclass(frozen=True, slots=True)
class VoiceActivityVideoSampler:
    """So many pictures a second while the user speaks, fewer while nobody does.

    Args:
        speaking_fps: pictures a second while the user speaks, > 0.
        silent_fps: pictures a second otherwise, >= 0; 0 for none.

    Raises:
        OptionError: a rate is out of range.
    """

    speaking_fps: float = 1.0
    silent_fps: float = 0.3

    def __post_init__(self) -> None:
        if self.speaking_fps <= 0:
            raise OptionError(f"speaking_fps must be > 0, got {self.speaking_fps}")
        if self.silent_fps < 0:
            raise OptionError(f"silent_fps must not be negative, got {self.silent_fps}")

    def wants(self, *, speaking: bool, since_last: float | None) -> bool:
        """Whether to take a picture that comes now.

        Args:
            speaking: the user speaks.
            since_last: seconds since the last picture that was taken; None when none was.
        """
        rate = self.speaking_fps if speaking else self.silent_fps
        if rate == 0:
            return False
        return since_last is None or since_last + SLACK >= 1 / rate
