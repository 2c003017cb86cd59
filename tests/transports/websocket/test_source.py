"""The client's microphone: pieces of any length become frames of one, and a switch stops them."""

from __future__ import annotations

import pytest

from sessionactors import SessionStateError
from sessionactors.model.audio import AudioFrame
from sessionactors.transports.websocket.source import WebSocketSource

from tests.transports.fakes import ramp


def test_pieces_of_any_length_become_frames_and_nothing_is_lost() -> None:
    source, frames = WebSocketSource(), list[AudioFrame]()
    source.frame_ms = 20
    source.start(frames.append, lambda: None)
    whole = ramp(8000 // 10, rate=8000)
    rest = whole
    for samples in (3, 1, 400, 96, 300):
        piece, rest = rest.split(samples)
        source.feed(piece)
    assert {frame.duration for frame in frames} == {0.02}
    assert b"".join(frame.data for frame in frames) == whole.data
    source.feed(AudioFrame(bytes(2 * 2 * 960), 48000, 2))  # another format: nothing of the old one is mixed in
    assert (frames[-1].sample_rate, frames[-1].num_channels, len(frames)) == (48000, 2, 6)


def test_muted_stopped_or_not_begun_nothing_is_heard_and_it_is_counted() -> None:
    source, frames, ends = WebSocketSource(), list[AudioFrame](), list[str]()
    frame = ramp(400, rate=8000)
    source.feed(frame)
    source.start(frames.append, lambda: ends.append("end"))
    source.mute(muted=True)
    source.mute(muted=True)
    source.feed(frame)
    assert (frames, ends) == ([], ["end"])  # who listens does not wait for the end of the word
    source.mute(muted=False)
    source.feed(frame)
    source.stop()
    source.feed(frame)
    source.end()
    assert (len(frames), ends, round(source.unheard, 3)) == (1, ["end"], 0.15)
    with pytest.raises(SessionStateError):
        source.start(frames.append, lambda: None)
