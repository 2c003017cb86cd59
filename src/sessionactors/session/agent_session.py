"""``AgentSession``: what users hold. It starts the actors, passes commands to them, and mirrors what they report.

Everything here runs on the user's loop. State that can be read at once (``agent_state``, ``current_speech``, handles) is a
mirror, brought up to date by the same queue that delivers the events; commands check it and apply to it at once.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterable, Collection, Sequence
from functools import partial
from itertools import count
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

import pykka
import structlog

from sessionactors.actors.supervisor import Supervisor, SupervisorMessage
from sessionactors.actors.wiring import Components, DropInPart, Wiring
from sessionactors.interfaces.audio_io import AudioSink, AudioSource
from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.transport import Transport
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.interfaces.vad import VAD
from sessionactors.messages.ear import AttachSource, SetInputEnabled
from sessionactors.messages.floor import InterruptSpeech, SetAllowInterruptions
from sessionactors.messages.output import AttachSink, SetOutputEnabled
from sessionactors.messages.session import CloseSession, SpeakRequested
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import (
    AgentState,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    HistoryNote,
    SessionEvent,
    SessionReady,
    SpeechCreatedEvent,
    SpeechFinishedNote,
    SpeechInterruptedNote,
    SpeechItemNote,
    SpeechScheduledNote,
    UserState,
    UserStateChangedEvent,
)
from sessionactors.model.options import APIConnectOptions, SessionOptions
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.model.speech import SPEECH_PRIORITY_NORMAL, SpeechSource, SpeechSpec
from sessionactors.model.tools import ToolChoice
from sessionactors.runtime import (
    Actor,
    ActorSystem,
    CloseReport,
    Delivery,
    Ref,
    SystemClosed,
    Tap,
    TreeSnapshot,
    awaited,
)

from . import diagram, shared_system
from .agent import Agent
from .drop_in import AnyDropIn, DropIn
from .event_emitter import EventEmitter
from .io import AgentInput, AgentOutput
from .job import session_starts
from .lifecycle import SessionLifecycle
from .mirror import Mirror
from .room_options import RoomInputOptions, RoomOutputOptions
from .speech_handle import SpeechHandle
from .turn_handling import TurnHandlingOptions, flattened
from .user_code import SessionUserAgent
from .why import why

Userdata_T = TypeVar("Userdata_T")

log = structlog.get_logger("sessionactors.session")

DEFAULT_CLOSE_DEADLINE = 5.0
"""Seconds in which ``aclose()`` is over, whatever hangs."""
TRACED = 1024
"""Deliveries kept for :meth:`AgentSession.diagram`."""

_names = count(1)


class AgentSession(EventEmitter, Generic[Userdata_T]):
    """One conversation: connects STT, LLM, TTS and VAD to an agent and conducts audio and text.

    Components may be given here or to :meth:`start`. Options follow LiveKit's names; flat ones and ``turn_handling`` mean
    the same, and giving both for one setting is an error.

    Args:
        stt: speech to text.
        vad: voice activity detection.
        llm: the model.
        tts: the voice.
        turn_detection: a text turn detector, ``"vad"`` or None (silence alone decides).
        turn_handling: the options about turns as one dict.
        min_endpointing_delay: seconds of silence that end a turn.
        max_endpointing_delay: seconds of silence when the turn detector thinks that the user goes on.
        allow_interruptions: whether the user may cut the agent off.
        min_interruption_duration: seconds of speech that interrupt.
        min_interruption_words: words that interrupt.
        max_tool_steps: model requests with tools in one reply.
        min_consecutive_speech_delay: seconds between two speeches.
        userdata: anything; read it back as ``session.userdata``.
        conn_options: retries and timeouts for all providers.
        actors: drop-in actors.
        system: the actor system to run in; a shared one if not given.

    Raises:
        OptionError: an option is out of range, unknown, or contradicts another.
    """

    def __init__(
        self,
        *,
        stt: STT | None = None,
        vad: VAD | None = None,
        llm: LLM | None = None,
        tts: TTS | None = None,
        turn_detection: NotGivenOr[TurnDetector | str | None] = NOT_GIVEN,
        turn_handling: TurnHandlingOptions | None = None,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        min_interruption_duration: NotGivenOr[float] = NOT_GIVEN,
        min_interruption_words: NotGivenOr[int] = NOT_GIVEN,
        max_tool_steps: NotGivenOr[int] = NOT_GIVEN,
        min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN,
        userdata: NotGivenOr[Userdata_T] = NOT_GIVEN,
        conn_options: APIConnectOptions | None = None,
        actors: Sequence[AnyDropIn] = (),
        system: ActorSystem | None = None,
    ) -> None:
        super().__init__()
        self._stt, self._vad, self._llm, self._tts = stt, vad, llm, tts
        flat: dict[str, object] = {
            name: value
            for name, value in (
                ("min_endpointing_delay", min_endpointing_delay),
                ("max_endpointing_delay", max_endpointing_delay),
                ("allow_interruptions", allow_interruptions),
                ("min_interruption_duration", min_interruption_duration),
                ("min_interruption_words", min_interruption_words),
                ("max_tool_steps", max_tool_steps),
                ("min_consecutive_speech_delay", min_consecutive_speech_delay),
            )
            if value is not NOT_GIVEN
        }
        self._turn_detector, self._options = _resolve(turn_detection, turn_handling, flat, conn_options)
        self._userdata = userdata
        self._drop_ins = tuple(_actor(drop_in) for drop_in in actors)
        self._given_system = system
        self._system: ActorSystem | None = None
        self._mirror = Mirror()
        self._input = AgentInput(self._attach_source, self._enable_input)
        self._output = AgentOutput(self._attach_sink, self._enable_output)
        self._agent: Agent | None = None
        self._room_name = ""
        self._root: Ref[SupervisorMessage] | None = None
        self._wiring: Wiring | None = None
        self._lifecycle: SessionLifecycle | None = None
        self._trace: Tap | None = None
        self._traced: list[Delivery] = []
        self._report: CloseReport | None = None
        self._ready: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[CloseEvent] | None = None
        self._close_wanted: tuple[CloseReason, float] | None = None
        self._starting = asyncio.Lock()

    # -- start and close ---------------------------------------------------------------------------------------------

    async def start(
        self,
        agent: Agent,
        *,
        room: Transport | None = None,
        room_name: str | None = None,
        stt: STT | None = None,
        vad: VAD | None = None,
        llm: LLM | None = None,
        tts: TTS | None = None,
        room_input_options: RoomInputOptions | None = None,
        room_output_options: RoomOutputOptions | None = None,
    ) -> None:
        """Start the session and return when it listens. A second call with the same agent does nothing.

        Args:
            agent: what talks to the user.
            room: the way in and out; without one, audio is what ``input.audio`` and ``output.audio`` are set to.
            room_name: names the session's actors and log lines; made up if not given.
            stt, vad, llm, tts: components, unless given before; a second, different one is an error.
            room_input_options: what to take from the room.
            room_output_options: what to give to the room.

        Raises:
            SessionStateError: it runs with another agent, the agent runs elsewhere, or the session is closing.
            OptionError: a component is given twice.
            APIConnectionError: the room could not be linked; nothing is left behind.
        """
        async with self._starting:
            if self._root is not None:
                if agent is self._agent:
                    return
                raise SessionStateError(
                    f"the session runs with agent {self._agent.id if self._agent else '?'!r}; close it before starting "
                    f"it with {agent.id!r}"
                )
            if agent._session is not None:
                raise SessionStateError(f"agent {agent.id!r} runs in another session: make an agent for each session")
            self._stt = _one("stt", self._stt, stt)
            self._vad = _one("vad", self._vad, vad)
            self._llm = _one("llm", self._llm, llm)
            self._tts = _one("tts", self._tts, tts)
            await self._start(
                agent,
                room,
                room_name,
                room_input_options or RoomInputOptions(),
                room_output_options or RoomOutputOptions(),
            )

    async def _start(
        self,
        agent: Agent,
        transport: Transport | None,
        room_name: str | None,
        room_input: RoomInputOptions,
        room_output: RoomOutputOptions,
    ) -> None:
        self._user_loop = loop = asyncio.get_running_loop()
        if self._given_system is not None:
            await awaited.start(self._given_system)
        self._system = system = self._given_system or await shared_system.acquire(loop)
        self._room_name = room_name or f"session-{next(_names)}"
        self._mirror = Mirror(items=list(agent.chat_ctx.items))
        self._report = None
        self._traced = []
        self._ready, self._closed = loop.create_future(), loop.create_future()
        self._close_wanted = None
        self._agent = agent
        agent._session = cast("AgentSession[object]", self)
        drop_ins = (*self._drop_ins, *map(_actor, session_starts(transport, cast("AgentSession[object]", self))))
        components = Components(
            options=self._options,
            agent=SessionUserAgent(agent, cast("AgentSession[object]", self), lambda: system.threads),
            emit=self._post,
            llm=self._llm,
            stt=self._stt,
            tts=self._tts,
            vad=self._vad,
            turn_detector=self._turn_detector,
            transport=transport,
            text_input=room_input.text_enabled,
            audio_input=room_input.audio_enabled,
            audio_output=room_output.audio_enabled and self._output.audio_enabled,
            transcription_output=room_output.transcription_enabled and self._output.transcription_enabled,
            drop_ins=tuple(
                DropInPart(drop_in.name, partial(_itself, drop_in), drop_in.events) for drop_in in drop_ins
            ),
        )
        wiring = Wiring(components)
        if system.watchdog is not None:
            wiring.guard_silence = _SilenceGuard(system, self._room_name, wiring)
            wiring.release_guard = lambda speech: _release(system, self._room_name, speech)
        lifecycle = SessionLifecycle(system, self._room_name, self._post_close)
        self._wiring, self._lifecycle = wiring, lifecycle
        self._trace = system.tap(self._room_name, diagram.trace_types(), TRACED)
        try:
            root = await awaited.spawn(
                system,
                self._room_name,
                lambda: Supervisor(wiring, lifecycle.finish),
                user_loop=loop,
                user_context=contextvars.copy_context(),
            )
        except BaseException as error:
            closed, self._closed = self._closed, None
            if (shared := self._let_go()) is not None:
                await shared_system.release(shared)
            closed.set_result(CloseEvent(CloseReason.ERROR, system.clock.wall(), error))  # for who closes it meanwhile
            raise
        lifecycle.watch(root.cell)
        self._began(root, lifecycle)
        await self._until_ready()

    def _began(self, root: Ref[SupervisorMessage], lifecycle: SessionLifecycle) -> None:
        if self._lifecycle is not lifecycle:
            return  # it has ended already, and that was heard here first
        self._root = root
        if self._close_wanted is not None:
            self._request_close(*self._close_wanted)
        if self._input.audio is not None:
            self._attach_source(self._input.audio)
        if self._output.audio is not None:
            self._attach_sink(self._output.audio)

    async def _until_ready(self) -> None:
        assert self._ready is not None
        assert self._closed is not None
        try:
            await asyncio.wait((self._ready, self._closed), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.aclose(deadline=1.0)
            raise
        if not self._ready.done():
            error = self._closed.result().error
            raise error if error is not None else SessionStateError("the session was closed before it was ready")

    async def aclose(self, *, deadline: float = DEFAULT_CLOSE_DEADLINE) -> None:
        """Cut speech, keep what was said, leave the room; over after ``deadline`` seconds, whatever hangs.

        Does nothing when it is closed. :attr:`close_report` then says how each actor ended.
        """
        await self._close(CloseReason.USER_INITIATED, deadline)

    async def _close(self, reason: CloseReason, deadline: float) -> None:
        if self._closed is None or self._closed.done():
            return
        self._request_close(reason, deadline)
        await asyncio.shield(self._closed)  # also when it ends by itself already: until agent and name are free again
        await asyncio.sleep(0)  # callbacks of the close event run before the caller goes on

    def _request_close(self, reason: CloseReason, deadline: float) -> None:
        root, lifecycle = self._root, self._lifecycle
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
        self, *, reason: CloseReason = CloseReason.USER_INITIATED, deadline: float = DEFAULT_CLOSE_DEADLINE
    ) -> None:
        """Ask for :meth:`aclose` without waiting for it."""
        self._request_close(reason, deadline)

    async def wait_closed(self) -> CloseEvent:
        """Wait until the session has ended, by whomever.

        Raises:
            SessionStateError: it was never started.
        """
        if self._closed is None:
            raise SessionStateError("the session was never started")
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

    # -- speaking ----------------------------------------------------------------------------------------------------

    def say(
        self,
        text: str | AsyncIterable[str],
        *,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        add_to_chat_ctx: bool = True,
        priority: int = SPEECH_PRIORITY_NORMAL,
    ) -> SpeechHandle:
        """Say a text.

        Raises:
            SessionStateError: the session is not running.
        """
        return self._speak(
            SpeechSpec(
                id=self._new_speech_id("say()"),
                source=SpeechSource.SAY,
                text=text,
                allow_interruptions=given(allow_interruptions, self._options.allow_interruptions),
                add_to_chat_ctx=add_to_chat_ctx,
                priority=priority,
            )
        )

    def generate_reply(
        self,
        *,
        user_input: str | None = None,
        instructions: str | None = None,
        tool_choice: ToolChoice = "auto",
        tools: Sequence[str] | None = None,
        chat_ctx: ChatContext | None = None,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        priority: int = SPEECH_PRIORITY_NORMAL,
    ) -> SpeechHandle:
        """Have the model reply.

        Args:
            user_input: text to reply to; enters the history as the user's message.
            instructions: a system message at the end of this reply's context only.
            tool_choice: whether tools may, must or must not be called.
            tools: names of the tools it may use; None for all.
            chat_ctx: context instead of the session's history.
            allow_interruptions: whether the user may cut it off; the session's option if not given.
            priority: higher ones are heard first.

        Raises:
            SessionStateError: the session is not running, or has no model.
            ValueError: an unknown tool; the text lists the known ones.
        """
        speech_id = self._new_speech_id("generate_reply()")
        if self._llm is None:
            raise SessionStateError("generate_reply() needs a model: give the session an llm")
        known = [tool.name for tool in self.current_agent.tools]
        unknown = [name for name in tools or () if name not in known]
        if unknown:
            raise ValueError(f"unknown tools {', '.join(unknown)}; the agent has: {', '.join(known) or 'none'}")
        return self._speak(
            SpeechSpec(
                id=speech_id,
                source=SpeechSource.GENERATE_REPLY,
                instructions=instructions,
                chat_items=None if chat_ctx is None else tuple(chat_ctx.items),
                tools=tools,
                tool_choice=tool_choice,
                allow_interruptions=given(allow_interruptions, self._options.allow_interruptions),
                priority=priority,
            ),
            user_input,
        )

    def _new_speech_id(self, call: str) -> str:
        system, _ = self._listening(call)
        return system.tree(self._room_name).new_id("speech")

    def _speak(self, spec: SpeechSpec, user_input: str | None = None) -> SpeechHandle:
        _, wiring = self._live(spec.source.value)
        handle = SpeechHandle(
            cast("AgentSession[object]", self),
            spec.id,
            allow_interruptions=spec.allow_interruptions,
            priority=spec.priority,
        )
        self._mirror.handles[spec.id] = handle
        wiring.agent.tell(SpeakRequested(spec, user_input))
        return handle

    def interrupt(self, *, force: bool = False) -> asyncio.Future[None]:
        """Cut off the current speech and those queued behind it, up to the first protected one.

        Returns:
            A future that is done when the interrupted speeches are over.

        Raises:
            SessionStateError: the session is not running, or the current speech is protected and ``force`` is not set.
        """
        _, wiring = self._listening("interrupt()")
        current = self._mirror.current
        if current is not None and not current.allow_interruptions and not force:
            raise SessionStateError(
                f"{current.id} does not allow interruptions; pass force=True to cut it off all the same"
            )
        cut = self._mirror.to_be_cut(force=force)
        for handle in cut:
            handle._was_interrupted()
        wiring.floor.tell(InterruptSpeech(None, force, tuple(handle.id for handle in cut if not handle._created)))
        waiting = [handle._done for handle in cut]
        done: asyncio.Future[None] = self._loop.create_future()

        async def settle() -> None:
            await asyncio.gather(*(asyncio.shield(future) for future in waiting))
            if not done.done():
                done.set_result(None)

        if waiting:
            self._run("interrupt", settle())
        else:
            done.set_result(None)
        return done

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def agent_state(self) -> AgentState:
        """What the agent is doing, as of the last event delivered."""
        return self._mirror.agent_state

    @property
    def user_state(self) -> UserState:
        """What the user is doing, as of the last event delivered."""
        return self._mirror.user_state

    @property
    def current_speech(self) -> SpeechHandle | None:
        """The speech that has the floor."""
        return self._mirror.current

    @property
    def current_agent(self) -> Agent:
        """The agent in charge.

        Raises:
            SessionStateError: the session was never started.
        """
        if self._agent is None:
            raise SessionStateError("the session has no agent: start it first")
        return self._agent

    @property
    def history(self) -> ChatContext:
        """A copy of the conversation so far."""
        return ChatContext(self._mirror.items)

    @property
    def options(self) -> SessionOptions:
        """The resolved options."""
        return self._options

    @property
    def userdata(self) -> Userdata_T:
        """The user data given to the session.

        Raises:
            ValueError: none was given.
        """
        if self._userdata is NOT_GIVEN:
            raise ValueError("the session has no userdata: pass AgentSession(userdata=...) or assign it")
        return cast("Userdata_T", self._userdata)

    @userdata.setter
    def userdata(self, value: Userdata_T) -> None:
        self._userdata = value

    @property
    def input(self) -> AgentInput:
        """What the session listens to."""
        return self._input

    @property
    def output(self) -> AgentOutput:
        """Where the session is heard."""
        return self._output

    @property
    def room_name(self) -> str:
        """Root of the paths of the session's actors; empty before the start."""
        return self._room_name

    # -- looking inside ----------------------------------------------------------------------------------------------

    def inspect(self) -> TreeSnapshot:
        """Every actor: status, message in hand, both lanes, timers, effects. Never blocks; works on a hung session."""
        system, _ = self._live("inspect()")
        return system.inspect(self._room_name)

    def tap(self, types: Collection[type] | None = None, capacity: int = 1024) -> Tap:
        """Watch deliveries as they end: ``async for delivery in session.tap(types=[TextDelta])``. Close it after use."""
        system, _ = self._live("tap()")
        return system.tap(self._room_name, types, capacity)

    def diagram(self, *, whole: bool = False) -> str:
        """A Mermaid sequence diagram of the last turn (or of all that is kept), from the real messages."""
        if self._trace is not None:
            self._traced = [*self._traced, *self._trace.drain()][-TRACED:]
        deliveries = self._traced if whole else diagram.last_turn(self._traced)
        return diagram.mermaid(deliveries, room=self._room_name)

    def why(self) -> str:
        """What blocks progress: one actor, one message, in one line."""
        return why(self.inspect())

    def actor(self, name: str) -> Ref[object]:
        """One actor of the session, to suspend, step, resume or inspect it while debugging.

        Raises:
            KeyError: there is none of that name; the text lists those that exist.
        """
        system, _ = self._live("actor()")
        path = system.inspect(self._room_name)[name].path
        return system.tree(self._room_name).cells[path].ref

    # -- between user and actors -------------------------------------------------------------------------------------

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._user_loop

    def _live(self, call: str) -> tuple[ActorSystem, Wiring]:
        if self._root is None or self._system is None or self._wiring is None:
            what = "has been closed" if self._closed is not None else "is not running"
            raise SessionStateError(f"{call}: the session {what}; call start() first")
        return self._system, self._wiring

    def _listening(self, call: str) -> tuple[ActorSystem, Wiring]:
        """As :meth:`_live`, for what needs somebody to hear it."""
        live = self._live(call)
        if self._ready is None or not self._ready.done():
            raise SessionStateError(f"{call}: the session is starting; wait for start(), or do it in on_enter()")
        return live

    def _handle_of(self, speech_id: str) -> SpeechHandle:
        handle = self._mirror.handles.get(speech_id)
        if handle is None:
            handle = SpeechHandle(
                cast("AgentSession[object]", self), speech_id, allow_interruptions=self._options.allow_interruptions
            )
            self._mirror.handles[speech_id] = handle
        return handle

    def _interrupt_speech(self, speech_id: str, *, force: bool) -> None:
        _, wiring = self._live("interrupt()")
        wiring.floor.tell(InterruptSpeech(speech_id, force))

    def _set_allow_interruptions(self, speech_id: str, allow: bool) -> None:
        _, wiring = self._live("allow_interruptions")
        wiring.floor.tell(SetAllowInterruptions(speech_id, allow))

    def _attach_source(self, source: AudioSource | None) -> None:
        if self._root is not None:
            self._root.tell(AttachSource(source))

    def _attach_sink(self, sink: AudioSink | None) -> None:
        if self._wiring is not None and self._root is not None:
            self._wiring.output.tell(AttachSink(sink))

    def _enable_input(self, enabled: bool) -> None:
        if self._root is not None:
            self._root.tell(SetInputEnabled(enabled))

    def _enable_output(self, audio: bool, transcription: bool) -> None:
        if self._wiring is not None and self._root is not None:
            self._wiring.output.tell(SetOutputEnabled(audio, transcription))

    # -- events, from the actor loop to the user's -------------------------------------------------------------------

    def _post(self, event: SessionEvent) -> None:
        """On the actor loop: deliver on the user's loop, in order."""
        try:
            self._user_loop.call_soon_threadsafe(self._deliver, event)
        except RuntimeError:
            log.warning(
                "user_loop_closed", room=self._room_name, actor=self._room_name, message_id=0, event_type=event.type
            )

    def _post_close(self, event: CloseEvent, report: CloseReport | None) -> None:
        self._report = report
        self._post(event)

    def _deliver(self, event: SessionEvent) -> None:
        """On the user's loop: bring the mirror up to date, then call back."""
        match event:
            case SessionReady():
                if self._ready is not None and not self._ready.done():
                    self._ready.set_result(None)
            case HistoryNote(_, items):
                self._mirror.items.extend(items)
            case SpeechScheduledNote(speech_id):
                handle = self._handle_of(speech_id)
                handle._became_current()
                self._mirror.current = handle
            case SpeechItemNote(speech_id, item):
                self._handle_of(speech_id)._add_item(item)
            case SpeechInterruptedNote(speech_id):
                self._handle_of(speech_id)._was_interrupted()
            case SpeechFinishedNote(speech_id, interrupted, error):
                self._mirror.finish(speech_id, interrupted=interrupted, error=error)
            case AgentStateChangedEvent(_, new_state):
                self._mirror.agent_state = new_state
                self._raise_event(event)
            case UserStateChangedEvent(_, new_state):
                self._mirror.user_state = new_state
                self._raise_event(event)
            case SpeechCreatedEvent(speech_id, source, user_initiated, created_at):
                handle = self._handle_of(speech_id)
                handle._was_created()
                self._raise_event(SpeechCreatedEvent(speech_id, source, user_initiated, created_at, handle))
            case CloseEvent():
                self._on_closed(event)
            case _:
                self._raise_event(event)

    def _on_closed(self, event: CloseEvent) -> None:
        if self._trace is not None:
            self._traced = [*self._traced, *self._trace.drain()][-TRACED:]
        closed = self._closed
        self._root = None
        self._mirror.close()
        self._raise_event(event)
        if (shared := self._let_go()) is None:
            _settle(closed, event)
            return
        self._run("close", shared_system.release(shared), lambda: _settle(closed, event))

    def _let_go(self) -> ActorSystem | None:
        """Let go of agent, actors and system. Gives the system if it is the shared one: it is to be released."""
        if self._agent is not None:
            self._agent._session = None
        if self._trace is not None:
            self._trace.close()
        system, self._system = self._system, None
        self._root = self._wiring = self._lifecycle = None
        return system if self._given_system is None else None


