"""The text of a step on its way: to the voice as it comes, to ``output`` once the speech may be heard. For ``speech``.

A flush ends a segment. The voice works on the next one while ``output`` plays the one before; the segments of a step
make one message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.output import (
    MessageEnded,
    PlayoutFinished,
    PlaySegment,
    SegmentText,
    SegmentTextEnded,
)
from sessionactors.messages.realtime import SegmentHeard
from sessionactors.messages.session import Publish
from sessionactors.messages.speech import AudioGone
from sessionactors.messages.tts import CancelSynthesis, EndOfText, ResendText, SpeakText, SynthesisFailed
from sessionactors.model.events import SpeechHeardNote
from sessionactors.runtime import ChildSpec, Outbox, Restart, Scope
from sessionactors.runtime.frozen import replace

from .recording import Recording
from .speech_state import SpeechState, TextSegment
from .voice import Voice, is_aligned, voice_of
from .wiring import Wiring

if TYPE_CHECKING:
    from .speech import SpeechMessage


class SpeechText:
    """Cuts one speech's text into segments and hands them on."""

    def __init__(self, wiring: Wiring, spec: SpeechSpec, scope: Scope) -> None:
        self._wiring = wiring
        self._spec = spec
        self._scope = scope
        self._voice = spec.agent.components.tts
        self._who = voice_of(spec, wiring.components)

    def heard(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """What the step says has been heard, or will not be: who waits for that is told, once."""
        if not state.heard:
            out.tell(self._wiring.supervisor, Publish(SpeechHeardNote(self._spec.id, state.step)))
        return replace(state, heard=True)

    @property
    def with_audio(self) -> bool:
        """Whether it is spoken, not only shown."""
        return self._who is not Voice.NONE

    @property
    def by_model(self) -> bool:
        """Whether a realtime model speaks it."""
        return self._who is Voice.MODEL

    def message(self, state: SpeechState) -> str:
        """Name of the step's message, and of its first segment."""
        return f"{self._spec.id}/segment-{state.step}"

    # -- audio that the speech brings --------------------------------------------------------------------------------

    def start_recording(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """If it brings its own audio, somebody reads it: there is something to be heard already."""
        frames, wiring, scope = self._spec.audio, self._wiring, self._step_scope(state)
        if frames is None or not self.with_audio:
            return state
        name = self.message(state)
        reader = out.spawn("audio", lambda: Recording(wiring, name, frames, scope), ChildSpec(Restart.TEMPORARY))
        out.watch(reader, lambda end: AudioGone(end.error))
        return self.begin(replace(state, recording=reader), out)

    def audio_gone(self, state: SpeechState, error: BaseException | None, out: Outbox[SpeechMessage]) -> None:
        """Who reads it has ended; normally it has said so before."""
        if error is not None:
            out.tell(self._wiring.output, SynthesisFailed(self.message(state), error))

    # -- as text comes -----------------------------------------------------------------------------------------------

    def add(self, state: SpeechState, text: str, out: Outbox[SpeechMessage]) -> SpeechState:
        """More text; after a flush it begins a segment."""
        segment = state.segments[-1] if state.segments and not state.segments[-1].ended else self._next(state)
        segment = replace(segment, text=segment.text + text)
        state = replace(state, marks=state.marks.with_text(out.now))
        if segment.opened:
            out.tell(self._wiring.output, SegmentText(segment.name, text, self._step_scope(state)))
        return self._go_on(state, segment, out)

    def begin(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Open the first segment although there is no text yet: its sound is there already."""
        return state if state.segments else self._go_on(state, self._next(state), out)

    def flush(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """What came is a segment of its own."""
        return self._end_segment(state, out, last=False)

    def end(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """The step's text is complete."""
        flushed = bool(state.segments) and state.segments[-1].ended
        state = self._end_segment(replace(state, text_ended=True), out, last=True)
        if flushed and state.message_open:
            out.tell(self._wiring.output, MessageEnded(self.message(state)))
        return state

    def _next(self, state: SpeechState) -> TextSegment:
        number = len(state.segments) + 1
        return TextSegment(self.message(state) + (f".{number}" if number > 1 else ""))

    def _go_on(self, state: SpeechState, segment: TextSegment, out: Outbox[SpeechMessage]) -> SpeechState:
        segment = self._give_voice(state, segment, out)
        if state.granted and not segment.opened:
            return self._open(state, segment, out)
        return state.with_segment(segment)

    def _end_segment(self, state: SpeechState, out: Outbox[SpeechMessage], *, last: bool) -> SpeechState:
        if not state.segments or state.segments[-1].ended:
            return state
        segment = replace(state.segments[-1], ended=True)
        self._end_voice(state, segment, out)
        if segment.opened:
            out.tell(self._wiring.output, SegmentTextEnded(segment.name, self._step_scope(state), state.marks, last))
        return state.with_segment(segment)

    # -- voice -------------------------------------------------------------------------------------------------------

    def _give_voice(self, state: SpeechState, segment: TextSegment, out: Outbox[SpeechMessage]) -> TextSegment:
        """What the voice has not been given of a segment."""
        more = segment.text[segment.voiced :]
        if not more or state.mute or not self._asks_voice:
            return segment
        self._speak(state, segment, segment.voiced, out)
        return replace(segment, voiced=len(segment.text))

    def unmute(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Now the voice may work: give it what there is."""
        if not state.mute:
            return state
        state = replace(state, mute=False)
        for segment in state.segments:
            given = self._give_voice(state, segment, out)
            if given.ended:
                self._end_voice(state, given, out)
            state = state.with_segment(given)
        return state

    @property
    def _asks_voice(self) -> bool:
        return self._who is Voice.TTS

    def _speak(self, state: SpeechState, segment: TextSegment, offset: int, out: Outbox[SpeechMessage]) -> None:
        out.tell(
            self._wiring.tts,
            SpeakText(
                *(segment.name, self._spec.id, segment.text[offset:], self._step_scope(state), offset, out.myself),
                voice=self._voice,
            ),
        )

    def _end_voice(self, state: SpeechState, segment: TextSegment, out: Outbox[SpeechMessage]) -> None:
        if self._asks_voice and segment.text and not state.mute:
            scope = self._step_scope(state)
            out.tell(self._wiring.tts, EndOfText(segment.name, scope, len(segment.text), out.myself))

    def resend(self, state: SpeechState, order: ResendText, out: Outbox[SpeechMessage]) -> None:
        """Some of the text was lost on its way to the voice."""
        segment = state.segment(order.segment)
        if segment is None or state.interrupted or state.mute or not self._asks_voice:
            return
        if order.after < len(segment.text):
            self._speak(state, segment, order.after, out)
        if segment.ended:
            self._end_voice(state, segment, out)

    def cancel_voice(self, state: SpeechState, out: Outbox[SpeechMessage]) -> None:
        """Nobody will hear the rest."""
        realtime = self._wiring.realtime
        if state.item_id and realtime is not None:
            for segment in state.segments:
                if not segment.opened:  # nobody else will say that it was not heard
                    out.tell(realtime, SegmentHeard(segment.name, "", 0.0, interrupted=True))
        if not self.with_audio or self.by_model:
            return
        for segment in state.segments or (self._next(state),):
            if not segment.closed:
                out.tell(
                    self._wiring.tts if state.recording is None else state.recording, CancelSynthesis(segment.name)
                )

    # -- output ------------------------------------------------------------------------------------------------------

    def open_all(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """It may be heard: hand over what there is."""
        for segment in state.segments:
            if not segment.opened:
                state = self._open(state, segment, out)
        return state

    def _open(self, state: SpeechState, segment: TextSegment, out: Outbox[SpeechMessage]) -> SpeechState:
        scope, output, name = self._step_scope(state), self._wiring.output, segment.name
        aligned = is_aligned(self._who, self._voice, self._wiring.components.realtime)
        out.tell(
            output,
            PlaySegment(
                *(name, self._spec.id, self.with_audio, out.myself, scope),
                granted_at=state.granted_at,
                add_to_context=self._spec.add_to_chat_ctx,
                marks=state.marks,
                agent=self._spec.agent.key,
                message=self.message(state),
                voice=self._wiring.realtime if self.by_model else state.recording,
                aligned=aligned,
                heard_to=self._wiring.realtime if state.item_id else None,
                item_id=state.item_id,
                marked=self._voice is not None and self._voice.markup is not None,
                text_node=self._spec.agent.components.text_node,
                timed_text=aligned and self._spec.agent.options(self._wiring.options).use_tts_aligned_transcript,
            ),
        )
        if segment.text:
            out.tell(output, SegmentText(name, segment.text, scope))
        if segment.ended:
            last = state.text_ended and segment.name == state.segments[-1].name
            out.tell(output, SegmentTextEnded(name, scope, state.marks, last))
        return replace(state.with_segment(replace(segment, opened=True)), message_open=True)

    def finished(self, state: SpeechState, end: PlayoutFinished, out: Outbox[SpeechMessage]) -> SpeechState:
        """``output`` has reported the end of a segment."""
        segment = state.segment(end.segment)
        if segment is None:
            return state
        state = state.with_segment(replace(segment, closed=True))
        if not end.message_open:
            return replace(state, message_open=False)
        self.say_if_over(state, out)
        return state

    def say_if_over(self, state: SpeechState, out: Outbox[SpeechMessage]) -> None:
        """All was heard, and ``output`` still expects more of the message."""
        if state.text_ended and not state.unheard and all(segment.closed for segment in state.segments):
            out.tell(self._wiring.output, MessageEnded(self.message(state)))

    def _step_scope(self, state: SpeechState) -> Scope:
        return state.scope or self._scope
