"""What a sink calls: it turns the sink's events into messages, from any thread."""

from __future__ import annotations

from sessionactors.interfaces.audio_io import AudioSink, SinkEvent
from sessionactors.messages.output import SinkReported
from sessionactors.runtime import Ref


class SinkReporter:
    """Tells ``output`` what one sink reports."""

    def __init__(self, sink: AudioSink, output: Ref[SinkReported]) -> None:
        self._sink = sink
        self._output = output

    def __call__(self, event: SinkEvent) -> None:
        """An event of the sink."""
        if self._output.is_alive():
            self._output.tell(SinkReported(self._sink, event))
