"""``commit_user_turn()`` and ``clear_user_turn()`` on their way: to every ear, and back as one answer.

A part of ``supervisor``, like :mod:`.closing`: who asked waits until every ear has answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.ear import ClearTurn, FlushTurn, TurnFlushed
from sessionactors.messages.turn import CommitUserTurn
from sessionactors.model.answers import UserTurnCommittedNote
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .public_face import PublicFace
from .supervisor_state import Commit, SupervisorState
from .utterance import joined

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage


class TurnCommits:
    """The calls of one session.

    Args:
        face: answers them.
    """

    def __init__(self, face: PublicFace) -> None:
        self._face = face

    def on_commit(
        self, state: SupervisorState, order: CommitUserTurn, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Have every ear commit; without one there is nothing to wait for."""
        listening = {identity: ear for identity, ear in state.ears.items() if ear.is_alive()}
        if not listening:
            self._face.emit(state, UserTurnCommittedNote(order.request, ""), out)
            return state
        flush = FlushTurn(order.transcript_timeout, out.myself, order.request, order.stt_flush_duration, order.reply)
        for ear in listening.values():
            out.tell(ear, flush)
        return replace(state, commits={**state.commits, order.request: Commit(frozenset(listening))})

    def on_flushed(
        self, state: SupervisorState, flushed: TurnFlushed, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """One ear has committed: when it was the last, who called is answered."""
        commit = state.commits.get(flushed.request)
        if commit is None:
            return state
        texts = (*commit.texts, flushed.transcript)
        left = commit.waits_for - {flushed.participant}
        commits = {request: other for request, other in state.commits.items() if request != flushed.request}
        if left:
            commits[flushed.request] = replace(commit, waits_for=left, texts=texts)
        else:
            self._face.emit(state, UserTurnCommittedNote(flushed.request, joined(texts)), out)
        return replace(state, commits=commits)

    @staticmethod
    def on_clear(state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """Have every ear forget what was said and not committed."""
        for ear in state.ears.values():
            if ear.is_alive():
                out.tell(ear, ClearTurn())
        return state
