"""``session.room_io``: the session's link to its room, and who of those in it is listened to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, overload

from sessionactors.interfaces.audio_io import AudioSink
from sessionactors.interfaces.rpc import RpcHandler
from sessionactors.interfaces.transport import DTMF_CODES, Transport
from sessionactors.messages.room import LinkParticipant
from sessionactors.model.errors import OptionError, SessionStateError

from .across_loops import called
from .endpoints import TextOutput
from .room_text_output import RoomTextOutput

if TYPE_CHECKING:
    from sessionactors.actors.wiring import Wiring

    from .mirror import Mirror

RpcHandlerT = TypeVar("RpcHandlerT", bound=RpcHandler)


class RoomIO:
    """The room of a session that runs.

    Args:
        transport: the link.
        wiring: who is told.
        mirror: who is there, as far as the user's loop knows.
        home: the loop on which the transport is called.
    """

    def __init__(self, transport: Transport, wiring: Wiring, mirror: Mirror, home: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._wiring = wiring
        self._mirror = mirror
        self._home = home

    @property
    def room(self) -> object:
        """The room itself: an ``rtc.Room`` where that is beneath, else the transport that was given to ``start``."""
        return self._transport.sdk_room or self._transport

    @property
    def transport(self) -> Transport:
        """The link."""
        return self._transport

    @property
    def participants(self) -> tuple[str, ...]:
        """Who is listened to: identities, in the order of their coming."""
        people = self._mirror.people
        return () if people is None else people.present

    @property
    def linked_participant(self) -> str | None:
        """The first of those who are listened to; None while nobody is there."""
        return next(iter(self.participants), None)

    @property
    def participant_identity(self) -> str | None:
        """The only one who may be listened to; None: all are."""
        people = self._mirror.people
        return self._wiring.components.participant_identity if people is None else people.only

    def set_participant(self, participant_identity: str | None) -> None:
        """Listen to this participant only, who may come later; None: to all who are there.

        What those were saying who are not listened to any more is heard to its end, and answered.
        """
        for ref in (self._wiring.supervisor, self._wiring.room):
            if ref is not None and ref.is_alive():
                ref.tell(LinkParticipant(participant_identity))

    def unset_participant(self) -> None:
        """Listen to all who are there."""
        self.set_participant(None)

    async def wait_for_ready(self) -> None:
        """Wait until somebody is listened to, and can hear the agent.

        Raises:
            SessionStateError: the session ended before.
        """
        await self._mirror.somebody_linked()
        await called(self._home, self._transport.wait_subscribed)

    @property
    def subscribed_fut(self) -> asyncio.Future[None] | None:
        """Is done when somebody can hear the agent; None: the agent has no voice in the room."""
        if self.audio_output is None:
            return None
        if self._mirror.subscribed is None:
            waiting = called(self._home, self._transport.wait_subscribed)
            self._mirror.subscribed = asyncio.get_running_loop().create_task(waiting, name="room_io.subscribed_fut")
        return self._mirror.subscribed

    @property
    def audio_output(self) -> AudioSink | None:
        """Where the agent is heard in the room; None: nowhere."""
        return self._transport.audio_sink if self._wiring.components.audio_output else None

    @property
    def transcription_output(self) -> TextOutput | None:
        """Shows words in the room, for an output of your own to pass on to; None: transcripts are off."""
        return RoomTextOutput(self._wiring) if self._wiring.components.room_text else None

    # -- calls between participants ----------------------------------------------------------------------------------

    @property
    def has_rpc(self) -> bool:
        """Whether participants of this room can call methods of each other."""
        return self._transport.has_rpc

    @overload
    def register_rpc_method(self, method_name: str) -> Callable[[RpcHandlerT], RpcHandlerT]: ...
    @overload
    def register_rpc_method(self, method_name: str, handler: RpcHandlerT) -> RpcHandlerT: ...
    def register_rpc_method(
        self, method_name: str, handler: RpcHandlerT | None = None
    ) -> RpcHandlerT | Callable[[RpcHandlerT], RpcHandlerT]:
        """Let participants call a method of this program, as long as the session runs; also as a decorator.

        Args:
            method_name: how they call it; one of the same name gives way.
            handler: gets an :class:`.RpcInvocation`; may be ``async``. It runs on the loop of the session's user. What
                it returns is the answer; an :class:`.RpcError` that it raises reaches the caller as it is.

        Raises:
            SessionStateError: the room has no calls.
        """

        def register(given: RpcHandlerT) -> RpcHandlerT:
            self._transport.register_rpc_method(method_name, given)
            return given

        return register if handler is None else register(handler)

    def unregister_rpc_method(self, method_name: str) -> None:
        """Take a method back. Does nothing for one that is not there."""
        self._transport.unregister_rpc_method(method_name)

    async def perform_rpc(
        self, *, method: str, payload: str = "", destination_identity: str = "", response_timeout: float | None = None
    ) -> str:
        """Call a method of a participant and get its answer: from a tool, say, to let an app show something.

        Args:
            method: which.
            payload: what it is given.
            destination_identity: whose; the linked participant's if not given.
            response_timeout: seconds > 0 for the answer; None: as the room does.

        Raises:
            RpcError: it failed; ``code`` says how.
            SessionStateError: nobody is there, or the room has no calls.
            OptionError: the timeout is not positive.
        """
        if response_timeout is not None and not response_timeout > 0:
            raise OptionError(f"response_timeout must be > 0, got {response_timeout}")
        callee = destination_identity or self.linked_participant
        if callee is None:
            raise SessionStateError(f"perform_rpc({method!r}): nobody is there; give destination_identity")
        return await called(
            self._home,
            lambda: self._transport.perform_rpc(
                destination_identity=callee, method=method, payload=payload, response_timeout=response_timeout
            ),
        )

    # -- telephones --------------------------------------------------------------------------------------------------

    @property
    def can_send_dtmf(self) -> bool:
        """Whether keys of a telephone can be pressed in this room."""
        return self._transport.can_send_dtmf

    async def publish_dtmf(self, digit: str) -> None:
        """Press a key of a telephone.

        Args:
            digit: ``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``.

        Raises:
            OptionError: there is no such key.
            SessionStateError: the room cannot.
            APIConnectionError: it could not be sent.
        """
        code = DTMF_CODES.get(digit.upper())
        if code is None:
            raise OptionError(f"a telephone has no key {digit!r}: it has {' '.join(DTMF_CODES)}")
        if not self._transport.can_send_dtmf:
            raise SessionStateError(f"{self._transport.label} is no telephone: key {digit!r} was not pressed")
        await called(self._home, lambda: self._transport.publish_dtmf(code=code, digit=digit.upper()))
