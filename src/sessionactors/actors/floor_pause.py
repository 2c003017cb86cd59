"""The pause of a speech: who holds it, what it waits for, how it ends. Used by ``floor`` only, its one owner.

A speech that is not heard yet is held while the user speaks. One that is heard is stopped by a voice that is long
enough. Silence lets it go on: at once if it was only held, else when the silence has lasted; not before the decision
on the user's turn, if there are words. Words cut it off: then it is no matter of this file any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.answering import WithholdSpeech
from sessionactors.messages.floor import FalseInterruptionDue, PauseSpeech, ResumeSpeech
from sessionactors.messages.session import Publish, SpeechPaused, SpeechResumed
from sessionactors.model.interruption_events import AgentFalseInterruptionEvent
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .floor_state import Entry, FloorState, Pause, UserFacts, Warmup, is_open, is_user_speaking
from .interruption import Decision, OutputFacts, SpeechFacts, TurnFacts, decide, pausing_wanted
from .wiring import Wiring

if TYPE_CHECKING:
    from .floor import FloorMessage

TIMER = "false-interruption"
OBLIGATION = "pause"
FIRST_SOUND_WITHIN = 60.0
"""Seconds after which a granted speech that nobody has heard is named as overdue (retries of the model included)."""
PAUSE_WITHIN = 60.0
"""Seconds after which a pause that nothing has ended is named as overdue."""


class Pausing:
    """Holds the current speech, and lets it go on."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def verdict(self, state: FloorState, entry: Entry, *, final: str | None = None) -> Decision:
        """What the users, together, do to the current speech.

        Args:
            state: who speaks.
            entry: the current speech.
            final: the participant of whom a final transcript has just come.
        """
        pause = state.pause
        speech = SpeechFacts(
            allowed=entry.allow_interruptions,
            audible=entry.audible,
            granted=entry.granted,
            paused=pause is not None
            and pause.speech == entry.spec.id
            and (pause.interrupted_at is not None or not pause.brief),
        )
        options = entry.spec.agent.options(state.options.session)
        by_hand = options.turn_detection == "manual"
        if options.turn_detection == "realtime_llm" or (by_hand and entry.audible):
            return Decision.IGNORE  # the program, or the model's server, says who speaks
        output = OutputFacts(can_pause=state.can_pause, by_voice=state.warmup is not Warmup.RUNNING)
        decisions = [
            decide(_turn_facts(user, final=participant == final), speech, options, output)
            for participant, user in state.users.items()
        ]
        decision = max(decisions, key=_SEVERITY.index, default=Decision.IGNORE)
        if by_hand:  # nobody is spoken over all the same: what is not heard yet waits
            return Decision.HOLD if decision in (Decision.HOLD, Decision.PAUSE) else Decision.IGNORE
        return decision

    def hold(
        self, state: FloorState, entry: Entry, decision: Decision, out: Outbox[FloorMessage], *, comes: bool = False
    ) -> FloorState:
        """Carry out ``HOLD`` or ``PAUSE``; does nothing that has been done. ``comes``: it has just become current."""
        name = entry.spec.id
        pause = state.pause
        if pause is None or pause.speech != name:
            brief = comes or not (state.can_pause and pausing_wanted(entry.spec.agent.options(state.options.session)))
            pause = Pause(name, out.now, self.wanted_at(state, out), at_output=False, brief=brief)
            out.discharge(name)  # its first sound is not owed meanwhile
            out.oblige(OBLIGATION, f"the user to fall silent, or to say something, about {name}", PAUSE_WITHIN)
            state = replace(state, pauses=state.pauses + 1)
        if entry.granted and not pause.at_output:
            pause = replace(pause, at_output=True)
            state = replace(state, pause_orders=state.pause_orders + 1)
            out.tell(self._wiring.output, PauseSpeech(name, state.pause_orders))
        if decision is Decision.PAUSE and pause.interrupted_at is None:
            pause = replace(pause, interrupted_at=out.now)
            out.tell(self._wiring.supervisor, SpeechPaused(name, out.now))
        return replace(state, pause=pause)

    @staticmethod
    def wanted_at(state: FloorState, out: Outbox[FloorMessage]) -> int:
        """When the voice that interrupts set in."""
        return min((user.wish.at for user in state.users.values() if user.wish is not None), default=out.now)

    def on_silence(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Nobody speaks, or something was decided: from the first such moment on silence counts."""
        pause = state.pause
        if pause is None:
            return state
        if pause.due:
            return self.on_due(state, pause.speech, out)  # it may have waited for this decision
        if pause.silent:
            return state
        state = replace(state, pause=replace(pause, silent=True))
        out.oblige(OBLIGATION, f"the decision on the user's turn, about {pause.speech}", PAUSE_WITHIN)
        timeout = 0.0 if pause.interrupted_at is None else state.options.session.false_interruption_timeout or 0.0
        if timeout > 0:
            out.timer(TIMER, timeout, FalseInterruptionDue(pause.speech))
            return state
        return self.on_due(state, pause.speech, out)

    def on_due(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        """Silence has lasted: go on, unless the user's turn is still being decided."""
        pause = state.pause
        if pause is None or pause.speech != speech or is_user_speaking(state):
            return state
        if is_open(state):
            return replace(state, pause=replace(pause, due=True))
        return self._go_on(state, pause, out)

    def on_hush(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Nobody's voice was heard for a moment: what only waited for that begins. Nobody was interrupted."""
        pause = state.pause
        if pause is None or not pause.brief or pause.interrupted_at is not None or is_open(state):
            return state
        return self.release(state, out)

    @staticmethod
    def on_voice(state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Somebody speaks: silence counts from anew."""
        if state.pause is None:
            return state
        out.cancel_timer(TIMER)
        return replace(state, pause=replace(state.pause, silent=False, due=False))

    def _go_on(self, state: FloorState, pause: Pause, out: Outbox[FloorMessage]) -> FloorState:
        if pause.brief and pause.interrupted_at is None:
            return self.release(state, out)
        entry = state.entries.get(pause.speech)
        begun = entry is not None and entry.audible and pause.at_output  # what was held before can begin anywhere
        resumed = entry is not None and not entry.interrupted and (state.can_pause or not begun)
        if resumed:
            state = self.release(state, out)
            state = replace(state, false_interruptions=state.false_interruptions + 1)
        else:
            state = self.forget(state, out)
            if state.current is not None and state.current != pause.speech:
                return state  # another speech has the floor by now
        event = AgentFalseInterruptionEvent(resumed, out.wall())
        out.tell(self._wiring.supervisor, Publish(event))
        return state

    def release(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """End the pause, so that the speech goes on where it was."""
        pause = state.pause
        if pause is None:
            return state
        if pause.interrupted_at is not None:
            out.tell(self._wiring.supervisor, SpeechResumed(pause.speech, out.now))
        if pause.at_output:
            state = replace(state, pause_orders=state.pause_orders + 1)
            out.tell(self._wiring.output, ResumeSpeech(pause.speech, state.pause_orders))
        entry = state.entries.get(pause.speech)
        if entry is not None and not entry.audible and not state.withheld_by:
            await_first_sound(pause.speech, out)
        return self.forget(state, out)

    @staticmethod
    def forget(state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """The pause is over because the speech is."""
        out.cancel_timer(TIMER)
        out.discharge(OBLIGATION)
        return replace(state, pause=None)


def await_first_sound(speech: str, out: Outbox[FloorMessage]) -> None:
    """The speech has the floor: it owes its first sound."""
    out.oblige(speech, f"the first sound of {speech}", FIRST_SOUND_WITHIN)


def withhold(state: FloorState, order: WithholdSpeech, out: Outbox[FloorMessage]) -> FloorState:
    """Nothing begins to be heard while anybody wants that; the current speech owes no first sound meanwhile."""
    by = state.withheld_by | {order.by} if order.withheld else state.withheld_by - {order.by}
    entry = state.entries.get(state.current or "")
    if entry is not None and not (entry.granted or entry.interrupted) and bool(by) is not bool(state.withheld_by):
        if by:
            out.discharge(entry.spec.id)
        elif state.pause is None:
            await_first_sound(entry.spec.id, out)
    return replace(state, withheld_by=by)


_SEVERITY = (Decision.IGNORE, Decision.HOLD, Decision.PAUSE, Decision.CUT)


def pause_summary(pause: Pause) -> str:
    """What is paused, and what for."""
    waits = "the decision on the user's turn" if pause.due else "lasting silence" if pause.silent else "silence"
    return f"{pause.speech} {'held' if pause.interrupted_at is None else 'interrupted'}, waits for {waits}"


def _turn_facts(user: UserFacts, *, final: bool) -> TurnFacts:
    wish = user.wish
    if wish is None:
        return TurnFacts(user.speaking, user.hushed, 0.0, 0 if user.recognised else None, final, user.judged)
    return TurnFacts(user.speaking, user.hushed, wish.duration, wish.words, final, user.judged)
