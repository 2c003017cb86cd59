"""The sound of a realtime model's replies: handed to ``output`` by credit, and cut to what was heard of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.messages.realtime import SegmentHeard
from sessionactors.messages.tts import SegmentAudio, SegmentAudioEnded, SynthesisFailed
from sessionactors.runtime import Outbox

from .realtime_link import LINK, Truncate
from .realtime_reply import Reply
from .realtime_state import RealtimeState
from .wiring import Wiring

if TYPE_CHECKING:
    from .realtime import RealtimeMessage


class ReplySound:
    """What is done with the audio of replies.

    Args:
        wiring: the session.
        model: whose replies they are.
    """

    def __init__(self, wiring: Wiring, model: RealtimeModel) -> None:
        self._wiring = wiring
        self._can = model.capabilities

    def credit(self, state: RealtimeState, segment: str, seconds: float, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """``output`` takes so much of a segment's audio."""
        reply = state.of_segment(segment)
        if reply is None or reply.cancelled:
            return state
        reply = replace(reply, begun=True, audio=reply.audio.granted(seconds))
        return state.with_reply(self.end_audio(self.hand_over(reply, out), out))

    @staticmethod
    def mute(state: RealtimeState, segment: str) -> RealtimeState:
        """Nobody will hear the audio of a segment; its text may be read."""
        reply = state.of_segment(segment)
        if reply is None:
            return state
        return state.with_reply(replace(reply, audio_wanted=False, audio=replace(reply.audio, frames=(), timings=())))

    def hand_over(self, reply: Reply, out: Outbox[RealtimeMessage]) -> Reply:
        """Give ``output`` what it has given credit for."""
        reply, ready = reply.handed_over()
        claim = reply.claim
        if claim is not None:
            for piece in ready:
                out.tell(self._wiring.output, SegmentAudio(claim.segment, piece.frame, piece.timings, claim.scope))
        return reply

    def end_audio(self, reply: Reply, out: Outbox[RealtimeMessage]) -> Reply:
        """Tell ``output`` that no more audio comes, when all has been handed over and the segment plays."""
        claim = reply.claim
        if claim is None or not reply.begun or not reply.ended or reply.audio.frames or reply.audio_ended:
            return reply
        if reply.error is None:
            out.tell(self._wiring.output, SegmentAudioEnded(claim.segment, claim.scope))
        else:  # the text may be ahead of the sound that there is
            out.tell(self._wiring.output, SynthesisFailed(claim.segment, reply.error))
        return replace(reply, audio_ended=True)

    def heard(self, state: RealtimeState, report: SegmentHeard, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """It is known what was heard of a reply: the server's messages are cut to that."""
        reply = state.of_segment(report.segment)
        if reply is None:
            return state
        if report.interrupted:
            reply = self.shorten(reply, report.heard, report.position, out)
        return state.with_reply(replace(reply, settled=True))

    def shorten(self, reply: Reply, heard: str, position: float, out: Outbox[RealtimeMessage]) -> Reply:
        """Have the server's messages cut to what was heard; those that were dealt with before stay as they are."""
        if not self._can.message_truncation:
            return reply
        cuts: tuple[Truncate, ...] = reply.truncations(heard, position)
        for cut in cuts:
            out.feed(LINK, cut)
        return replace(reply, cut=reply.cut | {part.message_id for part in reply.parts})