def _settle(closed: asyncio.Future[CloseEvent] | None, event: CloseEvent) -> None:
    if closed is not None and not closed.done():
        closed.set_result(event)


class _SilenceGuard:
    """Has the watchdog mute the sink when ``output`` does not acknowledge silence in time."""

    def __init__(self, system: ActorSystem, room: str, wiring: Wiring) -> None:
        self._system = system
        self._room = room
        self._wiring = wiring

    def __call__(self, speech: str, seconds: float) -> None:
        watchdog, transport = self._system.watchdog, self._wiring.components.transport
        sink = None if transport is None else transport.audio_sink
        if watchdog is not None and sink is not None:
            watchdog.guard(f"{self._room}/{speech}", seconds, sink.mute)


def _release(system: ActorSystem, room: str, speech: str) -> None:
    if system.watchdog is not None:
        system.watchdog.release(f"{room}/{speech}")


T = TypeVar("T")


def _actor(drop_in: AnyDropIn) -> DropIn[object, object]:
    if not isinstance(drop_in, DropIn):
        raise OptionError(f"{drop_in!r} is not a drop-in actor: subclass DropIn")
    return drop_in


def _itself(drop_in: DropIn[object, object]) -> Actor[object, object]:
    """A drop-in is made by the user; it is never restarted, so its factory gives the same one."""
    return drop_in


