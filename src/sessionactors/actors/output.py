"""``output``: what is heard. Owns the sink, the playout clock and the account of what reached the listener.

Speeches open segments; ``tts`` brings their audio, as much as ``output`` grants credit for; the sink reports what was
played. One segment plays at a time. Silence comes on the control lane and clears the sink by the segment's name. Which
speech may be heard is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
    PlayoutFinished,
    PlayoutOverdue,
    PlayoutStarted,
    PlaySegment,
    SegmentText,
    SegmentTextEnded,
    SetOutputEnabled,
    SinkReported,
)
from sessionactors.messages.realtime import SegmentHeard
from sessionactors.messages.session import Publish
from sessionactors.messages.tts import AudioCredit, CancelSynthesis, SegmentAudio, SegmentAudioEnded, SynthesisFailed
from sessionactors.model.events import ErrorEvent, MetricsCollectedEvent
from sessionactors.runtime import NS, Actor, Outbox

from .item_metrics import interruption_metrics
from .kept_message import heard_of, keep_complete
from .playout_lost import CLEARED_WITHIN, OVERDUE, expect_report, lost_playout
from .playout_pause import go_on, hold, output_changed
from .playout_segment import OutputState, Segment, ceased_at, find, update
from .resampling import MonoResampler
from .shown_text import attach_text, show, show_at_once
from .sink_reporter import SinkReporter
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
                return attach_text(state, sink, out)
            case SetOutputEnabled(audio, transcription):
                state = replace(state, audio_enabled=audio, transcription_enabled=transcription)
                out.tell(self._wiring.floor, output_changed(state))
                return state
            case PlayoutOverdue(segment):
                return self._on_overdue(state, segment, out)
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
            state = self._cut(state, replace(segment, error=error), out)
        for message in state.messages.pending.values():
            if not message.open:  # the word that it is over may have been what failed
                out.tell(message.reply_to, MessagePending(message.id))
        return state

    def stopped(self, state: OutputState, out: Outbox[OutputMessage]) -> None:
        """Leave no sound behind."""
        for segment in state.segments:
            if segment.sink is not None:
                out.port(segment.sink.clear, segment.id)
        for end in (state.sink, state.text_sink):
            if end is not None:
                out.port(end.detach)

    # -- sink --------------------------------------------------------------------------------------------------------

    def _on_attach(self, state: OutputState, sink: AudioSink | None, out: Outbox[OutputMessage]) -> OutputState:
        """Another sink, or none: what plays on the old one is cut and answered for."""
        old = state.sink
        if old is not None and old is not sink:
            for segment in state.segments:
                if segment.sink is old and not segment.cut:
                    state = self._cut(state, segment, out)
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
        )
        state = replace(state, messages=state.messages.with_segment(play))
        if play.scope.closed:
            return self._settle(state, segment, 0.0, True, out)
        return self._advance(replace(state, segments=(*state.segments, segment)), out)

    def _advance(self, state: OutputState, out: Outbox[OutputMessage]) -> OutputState:
        """Bring the first segment on, or finish it when it has no sound and its text is complete."""
        while state.segments:
            segment = state.segments[0]
            if segment.sink is not None:
                return state
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
                segment = replace(segment, with_audio=False)
                state = update(state, segment.id, with_audio=False)
            state = self._show_text_only(state, segment, out)
            if not segment.text_ended:
                return state
            state = self._settle(state, state.segments[0], 0.0, False, out)
        return state

    def _show_text_only(self, state: OutputState, segment: Segment, out: Outbox[OutputMessage]) -> OutputState:
        """Without sound a text counts as heard when it is shown."""
        if segment.shown == len(segment.text):
            return state
        if not segment.started:
            out.tell(segment.reply_to, PlayoutStarted(segment.id, out.now))
        state = show(state, segment, len(segment.text), False, self._wiring, out)
        started_at = out.now if segment.started_at is None else segment.started_at
        return update(state, segment.id, started=True, started_at=started_at)

    def _on_text(self, state: OutputState, more: SegmentText, out: Outbox[OutputMessage]) -> OutputState:
        segment = find(state, more.segment)
        if segment is None:
            return state
        state = update(state, segment.id, text=segment.text + more.text)
        return self._advance(show_at_once(state, segment.id, self._wiring, out), out)

    def _on_text_ended(self, state: OutputState, end: SegmentTextEnded, out: Outbox[OutputMessage]) -> OutputState:
        if end.marks is not None:
            state = update(state, end.segment, text_marks=end.marks)
        if end.last:
            state = replace(state, messages=state.messages.last_is(end.segment))
        return self._advance(update(state, end.segment, text_ended=True), out)

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
        return update(state, segment.id, written=segment.written + seconds, anchors=segment.anchors + audio.timings)

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
        return update(state, name, audio_ended=True)

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
            case PlaybackFinished(_, position, interrupted):
                return self._advance(self._settle(state, segment, position, interrupted, out), out)
            case _:
                assert_never(event)

    def _on_progress(
        self, state: OutputState, segment: Segment, position: float, out: Outbox[OutputMessage]
    ) -> OutputState:
        if position <= segment.position or segment.cut:
            return state
        if segment.speech != state.held:
            self._give_credit(segment, position, out)
            expect_report(segment.id, segment.written - position, out, ended=segment.audio_ended)
        shown = segment.heard_at(position, speed=self._wiring.components.transcription_speed)
        if shown > segment.shown:
            state = show(state, segment, shown, False, self._wiring, out)
        return update(state, segment.id, position=position)

    def _give_credit(self, segment: Segment, position: float, out: Outbox[OutputMessage]) -> None:
        if not segment.audio_ended:
            out.tell(segment.voice, AudioCredit(segment.id, position + self._wiring.options.synthesis_lead))

    def _settle(
        self, state: OutputState, segment: Segment, position: float, interrupted: bool, out: Outbox[OutputMessage]
    ) -> OutputState:
        """A segment is over: say what was heard, and balance the account of its audio."""
        cut = interrupted or segment.cut
        if segment.sink is not None:
            out.cancel_timer(OVERDUE)
            whole = segment.written if segment.audio_ended and segment.text_ended else None
            speed = self._wiring.components.transcription_speed
            length = segment.heard_at(position, whole, speed) if cut else len(segment.text)
            if not cut and segment.error is not None:
                length = segment.heard_at(position, speed=speed)
        else:
            length = segment.shown
        heard = segment.text[:length]
        state = show(state, segment, length, True, self._wiring, out)
        at = ceased_at(segment, out.now, position)
        messages, item, is_open = heard_of(state.messages, segment, heard, cut, at, self._wiring.history, out)
        if segment.heard_to is not None:
            out.tell(segment.heard_to, SegmentHeard(segment.id, heard, position, cut))
        out.tell(segment.reply_to, PlayoutFinished(segment.id, heard, position, cut, at, segment.error, item, is_open))
        if segment.silence is not None:
            metrics = interruption_metrics(segment.speech, segment.silence, position, at, out.wall())
            out.tell(self._wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))
        played = min(position, segment.written)
        return replace(
            state,
            segments=tuple(other for other in state.segments if other.id != segment.id),
            messages=messages,
            played=state.played + played,
            discarded=state.discarded + segment.written - played,
        )

    def _on_overdue(self, state: OutputState, name: str, out: Outbox[OutputMessage]) -> OutputState:
        segment = find(state, name)
        if segment is None:
            return state
        lost = lost_playout(segment)
        event = ErrorEvent(lost, out.path, recoverable=True, created_at=out.wall())
        out.tell(self._wiring.supervisor, Publish(event))
        if segment.sink is not None:
            out.port(segment.sink.clear, name)
        state = self._settle(state, replace(segment, error=lost), segment.position, True, out)
        return self._advance(state, out)

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
            state = self._cut(state, replace(segment, silence=silence), out)
            silence = None  # one interruption, however many segments wait
        messages = keep_complete(state.messages.interrupted(order.speech), self._wiring.history, out)
        return self._advance(replace(state, messages=messages), out)

    def _cut(self, state: OutputState, segment: Segment, out: Outbox[OutputMessage]) -> OutputState:
        """Stop its sound. What the sink then reports settles it; what has made no sound is settled at once."""
        segment = replace(segment, cut=True)
        if segment.sink is None:
            return self._settle(state, segment, 0.0, True, out)
        out.port(segment.sink.clear, segment.id)
        out.timer(OVERDUE, CLEARED_WITHIN, PlayoutOverdue(segment.id))
        return replace(state, segments=tuple(segment if other.id == segment.id else other for other in state.segments))

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
