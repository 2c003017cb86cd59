"""The life of a session: how its actors are started and ended."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence
from functools import partial
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import pykka
import structlog

from sessionactors.actors.supervisor import Supervisor, SupervisorMessage
from sessionactors.actors.turn_rules import check_detector
from sessionactors.actors.wiring import Components, DropInPart, Wiring
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.plugin_objects import GivenLLM, GivenSTT, GivenTTS, GivenVAD
from sessionactors.interfaces.transport import Transport
from sessionactors.interfaces.user_code import AgentComponents
from sessionactors.messages.session import CloseSession
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import (
    CloseEvent,
    CloseReason,
    ErrorEvent,
)
from sessionactors.model.options import SessionOptions
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.runtime import (
    ActorSystem,
    CloseReport,
    InternalError,
    Ref,
    SystemClosed,
    awaited,
)
from sessionactors.transports.adopted import ForeignRoom, adopted_room

from . import shared_system
from .agent import Agent
from .components import SilenceGuard, as_actor, itself, one_of, options_for, release_guard
from .endpoint_sinks import OutputTextSink
from .given_components import default_vad, model_given, stt_given, tts_given, vad_given
from .job import as_of_job, session_starts
from .lifecycle import SessionLifecycle
from .mirror import Mirror
from .monitoring import watching
from .post_box import PostBox
from .prewarming import prewarm
from .realtime_turns import RealtimeTurns, turns_beside
from .room_options import RoomOptions, TextInputOptions, TextOutputOptions
from .room_options_legacy import RoomInputOptions, RoomOutputOptions, in_one_spelling
from .run_result import RunResult
from .session_idle import over
from .session_link import SessionLink, Userdata_T
from .stand_ins import stand_in
from .start_options import RecordingOptions, refuse_recording, refuse_session_host
from .telephone import telephone_tools, with_phone_menu
from .tool import check_tools
from .user_code import SessionUserAgent
from .video_sampler import sampler_for
from .waits import awaited_by_close, refuse_wait_for_close

if TYPE_CHECKING:
    from .agent_session import AgentSession
    from .speech_handle import SpeechHandle

DEFAULT_CLOSE_DEADLINE = 5.0
"""Seconds in which ``aclose()`` is over, whatever hangs."""
DRAIN_DEADLINE = 60.0
"""Seconds for what is still to be said before a shutdown: a long farewell, but no tool that hangs."""

log = structlog.get_logger("sessionactors.session")

_names = count(1)


class SessionLife(SessionLink[Userdata_T]):
    """Starts and ends the actors."""

    async def start(
        self,
        agent: Agent,
        *,
        room: Transport | ForeignRoom | None = None,
        room_name: str | None = None,
        stt: NotGivenOr[GivenSTT | str | None] = NOT_GIVEN,
        vad: NotGivenOr[GivenVAD | None] = NOT_GIVEN,
        llm: NotGivenOr[GivenLLM | str | None] = NOT_GIVEN,
        tts: NotGivenOr[GivenTTS | str | None] = NOT_GIVEN,
        room_options: NotGivenOr[RoomOptions | None] = NOT_GIVEN,
        room_input_options: NotGivenOr[RoomInputOptions | None] = NOT_GIVEN,
        room_output_options: NotGivenOr[RoomOutputOptions | None] = NOT_GIVEN,
        capture_run: bool = False,
        record: NotGivenOr[bool | RecordingOptions] = NOT_GIVEN,
        session_host: NotGivenOr[bool] = NOT_GIVEN,
    ) -> RunResult[object] | None:
        """Start the session and return when it listens. A second call with the same agent does nothing.

        Args:
            agent: what talks to the user.
            room: the way in and out: a transport, or a ``livekit.rtc.Room`` that you connect; without one, audio is
                what ``input.audio`` and ``output.audio`` are set to.
            room_name: names the session's actors and log lines; made up if not given.
            stt: speech to text, unless given before; another one is an error, as for all components.
            vad: voice activity detection. If it is given nowhere, and there is a recogniser and audio to hear: Silero,
                from the ``offline`` extra; None for none.
            llm: the model.
            tts: the voice.
            room_options: what to take from the room and to give to it.
            room_input_options: what to take from the room, in another spelling.
            room_output_options: what to give to the room, in another spelling.
            capture_run: wait until ``on_enter`` has run and all that it said is over.
            record: recording in LiveKit's cloud; here drop-in actors record.
            session_host: driving the session over its room; not here.

        Returns:
            With ``capture_run``, what ``on_enter`` brought about; else None.

        Raises:
            SessionStateError: it runs with another agent, the agent runs elsewhere, or the session is closing.
            OptionError: a component, or the options of the room, are given twice; a component is a model string;
                the room is none; recording or a session host is asked for.
            APIConnectionError: the room could not be linked; nothing is left behind.
            DuplicateToolError: the agent has a tool of the name of one of the session.
            Exception: what ``setup()`` of a tool set raised; nothing is left behind.
        """
        refuse_recording(record)
        refuse_session_host(session_host)
        async with self._starting:
            if self._root is not None:
                if agent is self._agent:
                    return None
                raise SessionStateError(
                    f"the session runs with agent {self._agent.id if self._agent else '?'!r}; close it before starting "
                    f"it with {agent.id!r}"
                )
            if agent._session is not None:
                raise SessionStateError(f"agent {agent.id!r} runs in another session: make an agent for each session")
            self._stt = one_of("stt", self._stt, stt_given(stt))
            self._vad = one_of("vad", self._vad, vad_given(vad))
            self._vad_absent = self._vad_absent and vad is NOT_GIVEN
            model = model_given(llm)
            one_of("llm", self._llm, model)
            self._llm = self._llm if model is None else model
            self._tts = one_of("tts", self._tts, tts_given(tts))
            stand_in(self)
            entering = await self._start(
                agent,
                as_of_job(room, adopted_room(room)),
                room_name,
                in_one_spelling(
                    given(room_options, None), given(room_input_options, None), given(room_output_options, None)
                ),
                capture_run=capture_run,
            )
        return None if entering is None else await entering

    async def _start(
        self,
        agent: Agent,
        transport: Transport | None,
        room_name: str | None,
        room: RoomOptions,
        *,
        capture_run: bool,
    ) -> RunResult[object] | None:
        check_detector(self._options, self._vad)
        wants = room.wants()
        if transport is not None:
            transport.configure(wants)
        self._tools = telephone_tools(self._given_tools, transport, self._options)
        check_tools((*self._tools, *agent.tools), f"agent {agent.id!r}, with the tools of its session,")
        self._user_loop = loop = asyncio.get_running_loop()
        self._news = PostBox(loop, self._deliver)
        if self._given_loop is not None and self._given_loop is not loop:
            raise SessionStateError(
                "start() must be called on the loop that the session was given: AgentSession(loop=...) is another one"
            )
        if self._given_system is not None:
            await awaited.start(self._given_system)
        self._system = system = self._given_system or await shared_system.acquire(loop)
        self._room_name = room_name or f"session-{next(_names)}"
        self._mirror = Mirror(keyterms=self._recognition.keyterms)
        self._report = None
        self._ready, self._closed = loop.create_future(), loop.create_future()
        self._close_wanted, self._close_asked = None, False
        self._agent = agent
        try:
            heard = wants.audio_output is not None and self._output.audio_enabled
            options = options_for(self._options, audio_output=heard)
            turns = turns_beside(self._llm, options, vad=self._vad is not None, stt=self._stt is not None)
            if turns is not None and turns.ignored:
                log.warning("turn_detection_ignored", room=self._room_name, reason=turns.ignored)
            hears = self._stt is not None or (turns is not None and not turns.server)
            if self._vad_absent and hears and wants.audio_input is not None:
                self._default_vad = default_vad()
            vad = self._vad or self._default_vad
            self._roster.begin(
                AgentComponents(self._stt, vad, self._llm, self._tts, self._turn_detector), lambda: system.threads
            )
            bound = self._roster.bind(agent)
            prewarm(bound.stock, {Home.USER: loop, Home.ACTOR: system.loop})
            entering = self._mirror.watch_entering(bound.key) if capture_run else None
            wiring = self._wired(bound, transport, room, options, turns, system)
            lifecycle = SessionLifecycle(system, self._room_name, self._post_close)
            self._wiring, self._lifecycle = wiring, lifecycle
            self._trace.begin(system, self._room_name)
            await bound.set_up()
            root = await awaited.spawn(
                system,
                self._room_name,
                lambda: Supervisor(wiring, lifecycle.finish),
                user_loop=loop,
                user_context=contextvars.copy_context(),
                witness=watching(self._journal, self._monitors, system, self._room_name, wiring, self._post),
            )
        except BaseException as error:
            if self._wiring is not None and (beside := self._wiring.components.beside_room_text) is not None:
                beside.detach()
            closed, self._closed = self._closed, None
            await self._end(self._let_go())
            closed.set_result(CloseEvent(CloseReason.ERROR, system.clock.wall(), error))  # for who closes it meanwhile
            raise
        lifecycle.watch(root.cell)
        self._began(root, lifecycle)
        await self._until_ready()
        return entering

    def _wired(
        self,
        agent: SessionUserAgent,
        transport: Transport | None,
        room: RoomOptions,
        options: SessionOptions,
        turns: RealtimeTurns | None,
        system: ActorSystem,
    ) -> Wiring:
        """What the actors are given."""
        wants = room.wants()
        typed = room.get_text_input_options() or TextInputOptions()
        shown = room.get_text_output_options() or TextOutputOptions()
        beside = shown.next_in_chain
        self._text_callback = typed.text_input_cb
        drop_ins = (*self._drop_ins, *map(as_actor, session_starts(transport, cast("AgentSession[object]", self))))
        components = Components(
            options=options if turns is None else options.overridden({"turn_detection": turns.detection}),
            agent=agent,
            emit=self._post,
            llm=self._llm,
            stt=agent.components.stt,
            tts=self._tts,
            vad=self._vad or self._default_vad,
            recognition=self._recognition,
            vad_is_default=self._default_vad is not None,
            transport=transport,
            text_input=wants.text_input,
            text_callback=typed.text_input_cb is not None,
            room_video_input=wants.video_input and self._input.video is None,
            participant_kinds=room.kinds(),
            participant_identity=wants.participant_identity,
            close_on_disconnect=room.close_on_disconnect,
            audio_input=wants.audio_input is not None,
            audio_output=wants.audio_output is not None and self._output.audio_enabled,
            video_sampler=sampler_for(self._video_sampler, cast("AgentSession[object]", self)),
            room_audio_input=self._input.audio is None,
            room_audio_output=self._output.audio is None,
            sync_transcription=given(shown.sync_transcription, True),
            transcription_speed=shown.transcription_speed_factor,
            transcription_output=wants.text_output is not None and self._output.transcription_enabled,
            room_text=wants.text_output is not None,
            beside_room_text=None if beside is None else OutputTextSink(beside, self._user_loop),
            server_turns=turns is not None and turns.server,
            drop_ins=tuple(DropInPart(drop_in.name, partial(itself, drop_in), drop_in.events) for drop_in in drop_ins),
        )
        wiring = with_phone_menu(Wiring(components))
        if system.watchdog is not None:
            wiring.guard_silence = SilenceGuard(system, self._room_name, wiring)
            wiring.release_guard = lambda speech: release_guard(system, self._room_name, speech)
        return wiring

    def _began(self, root: Ref[SupervisorMessage], lifecycle: SessionLifecycle) -> None:
        if self._lifecycle is not lifecycle:
            return  # it has ended already, and that was heard here first
        self._root = root
        if self._close_wanted is not None:
            self._request_close(*self._close_wanted)
        self._input._begin(self._user_loop)
        self._output._begin(self._user_loop)

    async def _until_ready(self) -> None:
        ready, closed = self._ready, self._closed
        if ready is None or closed is None:
            raise InternalError("a session waits for its start before it was started: please report it")
        try:
            await asyncio.wait((ready, closed), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.aclose(deadline=1.0)
            raise
        if not ready.done():
            error = closed.result().error
            raise error if error is not None else SessionStateError("the session was closed before it was ready")

    async def aclose(self, *, deadline: float = DEFAULT_CLOSE_DEADLINE) -> None:
        """Cut speech, keep what was said, leave the room; over after ``deadline`` seconds, whatever hangs.

        Does nothing when it is closed. :attr:`close_report` then says how each actor ended.

        In a tool, ``on_enter``, ``on_exit`` or ``on_user_turn_completed`` this asks for the close and returns at once:
        the close waits for their end. What a tool returns then is kept, and not replied to.
        """
        await self._close(CloseReason.USER_INITIATED, deadline)

    async def _close(self, reason: CloseReason, deadline: float) -> None:
        if self._closed is None or self._closed.done():
            return
        self._request_close(reason, deadline)
        if awaited_by_close(self):
            return  # who waited here would be waited for
        await asyncio.shield(self._closed)  # also when it ends by itself already: until agent and name are free again
        await asyncio.sleep(0)  # callbacks of the close event run before the caller goes on

    def _request_close(self, reason: CloseReason, deadline: float) -> None:
        self._mirror.begin_close()
        root, lifecycle = self._root, self._lifecycle
        self._close_asked = True
        if root is None or lifecycle is None:
            self._close_wanted = (reason, deadline)  # it may be starting just now
            return
        try:
            lifecycle.finish_by(reason, deadline)  # also if the root ends already: its children may hang
            if root.is_alive():
                root.tell(CloseSession(reason, deadline))
        except (SystemClosed, pykka.ActorDeadError) as error:  # it ended between the check and the call
            log.debug("close_too_late", room=self._room_name, actor=self._room_name, message_id=0, error=repr(error))

    def shutdown(
        self,
        *,
        drain: bool = True,
        reason: CloseReason = CloseReason.USER_INITIATED,
        deadline: float = DEFAULT_CLOSE_DEADLINE,
        drain_deadline: float | None = DRAIN_DEADLINE,
    ) -> None:
        """Ask for :meth:`aclose` without waiting for it.

        Args:
            drain: let what was asked for so far be said first, replies included.
            reason: told by the ``close`` event.
            deadline: seconds for the close itself.
            drain_deadline: seconds >= 0 in which all that must be said; then an ``error`` event names what is not, and
                the close begins. None: as long as it takes.

        Raises:
            OptionError: a negative deadline.
        """
        if drain_deadline is not None and drain_deadline < 0:
            raise OptionError(f"drain_deadline must not be negative, got {drain_deadline}")
        speeches = self._mirror.open_handles() if drain else []
        if not speeches:
            self._request_close(reason, deadline)
            return
        self._run("shutdown", self._drained(speeches, drain_deadline), lambda: self._request_close(reason, deadline))

    async def _drained(self, speeches: Sequence[SpeechHandle], deadline: float | None) -> None:
        if await over(speeches, deadline) or self._system is None:
            return
        names = ", ".join(handle.id for handle in speeches if not handle.done())
        late = SessionStateError(
            f"shutdown() has waited {deadline} s for {names} to be over, and closes the session now"
        )
        self._raise_event(ErrorEvent(late, "shutdown", recoverable=True, created_at=self._system.clock.wall()))

    async def wait_closed(self) -> CloseEvent:
        """Wait until the session has ended, by whomever.

        Raises:
            SessionStateError: it was never started; or a tool or hook asks, whose end the close waits for.
        """
        if self._closed is None:
            raise SessionStateError("the session was never started")
        if not self._closed.done():
            refuse_wait_for_close(self)
        return await asyncio.shield(self._closed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def close_report(self) -> CloseReport | None:
        """After the close: which actors ended cleanly and which were abandoned, at what."""
        return self._report