def _one(name: str, before: T | None, now: T | None) -> T | None:
    if before is not None and now is not None and before is not now:
        raise OptionError(f"{name} was given to AgentSession(...) and another one to start(...): give it once")
    return before if now is None else now


def _resolve(
    turn_detection: NotGivenOr[TurnDetector | str | None],
    turn_handling: TurnHandlingOptions | None,
    flat: dict[str, object],
    conn_options: APIConnectOptions | None,
) -> tuple[TurnDetector | None, SessionOptions]:
    detection: TurnDetector | str | None = given(turn_detection, None)
    if turn_handling is not None:
        in_dict, from_dict = flattened(turn_handling)
        twice = sorted(set(from_dict) & set(flat))
        if "turn_detection" in turn_handling and turn_detection is not NOT_GIVEN:
            twice.append("turn_detection")
        if twice:
            raise OptionError(f"{', '.join(twice)}: given both flat and in turn_handling; give each once")
        flat = {**flat, **from_dict}
        detection = in_dict if "turn_detection" in turn_handling else detection
    if isinstance(detection, str):
        if detection != "vad":
            raise OptionError(f'turn_detection must be "vad", a TurnDetector or None, got {detection!r}')
        detection = None
    if conn_options is not None:
        flat = {
            **flat,
            "stt_conn_options": conn_options,
            "llm_conn_options": conn_options,
            "tts_conn_options": conn_options,
        }
    return detection, SessionOptions(**flat)  # type: ignore[arg-type]
