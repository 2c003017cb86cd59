"""``realtime``: one session with a speech-to-speech model. It stands in for ``stt``, ``llm`` and ``tts``.

Told by ``input`` what the user's line brings, by ``turn`` where turns end (unless the server detects that), by speeches
what to reply to, by ``output`` how much audio may be handed over and what was heard, by ``history`` what was added to
the conversation. It speaks outward as those it replaces do: transcripts and stretches of speech to ``turn``, deltas and
calls to a speech, audio to ``output``.

A session that fails, ends or hangs is replaced by one that is given the conversation so far. Start it with
``ChildSpec(keep_state=True)``: after a restart it goes on in the same way. It decides nothing about the floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.realtime import (
    GenerationCreated,
    InputAudioTranscriptionCompleted,
    InputSpeechStarted,
    InputSpeechStopped,
    RealtimeEvent,
    RealtimeModel,
    RealtimeSession,
    RealtimeSessionError,
    RemoteItemAdded,
    ResponseAudio,
    ResponseDone,
    ResponseText,
    ResponseToolCall,
    SessionReconnected,
)
from sessionactors.messages.history import ContextSnapshot, ContextWanted
from sessionactors.messages.llm import CancelGeneration, GenerateText
from sessionactors.messages.realtime import (
    AdoptResponse,
    ClearUserAudio,
    CommitUserAudio,
    ContextGrew,
    EarClosed,
    EarOpened,
    NodeEnded,
    NodeMade,
    RealtimeDue,
    RealtimeEnded,
    RealtimeOpened,
    RealtimeRefused,
    RealtimeSaid,
    ReplyDue,
    ReplyStalled,
    ReplyUnclaimed,
    SayText,
    SegmentHeard,
    ServeAgent,
    UserAudio,
    UserBegan,
)
from sessionactors.messages.session import ComponentFailed, ComponentStumbled, Publish
from sessionactors.messages.tts import AudioCredit, CancelSynthesis
from sessionactors.messages.video import UserVideo
from sessionactors.model.errors import APIConnectionError, APITimeoutError, ProviderReplaced, RealtimeError
from sessionactors.model.instructions import rendered
from sessionactors.model.link_notes import RealtimeNote
from sessionactors.model.realtime_events import RealtimeSessionReconnectedEvent
from sessionactors.runtime import NS, Actor, EffectPort, Outbox, Overflow
from sessionactors.runtime.frozen import replace

from .realtime_hearing import Hearing
from .realtime_link import LINK, Clear, Interrupt, Opening, UserIsActive, hold
from .realtime_memory import ServersMemory, sendable
from .realtime_replies import Replies
from .realtime_state import RealtimeState, Stage
from .retry_policy import reportable, retry_delay
from .wiring import Wiring

RealtimeMessage: TypeAlias = (
    EarOpened
    | EarClosed
    | UserAudio
    | UserVideo
    | UserBegan
    | CommitUserAudio
    | ClearUserAudio
    | ContextGrew
    | ServeAgent
    | ContextSnapshot
    | GenerateText
    | SayText
    | AdoptResponse
    | CancelGeneration
    | AudioCredit
    | CancelSynthesis
    | SegmentHeard
    | RealtimeSaid
    | RealtimeOpened
    | RealtimeRefused
    | RealtimeEnded
    | RealtimeDue
    | NodeMade
    | NodeEnded
    | ReplyDue
    | ReplyStalled
    | ReplyUnclaimed
)

INLET = 2048
"""Orders and frames that may wait while the session opens, or while a user's loop that it lives on is blocked: 40 s."""
SETTLED_IN = 30.0
"""Seconds that a session must have worked for its loss to begin a new budget: some services end them now and then."""


