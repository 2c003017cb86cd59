"""``tts``: text to audio for each segment. Speeches give it text; ``output`` gets the audio, by credit.

The text is cut into sentences and given to the voice when it asks. Audio goes to ``output`` only within the credit that
``output`` gave; beyond that, at most ``synthesis_lead`` seconds are held here, and the voice is not asked for more. An
attempt that fails, hangs or gives nothing is followed by another one for the text that has not been spoken (where that
is, see :func:`~.synthesis_attempt.resume_point`).

Start it with ``ChildSpec(keep_state=True)``: after a restart it goes on in the same way. It knows nothing of the floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.messages.session import ComponentFailed, ComponentStumbled, Publish, Recovered
from sessionactors.messages.tts import (
    AudioCredit,
    AudioSynthesized,
    CancelSynthesis,
    EndOfText,
    ResendText,
    SegmentAudio,
    SegmentAudioEnded,
    SpeakText,
    SynthesisDue,
    SynthesisEnded,
    SynthesisFailed,
    SynthesisMarks,
    SynthesisStalled,
    TextWanted,
)
from sessionactors.model.errors import APIError, APITimeoutError
from sessionactors.model.events import MetricsCollectedEvent
from sessionactors.runtime import Actor, Outbox, Overflow, Ref
from sessionactors.runtime.frozen import replace

from .component_metadata import metadata_of
from .retry_policy import patience, reportable, retry_delay
from .segment_text import SegmentText
from .synthesis import MayReceive, MoreText, NoMoreText, SynthesisOrder, speak_in_hand
from .synthesis_attempt import Attempt, resume_point
from .synthesis_segment import SpokenSegment, TTSState
from .wiring import Wiring
from .withheld_audio import WithheldAudio, whole_samples

TTSMessage: TypeAlias = (
    SpeakText
    | EndOfText
    | CancelSynthesis
    | AudioCredit
    | TextWanted
    | AudioSynthesized
    | SynthesisEnded
    | SynthesisStalled
    | SynthesisDue
)

INLET = 1024
"""Fed items that may wait; one of text, and credit while a user's loop that a voice lives on is blocked."""


