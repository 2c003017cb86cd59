"""``floor``: who may speak. Owns the queue of speeches, the current one, and the decision to cut one off.

Told by ``agent`` what shall be said, by ``turn`` whether the user speaks, by the speeches when they want to be heard
and when they are done. It makes one child for each speech. It knows nothing of text, audio or providers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias, assert_never

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.floor import (
    FloorGranted,
    FloorReleased,
    FloorWanted,
    HoldFloor,
    InterruptSpeech,
    ScheduleSpeech,
    SetAllowInterruptions,
    SilenceSpeech,
    SpeechFinished,
    SpeechGone,
    SpeechInterrupted,
    SpeechSilenced,
    TurnClaim,
    TurnClaimed,
)
from sessionactors.messages.session import (
    FloorIdle,
    OptionsChanged,
    Publish,
    ReplyScheduled,
    SpeechAudible,
    SpeechQuiet,
)
from sessionactors.messages.turn import InterruptionWanted, UserActivity
from sessionactors.model.events import (
    SpeechCreatedEvent,
    SpeechFinishedNote,
    SpeechInterruptedNote,
    SpeechOpenedNote,
    SpeechScheduledNote,
)
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import (
    NS,
    Actor,
    ChildSpec,
    Outbox,
    Restart,
    Terminated,
    message,
)

from .floor_state import Entry, FloorState, early, with_changes
from .interruption import interrupts
from .speech import Speech
from .wiring import Wiring


@message()
class GapElapsed:
    """``floor``, to itself: the pause between two speeches is over."""


FloorMessage: TypeAlias = (
    ScheduleSpeech
    | TurnClaim
    | FloorWanted
    | FloorReleased
    | SpeechAudible
    | SpeechFinished
    | SpeechGone
    | SpeechSilenced
    | InterruptSpeech
    | SetAllowInterruptions
    | UserActivity
    | InterruptionWanted
    | OptionsChanged
    | HoldFloor
    | GapElapsed
)

FIRST_SOUND_WITHIN = 60.0
"""Seconds after which a granted speech that nobody has heard is named as overdue (retries of the model included)."""


SILENCE_WITHIN = 0.5
"""Seconds of real time in which ``output`` must acknowledge silence, before the watchdog mutes the sink itself."""


class Floor(Actor[FloorState, FloorMessage]):
    """Lets speeches be heard one at a time, and cuts them off when the user wants to speak."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def initial(self) -> FloorState:
        """Nobody speaks."""
        options = self._wiring.options
        return FloorState({}, OptionsChanged(options, options))

    def receive(self, state: FloorState, message: FloorMessage, out: Outbox[FloorMessage]) -> FloorState:
        """One message."""
        match message:
            case ScheduleSpeech(spec):
                return self._on_schedule(state, spec, out)
            case FloorWanted(speech):
                # Not only a grant: one that goes on after its tools gave its place up, and has to get one again.
                return self._next(with_changes(state, speech, wants=True), out)
            case SpeechAudible():
                return self._on_audible(state, message, out)
            case FloorReleased(speech):
                return self._on_released(state, speech, out)
            case SpeechFinished():
                return self._on_finished(state, message, out)
            case SpeechGone(speech, error):
                return self._on_gone(state, speech, error, out)
            case UserActivity(participant, speaking):
                present = state.speaking | {participant} if speaking else state.speaking - {participant}
                return self._grant(replace(state, speaking=present), out)
            case InterruptionWanted():
                return self._on_interruption_wanted(state, message, out)
            case InterruptSpeech():
                return self._on_interrupt(state, message, out)
            case TurnClaim(turn):
                return self._on_claim(state, turn, out)
            case SetAllowInterruptions(speech, allow):
                if speech not in state.entries:
                    return early(state, speech, allow_interruptions=allow)
                return with_changes(state, speech, allow_interruptions=allow)
            case SpeechSilenced():
                self._release_guard(message.speech, out)
                return state
            case OptionsChanged():
                return self._next(replace(state, options=message), out)
            case HoldFloor():
                return self._on_hold(state, out)
            case GapElapsed():
                return self._next(state, out)
            case _:
                assert_never(message)

    def restarted(self, state: FloorState, error: BaseException, out: Outbox[FloorMessage]) -> FloorState:
        """The speeches died with the failure: silence and report each."""
        for name, entry in state.entries.items():
            self._silence(entry, out.now, out)
            self._report_end(name, True, error, out)
        claims = state.claims
        for turn in claims:
            out.tell(self._wiring.agent, TurnClaimed(turn))
        return replace(state, entries={}, current=None, claims=())

    # -- queue -------------------------------------------------------------------------------------------------------

    def _on_schedule(self, state: FloorState, spec: SpeechSpec, out: Outbox[FloorMessage]) -> FloorState:
        scope = out.open_scope(spec.id)
        myself = out.myself
        wiring = self._wiring
        ref = out.spawn(spec.id, lambda: Speech(wiring, spec, scope, myself), ChildSpec(Restart.TEMPORARY))
        out.watch(ref, lambda end: _gone(spec.id, end))
        entry = Entry(spec, ref, scope, state.scheduled, spec.allow_interruptions)
        out.tell(
            wiring.supervisor,
            Publish(SpeechOpenedNote(spec.id, spec.allow_interruptions, spec.priority, spec.input_modality)),
        )
        out.tell(
            wiring.supervisor,
            Publish(
                SpeechCreatedEvent(
                    speech_id=spec.id,
                    source=spec.source.value,
                    user_initiated=True,  # as in LiveKit: False is for speech that a server starts by itself
                    created_at=out.wall(),
                )
            ),
        )
        state = replace(state, entries={**state.entries, spec.id: entry}, scheduled=state.scheduled + 1)
        state = self._next(self._obey_early(state, spec.id, out), out)
        if spec.source is SpeechSource.GENERATE_REPLY:
            out.tell(wiring.supervisor, ReplyScheduled(spec.id))
        return state

    def _obey_early(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        """Do what was ordered about a speech before it came."""
        order = state.early.get(speech)
        if order is None:
            return state
        state = replace(state, early={name: other for name, other in state.early.items() if name != speech})
        if order.allow_interruptions is not None:
            state = with_changes(state, speech, allow_interruptions=order.allow_interruptions)
        if order.cut:
            return self._on_interrupt(state, InterruptSpeech(speech, order.force), out)
        return state

    def _next(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Give the place of the current speech to the next one in the queue."""
        if state.current is not None or state.held:
            return self._grant(state, out)
        waiting = [
            entry
            for entry in state.entries.values()
            if not entry.interrupted and (not entry.background or entry.wants) and not entry.granted
        ]
        if not waiting:
            return state
        chosen = min(waiting, key=lambda entry: (-entry.spec.priority, entry.order))
        gap = chosen.spec.agent.options(state.options.session).min_consecutive_speech_delay
        if gap and state.last_end is not None:
            left = gap - (out.now - state.last_end) / NS
            if left > 0:
                out.timer("gap", left, GapElapsed())
                return state
        name = chosen.spec.id
        out.oblige(name, f"the first sound of {name}", FIRST_SOUND_WITHIN)
        out.tell(self._wiring.supervisor, Publish(SpeechScheduledNote(name, current=True)))
        return self._grant(replace(state, current=name), out)

    def _grant(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Let the current speech be heard, if it has something to say and the user is not speaking."""
        entry = state.entries.get(state.current or "")
        if entry is None or not entry.wants or entry.granted or entry.interrupted or state.held:
            return state
        if state.speaking and entry.spec.automatic and entry.allow_interruptions:
            return state  # the user wins: the reply waits for silence
        out.tell(entry.ref, FloorGranted())
        return with_changes(state, entry.spec.id, granted=True)

    # -- what the speeches say ---------------------------------------------------------------------------------------

    def _on_audible(self, state: FloorState, audible: SpeechAudible, out: Outbox[FloorMessage]) -> FloorState:
        entry = state.entries.get(audible.speech)
        if entry is None or entry.interrupted:
            return state
        out.discharge(audible.speech)
        out.tell(self._wiring.supervisor, audible)
        return with_changes(state, audible.speech, audible=True)

    def _on_released(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        if speech not in state.entries:
            return state
        out.discharge(speech)
        out.tell(self._wiring.supervisor, SpeechQuiet(speech, out.now, working=True))
        state = with_changes(state, speech, background=True, audible=False, granted=False, wants=False)
        return self._vacate(state, speech, out)

    def _on_finished(self, state: FloorState, end: SpeechFinished, out: Outbox[FloorMessage]) -> FloorState:
        if end.speech not in state.entries:
            return state
        self._report_end(end.speech, end.interrupted, end.error, out)
        return self._remove(state, end.speech, out)

    def _on_gone(
        self, state: FloorState, speech: str, error: BaseException | None, out: Outbox[FloorMessage]
    ) -> FloorState:
        """The speech's actor ended. Normally it has said so before; if not, it failed."""
        entry = state.entries.get(speech)
        if entry is None:
            return state
        if not entry.interrupted:
            self._silence(entry, out.now, out)
        self._report_end(speech, True, error, out)
        return self._remove(state, speech, out)

    def _report_end(
        self, speech: str, interrupted: bool, error: BaseException | None, out: Outbox[FloorMessage]
    ) -> None:
        out.discharge(speech)
        # The note first: who is told that the agent listens finds the handle done.
        out.tell(self._wiring.supervisor, Publish(SpeechFinishedNote(speech, interrupted, error)))
        out.tell(self._wiring.supervisor, SpeechQuiet(speech, out.now, working=False))

    def _remove(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        entry = state.entries[speech]
        out.close_scope(entry.scope)
        left = {name: other for name, other in state.entries.items() if name != speech}
        state = replace(state, entries=left)
        if state.held and not left:
            out.tell(self._wiring.supervisor, FloorIdle())
        return self._vacate(state, speech, out)

    def _vacate(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        if state.current != speech:
            return state
        state = self._answer_claims(replace(state, current=None, last_end=out.now), out)
        return self._next(state, out)

    # -- cutting off -------------------------------------------------------------------------------------------------

    def _on_interruption_wanted(
        self, state: FloorState, wish: InterruptionWanted, out: Outbox[FloorMessage]
    ) -> FloorState:
        entry = state.entries.get(state.current or "")
        if entry is None or entry.interrupted:
            return state
        options = entry.spec.agent.options(state.options.session)
        if not interrupts(wish, allowed=entry.allow_interruptions, audible=entry.audible, options=options):
            return state
        return self._cut(state, entry, wish.at, out)

    def _on_interrupt(self, state: FloorState, order: InterruptSpeech, out: Outbox[FloorMessage]) -> FloorState:
        if order.speech is not None:
            return self._cut_named(state, order.speech, order.force, out)
        for entry in self._in_playout_order(state):
            if not order.force and not entry.allow_interruptions:
                break  # it and what is behind it still play
            state = self._cut(state, entry, out.now, out)
        for speech in order.asked_for:
            state = self._cut_named(state, speech, order.force, out)
        return state

    def _cut_named(self, state: FloorState, speech: str, force: bool, out: Outbox[FloorMessage]) -> FloorState:
        entry = state.entries.get(speech)
        if entry is None:
            return early(state, speech, cut=True, force=force)
        return self._cut(state, entry, out.now, out) if force or entry.allow_interruptions else state

    @staticmethod
    def _in_playout_order(state: FloorState) -> list[Entry]:
        return sorted(
            state.entries.values(),
            key=lambda entry: (
                entry.spec.id != state.current,
                not entry.background,
                -entry.spec.priority,
                entry.order,
            ),
        )

    def _cut(self, state: FloorState, entry: Entry, wanted_at: int, out: Outbox[FloorMessage]) -> FloorState:
        if entry.interrupted:
            return state
        self._silence(entry, wanted_at, out)
        out.tell(entry.ref, SpeechInterrupted(out.now))
        out.tell(self._wiring.supervisor, Publish(SpeechInterruptedNote(entry.spec.id)))
        return with_changes(state, entry.spec.id, interrupted=True)

    def _silence(self, entry: Entry, wanted_at: int, out: Outbox[FloorMessage]) -> None:
        """Close the scope, so that nothing more of it is produced, and stop what sounds."""
        name = entry.spec.id
        out.close_scope(entry.scope)
        out.tell(self._wiring.output, SilenceSpeech(name, entry.scope, wanted_at, out.now))
        guard = self._wiring.guard_silence
        if guard is not None:
            out.port(guard, name, SILENCE_WITHIN)

    def _release_guard(self, speech: str, out: Outbox[FloorMessage]) -> None:
        release = self._wiring.release_guard
        if release is not None:
            out.port(release, speech)

    # -- the user's turn ---------------------------------------------------------------------------------------------

    def _on_claim(self, state: FloorState, turn: str, out: Outbox[FloorMessage]) -> FloorState:
        """The user's turn is complete: cut off what is being said, and what works in the background."""
        state = replace(state, claims=(*state.claims, turn))
        current = state.entries.get(state.current or "")
        if current is not None and current.allow_interruptions:
            state = self._cut(state, current, out.now, out)
        for entry in list(state.entries.values()):
            if entry.background and entry.spec.id != state.current and entry.allow_interruptions:
                state = self._cut(state, entry, out.now, out)
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
            state = self._cut(state, entry, out.now, out)
        return replace(state, held=True)

    def summary(self, state: FloorState) -> Mapping[str, object]:
        """Who has the floor and who waits."""
        return {
            "current": state.current,
            "queued": [name for name, entry in state.entries.items() if not entry.background and name != state.current],
            "background": [name for name, entry in state.entries.items() if entry.background],
            "user_speaking": bool(state.speaking),
        }


def _gone(speech: str, end: Terminated) -> SpeechGone:
    return SpeechGone(speech, end.error)
