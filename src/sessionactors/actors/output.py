"""``output``: what is heard. Owns the sink, the playout clock and the account of what reached the listener.

Speeches open segments; ``tts`` brings their audio, as much as ``output`` grants credit for; the sink reports what was
played. One segment plays at a time. Silence comes on the control lane and clears the sink by the segment's name. Which
speech may be heard is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.audio_io import (
    AudioSink,
    PlaybackFinished,
    PlaybackProgressed,
    PlaybackStarted,
    SinkEvent,
)
from sessionactors.messages.floor import (
    PauseSpeech,
    ResumeSpeech,
    SilenceSpeech,
    SpeechSilenced,
)
from sessionactors.messages.output import (
    AttachSink,
    AttachText,
    MessageEnded,
    MessagePending,
    PlayoutOverdue,
    PlayoutStarted,
    PlaySegment,
    SegmentText,
    SegmentTextEnded,
    SetOutputEnabled,
    SinkReported,
)
from sessionactors.messages.transcription import NodeEnded, NodeOverdue, NodeTextMade, NodeTextWanted
from sessionactors.messages.tts import AudioCredit, CancelSynthesis, SegmentAudio, SegmentAudioEnded, SynthesisFailed
from sessionactors.model.resampling import MonoResampler
from sessionactors.runtime import NS, Actor, Outbox
from sessionactors.runtime.frozen import replace

from .kept_message import keep_complete
from .node_text import NodeText
from .playout_end import cut_off, lost, settle
from .playout_lost import OVERDUE, expect_report
from .playout_pause import go_on, hold, output_changed
from .playout_segment import OutputState, Segment, find, update
from .shown_text import attach_text, show, show_at_once
from .sink_reporter import SinkReporter
from .transcription import give_text, node_asked, node_ended, node_made, node_overdue
from .wiring import Wiring

OutputMessage: TypeAlias = (
    PlaySegment
    | SegmentText
    | SegmentTextEnded
    | SegmentAudio
    | SegmentAudioEnded
    | SynthesisFailed
    | SilenceSpeech
    | PauseSpeech
    | ResumeSpeech
    | AttachSink
    | AttachText
    | SinkReported
    | SetOutputEnabled
    | PlayoutOverdue
    | MessageEnded
    | NodeTextWanted
    | NodeTextMade
    | NodeEnded
    | NodeOverdue
)


class Output(Actor[OutputState, OutputMessage]):
    """Plays segments one after the other and says what was heard of each."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._resampler: MonoResampler | None = None

    def initial(self) -> OutputState:
        """No sink yet."""
        components = self._wiring.components
        return OutputState(audio_enabled=components.audio_output, transcription_enabled=components.transcription_output)

    def receive(self, state: OutputState, message: OutputMessage, out: Outbox[OutputMessage]) -> OutputState:
        """One message."""
        match message:
            case SegmentAudio():
                return self._on_audio(state, message, out)
            case SinkReported(sink, event):
                return self._on_sink_event(state, sink, event, out)
            case SegmentText():
                return self._on_text(state, message, out)
            case SegmentTextEnded():
                return self._on_text_ended(state, message, out)
            case SegmentAudioEnded(segment):
                return self._on_audio_ended(state, segment, out)
            case SynthesisFailed(segment, error):
                return self._on_synthesis_failed(state, segment, error, out)
            case SilenceSpeech():
                return self._on_silence(state, message, out)
            case PauseSpeech():
                return hold(state, message, self._wiring, out)
            case ResumeSpeech():
                return self._on_resume(state, message, out)
            case PlaySegment():
                return self._on_play(state, message, out)
            case AttachSink(sink):
                return self._on_attach(state, sink, out)
            case AttachText(sink):
                return attach_text(state, sink, self._wiring, out)
            case SetOutputEnabled(audio, transcription):
                state = replace(state, audio_enabled=audio, transcription_enabled=transcription)
                out.tell(self._wiring.floor, output_changed(state))
                return state
            case PlayoutOverdue(segment):
                return self._on_overdue(state, segment, out)
            case NodeTextWanted():
                return node_asked(state, message, out)
            case NodeTextMade(segment):
                state = node_made(state, message, self._wiring, out)
                return self._advance(show_at_once(state, segment, self._wiring, out), out)
            case NodeEnded(segment):
                state = node_ended(state, message, self._wiring, out)
                return self._advance(show_at_once(state, segment, self._wiring, out), out)
            case NodeOverdue(segment):
                return self._advance(node_overdue(state, segment, self._wiring, out), out)
            case MessageEnded(name):
                messages = keep_complete(state.messages.ended(name), self._wiring.history, out)
                return replace(state, messages=messages)
            case _:
                assert_never(message)

    def restarted(self, state: OutputState, error: BaseException, out: Outbox[OutputMessage]) -> OutputState:
        """What was not played counts as discarded; every open segment is answered for."""
        if state.sink is not None:
            out.port(state.sink.attach, SinkReporter(state.sink, out.myself))
        for segment in state.segments:
            state = cut_off(state, replace(segment, error=error), self._wiring, out)
        for message in state.messages.pending.values():
            if not message.open:  # the word that it is over may have been what failed
                out.tell(message.reply_to, MessagePending(message.id))
        return state

    def stopped(self, state: OutputState, out: Outbox[OutputMessage]) -> None:
        """Leave no sound behind."""
        for segment in state.segments:
            if segment.sink is not None:
                out.port(segment.sink.clear, segment.id)
        for end in (state.sink, state.text_sink, self._wiring.components.beside_room_text):
            if end is not None:
                out.port(end.detach)

    # -- sink --------------------------------------------------------------------------------------------------------

    def _on_attach(self, state: OutputState, sink: AudioSink | None, out: Outbox[OutputMessage]) -> OutputState:
        """Another sink, or none: what plays on the old one is cut and answered for."""
        old = state.sink
        if old is not None and old is not sink:
            for segment in state.segments:
                if segment.sink is old and not segment.cut:
                    state = cut_off(state, segment, self._wiring, out)
            out.port(old.detach)
        if sink is not None:
            out.port(sink.attach, SinkReporter(sink, out.myself))
        state = replace(state, sink=sink)
        out.tell(self._wiring.floor, output_changed(state))
        return self._advance(state, out)

    # -- segments ----------------------------------------------------------------------------------------------------

    def _on_play(self, state: OutputState, play: PlaySegment, out: Outbox[OutputMessage]) -> OutputState:
        segment = Segment(
            *(play.segment, play.speech, play.with_audio, play.reply_to, play.scope),
            voice=self._wiring.tts if play.voice is None else play.voice,
            text_marks=play.marks,
            aligned=play.aligned,
            heard_to=play.heard_to,
            marked=play.marked,
            node=None if play.text_node is None else NodeText(play.text_node, play.timed_text),
        )
        state = replace(state, messages=state.messages.with_segment(play))
        if play.scope.closed:
            return settle(state, segment, 0.0, True, self._wiring, out)
        return self._advance(replace(state, segments=(*state.segments, segment)), out)

    def _advance(self, state: OutputState, out: Outbox[OutputMessage]) -> OutputState:
        """Bring the first segment on, or finish it when it has no sound and its text is complete."""
        while state.segments:
            segment = state.segments[0]
            if segment.sink is not None:
                if segment.sound_end is None or not segment.is_complete:
                    return state
                state = settle(state, segment, segment.position, False, self._wiring, out)
                continue
            held = segment.speech == state.held
            if held and not (segment.with_audio and state.sink is not None and state.sink.can_pause):
                return state  # what cannot be held before its first frame does not begin
            if segment.with_audio and state.sink is not None and state.audio_enabled:
                self._resampler = MonoResampler(state.sink.sample_rate)
                out.port(state.sink.begin, segment.id)
                if held:
                    out.port(state.sink.pause, segment.id)
                out.tell(segment.voice, AudioCredit(segment.id, self._wiring.options.synthesis_lead))
                state = update(state, segment.id, sink=state.sink, held_at=out.now if held else None)
                return show_at_once(state, segment.id, self._wiring, out)
            if segment.with_audio:
                out.tell(segment.voice, CancelSynthesis(segment.id))  # nobody will hear it
                node = None if segment.node is None else replace(segment.node, timed=False)
                state = update(state, segment.id, with_audio=False, node=node)
                state = give_text(state, segment.id, out)
            state = self._show_text_only(state, state.segments[0], out)
            if not state.segments[0].is_complete:
                return state
            state = settle(state, state.segments[0], 0.0, False, self._wiring, out)
        return state

    def _show_text_only(self, state: OutputState, segment: Segment, out: Outbox[OutputMessage]) -> OutputState:
        """Without sound a text counts as heard when it is shown."""
        if segment.shown == len(segment.to_read):
            return state
        if not segment.started:
            out.tell(segment.reply_to, PlayoutStarted(segment.id, out.now))
        state = show(state, segment, len(segment.to_read), False, self._wiring, out)
        started_at = out.now if segment.started_at is None else segment.started_at
        return update(state, segment.id, started=True, started_at=started_at)

    def _on_text(self, state: OutputState, more: SegmentText, out: Outbox[OutputMessage]) -> OutputState:
        segment = find(state, more.segment)
        if segment is None:
            return state
        state = update(state, segment.id, text=segment.text + more.text)
        state = give_text(state, segment.id, out)
        return self._advance(show_at_once(state, segment.id, self._wiring, out), out)

    def _on_text_ended(self, state: OutputState, end: SegmentTextEnded, out: Outbox[OutputMessage]) -> OutputState:
        if end.marks is not None:
            state = update(state, end.segment, text_marks=end.marks)
        if end.last:
            state = replace(state, messages=state.messages.last_is(end.segment))
        state = give_text(update(state, end.segment, text_ended=True), end.segment, out)
        return self._advance(state, out)

    def _on_audio(self, state: OutputState, audio: SegmentAudio, out: Outbox[OutputMessage]) -> OutputState:
        segment = find(state, audio.segment)
        seconds = audio.frame.duration
        state = replace(state, synthesised=state.synthesised + seconds)
        if segment is None or segment.sink is None or segment.cut:
            return replace(state, late_frames=state.late_frames + 1, discarded=state.discarded + seconds)
        resampler = self._resampler
        frame = audio.frame if resampler is None else resampler.feed(audio.frame)
        if frame is not None:
            out.port(segment.sink.write, segment.id, frame)
            if segment.forwarded_at is None:
                state = update(state, segment.id, forwarded_at=out.now)
        if audio.marks is not None:
            state = update(state, segment.id, audio_marks=audio.marks)
        if segment.speech != state.held:
            expect_report(segment.id, segment.written + seconds - segment.position, out)
        state = update(state, segment.id, written=segment.written + seconds, anchors=segment.anchors + audio.timings)
        timed = bool(audio.timings) and segment.node is not None and segment.node.timed
        return give_text(state, segment.id, out) if timed else state

    def _on_audio_ended(self, state: OutputState, name: str, out: Outbox[OutputMessage]) -> OutputState:
        segment = find(state, name)
        if segment is None or segment.audio_ended or segment.cut:
            return state
        if segment.sink is not None:
            tail = self._resampler.flush() if self._resampler is not None else None
            if tail is not None:
                out.port(segment.sink.write, name, tail)
            out.port(segment.sink.end, name)
            if segment.speech != state.held:
                expect_report(name, segment.written - segment.position, out, ended=True)
        return give_text(update(state, name, audio_ended=True), name, out)

    def _on_synthesis_failed(
        self, state: OutputState, name: str, error: BaseException, out: Outbox[OutputMessage]
    ) -> OutputState:
        """What was synthesised is played to its end; the failure goes with the report."""
        segment = find(state, name)
        if segment is None:
            return state
        return self._on_audio_ended(update(state, name, error=error), name, out)

    # -- reports of the sink -----------------------------------------------------------------------------------------

    def _on_sink_event(
        self, state: OutputState, sink: AudioSink, event: SinkEvent, out: Outbox[OutputMessage]
    ) -> OutputState:
        segment = find(state, event.segment)
        if segment is None or segment.sink is not sink:
            return state
        match event:
            case PlaybackStarted():
                if segment.started or segment.cut:
                    return state
                out.tell(segment.reply_to, PlayoutStarted(segment.id, out.now))
                return update(state, segment.id, started=True, started_at=out.now)
            case PlaybackProgressed(_, position):
                return self._on_progress(state, segment, position, out)
            case PlaybackFinished():
                return self._on_sound_ended(state, replace(segment, sound_end=event), out)
            case _:
                assert_never(event)

    def _on_sound_ended(self, state: OutputState, segment: Segment, out: Outbox[OutputMessage]) -> OutputState:
        """It is over, unless what there is to read of it is still being made."""
        end = segment.sound_end
        if end is not None and not (end.interrupted or segment.cut) and segment.node is not None:
            out.cancel_timer(OVERDUE)
            state = update(state, segment.id, sound_end=end, text_ended=True, position=end.position)
            return self._advance(give_text(state, segment.id, out), out)
        position, interrupted = (0.0, True) if end is None else (end.position, end.interrupted)
        return self._advance(settle(state, segment, position, interrupted, self._wiring, out), out)

    def _on_progress(
        self, state: OutputState, segment: Segment, position: float, out: Outbox[OutputMessage]
    ) -> OutputState:
        if position <= segment.position or segment.cut:
            return state
        if segment.speech != state.held:
            self._give_credit(segment, position, out)
            expect_report(segment.id, segment.written - position, out, ended=segment.audio_ended)
        shown = segment.read_at(position, speed=self._wiring.components.transcription_speed)
        if shown > segment.shown:
            state = show(state, segment, shown, False, self._wiring, out)
        return update(state, segment.id, position=position)

    def _give_credit(self, segment: Segment, position: float, out: Outbox[OutputMessage]) -> None:
        if not segment.audio_ended:
            out.tell(segment.voice, AudioCredit(segment.id, position + self._wiring.options.synthesis_lead))

    def _on_overdue(self, state: OutputState, name: str, out: Outbox[OutputMessage]) -> OutputState:
        segment = find(state, name)
        return state if segment is None else self._advance(lost(state, segment, self._wiring, out), out)

    # -- pause -------------------------------------------------------------------------------------------------------

    def _on_resume(self, state: OutputState, order: ResumeSpeech, out: Outbox[OutputMessage]) -> OutputState:
        state, playing = go_on(state, order, out)
        if playing is not None:
            self._give_credit(playing, playing.position, out)
        return self._advance(state, out)

    # -- silence -----------------------------------------------------------------------------------------------------

    def _on_silence(self, state: OutputState, order: SilenceSpeech, out: Outbox[OutputMessage]) -> OutputState:
        """Stop the sound of a speech now; what it has waiting is answered for unheard."""
        out.tell(self._wiring.floor, SpeechSilenced(order.speech, (out.now - order.decided_at) / NS))
        silence: SilenceSpeech | None = order
        for segment in state.segments:
            if segment.speech != order.speech or segment.cut:
                continue
            state = cut_off(state, replace(segment, silence=silence), self._wiring, out)
            silence = None  # one interruption, however many segments wait
        messages = keep_complete(state.messages.interrupted(order.speech), self._wiring.history, out)
        return self._advance(replace(state, messages=messages), out)

    def summary(self, state: OutputState) -> Mapping[str, object]:
        """What plays, and the sums of audio in seconds."""
        playing = state.segments[0] if state.segments else None
        return {
            "playing": playing.id if playing else None,
            "position": round(playing.position, 3) if playing else 0.0,
            "waiting": max(0, len(state.segments) - 1),
            "paused": state.held if playing is not None and playing.speech == state.held else None,
            "synthesised": round(state.synthesised, 3),
            "played": round(state.played, 3),
            "discarded": round(state.discarded, 3),
        }