class TTSActor(Actor[TTSState, TTSMessage]):
    """Has segments spoken."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._options = wiring.options.tts_conn_options

    def initial(self) -> TTSState:
        """Nothing to say."""
        return TTSState()

    def restarted(self, state: TTSState, error: BaseException, out: Outbox[TTSMessage]) -> TTSState:
        """The attempts are gone: go on with what has not been spoken. No fault of the voice's, so no retry is spent."""
        # A fresh state has forgotten whether the voice was failing: say that it recovered rather than never.
        state = replace(state, failing=True)
        for segment in list(state.segments.values()):
            attempt = segment.attempt
            broken = segment if attempt is None else self._break_off(segment, attempt, reportable(error, "tts"), out)
            state = self._go_on(state, replace(broken, retrying=False), out)
            if not segment.text.ended:  # the message that failed may have brought text
                out.tell(segment.reply_to, ResendText(segment.name, segment.received))
        return state

    def receive(self, state: TTSState, message: TTSMessage, out: Outbox[TTSMessage]) -> TTSState:
        """One message."""
        match message:
            case AudioSynthesized():
                return self._on_audio(state, message, out)
            case SpeakText():
                return self._on_text(state, message, out)
            case EndOfText():
                return self._on_end_of_text(state, message, out)
            case AudioCredit(name, seconds):
                return self._on_credit(state, name, seconds, out)
            case CancelSynthesis(name):
                return self._on_cancel(state, name, out)
            case TextWanted(name, number):
                return self._on_text_wanted(state, name, number, out)
            case SynthesisEnded(name, number, error):
                return self._on_ended(state, name, number, error, out)
            case SynthesisStalled(name, number):
                return self._on_stalled(state, name, number, out)
            case SynthesisDue(name):
                segment = state.segments.get(name)
                return state if segment is None else self._go_on(state, replace(segment, retrying=False), out)
            case _:
                assert_never(message)

    # -- segments ----------------------------------------------------------------------------------------------------

    def _on_text(self, state: TTSState, more: SpeakText, out: Outbox[TTSMessage]) -> TTSState:
        segment = self._opened(state, more, out)
        if segment is None:
            return state
        if more.offset > segment.received:
            return self._ask_again(state, more.segment, segment.received, more.reply_to, out)
        return self._go_on(state, segment.with_text(more.text, more.offset), out)

    def _on_end_of_text(self, state: TTSState, end: EndOfText, out: Outbox[TTSMessage]) -> TTSState:
        if end.segment in state.ended:
            return state
        segment = state.segments.get(end.segment)
        received = 0 if segment is None else segment.received
        if segment is None and not end.length:
            silent = SegmentAudioEnded(end.segment, end.scope)
            out.tell(self._wiring.output, silent)
            return replace(state.without(end.segment, silent), done=state.done + 1)
        if segment is None or end.length > received:
            return self._ask_again(state, end.segment, received, end.reply_to, out)
        return self._go_on(state, segment.with_end(), out)

    @staticmethod
    def _ask_again(
        state: TTSState, name: str, received: int, speech: Ref[ResendText], out: Outbox[TTSMessage]
    ) -> TTSState:
        """A piece was lost to a fault here. Without it, what follows would be credited in its place."""
        out.log("text_lost", level="warning", segment=name, after=received)
        out.tell(speech, ResendText(name, received))
        return state

    def _opened(self, state: TTSState, more: SpeakText, out: Outbox[TTSMessage]) -> SpokenSegment | None:
        """The segment, new if it is not known; None if it is over."""
        if more.segment in state.ended:
            return None
        segment = state.segments.get(more.segment)
        if segment is not None:
            return segment
        voice = self._wiring.components.tts if more.voice is None else more.voice
        rate = voice.sample_rate if voice is not None else 1
        audio = WithheldAudio(rate, lead=whole_samples(self._wiring.options.synthesis_lead, rate))
        audio = audio.granted(state.early_credit.get(more.segment, 0.0))
        text = SegmentText(self._wiring.options.named_transforms)
        return SpokenSegment(
            *(more.segment, more.speech, more.scope, out.now, text, audio, more.reply_to),
            voice=voice,
        )

    def _go_on(self, state: TTSState, segment: SpokenSegment, out: Outbox[TTSMessage]) -> TTSState:
        """Do what can be done for a segment now: start an attempt, give the voice text, end."""
        if segment.scope.closed:
            return self._forget(state, segment, out)
        if segment.attempt is not None:
            return state.holding(self._give_text(segment, segment.attempt, out))
        if segment.retrying:
            return state.holding(segment)
        if segment.has_words_left:
            return state.holding(self._begin(segment, out))
        if not segment.text.ended or segment.audio.frames:
            return state.holding(segment)
        if segment.doubt is not None:
            return self._give_up(state, segment, segment.doubt, out)
        return self._finish(state, segment, out)

    def _on_cancel(self, state: TTSState, name: str, out: Outbox[TTSMessage]) -> TTSState:
        segment = state.segments.get(name)
        if segment is None:
            return state.without(name)  # control may overtake the text that it cancels
        return self._forget(state, segment, out)

    def _forget(self, state: TTSState, segment: SpokenSegment, out: Outbox[TTSMessage]) -> TTSState:
        """Nobody will hear it."""
        self._stop(segment, out)
        self._publish_metrics(segment, out, cancelled=True)
        return replace(state.without(segment.name), cancelled=state.cancelled + 1)

    def _finish(self, state: TTSState, segment: SpokenSegment, out: Outbox[TTSMessage]) -> TTSState:
        end = SegmentAudioEnded(segment.name, segment.scope)
        out.tell(self._wiring.output, end)
        self._publish_metrics(segment, out)
        if state.failing and segment.audio.received:
            out.tell(self._wiring.supervisor, Recovered("tts"))
            state = replace(state, failing=False)
        return replace(state.without(segment.name, None if segment.audio.credit else end), done=state.done + 1)

    def _give_up(self, state: TTSState, segment: SpokenSegment, error: Exception, out: Outbox[TTSMessage]) -> TTSState:
        self._stop(segment, out)
        out.log(
            "synthesis_failed", level="warning", segment=segment.name, error=repr(error), unheard=segment.seconds_held
        )
        end = SynthesisFailed(segment.name, error)
        out.tell(self._wiring.output, end)
        out.tell(self._wiring.supervisor, ComponentFailed("tts", error, segment.label))
        state = state.without(segment.name, None if segment.audio.credit else end)
        return replace(state, failing=True, failed=state.failed + 1)

    # -- attempts ----------------------------------------------------------------------------------------------------

    def _begin(self, segment: SpokenSegment, out: Outbox[TTSMessage]) -> SpokenSegment:
        number = segment.attempts + 1
        audio, voice = segment.audio, segment.voice
        order = SynthesisOrder(segment.name, number, segment.scope, audio.received, audio.credit + audio.lead)
        out.effect(
            segment.name,
            lambda port: speak_in_hand(port.send, port.inlet, order, voice),
            done=lambda _: SynthesisEnded(order.segment, number, None),
            failed=lambda error: SynthesisEnded(order.segment, number, error),
            user_loop=voice is not None and voice.home is Home.USER,
            inlet=INLET,
            inlet_overflow=Overflow.REFUSE,
        )
        attempt = Attempt(number, segment.resume_at, audio.received, segment.resume_at)
        return self._watch(replace(segment, attempts=number, attempt=attempt, doubt=None), out)

    def _on_text_wanted(self, state: TTSState, name: str, number: int, out: Outbox[TTSMessage]) -> TTSState:
        segment, attempt = state.running(name, number)
        if segment is None or attempt is None:
            return state
        return self._go_on(state, replace(segment, attempt=replace(attempt, wanting=True)), out)

    def _give_text(self, segment: SpokenSegment, attempt: Attempt, out: Outbox[TTSMessage]) -> SpokenSegment:
        """The voice gets the next piece if it asks and there is one; if there is none it is we who hold it up."""
        if not attempt.wanting:
            return segment
        text = segment.text.after(attempt.fed)
        if text:
            out.feed(segment.name, MoreText(text))
            attempt = replace(attempt, wanting=False, fed=attempt.fed + len(text))
            segment = segment if segment.handed_at is not None else replace(segment, handed_at=out.now)
        elif segment.text.ended:
            out.feed(segment.name, NoMoreText())
            attempt = replace(attempt, wanting=False, text_ended=True)
        return self._watch(replace(segment, attempt=attempt), out)

    def _watch(self, segment: SpokenSegment, out: Outbox[TTSMessage]) -> SpokenSegment:
        """Something went on: the voice has its time again, unless it waits for us."""
        attempt = segment.attempt
        if attempt is None or segment.waits_for_us:
            out.cancel_timer(_stall(segment.name))
        else:
            within = patience(segment.own_budget, self._options)
            out.timer(_stall(segment.name), within, SynthesisStalled(segment.name, attempt.number))
        return segment.paced(out.now)

    def _stop(self, segment: SpokenSegment, out: Outbox[TTSMessage]) -> None:
        out.cancel_effect(segment.name)
        out.cancel_timer(_stall(segment.name))
        out.cancel_timer(_retry(segment.name))

    # -- audio -------------------------------------------------------------------------------------------------------

    def _on_audio(self, state: TTSState, message: AudioSynthesized, out: Outbox[TTSMessage]) -> TTSState:
        segment, attempt = state.running(message.segment, message.attempt)
        if segment is None or attempt is None:
            return state
        frame = message.audio.frame
        attempt, timings = attempt.place(message.audio.timings, segment.text, segment.audio.rate)
        attempt = replace(attempt, pace=attempt.pace.spoke(frame.duration))
        segment = replace(segment, attempt=attempt, audio=segment.audio.push(frame, timings))
        if frame.data:
            segment = replace(
                segment, first_audio_at=out.now if segment.first_audio_at is None else segment.first_audio_at
            )
            segment = self._tell_if_slow(self._watch(segment, out), out)
        return state.holding(self._hand_over(segment, out))

    def _tell_if_slow(self, segment: SpokenSegment, out: Outbox[TTSMessage]) -> SpokenSegment:
        """A voice that drips is not stuck, and hardly to be borne: it goes on, and is named, once an attempt."""
        if (slow := segment.slowness()) is None:
            return segment
        out.tell(self._wiring.supervisor, ComponentStumbled("tts", slow, segment.label))
        out.log("voice_too_slow", level="warning", segment=segment.name, error=repr(slow))
        return segment.named_as_slow()

    def _hand_over(self, segment: SpokenSegment, out: Outbox[TTSMessage]) -> SpokenSegment:
        audio, ready = segment.audio.hand_over()
        marks = None
        if ready and not segment.audio.handed:  # with the first of the segment
            marks = SynthesisMarks(segment.handed_at, segment.first_audio_at, metadata_of(segment.voice))
        for part in ready:
            out.tell(self._wiring.output, SegmentAudio(segment.name, part.frame, part.timings, segment.scope, marks))
            marks = None
        return replace(segment, audio=audio)

    def _on_credit(self, state: TTSState, name: str, seconds: float, out: Outbox[TTSMessage]) -> TTSState:
        segment = state.segments.get(name)
        if segment is None:
            if (end := state.untold.get(name)) is not None:
                out.tell(self._wiring.output, end)
            return state.with_early_credit(name, seconds)
        waited_for_us = not segment.audio.room
        segment = replace(segment, audio=segment.audio.granted(seconds))
        if segment.attempt is not None:
            out.feed(name, MayReceive(segment.audio.credit + segment.audio.lead))
            if waited_for_us:
                segment = self._watch(segment, out)
        return self._go_on(state, self._hand_over(segment, out), out)

    # -- ends of attempts --------------------------------------------------------------------------------------------

    def _on_ended(
        self, state: TTSState, name: str, number: int, error: BaseException | None, out: Outbox[TTSMessage]
    ) -> TTSState:
        segment, attempt = state.running(name, number)
        if segment is None or attempt is None:
            return state
        if error is not None:
            return self._on_failure(state, segment, attempt, reportable(error, segment.label), out)
        said_nothing = segment.audio.received <= attempt.samples_from or attempt.fed <= attempt.spoken_from
        if said_nothing and segment.voice is not None and segment.voice.may_be_silent:
            attempt = replace(attempt, fed=segment.text.spoken_length)
        elif said_nothing:
            silent = APIError(f"{segment.label} gave no audio for the text of {name}")
            return self._on_failure(state, segment, attempt, silent, out)
        # A voice may end before the text does; another attempt says what it was not given.
        segment = self._watch(replace(segment, attempt=None, resume_at=attempt.fed), out)
        return self._go_on(state, segment, out)

    def _on_stalled(self, state: TTSState, name: str, number: int, out: Outbox[TTSMessage]) -> TTSState:
        segment, attempt = state.running(name, number)
        if segment is None or attempt is None:
            return state
        out.cancel_effect(name)
        what = "did not start to speak" if segment.audio.received <= attempt.samples_from else "stopped speaking"
        within = patience(segment.own_budget, self._options)
        stalled = APITimeoutError(f"{segment.label} {what} within {within} s although it had text and room")
        return self._on_failure(state, segment, attempt, stalled, out)

    def _on_failure(
        self, state: TTSState, segment: SpokenSegment, attempt: Attempt, error: Exception, out: Outbox[TTSMessage]
    ) -> TTSState:
        """An attempt failed: say the rest in another one, if the budget allows."""
        if segment.scope.closed:
            return self._forget(state, segment, out)
        ours = segment.own_budget is None or segment.audio.received > attempt.samples_from
        segment = replace(self._break_off(segment, attempt, error, out), failures=segment.failures + 1)
        if segment.text.ended and not segment.has_words_left:
            return self._go_on(state, segment, out)  # every word has been said, or nobody knows
        delay = retry_delay(error, segment.failures, self._options) if ours else None
        if delay is None:
            return self._give_up(state, segment, error, out)
        out.tell(self._wiring.supervisor, ComponentStumbled("tts", error, segment.label))
        out.log(
            "synthesis_retried", level="warning", segment=segment.name, failures=segment.failures, error=repr(error)
        )
        out.timer(_retry(segment.name), delay, SynthesisDue(segment.name))
        return replace(state.holding(replace(segment, retrying=True)), retried=state.retried + 1)

    def _break_off(
        self, segment: SpokenSegment, attempt: Attempt, error: Exception, out: Outbox[TTSMessage]
    ) -> SpokenSegment:
        """The attempt is over; the next one begins where this one is known to have come to."""
        out.cancel_timer(_stall(segment.name))
        aligned = segment.voice is not None and segment.voice.aligned_transcript
        point = resume_point(attempt, segment.audio, aligned=aligned)
        if not point.certain:
            out.log(
                "text_perhaps_unspoken", level="warning", segment=segment.name, voice=segment.label, error=repr(error)
            )
        return replace(
            segment,
            attempt=None,
            resume_at=point.spoken,
            audio=segment.audio.cut_back(point.samples),
            doubt=None if point.certain else error,
        )

    # -- figures -----------------------------------------------------------------------------------------------------

    def _publish_metrics(self, segment: SpokenSegment, out: Outbox[TTSMessage], *, cancelled: bool = False) -> None:
        if not segment.attempts:
            return  # no voice was asked
        metrics = segment.metrics(out.now, out.wall(), cancelled=cancelled)
        out.tell(self._wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))

    def summary(self, state: TTSState) -> Mapping[str, object]:
        """Open segments, and how the others ended."""
        return state.facts()


def _stall(name: str) -> str:
    return f"stall:{name}"


def _retry(name: str) -> str:
    return f"retry:{name}"
