"""The user's turn by hand: commit it now, or forget it."""

from __future__ import annotations

import asyncio

from sessionactors.messages.turn import ClearUserTurn, CommitUserTurn
from sessionactors.model.errors import OptionError

from .session_link import SessionLink, Userdata_T


class UserTurns(SessionLink[Userdata_T]):
    """What a session can be told about the turn that is open."""

    def commit_user_turn(
        self, *, transcript_timeout: float = 2.0, stt_flush_duration: float = 2.0, skip_reply: bool = False
    ) -> asyncio.Future[str]:
        """End the user's turn now: push-to-talk, with ``turn_detection="manual"``, or an end that you know of.

        Waits only for words that are still owed. What the recogniser has shown and not finished by then becomes final.

        Args:
            transcript_timeout: seconds >= 0 to wait for a final transcript.
            stt_flush_duration: seconds >= 0 of silence that the recogniser is given to finish with, where no audio
                comes in any more (a closed microphone).
            skip_reply: only keep the words in the history.

        Returns:
            A future of the turn's transcript; "" when nothing was said, or there is no recogniser.

        Raises:
            SessionStateError: the session is not running; from the future: it closed before the turn was committed.
            OptionError: a negative time.
        """
        for name, value in (("transcript_timeout", transcript_timeout), ("stt_flush_duration", stt_flush_duration)):
            if value < 0:
                raise OptionError(f"{name} must not be negative, got {value}")
        system, _ = self._listening("commit_user_turn()")
        request = system.tree(self._room_name).new_id("commit")
        committed: asyncio.Future[str] = self._loop.create_future()
        self._mirror.commits[request] = committed
        if self._root is not None:
            self._root.tell(CommitUserTurn(request, transcript_timeout, stt_flush_duration, not skip_reply))
        return committed

    def clear_user_turn(self) -> None:
        """Forget what the user said and was not committed; what the recogniser still makes of it, too.

        Raises:
            SessionStateError: the session is not running.
        """
        self._listening("clear_user_turn()")
        if self._root is not None:
            self._root.tell(ClearUserTurn())
