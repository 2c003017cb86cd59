"""``overlap``: whether who speaks over the agent wants the floor. Stands before ``turn``, where there is a detector.

All that ``vad``, ``stt`` and the ear tell ``turn`` goes through here. While an overlap is being judged its transcripts
are held: an interruption releases them in order, a backchannel discards them, each by name; so does the end of whatever
was waited for, in the user's favour. ``floor`` is told what is known of the overlap and decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.interruption_detector import InterruptionDetector, OverlapVerdict
from sessionactors.messages.ear import (
    AudioHeard,
    AudioPaused,
    ClearTurn,
    FinalTranscript,
    FlushTurn,
    InterimTranscript,
    NoWords,
    PreflightTranscript,
    SpeechEnded,
    SpeechStarted,
)
from sessionactors.messages.overlap import (
    DetectorJudged,
    HeardBackchannel,
    Judged,
    OverlapJudged,
    OverlapWordsOverdue,
    VoiceWasNoise,
    WordsHeld,
)
from sessionactors.messages.session import OptionsChanged, Publish
from sessionactors.messages.turn import AgentStateFact
from sessionactors.model.errors import APIError
from sessionactors.model.interruption_events import OverlappingSpeechEvent
from sessionactors.model.options import SessionOptions
from sessionactors.runtime import NS, Actor, EffectPort, Outbox, Ref
from sessionactors.runtime.frozen import replace

from .ear_refs import EarRefs
from .overlap_state import KEPT, Held, OpenOverlap, OverlapState
from .turn import TurnMessage

OverlapMessage: TypeAlias = TurnMessage | AudioHeard | AudioPaused | DetectorJudged | OverlapWordsOverdue

JUDGE = "judge"
WORDS = "words"
ASK_EVERY = 0.1
"""Seconds of voice after which the detector is asked again."""
JUDGE_WITHIN = 1.0
"""Seconds for one opinion."""
WORDS_WITHIN = 2.0
"""Seconds after the voice in which its words must come; then the overlap is judged without."""
FAILURES = 3
"""In a row, after which the detector is not asked any more."""


class OverlapActor(Actor[OverlapState, OverlapMessage]):
    """Judges the overlaps of one participant.

    Args:
        refs: the ear's actors.
        turn: whom all is passed on to.
        detector: proposes.
        options: the boundary.
    """

    def __init__(
        self, refs: EarRefs, turn: Ref[TurnMessage], detector: InterruptionDetector, options: SessionOptions
    ) -> None:
        self._refs = refs
        self._turn = turn
        self._detector = detector
        self._options = options

    def initial(self) -> OverlapState:
        """Nobody speaks."""
        return OverlapState(self._detector, self._options.backchannel_boundary or (0.0, 0.0))

    def restarted(self, state: OverlapState, error: BaseException, out: Outbox[OverlapMessage]) -> OverlapState:
        """The question ended with the failure: what is held is passed on, in the user's favour."""
        return self._give_up(state, out)

    def receive(self, state: OverlapState, message: OverlapMessage, out: Outbox[OverlapMessage]) -> OverlapState:
        """One message: what is not held back is passed on."""
        match message:
            case AudioHeard(frame):
                return self._on_audio(state, frame.duration, message, out)
            case AudioPaused():
                return state
            case DetectorJudged():
                return self._on_judged(state, message, out)
            case OverlapWordsOverdue(number):
                return self._on_words_overdue(state, number, out)
            case FinalTranscript() | InterimTranscript() | PreflightTranscript():
                return self._on_words(state, message, out)
            case NoWords():
                out.tell(self._turn, message)
                return self._no_more_words(state, out)
            case SpeechStarted(at):
                return self._on_voice(state, at, message, out)
            case SpeechEnded():
                return self._on_voice_ended(state, message, out)
            case AgentStateFact(agent_state, at):
                out.tell(self._turn, message)
                return self._on_agent(state, at, out, speaks=agent_state == "speaking")
            case FlushTurn() | ClearTurn():
                state = self._give_up(state, out)
            case OptionsChanged(options):
                state = replace(state, boundary=options.backchannel_boundary or (0.0, 0.0))
            case _:
                pass
        out.tell(self._turn, message)
        return state

    def stopped(self, state: OverlapState, out: Outbox[OverlapMessage]) -> None:
        """What is still held ends here."""
        for transcript in state.held:
            if isinstance(transcript, FinalTranscript):
                out.log("transcript_discarded", id=transcript.id, reason="session closed")

    def summary(self, state: OverlapState) -> Mapping[str, object]:
        """Overlaps, and the fate of the transcripts; no words of the user."""
        return {
            "detector": state.detector.label,
            "lost": state.lost,
            "open": None if state.open is None else state.open.judged.value,
            "overlaps": state.overlaps,
            "interruptions": state.interruptions,
            "backchannels": state.backchannels,
            "transcripts": {
                "held_back": state.held_back,
                "released": state.released,
                "discarded": state.discarded,
                "open": sum(1 for item in state.held if isinstance(item, FinalTranscript)),
            },
        }

    # -- the overlap -------------------------------------------------------------------------------------------------

    def _on_voice(
        self, state: OverlapState, at: int, message: SpeechStarted, out: Outbox[OverlapMessage]
    ) -> OverlapState:
        if state.open is not None:
            state = self._give_up(state, out)  # whose words are still to come cannot be told any more
        since = state.agent_since
        early = since is not None and (at - since) / NS < state.boundary[0]
        if since is not None and not state.lost and not early:
            number = state.overlaps + 1
            state = replace(state, open=OpenOverlap(number, at, unasked=ASK_EVERY), overlaps=number)
            self._tell_floor(Judged.OPEN, at, out)
        out.tell(self._turn, message)
        return state

    def _on_voice_ended(self, state: OverlapState, message: SpeechEnded, out: Outbox[OverlapMessage]) -> OverlapState:
        overlap, wordless = state.open, self._refs.stt is None
        if overlap is not None and overlap.ended_at is None and overlap.judged is Judged.OPEN and wordless:
            # A realtime model has it as audio, so its end would be the end of a turn. The detector is awaited first.
            return self._ask(state, replace(overlap, ended_at=message.at, final=True, end=message), out)
        out.tell(self._turn, message)
        if overlap is None or overlap.ended_at is not None:
            return state
        out.timer(WORDS, WORDS_WITHIN, OverlapWordsOverdue(overlap.number))
        return self._ask(state, replace(overlap, ended_at=message.at), out)

    def _on_agent(self, state: OverlapState, at: int, out: Outbox[OverlapMessage], *, speaks: bool) -> OverlapState:
        if speaks:
            return state if state.agent_since is not None else replace(state, agent_since=at)
        state, overlap = replace(state, agent_since=None), state.open
        if overlap is None or overlap.judged is not Judged.OPEN:
            return state
        if (at - overlap.began_at) / NS <= state.boundary[1]:
            return self._give_up(state, out)  # begun when the agent was about to end: it may well be an answer
        return replace(state, open=replace(overlap, agent_ended=True))

    def _on_audio(
        self, state: OverlapState, seconds: float, heard: AudioHeard, out: Outbox[OverlapMessage]
    ) -> OverlapState:
        overlap = state.open
        if overlap is None or overlap.judged is not Judged.OPEN or overlap.ended_at is not None:
            return state
        frames, kept = (*overlap.frames, heard.frame), overlap.seconds + seconds
        while kept > KEPT:
            kept, frames = kept - frames[0].duration, frames[1:]
        overlap = replace(overlap, frames=frames, seconds=kept, unasked=overlap.unasked + seconds)
        if overlap.unasked + 1e-9 < ASK_EVERY:
            return replace(state, open=overlap)
        return self._ask(state, overlap, out)

    # -- words -------------------------------------------------------------------------------------------------------

    def _on_words(self, state: OverlapState, words: Held, out: Outbox[OverlapMessage]) -> OverlapState:
        overlap = state.open
        if overlap is None or overlap.judged in (Judged.NOTHING, Judged.INTERRUPTION):
            out.tell(self._turn, words)
            return state
        final = isinstance(words, FinalTranscript)
        state = replace(state, held_back=state.held_back + final, held=(*state.held, words))
        if final:
            out.tell(self._turn, WordsHeld())
        if final:
            overlap = replace(overlap, finals=(*overlap.finals, words.text), interim="")
        else:
            overlap = replace(overlap, interim=words.text)
        if final and overlap.ended_at is not None:
            overlap = replace(overlap, final=True)
        if overlap.judged is Judged.BACKCHANNEL:  # its words came behind the verdict
            state = self._discard(replace(state, open=overlap), out)
            return self._over(state, out) if overlap.final else state
        return self._ask(state, overlap, out)

    def _no_more_words(self, state: OverlapState, out: Outbox[OverlapMessage]) -> OverlapState:
        overlap = state.open
        if overlap is None or overlap.ended_at is None or overlap.judged is not Judged.OPEN:
            return state
        return self._ask(state, replace(overlap, final=True), out)

    def _on_words_overdue(self, state: OverlapState, number: int, out: Outbox[OverlapMessage]) -> OverlapState:
        overlap = state.open
        if overlap is None or overlap.number != number:
            return state
        if overlap.judged is not Judged.OPEN:
            return self._over(state, out)
        return self._ask(state, replace(overlap, final=True), out)

    # -- the verdict -------------------------------------------------------------------------------------------------

    def _ask(self, state: OverlapState, overlap: OpenOverlap, out: Outbox[OverlapMessage]) -> OverlapState:
        if overlap.judged is not Judged.OPEN:
            return replace(state, open=overlap)
        if overlap.asking:
            return replace(state, open=replace(overlap, more=True))
        detector, seen, number = state.detector, overlap.as_seen(out.now), overlap.number

        async def judge(_port: EffectPort[OverlapMessage]) -> OverlapVerdict | None:
            return await detector.judge(seen)

        out.effect(
            JUDGE,
            judge,
            done=lambda verdict: DetectorJudged(number, verdict),
            failed=lambda error: DetectorJudged(number, None, error),
            deadline=JUDGE_WITHIN,
            user_loop=detector.home is Home.USER,
        )
        overlap = replace(
            overlap, asking=True, more=False, unasked=0.0, asked_at=out.now, requests=overlap.requests + 1
        )
        return replace(state, open=overlap)

    def _on_judged(self, state: OverlapState, judged: DetectorJudged, out: Outbox[OverlapMessage]) -> OverlapState:
        overlap = state.open
        if overlap is None or overlap.number != judged.overlap or overlap.judged is not Judged.OPEN:
            return state
        overlap = replace(overlap, asking=False)
        if judged.error is not None:
            return self._on_failure(replace(state, open=overlap), judged.error, out)
        state, verdict = replace(state, failures=0), judged.verdict
        if verdict is not None and verdict.is_interruption:
            self._publish(overlap, verdict, out)
            state = replace(state, interruptions=state.interruptions + 1)
            return self._release(replace(state, open=overlap), Judged.INTERRUPTION, out)
        if overlap.more:
            return self._ask(state, overlap, out)
        if overlap.ended_at is None:
            return replace(state, open=overlap)
        if verdict is None:  # nothing more will come, or words may
            state = replace(state, open=overlap)
            return self._give_up(state, out) if overlap.final else state
        self._publish(overlap, verdict, out)
        self._tell_floor(Judged.BACKCHANNEL, overlap.began_at, out)
        if self._refs.realtime is not None:
            out.tell(self._turn, VoiceWasNoise(overlap.began_at, overlap.ended_at))
        out.tell(self._turn, HeardBackchannel())
        state = replace(state, open=replace(overlap, judged=Judged.BACKCHANNEL), backchannels=state.backchannels + 1)
        state = self._discard(state, out)
        return self._over(state, out) if overlap.final else state

    def _on_failure(self, state: OverlapState, error: BaseException, out: Outbox[OverlapMessage]) -> OverlapState:
        failures = state.failures + 1
        final = failures >= FAILURES or (isinstance(error, APIError) and not error.retryable)
        out.log(
            "interruption_detector_failed",
            level="warning" if final else "info",
            detector=state.detector.label,
            error=repr(error),
            falls_back_to="voice" if final else None,
        )
        return self._give_up(replace(state, failures=failures, lost=final), out)

    def _give_up(self, state: OverlapState, out: Outbox[OverlapMessage]) -> OverlapState:
        """Nobody can say what it is: what is held is the user's, and voice interrupts."""
        overlap = state.open
        if overlap is None:
            return state
        if overlap.judged is not Judged.OPEN:
            return self._over(state, out)
        return self._over(self._release(state, Judged.NOTHING, out), out)

    def _release(self, state: OverlapState, judged: Judged, out: Outbox[OverlapMessage]) -> OverlapState:
        overlap = state.open
        if overlap is None:
            return state
        self._tell_floor(judged, overlap.began_at, out)
        for words in state.held:
            out.tell(self._turn, words)
        if overlap.end is not None:
            out.tell(self._turn, overlap.end)
        finals = sum(1 for words in state.held if isinstance(words, FinalTranscript))
        return replace(state, open=replace(overlap, judged=judged, end=None), held=(), released=state.released + finals)

    @staticmethod
    def _discard(state: OverlapState, out: Outbox[OverlapMessage]) -> OverlapState:
        finals = [words for words in state.held if isinstance(words, FinalTranscript)]
        for final in finals:
            out.log("transcript_discarded", id=final.id, reason="backchannel")
        return replace(state, held=(), discarded=state.discarded + len(finals))

    @staticmethod
    def _over(state: OverlapState, out: Outbox[OverlapMessage]) -> OverlapState:
        out.cancel_timer(WORDS)
        out.cancel_effect(JUDGE)
        return replace(state, open=None)

    def _tell_floor(self, judged: Judged, at: int, out: Outbox[OverlapMessage]) -> None:
        out.tell(self._refs.wiring.floor, OverlapJudged(self._refs.participant, judged, at))

    def _publish(self, overlap: OpenOverlap, verdict: OverlapVerdict, out: Outbox[OverlapMessage]) -> None:
        seen = overlap.as_seen(out.now)
        event = OverlappingSpeechEvent(
            is_interruption=verdict.is_interruption,
            probability=verdict.probability,
            agent_ended=overlap.agent_ended,
            total_duration=seen.duration,
            prediction_duration=(out.now - overlap.asked_at) / NS,
            detection_delay=(out.now - overlap.began_at) / NS,
            overlap_started_at=out.wall(overlap.began_at),
            detected_at=out.wall(),
            num_requests=overlap.requests,
            created_at=out.wall(),
            speech_input=overlap.frames,
        )
        out.tell(self._refs.wiring.supervisor, Publish(event))
