"""``audio``: reads the audio that ``say`` was given, and hands it to ``output`` by credit. A child of its speech.

To ``output`` it is what ``tts`` is for other speeches. The user's iterable is read on the user's loop, no further ahead
of what is heard than a voice would be.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import assert_never, cast

from sessionactors.messages.speech import FrameRead, FramesEnded, RecordingMessage
from sessionactors.messages.tts import AudioCredit, CancelSynthesis, SegmentAudio, SegmentAudioEnded, SynthesisFailed
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError
from sessionactors.runtime import Actor, EffectPort, Outbox, Scope
from sessionactors.runtime.frozen import replace

from .wiring import Wiring

FRAMES = "frames"


@dataclass(frozen=True, slots=True)
class RecordingState:
    """What was read and what was handed over, in seconds."""

    credit: float = 0.0
    read: float = 0.0
    handed: float = 0.0
    waiting: tuple[AudioFrame, ...] = ()
    ended: bool = False
    error: BaseException | None = None
    over: bool = False
    """``output`` has been told of the end, or wants no more."""


class Recording(Actor[RecordingState, RecordingMessage]):
    """Brings the audio of one segment.

    Args:
        wiring: the session.
        segment: which.
        frames: what ``say`` was given.
        scope: of the speech.
    """

    def __init__(self, wiring: Wiring, segment: str, frames: AsyncIterable[AudioFrame], scope: Scope) -> None:
        self._wiring = wiring
        self._segment = segment
        self._frames = frames
        self._scope = scope

    def initial(self) -> RecordingState:
        """Nothing is read."""
        return RecordingState()

    def started(self, state: RecordingState, out: Outbox[RecordingMessage]) -> RecordingState:
        """Read ahead, as a voice would speak ahead."""
        out.effect(FRAMES, self._read, done=lambda _: FramesEnded(None), failed=FramesEnded, user_loop=True, inlet=16)
        return state

    def receive(
        self, state: RecordingState, message: RecordingMessage, out: Outbox[RecordingMessage]
    ) -> RecordingState:
        """One message."""
        match message:
            case FrameRead(frame):
                state = replace(state, waiting=(*state.waiting, frame), read=state.read + frame.duration)
                return self._hand_over(state, out)
            case AudioCredit(_, seconds):
                out.feed(FRAMES, seconds + self._wiring.options.synthesis_lead)
                return self._hand_over(replace(state, credit=max(state.credit, seconds)), out)
            case FramesEnded(error):
                return self._hand_over(replace(state, ended=True, error=error), out)
            case CancelSynthesis():
                out.cancel_effect(FRAMES)
                return replace(state, waiting=(), over=True)
            case _:
                assert_never(message)

    async def _read(self, port: EffectPort[RecordingMessage]) -> None:
        allowed, read = self._wiring.options.synthesis_lead, 0.0
        more = cast("AsyncIterator[float]", port.inlet)
        async for frame in self._frames:
            if not isinstance(frame, AudioFrame):
                raise AudioFormatError(f"the audio given to say() yielded {type(frame).__name__} instead of AudioFrame")
            while read >= allowed:
                allowed = await anext(more)
            await port.send(FrameRead(frame, self._scope))
            read += frame.duration

    def _hand_over(self, state: RecordingState, out: Outbox[RecordingMessage]) -> RecordingState:
        output = self._wiring.output
        while state.waiting and state.handed < state.credit:
            frame, *rest = state.waiting
            out.tell(output, SegmentAudio(self._segment, frame, (), self._scope))
            state = replace(state, waiting=tuple(rest), handed=state.handed + frame.duration)
        if state.over or state.waiting or not state.ended:
            return state
        error = state.error
        if error is None and not state.read:
            error = AudioFormatError("the audio given to say() has no frames")
        if error is None:
            out.tell(output, SegmentAudioEnded(self._segment, self._scope))
        else:
            out.tell(output, SynthesisFailed(self._segment, error))
        return replace(state, over=True)

    def summary(self, state: RecordingState) -> Mapping[str, object]:
        """How far it is."""
        return {"segment": self._segment, "read": round(state.read, 3), "handed": round(state.handed, 3)}
