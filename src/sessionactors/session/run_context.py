"""What a running tool may know and do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from sessionactors.model.chat import FunctionCall

if TYPE_CHECKING:
    from .agent_session import AgentSession
    from .speech_handle import SpeechHandle

Userdata_T = TypeVar("Userdata_T")


class RunContext(Generic[Userdata_T]):
    """Given to a tool that has a parameter of this type."""

    def __init__(
        self, session: AgentSession[Userdata_T], speech_handle: SpeechHandle, function_call: FunctionCall
    ) -> None:
        self._session = session
        self._speech_handle = speech_handle
        self._function_call = function_call

    @property
    def session(self) -> AgentSession[Userdata_T]:
        """The session."""
        return self._session

    @property
    def speech_handle(self) -> SpeechHandle:
        """The speech for which the tool runs."""
        return self._speech_handle

    @property
    def function_call(self) -> FunctionCall:
        """The call."""
        return self._function_call

    @property
    def userdata(self) -> Userdata_T:
        """The session's user data.

        Raises:
            ValueError: the session has none.
        """
        return self._session.userdata

    def disallow_interruptions(self) -> None:
        """Protect the speech from now on.

        Raises:
            RuntimeError: it has been interrupted already.
        """
        self._speech_handle.allow_interruptions = False
