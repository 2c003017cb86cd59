"""The sound of a realtime model's replies: handed to ``output`` by credit, and cut to what was heard of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from sessionactors.interfaces.audio_node import AudioNode
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.speech_in_hand import in_hand
from sessionactors.interfaces.tts import WordTiming
from sessionactors.messages.realtime import NodeEnded, NodeMade, SegmentHeard
from sessionactors.messages.session import ComponentStumbled
from sessionactors.messages.tts import SegmentAudio, SegmentAudioEnded, SynthesisFailed
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APITimeoutError
from sessionactors.runtime import EffectPort, Outbox, Overflow
from sessionactors.runtime.frozen import replace

from .provider_stream import relay
from .realtime_link import LINK, Truncate
from .realtime_reply import Claim, Reply
from .realtime_state import RealtimeState
from .retry_policy import reportable
from .wiring import Wiring

if TYPE_CHECKING:
    from .realtime import RealtimeMessage


NODE_INLET = 4096
"""Frames that may wait for the agent's node."""
NODE_WITHIN = 10.0
"""Seconds for the node to give more, or to end, once all audio was given to it."""


class ReplySound:
    """What is done with the audio of replies.

    Args:
        wiring: the session.
        model: whose replies they are.
    """

    def __init__(self, wiring: Wiring, model: RealtimeModel) -> None:
        self._wiring = wiring
        self._can = model.capabilities
        self._label = model.label

    def credit(self, state: RealtimeState, segment: str, seconds: float, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """``output`` takes so much of a segment's audio."""
        reply = state.of_segment(segment)
        if reply is None or reply.cancelled:
            return state
        reply = replace(reply, begun=True, audio=reply.audio.granted(seconds))
        return state.with_reply(self.end_audio(self.hand_over(reply, out), out))

    def mute(self, state: RealtimeState, segment: str, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Nobody will hear the audio of a segment; its text may be read."""
        reply = state.of_segment(segment)
        if reply is None:
            return state
        reply = self.drop_node(reply, out)
        return state.with_reply(replace(reply, audio_wanted=False, audio=replace(reply.audio, frames=(), timings=())))

    def received(
        self, reply: Reply, frame: AudioFrame, timings: tuple[WordTiming, ...], out: Outbox[RealtimeMessage]
    ) -> Reply:
        """More audio: to be heard, or to the agent's node first, which may make anything of it."""
        claim = reply.claim
        if claim is None or claim.node is None:
            return self.hand_over(reply.with_audio(frame, timings), out)
        if not reply.processed:
            self._start_node(claim, claim.node, out)
        out.feed(_node(reply.key), frame)
        return replace(reply, processed=True)

    def adopted(self, reply: Reply, out: Outbox[RealtimeMessage]) -> Reply:
        """A speech has taken it: audio that has come is for its agent's node, if there is one."""
        held = reply.audio.frames
        if not held or reply.claim is None or reply.claim.node is None:
            return reply
        reply = replace(reply, audio=replace(reply.audio, frames=(), timings=(), received=0))
        for frame in held:
            reply = self.received(reply, frame, (), out)
        return reply

    @staticmethod
    def _start_node(claim: Claim, node: AudioNode, out: Outbox[RealtimeMessage]) -> None:
        async def run(port: EffectPort[RealtimeMessage]) -> None:
            frames = cast("AsyncIterator[AudioFrame]", port.inlet)
            with in_hand(claim.speech, node.label):
                await relay(node.process(frames), lambda frame: NodeMade(claim.request, frame, claim.scope), port)

        out.effect(
            _node(claim.request),
            run,
            done=lambda _: NodeEnded(claim.request, None),
            failed=lambda error: NodeEnded(claim.request, error),
            user_loop=node.home is Home.USER,
            inlet=NODE_INLET,
            inlet_overflow=Overflow.REFUSE,
        )

    def made(self, state: RealtimeState, made: NodeMade, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """The node gives audio."""
        reply = state.replies.get(made.request)
        if reply is None or not reply.processed:
            return state
        if reply.ended:
            self._watch_node(reply, out)
        return state.with_reply(self.hand_over(reply.with_audio(made.frame, ()), out))

    def node_ended(
        self, state: RealtimeState, request: str, error: BaseException | None, out: Outbox[RealtimeMessage]
    ) -> RealtimeState:
        """The node is done; what it has given is played to its end."""
        reply = state.replies.get(request)
        if reply is None or not reply.processed:
            return state
        reply = replace(self.drop_node(reply, out), audio_wanted=False)  # nothing gets past it any more
        if error is not None:
            told = reportable(error, "realtime_audio_output_node")
            out.tell(self._wiring.supervisor, ComponentStumbled("realtime", told, self._label))
            reply = replace(reply, error=reply.error or told)
        return state.with_reply(self.end_audio(reply, out))

    @staticmethod
    def drop_node(reply: Reply, out: Outbox[RealtimeMessage]) -> Reply:
        """Nothing more is wanted of the node."""
        if not reply.processed:
            return reply
        out.cancel_effect(_node(reply.key))
        out.cancel_timer(_node(reply.key))
        return replace(reply, processed=False)

    def nodes_lost(self, state: RealtimeState, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """After a restart: the nodes died with the failure; what they have given is played to its end."""
        for reply in list(state.replies.values()):
            if reply.processed:
                state = state.with_reply(self.end_audio(replace(reply, processed=False), out))
        return state

    @staticmethod
    def _watch_node(reply: Reply, out: Outbox[RealtimeMessage]) -> None:
        hangs = APITimeoutError(f"realtime_audio_output_node gave nothing for {NODE_WITHIN:g} s and did not end")
        out.timer(_node(reply.key), NODE_WITHIN, NodeEnded(reply.key, hangs))

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
        if reply.processed and reply.ended:
            out.end_inlet(_node(reply.key))
            self._watch_node(reply, out)
            return reply
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


def _node(key: str) -> str:
    return f"node:{key}"
