"""``supervisor``: the root of a session. Starts its actors, tracks the public states, counts failures, ends it all.

It decides nothing about turns or speech. All public events leave through it, in the order of its mailbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.messages.agent import AgentEnters
from sessionactors.messages.answering import DetectAnswer, DetectionEnded, EndDetection, MenuReached, PeopleWanted
from sessionactors.messages.ear import AttachSource, SetInputEnabled, SubstituteSilence, TurnFlushed
from sessionactors.messages.history import ContextChanged, ContextSnapshot, HistoryChanged
from sessionactors.messages.keyterms import SetKeyterms
from sessionactors.messages.room import (
    LinkParticipant,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantVideo,
    RoomClosed,
    RoomConnected,
    RoomConnectFailed,
    RoomLeft,
)
from sessionactors.messages.session import (
    ActorEnded,
    AgentInCharge,
    ChangeOptions,
    CloseSession,
    ComponentFailed,
    ComponentStumbled,
    DropInEnded,
    FinishClose,
    FloorIdle,
    Publish,
    Recovered,
    ReplyScheduled,
    SpeechAudible,
    SpeechPaused,
    SpeechQuiet,
    SpeechResumed,
    TurnUnanswered,
    TypedTurnTaken,
    UserAway,
)
from sessionactors.messages.tools import ToolFinished, ToolsRunning
from sessionactors.messages.turn import ClearUserTurn, CommitUserTurn, UserSpeechFact, UserUnderstood
from sessionactors.messages.video import AttachVideo, SetVideoEnabled
from sessionactors.model.errors import APIError
from sessionactors.model.events import CloseReason, ContextNote, ErrorEvent, SessionReady
from sessionactors.runtime import (
    Actor,
    Backoff,
    Delivery,
    ObligationExpired,
    Outbox,
    Strategy,
    Supervision,
    Terminated,
)
from sessionactors.runtime.frozen import replace

from . import error_policy, states
from .agent import AgentActor
from .answering import Answering, AnsweringOrder
from .closing import CloseProtocol, FinishSession
from .deferred import Deferred
from .ear_names import ear_name, without_number
from .error_policy import failure_event
from .floor import Floor
from .history import History
from .keyterms import start_keyterms
from .model_start import start_model
from .options_in_force import OptionsInForce
from .output import Output
from .participants import Participants, Senses
from .presence import Presence
from .public_face import PublicFace
from .restarts import DROP_IN, RESTARTED_FREELY, RESTARTED_ONCE
from .room import Room
from .states import AgentFacts
from .supervisor_state import Listener, SessionBroken, SupervisorState
from .tools import ToolsActor
from .tts import TTSActor
from .turn_commits import TurnCommits
from .wiring import Wiring

SupervisorMessage: TypeAlias = (
    Publish
    | AgentInCharge
    | HistoryChanged
    | ContextChanged
    | ReplyScheduled
    | TypedTurnTaken
    | TurnUnanswered
    | SpeechAudible
    | SpeechQuiet
    | SpeechPaused
    | SpeechResumed
    | UserSpeechFact
    | UserUnderstood
    | UserAway
    | ToolsRunning
    | CommitUserTurn
    | ClearUserTurn
    | RoomConnected
    | RoomConnectFailed
    | RoomClosed
    | RoomLeft
    | ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | ParticipantVideo
    | LinkParticipant
    | AttachSource
    | Senses
    | AnsweringOrder
    | ChangeOptions
    | ComponentFailed
    | ComponentStumbled
    | Recovered
    | CloseSession
    | FloorIdle
    | TurnFlushed
    | ContextSnapshot
    | ToolFinished
    | ActorEnded
    | DropInEnded
    | FinishClose
    | Delivery
    | ObligationExpired
)

DEFAULT_PARTICIPANT = "user"
"""Whose ear it is when audio comes without a transport."""


class Supervisor(Actor[SupervisorState, SupervisorMessage]):
    """The root actor of a session."""

    supervision = Supervision(Strategy.ONE_FOR_ONE, max_restarts=5, within=10.0, backoff=Backoff(first=0.02))

    def __init__(self, wiring: Wiring, finish: FinishSession) -> None:
        self._wiring = wiring
        self._face = PublicFace(wiring)
        self._participants = Participants(wiring, self._face)
        self._presence = Presence(self._face)
        self._answering = Answering(wiring, self._face)
        self._commits = TurnCommits(self._face)
        self._closing = CloseProtocol(wiring, finish)

    def initial(self) -> SupervisorState:
        """Nothing runs."""
        components = self._wiring.components
        return SupervisorState(
            OptionsInForce(components.options, components.agent), only=components.participant_identity
        )

    # -- start -------------------------------------------------------------------------------------------------------

    def started(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """Start the actors: what others tell to first."""
        wiring = self._wiring
        components = wiring.components
        wiring.supervisor = out.myself
        listeners: dict[str, Listener] = {}
        for part in components.drop_ins:  # first, so that they see all and end last
            drop_in = out.spawn(part.name, part.make, DROP_IN)
            out.watch(drop_in, _drop_in_ended)
            if part.events:
                listeners[drop_in.path] = Listener(drop_in, part.events)
        state = replace(state, listeners=listeners)
        start_keyterms(wiring, components.stt, None, out)
        wiring.history = out.spawn("history", lambda: History(wiring), RESTARTED_ONCE)
        wiring.llm = start_model(wiring, out, freely=RESTARTED_FREELY, once=RESTARTED_ONCE)
        wiring.tools = out.spawn("tools", lambda: ToolsActor(wiring), RESTARTED_FREELY)
        wiring.deferred = out.spawn("deferred", lambda: Deferred(wiring), RESTARTED_FREELY)
        wiring.tts = out.spawn("tts", lambda: TTSActor(wiring), RESTARTED_FREELY)
        wiring.output = out.spawn("output", lambda: Output(wiring), RESTARTED_FREELY)
        wiring.floor = out.spawn("floor", lambda: Floor(wiring), RESTARTED_ONCE)
        wiring.agent = out.spawn("agent", lambda: AgentActor(wiring), RESTARTED_ONCE)
        for ref in (
            wiring.history,
            wiring.llm,
            wiring.tools,
            wiring.deferred,
            wiring.tts,
            wiring.output,
            wiring.floor,
            wiring.agent,
        ):
            out.watch(ref, _ended)
        transport = components.transport
        if transport is not None:
            wiring.room = out.spawn("room", lambda: Room(wiring, transport), RESTARTED_ONCE)
            out.watch(wiring.room, _ended)
            return state
        return self._ready(state, out)

    def receive(
        self, state: SupervisorState, message: SupervisorMessage, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """One message, and what follows from the public states."""
        return self._presence.follow(state, self._handle(state, message, out), out)

    def _handle(
        self, state: SupervisorState, message: SupervisorMessage, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        match message:
            case Publish(event):
                return self._face.publish(state, event, out)
            case HistoryChanged():
                self._face.history_changed(state, message, out)
                return state
            case ContextChanged(agent, items, replaced, ticket):
                self._face.emit(state, ContextNote(agent, items, replaced, ticket), out)
                return state
            case ReplyScheduled():
                return self._face.facts_changed(state, states.on_its_way(state.facts, message), out.now, out)
            case TypedTurnTaken(turn):
                return self._face.facts_changed(state, states.taken(state.facts, turn), out.now, out)
            case TurnUnanswered(turn):
                return self._face.facts_changed(state, states.unanswered(state.facts, turn), out.now, out)
            case SpeechAudible(speech, at):
                state = self._recovered(state, ("llm", "tts"))
                return self._face.facts_changed(state, states.audible(state.facts, speech), at, out)
            case SpeechQuiet(speech, at, working):
                return self._face.facts_changed(state, states.quiet(state.facts, speech, working=working), at, out)
            case SpeechPaused(speech, at) | SpeechResumed(speech, at):
                facts = states.paused(state.facts, speech, now=isinstance(message, SpeechPaused))
                return self._face.facts_changed(state, facts, at, out)
            case UserSpeechFact():
                return self._face.user_spoke(state, message, out)
            case UserUnderstood():
                return self._presence.on_understood(state, message, out)
            case UserAway():
                return self._presence.on_away(state, out)
            case CommitUserTurn():
                return self._commits.on_commit(state, message, out)
            case ClearUserTurn():
                return self._commits.on_clear(state, out)
            case TurnFlushed(request=request) if request:
                return self._commits.on_flushed(state, message, out)
            case RoomConnected():
                return self._ready(state, out)
            case RoomConnectFailed(error):
                return self._closing.begin(state, CloseReason.ERROR, 2.0, error, out)
            case RoomClosed(reason):
                out.log("room_closed", reason=reason)
                return self._closing.begin(state, CloseReason.PARTICIPANT_DISCONNECTED, 2.0, None, out)
            case ParticipantJoined() | ParticipantChanged() | ParticipantVideo() | LinkParticipant():
                return self._participants.came(state, message, out)
            case ParticipantLeft():
                return self._on_participant_left(state, message, out)
            case AttachSource():
                return self._participants.attach(state, DEFAULT_PARTICIPANT, message, out)
            case ChangeOptions(changes):
                return self._options_changed(state, state.options.changed(changes), out)
            case AgentInCharge(agent):
                self._participants.hear_with(state, agent, out)
                return self._options_changed(state, state.options.taken_over(agent), out)
            case SetInputEnabled() | SubstituteSilence() | AttachVideo() | SetVideoEnabled() | SetKeyterms():
                return self._participants.senses(state, message, out)
            case DetectAnswer() | EndDetection() | DetectionEnded() | PeopleWanted() | MenuReached():
                return self._answering.follow(state, message, out)
            case ComponentFailed(component, error, label):
                return self._on_component_failed(state, component, error, label, out)
            case ComponentStumbled(component, error, label):
                self._face.emit(state, failure_event(component, error, label, out.wall(), recoverable=True), out)
                return state
            case Recovered(component):
                return self._recovered(state, (component,))
            case ObligationExpired():
                return self._on_obligation_expired(state, message, out)
            case CloseSession(reason, deadline, error):
                return self._closing.begin(state, reason, deadline, error, out)
            case FloorIdle():
                return self._closing.part_ended(state, "floor", out)
            case TurnFlushed(participant):
                state = self._participants.heard_out(state, message, out)
                return self._closing.part_ended(state, ear_name(participant), out)
            case ContextSnapshot():  # the agent's last word has been stored
                return self._closing.part_ended(state, "agent", out)
            case RoomLeft():
                return self._closing.part_ended(state, "room", out)
            case FinishClose():
                return self._closing.finish(state, out)
            case ToolFinished() | ToolsRunning():
                return self._closing.tools_counted(self._face.tools(state, message, out), out)
            case ActorEnded(path, error):
                return self._on_actor_ended(state, path, error, out)
            case DropInEnded():
                return self._on_drop_in_ended(state, message, out)
            case Delivery(target=path):
                return self._closing.last_call_handled(state, path, out)
            case _:
                assert_never(message)

    def _ready(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        if state.facts.ready or state.closing is not None:
            return state
        self._face.emit(state, SessionReady(), out)  # first: who hears that it listens may use it
        facts = replace(state.facts, ready=True)
        state = self._face.facts_changed(state, AgentFacts(ready=True), out.now, out)
        state = self._face.facts_changed(state, facts, out.now, out)  # what was typed while the room was linked
        out.tell(self._wiring.agent, AgentEnters())
        return state

    # -- participants ------------------------------------------------------------------------------------------------

    def _options_changed(
        self, state: SupervisorState, options: OptionsInForce, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        news = options.news()
        out.tell(self._wiring.agent, news)
        out.tell(self._wiring.floor, news)
        for ear in state.ears.values():
            out.tell(ear, news)
        return replace(state, options=options)

    def _on_participant_left(
        self, state: SupervisorState, left: ParticipantLeft, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        state = self._participants.left(state, left, out)
        if self._participants.ends_with(state, left):
            return self._closing.begin(state, CloseReason.PARTICIPANT_DISCONNECTED, 2.0, None, out)
        return state

    # -- failures ----------------------------------------------------------------------------------------------------

    def _on_component_failed(
        self, state: SupervisorState, component: str, error: BaseException, label: str, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        self._face.emit(state, failure_event(component, error, label, out.wall(), recoverable=False), out)
        state = replace(state, failures=error_policy.counted(state.failures, component))
        if not error_policy.is_fatal(state.failures, component, self._wiring.options.max_unrecoverable_errors):
            return state
        broken = SessionBroken(f"{component} failed {state.failures[component]} times in a row; the last: {error!r}")
        broken.__cause__ = error
        return self._closing.begin(state, CloseReason.ERROR, 2.0, broken, out)

    @staticmethod
    def _recovered(state: SupervisorState, components: tuple[str, ...]) -> SupervisorState:
        return replace(state, failures=error_policy.recovered(state.failures, components))

    def _on_obligation_expired(
        self, state: SupervisorState, expired: ObligationExpired, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        overdue = APIError(
            f"{expired.owner} has waited {expired.age:.1f} s for {expired.waits_for}: inspect() shows what it is doing"
        )
        self._face.emit(state, ErrorEvent(overdue, expired.owner, recoverable=True, created_at=out.wall()), out)
        out.log("obligation_expired", level="error", owner=expired.owner, waits_for=expired.waits_for)
        return state

    def _on_actor_ended(
        self, state: SupervisorState, path: str, error: BaseException | None, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        state = self._participants.ended(state, path)
        if error is None or state.ended:
            return state
        broken = SessionBroken(f"{path} failed for good: {error}")
        broken.__cause__ = error
        self._face.emit(state, ErrorEvent(broken, path, recoverable=False, created_at=out.wall()), out)
        if state.closing is not None:
            return self._closing.part_ended(state, without_number(path.rsplit("/", 1)[-1]), out)
        return self._closing.begin(state, CloseReason.ERROR, 2.0, broken, out)

    def _on_drop_in_ended(
        self, state: SupervisorState, end: DropInEnded, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        left = {path: listener for path, listener in state.listeners.items() if path != end.path}
        state = replace(state, listeners=left)
        if end.error is not None:
            event = ErrorEvent(end.error, end.path, recoverable=True, created_at=out.wall())
            self._face.emit(state, event, out)
        return self._closing.last_call_handled(state, end.path, out)

    def summary(self, state: SupervisorState) -> Mapping[str, object]:
        """Public states, and what a close waits for."""
        closing = state.closing
        return {
            "agent_state": state.agent_state,
            "user_state": state.user_state,
            "ears": sorted(state.ears),
            "failures": dict(state.failures),
            "tools_running": state.tools_running,
            "closing": None if closing is None else sorted(closing.waits_for | closing.last_calls),
        }


def _ended(end: Terminated) -> ActorEnded:
    return ActorEnded(end.path, end.error)


def _drop_in_ended(end: Terminated) -> DropInEnded:
    return DropInEnded(end.path, end.error)
