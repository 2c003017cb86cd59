"""What is heard beside the agent at the other end of a connection: in the pauses of its voice. No mixing at clients."""

from __future__ import annotations

from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame

from .playout import RemotePlayout


class WebSocketBackground(BackgroundSink):
    """Fills the pauses of an agent's voice. Its clients need not know of it: to them it is a stretch like others.

    What is handed over while the agent is heard is not sent, and what the client has of it when the agent begins is
    taken back. So positions are those of the voice alone.

    Args:
        voice: the agent's, to the same client.
    """

    label = "websocket-background"

    def __init__(self, voice: RemotePlayout) -> None:
        self.sample_rate = voice.sample_rate
        self._voice = voice
        self._rest = b""
        self._closed = False

    def play(self, frame: AudioFrame) -> None:
        if self._closed:
            return
        pcm = self._rest + frame.data
        whole = len(pcm) - len(pcm) % (self._voice.frame * BYTES_PER_SAMPLE)  # as clients and codecs are promised
        self._rest = pcm[whole:]
        if whole and not self._voice.fill(pcm[:whole]):
            self._rest = b""

    async def aclose(self) -> None:
        self._closed = True
