"""``floor``: who may speak. Owns the queue of speeches, the current one, and the decision to cut one off.

Told by ``agent`` what shall be said, by ``turn`` whether the user speaks, by the speeches when they want to be heard
and when they are done. It makes one child for each speech. It knows nothing of text, audio or providers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.answering import WithholdSpeech
from sessionactors.messages.deferred import QuietOver, QuietWanted, SpeechEnded, TurnSettled
from sessionactors.messages.floor import (
    DrainFloor,
    DropSpeculation,
    EchoExpected,
    FalseInterruptionDue,
    FloorGranted,
    FloorReleased,
    FloorWanted,
    GapElapsed,
    HoldFloor,
    HoldInterruptions,
    InterruptSpeech,
    OutputChanged,
    PauseRefused,
    PreparationWanted,
    PrepareSpeech,
    PromoteSpeech,
    ScheduleSpeech,
    SetAllowInterruptions,
    SpeechFinished,
    SpeechGone,
    SpeechSilenced,
    SpeechWasted,
    TurnClaim,
    TurnClaimed,
    WarmupOver,
)
from sessionactors.messages.history import AppendItems
from sessionactors.messages.overlap import OverlapJudged
from sessionactors.messages.session import (
    FloorIdle,
    IdleWanted,
    OptionsChanged,
    Publish,
    SpeechAudible,
    SpeechQuiet,
)
from sessionactors.messages.speech import ToolsReviewed
from sessionactors.messages.turn import InterruptionWanted, TurnOffered, UserActivity
from sessionactors.model.events import (
    SpeechScheduledNote,
)
from sessionactors.runtime import (
    NS,
    Actor,
    Outbox,
    Ref,
)
from sessionactors.runtime.frozen import replace

from . import floor_quiet
from .floor_begin import Beginning, SpeculationFact, prepared_summary
from .floor_cut import Cutting
from .floor_gate import begin_warmup, end_warmup, expect_echo, follow_options, go_on_warming, keep_gate
from .floor_holds import hold, tell_held
from .floor_news import announce, report_end, say_scheduled, tell_end
from .floor_pause import Pausing, await_first_sound, pause_summary, withhold
from .floor_quiet import QuietFact
from .floor_state import Entry, FloorState, claimed, holds_the_floor, is_user_speaking, with_changes
from .floor_users import UserFact, UsersVoice
from .wiring import Wiring

FloorMessage: TypeAlias = (
    ScheduleSpeech
    | TurnClaim
    | PromoteSpeech
    | SpeculationFact
    | FloorWanted
    | ToolsReviewed
    | FloorReleased
    | SpeechAudible
    | SpeechFinished
    | SpeechGone
    | SpeechSilenced
    | InterruptSpeech
    | SetAllowInterruptions
    | HoldInterruptions
    | DrainFloor
    | UserFact
    | OptionsChanged
    | OutputChanged
    | PauseRefused
    | OverlapJudged
    | FalseInterruptionDue
    | EchoExpected
    | WarmupOver
    | QuietFact
    | HoldFloor
    | WithholdSpeech
    | GapElapsed
)


class Floor(Actor[FloorState, FloorMessage]):
    """Lets speeches be heard one at a time, and cuts them off when the user wants to speak."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._pausing = Pausing(wiring)
        self._cutting = Cutting(wiring)
        self._beginning = Beginning(wiring)
        self._users = UsersVoice(self._pausing, self._cutting)

    def initial(self) -> FloorState:
        """Nobody speaks."""
        options = self._wiring.options
        return FloorState({}, OptionsChanged(options, options))

    def receive(self, state: FloorState, message: FloorMessage, out: Outbox[FloorMessage]) -> FloorState:
        """One message."""
        state = keep_gate(self._handle(state, message, out), self._wiring, out)
        return floor_quiet.give(state, self._wiring, out)

    def _handle(self, state: FloorState, message: FloorMessage, out: Outbox[FloorMessage]) -> FloorState:
        match message:
            case ScheduleSpeech():
                return self._on_schedule(state, message, out)
            case PromoteSpeech(spec):
                return self._begun(*self._beginning.promoted(state, spec, out), out)
            case PreparationWanted() | PrepareSpeech() | DropSpeculation() | SpeechWasted():
                return self._beginning.on_prepared(state, message, out)
            case FloorWanted(speech, ready):
                return self._on_wanted(self._beginning.wanted(state, message), speech, ready, out)
            case ToolsReviewed(speech):
                if (entry := state.entries.get(speech)) is not None:
                    out.tell(entry.ref, message)
                return state
            case SpeechAudible():
                return self._on_audible(state, message, out)
            case FloorReleased(speech):
                return self._on_released(state, speech, out)
            case SpeechFinished():
                return self._on_finished(state, message, out)
            case SpeechGone(speech, error):
                return self._on_gone(state, speech, error, out)
            case UserActivity():
                return self._grant(self._users.on_activity(state, message, out), out)
            case InterruptionWanted() | TurnOffered() | OverlapJudged():
                return self._grant(self._users.on_wish(state, message, out), out)
            case FalseInterruptionDue(speech):
                return self._grant(self._pausing.on_due(state, speech, out), out)
            case OutputChanged(voice, can_pause):
                return self._users.consider(replace(state, voice=voice, can_pause=can_pause), out)
            case PauseRefused(speech):
                return self._grant(self._users.on_pause_refused(state, speech, out), out)
            case InterruptSpeech():
                state = self._beginning.drop_all(state, out) if message.speech is None else state
                return self._cutting.on_interrupt(state, message, out)
            case TurnClaim(reply=False):
                return self._grant(self._pausing.on_silence(replace(state, users=claimed(state.users)), out), out)
            case TurnClaim(turn):
                return self._on_claim(state, turn, out)
            case SetAllowInterruptions(speech, allow):
                return self._grant(self._users.on_allow(state, speech, allow, out), out)
            case HoldInterruptions():
                return hold(state, message, self._wiring, out)
            case DrainFloor():
                return self._cutting.begin_drain(state, message, out)
            case SpeechSilenced():
                self._cutting.release_guard(message.speech, out)
                return state
            case OptionsChanged():
                return self._next(follow_options(replace(state, options=message), out), out)
            case EchoExpected():
                return self._users.consider(expect_echo(state, message, out), out)
            case WarmupOver():
                return self._users.consider(end_warmup(state, out), out)
            case QuietWanted() | QuietOver() | IdleWanted() | TurnSettled():
                return floor_quiet.follow(state, message)
            case HoldFloor():
                return self._on_hold(state, out)
            case WithholdSpeech():
                return self._next(withhold(state, message, out), out)
            case GapElapsed():
                return self._next(state, out)
            case _:
                assert_never(message)

    def restarted(self, state: FloorState, error: BaseException, out: Outbox[FloorMessage]) -> FloorState:
        """The speeches died with the failure: silence and report each."""
        for name, entry in state.entries.items():
            self._cutting.silence(entry, out.now, out)
            report_end(name, True, error, self._wiring, out)
            tell_end(entry, True, 0, out)
        claims = state.claims
        for turn in claims:
            out.tell(self._wiring.agent, TurnClaimed(turn))
        state = self._drop_deferred(self._pausing.forget(state, out), out)
        state = self._beginning.all_gone(state, out)
        go_on_warming(state, out)
        state = self._cutting.drained(replace(state, entries={}, current=None, claims=()), out)
        return keep_gate(state, self._wiring, out)  # the quiet is given with the next message: each silence is answered

    # -- queue -------------------------------------------------------------------------------------------------------

    def _on_schedule(self, state: FloorState, order: ScheduleSpeech, out: Outbox[FloorMessage]) -> FloorState:
        if order.answers is None:
            return self._begin(state, order.spec, out, order.report_to)
        current = state.entries.get(state.current or "")
        if current is not None and current.interrupted and not state.held:
            # What was heard of the current speech enters the history first; the reply is on its way all the same.
            say_scheduled(order.spec, self._wiring, out)
            return replace(state, deferred=(*state.deferred, order))
        out.tell(self._wiring.history, AppendItems((order.answers,), agent=order.spec.agent.key))
        return self._begin(state, order.spec, out, order.report_to)

    def _begin_deferred(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        deferred, state = state.deferred, replace(state, deferred=())
        for order in deferred:
            state = self._on_schedule(state, order, out)
        return state

    def _drop_deferred(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """No reply will be made; what it was to answer is kept."""
        for order in state.deferred:
            if order.answers is not None:
                out.tell(self._wiring.history, AppendItems((order.answers,), agent=order.spec.agent.key))
            report_end(order.spec.id, True, None, self._wiring, out)
        return replace(state, deferred=())

    def _begin(
        self,
        state: FloorState,
        spec: SpeechSpec,
        out: Outbox[FloorMessage],
        report_to: Ref[SpeechEnded] | None = None,
    ) -> FloorState:
        return self._begun(*self._beginning.entry(state, spec, out, report_to), out)

    def _begun(self, state: FloorState, entry: Entry, out: Outbox[FloorMessage]) -> FloorState:
        announce(entry.spec, self._wiring, out)
        state = self._next(self._cutting.obey_early(state, entry.spec.id, out), out)
        say_scheduled(entry.spec, self._wiring, out)
        return state

    def _on_wanted(self, state: FloorState, speech: str, ready: bool, out: Outbox[FloorMessage]) -> FloorState:
        """Not only a grant: one that goes on after its tools gave its place up, and has to get one again."""
        if ready:
            return self._next(with_changes(state, speech, wants=True), out)
        state = with_changes(state, speech, background=False, resumed=True, order=state.scheduled)
        return self._next(replace(state, scheduled=state.scheduled + 1), out)

    def _next(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Give the place of the current speech to the next one in the queue."""
        if state.current is not None or state.held or state.withheld_by:
            return self._grant(state, out)
        waiting = [
            entry
            for entry in state.entries.values()
            if not entry.interrupted and not entry.background and not entry.granted
        ]
        if not waiting:
            return state
        chosen = min(waiting, key=lambda entry: (-entry.priority, entry.order))
        gap = chosen.spec.agent.options(state.options.session).min_consecutive_speech_delay
        if gap and state.last_end is not None:
            left = gap - (out.now - state.last_end) / NS
            if left > 0:
                out.timer("gap", left, GapElapsed())
                return state
        name = chosen.spec.id
        await_first_sound(name, out)
        out.tell(self._wiring.supervisor, Publish(SpeechScheduledNote(name, current=True)))
        return self._grant(self._users.consider(replace(state, current=name), out, comes=True), out)

    def _grant(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Let the current speech be heard, if it has something to say and the user is not speaking."""
        entry = state.entries.get(state.current or "")
        if entry is None or not entry.wants or entry.granted or entry.interrupted or state.held or state.withheld_by:
            return state
        paused = state.pause is not None and state.pause.speech == entry.spec.id
        if entry.allow_interruptions and (paused or holds_the_floor(state)):
            return state  # the user wins: it waits for silence
        out.tell(entry.ref, FloorGranted())
        return with_changes(state, entry.spec.id, granted=True)

    # -- what the speeches say ---------------------------------------------------------------------------------------

    def _on_audible(self, state: FloorState, audible: SpeechAudible, out: Outbox[FloorMessage]) -> FloorState:
        entry = state.entries.get(audible.speech)
        if entry is None or entry.interrupted:
            return state
        out.discharge(audible.speech)
        out.tell(self._wiring.supervisor, audible)
        state = begin_warmup(with_changes(state, audible.speech, audible=True), out)
        return self._users.consider(state, out)

    def _on_released(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        if speech not in state.entries:
            return state
        out.discharge(speech)
        out.tell(self._wiring.supervisor, SpeechQuiet(speech, out.now, working=True))
        state = with_changes(state, speech, background=True, audible=False, granted=False, wants=False)
        return self._vacate(state, speech, out)

    def _on_finished(self, state: FloorState, end: SpeechFinished, out: Outbox[FloorMessage]) -> FloorState:
        if end.speech not in state.entries:
            return self._beginning.ended(state, end.speech, out)
        tell_held(state, self._wiring, out)
        report_end(end.speech, end.interrupted, end.error, self._wiring, out)
        tell_end(state.entries[end.speech], end.interrupted, end.items, out)
        return self._remove(state, end.speech, out)

    def _on_gone(
        self, state: FloorState, speech: str, error: BaseException | None, out: Outbox[FloorMessage]
    ) -> FloorState:
        """The speech's actor ended. Normally it has said so before; if not, it failed."""
        entry = state.entries.get(speech)
        if entry is None:
            return self._beginning.ended(state, speech, out)
        if not entry.interrupted:
            self._cutting.silence(entry, out.now, out)
        tell_held(state, self._wiring, out)
        report_end(speech, True, error, self._wiring, out)
        tell_end(entry, True, 0, out)
        return self._remove(state, speech, out)

    def _remove(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        entry = state.entries[speech]
        out.close_scope(entry.scope)
        left = {name: other for name, other in state.entries.items() if name != speech}
        state = replace(state, entries=left)
        if state.held and not left:
            out.tell(self._wiring.supervisor, FloorIdle())
        return self._cutting.drained(self._vacate(state, speech, out), out)

    def _vacate(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        if state.current != speech:
            return state
        entry = state.entries.get(speech)
        if state.pause is not None and state.pause.speech == speech and entry is not None:
            state = self._pausing.release(state, out)  # it goes on out of hearing: there is nothing to hold
        state = self._answer_claims(replace(state, current=None, last_end=out.now), out)
        return self._next(self._begin_deferred(state, out), out)

    # -- the user's turn ---------------------------------------------------------------------------------------------

    def _on_claim(self, state: FloorState, turn: str, out: Outbox[FloorMessage]) -> FloorState:
        """The user's turn is complete: cut off what is said, what works in the background, and replies that wait."""
        answering = state.answering | {turn}
        state = replace(state, claims=(*state.claims, turn), answering=answering, users=claimed(state.users))
        current = state.entries.get(state.current or "")
        if current is not None and current.allow_interruptions:
            state = self._cutting.cut(state, current, out.now, out)
        for entry in list(state.entries.values()):
            reply = entry.spec.automatic and entry.spec.turn  # to a turn that this one goes on
            if (
                (entry.background or entry.resumed or reply)
                and entry.spec.id != state.current
                and entry.allow_interruptions
            ):
                state = self._cutting.cut(state, entry, out.now, out)
        return self._answer_claims(state, out)

    def _answer_claims(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        current = state.entries.get(state.current or "")
        if current is not None and current.interrupted:
            return state  # what was heard of it must enter the history before the user's message
        for turn in state.claims:
            out.tell(self._wiring.agent, TurnClaimed(turn))
        return replace(state, claims=())

    def _on_hold(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        if not state.entries:
            out.tell(self._wiring.supervisor, FloorIdle())
        for entry in state.entries.values():
            state = self._cutting.cut(state, entry, out.now, out)
        return replace(self._beginning.drop_all(self._drop_deferred(state, out), out), held=True)

    def summary(self, state: FloorState) -> Mapping[str, object]:
        """Who has the floor and who waits."""
        return {
            "current": state.current,
            "queued": [name for name, entry in state.entries.items() if not entry.background and name != state.current],
            "background": [name for name, entry in state.entries.items() if entry.background],
            "prepared": prepared_summary(state.prepared),
            "user_speaking": is_user_speaking(state),
            "pause": None if state.pause is None else pause_summary(state.pause),
            **floor_quiet.summary(state),
            "pauses": state.pauses,
            "false_interruptions": state.false_interruptions,
            "aec_warmup": state.warmup.value,
            "recognisers_get_silence": state.substituting,
            "withheld_by": sorted(state.withheld_by),
        }