class RealtimeActor(Actor[RealtimeState, RealtimeMessage]):
    """Converses with a speech-to-speech model.

    Args:
        wiring: the session.
        model: makes the sessions with the server.
    """

    def __init__(self, wiring: Wiring, model: RealtimeModel) -> None:
        self._wiring = wiring
        self._model = model
        self._options = wiring.options.llm_conn_options
        self._replies = Replies(wiring, model)
        self._hearing = Hearing(wiring)
        self._memory = ServersMemory(wiring, model)

    def initial(self) -> RealtimeState:
        """No session yet."""
        return RealtimeState()

    def started(self, state: RealtimeState, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Make the first session, with the agent's own conversation."""
        return self._seed(state, out)

    def restarted(self, state: RealtimeState, error: BaseException, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """The session died with the failure: another one goes on with the conversation."""
        lost = APIConnectionError("realtime was restarted, and its session with the server ended")
        lost.__cause__ = error
        state = self._replies.sound.nodes_lost(self._let_go(_losing(state, out.now), lost, out), out)
        return self._seed(state, out)

    def receive(self, state: RealtimeState, message: RealtimeMessage, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """One message."""
        match message:
            case UserAudio():
                return self._hearing.audio(state, message, out)
            case UserVideo(frame):
                return self._hearing.video(state, frame, out)
            case RealtimeSaid(event):
                return self._on_event(state, event, out)
            case AudioCredit(segment, seconds):
                return self._replies.sound.credit(state, segment, seconds, out)
            case GenerateText():
                return self._replies.asked_for(state, message, out)
            case SayText():
                return self._replies.say(state, message, out)
            case AdoptResponse():
                return self._replies.adopted(state, message, out)
            case CancelGeneration(request):
                return self._replies.cancel(state, request, out)
            case CancelSynthesis(segment):
                return self._replies.sound.mute(state, segment, out)
            case SegmentHeard():
                return self._replies.sound.heard(state, message, out)
            case EarOpened():
                return self._hearing.opened(state, message)
            case EarClosed(participant):
                return self._hearing.closed(state, participant, out)
            case UserBegan(participant):
                return self._hearing.order(state, UserIsActive(), participant, out)
            case CommitUserAudio():
                return self._hearing.commit(state, message, out)
            case ClearUserAudio(participant):
                return self._hearing.order(state, Clear(), participant, out)
            case ContextGrew(items):
                return self._memory.grew(state, items, out)
            case ServeAgent():
                return self._on_serve(state, message, out)
            case ContextSnapshot():
                return self._on_seeded(state, message, out)
            case RealtimeOpened(session):
                return self._on_opened(state, session, out)
            case RealtimeRefused(_, error, request):
                return self._on_refused(state, error, request, out)
            case RealtimeEnded(connection, error):
                return self._on_ended(state, connection, error, out)
            case RealtimeDue():
                return self._seed(state, out)
            case NodeMade():
                return self._replies.sound.made(state, message, out)
            case NodeEnded(request, error):
                return self._replies.sound.node_ended(state, request, error, out)
            case ReplyDue(request):
                return self._replies.ask_again(state, request, out)
            case ReplyStalled(request):
                return self._on_stalled(state, request, out)
            case ReplyUnclaimed(response):
                return self._replies.cancel(state, response, out)
            case _:
                assert_never(message)

    # -- the session with the server ---------------------------------------------------------------------------------

    def _seed(self, state: RealtimeState, out: Outbox[RealtimeMessage]) -> RealtimeState:
        number = state.connections + 1
        out.tell(self._wiring.history, ContextWanted(f"realtime/{number}", out.myself))
        return replace(state, stage=Stage.SEEDING, connections=number)

    def _on_seeded(self, state: RealtimeState, context: ContextSnapshot, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Begin a session with the conversation so far."""
        if state.stage is not Stage.SEEDING:
            return state
        wiring, model, agent = self._wiring, self._model, context.agent
        scope = out.open_scope(f"{out.path}/connection-{state.connections}")
        sent = sendable(context.items)
        opening = Opening(
            instructions=rendered(agent.instructions, "audio"),
            items=sent,
            tools=agent.tools,
            turn_detection_disabled=model.capabilities.turn_detection and not wiring.components.server_turns,
            timeout=self._options.timeout,
            scope=scope,
        )

        async def run(port: EffectPort[RealtimeMessage]) -> None:
            await hold(port.send, port.inlet, model, opening)

        out.effect(
            LINK,
            run,
            done=lambda _: RealtimeEnded(scope.path, None),
            failed=lambda error: RealtimeEnded(scope.path, error),
            user_loop=model.home is Home.USER,
            inlet=INLET,
            inlet_overflow=Overflow.REFUSE,
        )
        return replace(
            state,
            stage=Stage.OPENING,
            connection=scope,
            opened_at=out.now,
            instructions=opening.instructions,
            tools=opening.tools,
            tool_choice="auto",
            known=frozenset(item.id for item in sent),
        )

    def _on_opened(self, state: RealtimeState, session: RealtimeSession, out: Outbox[RealtimeMessage]) -> RealtimeState:
        out.tell(self._wiring.supervisor, Publish(RealtimeNote(session)))
        if state.lost_at is not None:
            self._reconnected((out.now - state.lost_at) / NS, out)
        return self._replies.ask_next(replace(state, stage=Stage.OPEN, lost_at=None), out)

    def _reconnected(self, outage: float, out: Outbox[RealtimeMessage]) -> None:
        event = RealtimeSessionReconnectedEvent(outage, self._model.label, out.wall())
        out.tell(self._wiring.supervisor, Publish(event))

    def _on_serve(self, state: RealtimeState, order: ServeAgent, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Another agent, or another conversation: the session goes on with it, or gives way to one that begins so."""
        if state.connection is None:
            return state  # the next one begins so
        if order.handoff and not self._memory.can_serve(state, order):
            over = RealtimeError(f"another agent is in charge, and {self._model.label} cannot be changed to serve it")
            return self._seed(self._let_go(state, over, out), out)
        return self._memory.serve(state, order, out)

    def _let_go(self, state: RealtimeState, error: Exception, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """There is no session now: what the server was at is lost, what it was not asked for yet waits."""
        if state.connection is not None:
            out.close_scope(state.connection)
            out.cancel_effect(LINK)
            out.tell(self._wiring.supervisor, Publish(RealtimeNote(None)))
        state = self._hearing.stopped(state, out)
        state = replace(state, connection=None, stage=Stage.WAITING, owed={}, spoken=())
        for reply in list(state.replies.values()):
            state = self._replies.lost(state, reply, error, out)
        return state

    def _on_ended(
        self, state: RealtimeState, connection: str, error: BaseException | None, out: Outbox[RealtimeMessage]
    ) -> RealtimeState:
        if state.connection is None or state.connection.path != connection:
            return state  # one that was let go already
        told = reportable(error, self._model.label) if error is not None else None
        return self._lost(state, told or APIConnectionError(f"{self._model.label} ended the session"), out)

    def _lost(self, state: RealtimeState, error: Exception, out: Outbox[RealtimeMessage]) -> RealtimeState:
        worked = state.stage is Stage.OPEN and (out.now - state.opened_at) / NS >= SETTLED_IN
        failures = 1 if worked else state.failures + (not isinstance(error, ProviderReplaced))
        delay = retry_delay(error, failures, self._options)
        state = replace(self._let_go(_losing(state, out.now), error, out), failures=failures)
        if delay is None:
            return self._broken(state, error, out)
        self._report(error, out)
        out.timer("again", delay, RealtimeDue())
        return state

    def _broken(self, state: RealtimeState, error: Exception, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """There will be no other session: who waits for a reply is told, and the agent's session ends."""
        state = replace(state, stage=Stage.BROKEN)
        for reply in list(state.replies.values()):
            if not reply.ended:
                state = self._replies.failed(state, reply, error, out, final=True)
        out.tell(self._wiring.supervisor, ComponentFailed("realtime", error, self._model.label))
        return state

    def _report(self, error: Exception, out: Outbox[RealtimeMessage]) -> None:
        out.tell(self._wiring.supervisor, ComponentStumbled("realtime", error, self._model.label))

    def _on_refused(
        self, state: RealtimeState, error: Exception, request: str | None, out: Outbox[RealtimeMessage]
    ) -> RealtimeState:
        reply = None if request is None else state.replies.get(request)
        if reply is None or reply.ended:
            self._report(error, out)
            return state
        return self._replies.failed(state, reply, error, out)

    def _on_stalled(self, state: RealtimeState, request: str, out: Outbox[RealtimeMessage]) -> RealtimeState:
        reply = state.replies.get(request)
        if reply is None or not reply.running:
            return state
        what = "stopped replying" if reply.released else "did not begin to reply"
        error = APITimeoutError(f"{self._model.label} {what} within {self._options.timeout:g} s")
        if reply.order is None and not reply.response:
            return self._replies.ask_outright(state, reply, out)
        if not reply.response:
            return self._lost(state, error, out)  # not even begun: it is the session that hangs
        out.feed(LINK, Interrupt(request))
        return self._replies.failed(state, reply, error, out)

    # -- what the server says ----------------------------------------------------------------------------------------

    def _on_event(self, state: RealtimeState, event: RealtimeEvent, out: Outbox[RealtimeMessage]) -> RealtimeState:
        match event:
            case ResponseAudio():
                return self._replies.audio(state, event, out)
            case ResponseText():
                return self._replies.text(state, event, out)
            case ResponseToolCall():
                return self._replies.tool_call(state, event, out)
            case GenerationCreated():
                if not event.user_initiated:
                    state = self._hearing.stopped(state, out)  # some servers say so only by replying
                return self._replies.created(state, event, out)
            case ResponseDone():
                return self._replies.response_done(state, event, out)
            case InputSpeechStarted(item_id):
                # Replies that no speech has adopted yet come too late: the server has dropped them.
                for key in [reply.key for reply in state.replies.values() if reply.claim is None and not reply.ended]:
                    state = self._replies.cancel(state, key, out)
                return self._hearing.started(state, item_id, out)
            case InputSpeechStopped(_, item_id):
                return self._hearing.stopped(state, out, item_id)
            case InputAudioTranscriptionCompleted():
                return self._hearing.transcript(state, event, out)
            case RemoteItemAdded(item):
                return self._hearing.item_added(state, item)
            case SessionReconnected():
                self._reconnected(0.0, out)
                return state
            case RealtimeSessionError(error, recoverable):
                if recoverable:
                    self._report(error, out)
                    return state
                return self._broken(self._let_go(state, error, out), error, out)
            case _:
                assert_never(event)

    def summary(self, state: RealtimeState) -> Mapping[str, object]:
        """Session, open replies, and how the others ended."""
        return {
            "stage": state.stage.value,
            "connections": state.connections,
            "failures": state.failures,
            "line": state.line,
            "user_speaking": state.speaking,
            "open": {reply.key: reply.phase for reply in state.replies.values()},
            "done": state.done,
            "failed": state.failed,
            "cancelled": state.cancelled,
            "late": state.late,
            "heard": round(state.heard, 3),
            "unheard": round(state.unheard, 3),
        }


def _losing(state: RealtimeState, now: int) -> RealtimeState:
    """A session that worked is lost now, or one was before and none has worked since."""
    return replace(state, lost_at=now) if state.lost_at is None and state.stage is Stage.OPEN else state
