"""What the users' voices do to the current speech: what ``turn`` tells, and what follows. Used by ``floor`` only.

What to do is decided in :mod:`.interruption`; it is carried out by :mod:`.floor_pause` and :mod:`.floor_cut`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from sessionactors.messages.floor import InterruptSpeech
from sessionactors.messages.overlap import Judged, OverlapJudged
from sessionactors.messages.turn import InterruptionWanted, TurnAnswered, TurnOffered, UserActivity
from sessionactors.runtime import Outbox

from .floor_cut import Cutting
from .floor_pause import Pausing
from .floor_state import FloorState, UserFacts, early, holds, holds_the_floor, is_user_speaking, with_changes, with_user
from .interruption import Decision

if TYPE_CHECKING:
    from .floor import FloorMessage


UserFact: TypeAlias = UserActivity | InterruptionWanted | TurnOffered
"""What ``turn`` tells ``floor``."""


class UsersVoice:
    """Keeps what is known of the users, and acts on it."""

    def __init__(self, pausing: Pausing, cutting: Cutting) -> None:
        self._pausing = pausing
        self._cutting = cutting

    def on_activity(self, state: FloorState, activity: UserActivity, out: Outbox[FloorMessage]) -> FloorState:
        """Somebody speaks, or has fallen silent; or the end of a turn was decided."""
        before = state.users.get(activity.participant, UserFacts())
        state = with_user(
            state,
            activity.participant,
            speaking=activity.speaking,
            wish=before.wish if activity.speaking and (before.speaking or is_of(before.wish, activity)) else None,
            decided=activity.decided,
            judged=before.judged if activity.speaking or before.judged is Judged.OPEN else Judged.NOTHING,
            hushed=activity.hushed,
            recognised=activity.recognised,
        )
        if activity.speaking:
            state = self.consider(self._pausing.on_voice(state, out), out)
            if not holds_the_floor(state):
                state = self._pausing.on_hush(state, out)
        elif not is_user_speaking(state):
            state = self._pausing.on_silence(state, out)
        return state

    def on_wish(
        self, state: FloorState, wish: InterruptionWanted | TurnOffered | OverlapJudged, out: Outbox[FloorMessage]
    ) -> FloorState:
        """A voice is long enough, words have come, or a turn seems complete, while the agent may be speaking."""
        match wish:
            case TurnOffered(_, offer, words, reply_to):
                out.tell(reply_to, TurnAnswered(offer, holds(state, words)))
                return state
            case OverlapJudged():
                return self.on_overlap(state, wish, out)
            case InterruptionWanted():
                return self.on_interruption_wanted(state, wish, out)

    def on_interruption_wanted(
        self, state: FloorState, wish: InterruptionWanted, out: Outbox[FloorMessage]
    ) -> FloorState:
        """A voice is long enough, or words have come, while the agent may be speaking."""
        if wish.by_model:  # it has dropped its replies, those that wait as well
            return self._cutting.on_interrupt(state, InterruptSpeech(), out)
        who = wish.participant
        user = state.users.get(who, UserFacts())
        state = self.consider(with_user(state, who, wish=wish), out, final=who if wish.final else None)
        # In silence a final says what has just been heard, and nothing about what will be said next. Another one has
        # come before the news that its speech began.
        return state if user.speaking or not wish.final else with_user(state, who, wish=user.wish)

    def on_overlap(self, state: FloorState, overlap: OverlapJudged, out: Outbox[FloorMessage]) -> FloorState:
        """A detector judges what the user says over the agent."""
        who = overlap.participant
        state = self.consider(with_user(state, who, judged=overlap.judged), out)
        if not is_user_speaking(state):
            state = self._pausing.on_silence(state, out)
        over = overlap.judged is not Judged.OPEN and not state.users[who].speaking
        return with_user(state, who, judged=Judged.NOTHING) if over else state

    def consider(
        self, state: FloorState, out: Outbox[FloorMessage], *, final: str | None = None, comes: bool = False
    ) -> FloorState:
        """Something has changed: what do the users do to the current speech?

        Args:
            state: who speaks.
            out: of ``floor``.
            final: the participant of whom a final transcript has just come.
            comes: the speech has just become the current one.
        """
        entry = state.entries.get(state.current or "")
        if entry is None or entry.interrupted or state.held:
            return state
        decision = self._pausing.verdict(state, entry, final=final)
        match decision:
            case Decision.IGNORE:
                return state
            case Decision.HOLD | Decision.PAUSE:
                return self._pausing.hold(state, entry, decision, out, comes=comes)
            case Decision.CUT:
                return self._cutting.cut(state, entry, self._pausing.wanted_at(state, out), out)
            case _:
                assert_never(decision)

    def on_pause_refused(self, state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        """Its sink cannot hold it: what was long enough to interrupt cuts it off, as without pausing."""
        pause, entry = state.pause, state.entries.get(speech)
        if pause is None or pause.speech != speech or entry is None:
            return state
        if pause.interrupted_at is not None:
            return self._cutting.cut(state, entry, pause.wanted_at, out)
        return self._pausing.forget(state, out)

    def on_allow(self, state: FloorState, speech: str, allow: bool, out: Outbox[FloorMessage]) -> FloorState:
        """A speech is protected, or no longer."""
        if speech not in state.entries:
            return early(state, speech, allow_interruptions=allow)
        state = with_changes(state, speech, interruptible=allow)
        if allow:
            return self.consider(state, out)
        if state.pause is not None and state.pause.speech == speech:
            state = self._pausing.release(state, out)
        return state


def is_of(wish: InterruptionWanted | None, activity: UserActivity) -> bool:
    """Whether a wish is of the stretch of speech that has just begun."""
    return wish is not None and wish.at == activity.at
