"""What a session holds on the user's loop, and how it is kept in step with the actors.

Base of :class:`.AgentSession`. The mirror is brought up to date by the same queue that delivers the events; commands
check it and apply to it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, assert_never, cast

import structlog

from sessionactors.actors.supervisor import SupervisorMessage
from sessionactors.actors.wiring import Wiring
from sessionactors.interfaces.plugin_objects import GivenLLM, GivenSTT, GivenTTS, GivenVAD
from sessionactors.interfaces.realtime import AnyModel
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tool_server import ToolServer
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.interfaces.vad import VAD
from sessionactors.messages.speech import ToolsReviewed
from sessionactors.messages.tools import ApprovalGiven
from sessionactors.model.answers import ClosingNote, IdleNote, UserTurnCommittedNote
from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import (
    AgentInChargeNote,
    AgentLeftNote,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    ContextNote,
    FunctionToolsExecutedEvent,
    HistoryNote,
    KeytermsNote,
    SessionEvent,
    SessionNote,
    SessionReady,
    SessionUsageUpdatedEvent,
    SpeechCreatedEvent,
    SpeechFinishedNote,
    SpeechHeardNote,
    SpeechInterruptedNote,
    SpeechItemNote,
    SpeechOpenedNote,
    SpeechScheduledNote,
    SpeechStepNote,
    TaskOverNote,
    UserStateChangedEvent,
    VideoSampledNote,
)
from sessionactors.model.expressive import ExpressiveOptions, expressive_of
from sessionactors.model.link_notes import ParticipantsNote, RealtimeNote, TextInputNote
from sessionactors.model.options import APIConnectOptions, SessionConnectOptions, TextTransform, TurnDetection
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr
from sessionactors.model.speech import InputDetails, InputModality
from sessionactors.model.tool_events import ToolExecutionUpdate, ToolExecutionUpdatedEvent
from sessionactors.runtime import ActorSystem, CloseReport, Ref

from . import shared_system
from .agent import Agent
from .caller import called_in
from .components import as_actor, resolve
from .drop_in import AnyDropIn
from .event_emitter import EventEmitter
from .given_components import model_given, stt_given, tts_given, vad_given
from .input_notes import take_in
from .io import AgentInput, AgentOutput
from .journaling import SessionJournal
from .lifecycle import SessionLifecycle
from .mcp_servers import with_servers
from .mirror import Mirror
from .mock_tools import Mock
from .monitoring import SessionMonitors
from .observing import SessionTelemetry
from .open_toolsets import OpenToolsets
from .post_box import PostBox
from .room_options import TextInputCallback
from .roster import Roster
from .session_ends import SessionEnds
from .speech_handle import SpeechHandle
from .stt_context import KeytermsOptions, STTContextOptions, recognition_options
from .tool import AnyTool, check_tools
from .tool_approval import ToolApprovals
from .tool_handling import ToolHandlingOptions, check_tool_handling
from .trace import SessionTrace
from .turn_handling import PreemptiveGenerationOptions, TurnHandlingOptions
from .video_sampler import AnyVideoSampler, checked_sampler
from .waits import Waits

if TYPE_CHECKING:
    from .agent_session import AgentSession
    from .amd import AMD

Userdata_T = TypeVar("Userdata_T")

log = structlog.get_logger("sessionactors.session")


class SessionLink(EventEmitter, Generic[Userdata_T]):
    """State of one session, mirrored."""

    def __init__(
        self,
        *,
        stt: NotGivenOr[GivenSTT | str | None] = NOT_GIVEN,
        vad: NotGivenOr[GivenVAD | None] = NOT_GIVEN,
        llm: NotGivenOr[GivenLLM | str | None] = NOT_GIVEN,
        tts: NotGivenOr[GivenTTS | str | None] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions | None] = NOT_GIVEN,
        max_tool_steps: NotGivenOr[int] = NOT_GIVEN,
        use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN,
        tts_text_transforms: NotGivenOr[Sequence[TextTransform] | None] = NOT_GIVEN,
        min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN,
        stt_context_options: NotGivenOr[STTContextOptions | None] = NOT_GIVEN,
        tools: Sequence[AnyTool] = (),
        tool_handling: ToolHandlingOptions | None = None,
        userdata: NotGivenOr[Userdata_T] = NOT_GIVEN,
        aec_warmup_duration: NotGivenOr[float | None] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        ivr_detection: NotGivenOr[bool] = NOT_GIVEN,
        user_away_timeout: NotGivenOr[float | None] = NOT_GIVEN,
        transcription_timeout: NotGivenOr[float | None] = NOT_GIVEN,
        session_close_transcript_timeout: NotGivenOr[float] = NOT_GIVEN,
        video_sampler: NotGivenOr[AnyVideoSampler | None] = NOT_GIVEN,
        conn_options: SessionConnectOptions | APIConnectOptions | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        actors: Sequence[AnyDropIn] = (),
        journal: SessionJournal | Sequence[SessionJournal] | None = None,
        monitors: SessionMonitors | None = None,
        telemetry: SessionTelemetry | None = None,
        system: ActorSystem | None = None,
        turn_detection: NotGivenOr[TurnDetection] = NOT_GIVEN,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        discard_audio_if_uninterruptible: NotGivenOr[bool] = NOT_GIVEN,
        min_interruption_duration: NotGivenOr[float] = NOT_GIVEN,
        min_interruption_words: NotGivenOr[int] = NOT_GIVEN,
        resume_false_interruption: NotGivenOr[bool] = NOT_GIVEN,
        false_interruption_timeout: NotGivenOr[float | None] = NOT_GIVEN,
        agent_false_interruption_timeout: NotGivenOr[float | None] = NOT_GIVEN,
        preemptive_generation: NotGivenOr[bool | PreemptiveGenerationOptions] = NOT_GIVEN,
        keyterms_options: NotGivenOr[KeytermsOptions] = NOT_GIVEN,
        mcp_servers: NotGivenOr[Sequence[ToolServer] | None] = NOT_GIVEN,
    ) -> None:
        super().__init__()
        self._stt: STT | None = stt_given(stt)
        self._vad, self._vad_absent = vad_given(vad), vad is NOT_GIVEN
        self._llm: AnyModel | None = model_given(llm)
        self._tts: TTS | None = tts_given(tts)
        self._default_vad: VAD | None = None
        """Made for a session that was given none; it is the session's to close."""
        self._options = resolve(
            options={
                "max_tool_steps": max_tool_steps,
                "use_tts_aligned_transcript": use_tts_aligned_transcript,
                "tts_text_transforms": tts_text_transforms,
                "min_consecutive_speech_delay": min_consecutive_speech_delay,
                "aec_warmup_duration": aec_warmup_duration,
                "expressive": expressive_of(expressive),
                "ivr_detection": ivr_detection,
                "user_away_timeout": user_away_timeout,
                "transcription_timeout": transcription_timeout,
                "session_close_transcript_timeout": session_close_transcript_timeout,
            },
            turn_handling=turn_handling,
            flat={
                "turn_detection": turn_detection,
                "min_endpointing_delay": min_endpointing_delay,
                "max_endpointing_delay": max_endpointing_delay,
                "allow_interruptions": allow_interruptions,
                "discard_audio_if_uninterruptible": discard_audio_if_uninterruptible,
                "min_interruption_duration": min_interruption_duration,
                "min_interruption_words": min_interruption_words,
                "resume_false_interruption": resume_false_interruption,
                "false_interruption_timeout": false_interruption_timeout,
                "agent_false_interruption_timeout": agent_false_interruption_timeout,
                "preemptive_generation": preemptive_generation,
            },
            conn_options=conn_options,
        )
        self._given_loop, self._given_system = loop, system
        self._recognition = recognition_options(stt_context_options, keyterms_options)
        self._video_sampler = checked_sampler(video_sampler)
        self._given_tools = self._tools = with_servers("AgentSession", tools, mcp_servers)
        check_tools(self._tools, "the session")
        check_tool_handling(tool_handling)
        self._tool_handling = tool_handling
        self._amd: AMD | None = None
        self._approvals, self._toolsets = ToolApprovals(self._decide_approval), OpenToolsets()
        self._userdata = userdata
        self._drop_ins = tuple(as_actor(drop_in) for drop_in in actors)
        self._journal, self._monitors = journal, monitors
        self._system: ActorSystem | None = None
        self._mirror, self._waits = Mirror(), Waits()
        self._tool_mocks: dict[type[Agent], Mapping[str, Mock]] = {}
        self._input, self._output = AgentInput(ends := SessionEnds(self._refs)), AgentOutput(ends)
        self._agent: Agent | None = None
        self._roster, self._room_name = Roster(cast("AgentSession[object]", self)), ""
        self._root: Ref[SupervisorMessage] | None = None
        self._wiring, self._trace = cast("Wiring | None", None), SessionTrace()
        self._lifecycle: SessionLifecycle | None = None
        self._text_callback: TextInputCallback | None = None
        self._report: CloseReport | None = None
        self._ready: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[CloseEvent] | None = None
        self._user_loop: asyncio.AbstractEventLoop
        self._news: PostBox[SessionEvent]
        self._close_wanted: tuple[CloseReason, float] | None = None
        self._close_asked, self._starting = False, asyncio.Lock()
        if telemetry is not None:
            telemetry.observe(cast("AgentSession[object]", self))

    @property
    def _turn_detector(self) -> TurnDetector | None:
        """The session's own detector, if it has one."""
        detector = self._options.turn_detection
        return detector if isinstance(detector, TurnDetector) else None

    @property
    def current_agent(self) -> Agent:
        """The agent in charge.

        Raises:
            SessionStateError: the session was never started.
        """
        if self._agent is None:
            raise SessionStateError("the session has no agent: start it first")
        return self._agent

    def _agent_in_charge(self) -> UserAgent:
        """As far as is known here; ``agent`` names the right one when it schedules."""
        bound = self.current_agent._bound
        if bound is None:
            raise SessionStateError(f"agent {self.current_agent.id!r} is not running in the session any more")
        return bound

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
        if self._ready is None or not (self._ready.done() or called_in(self)):
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

    def _open_handle(self, speech_id: str, allow_interruptions: bool, priority: int, modality: InputModality) -> None:
        """Make the handle of a speech; what user code asked for has one already."""
        if speech_id not in self._mirror.handles:
            self._mirror.handles[speech_id] = SpeechHandle(
                cast("AgentSession[object]", self),
                speech_id,
                allow_interruptions=allow_interruptions,
                priority=priority,
                input_details=InputDetails(modality),
            )

    def _refs(self) -> tuple[Ref[SupervisorMessage], Wiring] | None:
        return None if self._root is None or self._wiring is None else (self._root, self._wiring)

    # -- events, from the actor loop to the user's -------------------------------------------------------------------

    def _post(self, event: SessionEvent) -> None:
        """On the actor loop: deliver on the user's loop, in order."""
        try:
            self._news.put(event)
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
            case AgentStateChangedEvent() | UserStateChangedEvent() | SessionUsageUpdatedEvent():
                self._mirror.reflect(event)
                self._raise_event(event)
            case SpeechCreatedEvent(speech_id, source, user_initiated, created_at):
                handle = self._handle_of(speech_id)
                handle._was_created()
                self._mirror.watch(handle)
                self._raise_event(SpeechCreatedEvent(speech_id, source, user_initiated, created_at, handle))
            case ToolExecutionUpdatedEvent(update):
                self._on_tool_update(update)
                self._raise_event(event)
            case FunctionToolsExecutedEvent():
                self._raise_event(event)
                if self._wiring is not None and self._wiring.floor.is_alive():
                    self._wiring.floor.tell(
                        ToolsReviewed(event.speech_id, event.num_steps, event.review.reply, event.review.handoff)
                    )
            case CloseEvent():
                self._on_closed(event)
            case _:
                if isinstance(event, SessionNote):
                    self._on_note(event)
                else:
                    self._raise_event(event)

    def _on_note(self, note: SessionNote) -> None:
        match note:
            case SessionReady():
                if self._ready is not None and not self._ready.done():
                    self._ready.set_result(None)
            case ContextNote() | AgentInChargeNote() | AgentLeftNote() | TaskOverNote():
                self._agent = self._roster.note(note, self._mirror) or self._agent
            case HistoryNote() | UserTurnCommittedNote() | IdleNote() | ClosingNote() | KeytermsNote():
                self._mirror.note(note, self._roster)
            case TextInputNote() | VideoSampledNote() | RealtimeNote() | ParticipantsNote():
                take_in(note, cast("AgentSession[object]", self), self._text_callback, self._user_callbacks)
            case SpeechOpenedNote(speech_id, allow_interruptions, priority, modality):
                self._open_handle(speech_id, allow_interruptions, priority, modality)
            case SpeechStepNote() | SpeechHeardNote():
                self._handle_of(note.speech_id)._follow_step(note)
            case SpeechScheduledNote(speech_id):
                handle = self._handle_of(speech_id)
                handle._became_current()
                self._mirror.current = handle
                self._waits.line_moved()
            case SpeechItemNote(speech_id, item):
                self._mirror.add_item(self._handle_of(speech_id), item)
            case SpeechInterruptedNote(speech_id):
                self._handle_of(speech_id)._was_interrupted()
            case SpeechFinishedNote(speech_id, interrupted, error):
                self._mirror.finish(speech_id, interrupted=interrupted, error=error)
            case _:
                assert_never(note)

    def _on_tool_update(self, update: ToolExecutionUpdate) -> None:
        if (approval := self._approvals.follow(update)) is not None:
            hook = self.current_agent.on_tool_approval(approval)
            approval._hook = self._user_callbacks.start("on_tool_approval", hook)

    def _decide_approval(self, call_id: str, approved: bool, reason: str) -> None:
        if self._wiring is not None and self._root is not None:
            self._wiring.tools.tell(ApprovalGiven(call_id, approved, reason))

    def _on_closed(self, event: CloseEvent) -> None:
        closed = self._closed
        self._root = None
        self._approvals.close()
        self._mirror.end_speeches()
        self._raise_event(event)
        self._mirror.reset()
        shared = self._let_go()
        if shared is None and not self._toolsets and self._default_vad is None:
            _settle(closed, event)
            return
        self._run("close", self._end(shared), lambda: _settle(closed, event))

    async def _end(self, shared: ActorSystem | None) -> None:
        """Close what the actors do not own."""
        await self._toolsets.close_all()
        if self._default_vad is not None:
            await self._default_vad.aclose()
            self._default_vad = None
        if shared is not None:
            await shared_system.release(shared)

    def _let_go(self) -> ActorSystem | None:
        """Let go of agent, actors and system. Gives the system if it is the shared one: it is to be released."""
        self._roster.release()
        self._trace.end()
        self._input._end()
        self._output._end()
        system, self._system = self._system, None
        self._root = self._wiring = self._lifecycle = None
        return system if self._given_system is None else None


def _settle(closed: asyncio.Future[CloseEvent] | None, event: CloseEvent) -> None:
    if closed is not None and not closed.done():
        closed.set_result(event)
