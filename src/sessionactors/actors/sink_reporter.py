"""What a sink calls: it turns the sink's events into messages, from any thread."""

from __future__ import annotations

import math

from sessionactors.interfaces.audio_io import AudioSink, PlaybackStarted, SinkEvent
from sessionactors.messages.output import SinkReported
from sessionactors.runtime import Ref
from sessionactors.runtime.frozen import replace

from .told_from_outside import tell_if_taken


class SinkReporter:
    """Tells ``output`` what one sink reports. A position that is none is taken for the last one that was told."""

    def __init__(self, sink: AudioSink, output: Ref[SinkReported]) -> None:
        self._sink = sink
        self._output = output
        self._known = ("", 0.0)

    def __call__(self, event: SinkEvent) -> None:
        """An event of the sink."""
        if not self._output.is_alive():
            return
        if not isinstance(event, PlaybackStarted):
            segment, known = self._known
            if not (math.isfinite(event.position) and event.position >= 0):
                event = replace(event, position=known if segment == event.segment else 0.0)
            self._known = event.segment, event.position
        tell_if_taken(self._output, SinkReported(self._sink, event))
