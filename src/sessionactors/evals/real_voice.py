"""The caller's voice in real time: really synthesised, so that the agent's own ears have something to recognise."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sessionactors.interfaces.tts import TTS
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError

from .scenario_file import Step


class RealVoice:
    """Speaks with an offline voice, another one than the agent's. Made when it is first needed."""

    def __init__(self) -> None:
        self._voice: TTS | None = None

    async def sound_of(self, step: Step, words: str) -> AudioFrame:
        """The sound of what a step says.

        Raises:
            OptionError: no words are said, and a voice makes no noise.
        """
        if not words.strip():
            raise OptionError("a noise without words cannot be synthesised: hold this conversation in virtual time")
        if self._voice is None:
            from sessionactors.providers import offline  # noqa: PLC0415  an extra

            self._voice = offline.default_tts("caller")
        data = b"".join([audio.frame.data async for audio in self._voice.synthesize(_one(words))])
        return AudioFrame(data, self._voice.sample_rate)

    async def aclose(self) -> None:
        """Let go of the voice."""
        if self._voice is not None:
            await self._voice.aclose()


async def _one(text: str) -> AsyncIterator[str]:
    yield text
