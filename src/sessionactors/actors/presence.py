"""What follows from the public states: who is away, and that the ears know when the agent is heard.

A part of ``supervisor``. The window after which a user counts as away is a pure rule (:mod:`.user_away`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.session import UserAway
from sessionactors.messages.turn import AgentStateFact, UserUnderstood
from sessionactors.model.answers import ClosingNote
from sessionactors.model.events import UserState, UserStateChangedEvent
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from . import states
from .public_face import PublicFace
from .supervisor_state import SupervisorState
from .user_away import Quiet, window_begins, window_runs

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage

AWAY = "away"


class Presence:
    """Follows the users of one session.

    Args:
        face: raises public events.
    """

    def __init__(self, face: PublicFace) -> None:
        self._face = face

    def on_understood(
        self, state: SupervisorState, sign: UserUnderstood, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """The user said something: whoever was away is back."""
        if not sign.voice_known:
            state = replace(state, signs=state.signs + 1)
        if state.user_state != "away":
            return state
        return self._become(state, states.user_state(state.speaking), sign.at, out)

    def on_away(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """Nobody spoke for a while."""
        return self._become(state, "away", out.now, out)

    def _become(
        self, state: SupervisorState, new: UserState, at: int, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        if new == state.user_state:
            return state
        change = UserStateChangedEvent(state.user_state, new, out.wall(at), out.message_id)
        self._face.emit(state, change, out)
        return replace(state, user_state=new)

    def follow(
        self, before: SupervisorState, after: SupervisorState, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """As one message changed things: tell ears of the agent's voice, and of a close; begin or end the window."""
        if before.closing is None and after.closing is not None:
            self._face.emit(after, ClosingNote(), out)
        for identity, ear in after.ears.items():
            told = before.agent_state, before.tools_running
            if (after.agent_state, after.tools_running) != told or identity not in before.ears:
                out.tell(ear, AgentStateFact(after.agent_state, out.now, after.tools_running))
        timeout = after.options.here.user_away_timeout
        if timeout is None or after.closing is not None:
            if before.options.here.user_away_timeout is not None and before.closing is None:
                out.cancel_timer(AWAY)
            return after
        was, now = _quiet(before), _quiet(after)
        if window_begins(was, now) or (window_runs(now) and timeout != before.options.here.user_away_timeout):
            out.timer(AWAY, timeout, UserAway())
        elif window_runs(was) and not window_runs(now):
            out.cancel_timer(AWAY)
        return after


def _quiet(state: SupervisorState) -> Quiet:
    return Quiet(state.agent_state, state.user_state, state.tools_running, state.signs)
