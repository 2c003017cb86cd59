"""``agent``: from a complete user turn to a reply. Owns the user's agent, its hooks, and the order of turns.

Turns are handled one after the other: claim the floor, run the user's hook, store the message, schedule the reply. A
turn that comes meanwhile waits; none is dropped. User code runs as effects on the user's loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import TurnVerdict
from sessionactors.messages.agent import (
    AgentEnters,
    AgentReady,
    AgentUnusable,
    HandOver,
    HookDone,
    HookFailed,
    HookReturned,
    ReviseAgent,
    RewriteContext,
    TaskAwaited,
    TaskEnded,
)
from sessionactors.messages.answering import WithholdReplies
from sessionactors.messages.deferred import TurnSettled
from sessionactors.messages.floor import FloorDrained, ScheduleSpeech, TurnClaim, TurnClaimed
from sessionactors.messages.history import (
    AgentRevised,
    AgentTakesOver,
    AppendItems,
    ContextSnapshot,
    ContextWanted,
    ReplaceContext,
)
from sessionactors.messages.realtime import ServerBeganReply
from sessionactors.messages.session import (
    AgentInCharge,
    IdleWanted,
    LeaveAgent,
    OptionsChanged,
    Publish,
    SettleTurns,
    SpeakRequested,
    TurnUnanswered,
    TypedTurnTaken,
)
from sessionactors.messages.turn import TurnPreflight, UserTurnEnded, UserTurnExceeded
from sessionactors.model.chat import AgentHandoff, ChatContext
from sessionactors.model.events import ErrorEvent, MetricsCollectedEvent
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import Actor, Outbox
from sessionactors.runtime.frozen import replace

from .agent_and_model import begin_server_reply, context_for, store_message
from .agent_hooks import ENTER_HOOK, EXCEEDED_HOOK, EXIT_HOOK, HOOK_WITHIN, TURN_HOOK
from .agent_idle import pass_on_waiters
from .agent_state import AgentActorState, Phase, Seat
from .item_metrics import end_of_turn
from .speculation import Speculating
from .succession import Succession, enter
from .user_message import said_in, tell_taken_over, user_message, with_hook_delay
from .wiring import Wiring

ChangeMessage: TypeAlias = (
    ReviseAgent
    | RewriteContext
    | HandOver
    | TaskAwaited
    | TaskEnded
    | AgentReady
    | AgentUnusable
    | HookDone
    | FloorDrained
)
"""What changes an agent, or who is in charge."""

AgentMessage: TypeAlias = (
    UserTurnEnded
    | TurnPreflight
    | UserTurnExceeded
    | TurnClaimed
    | ContextSnapshot
    | HookReturned
    | HookFailed
    | SpeakRequested
    | IdleWanted
    | AgentEnters
    | OptionsChanged
    | LeaveAgent
    | WithholdReplies
    | SettleTurns
    | ServerBeganReply
    | ChangeMessage
)

SETTLED = "settled"
"""The request under which ``history`` tells ``supervisor`` that nothing more comes from here."""


class AgentActor(Actor[AgentActorState, AgentMessage]):
    """Turns what the user said into what the agent shall say."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._succession = Succession(wiring)
        self._speculating = Speculating(wiring)

    def initial(self) -> AgentActorState:
        """No turn is open."""
        return AgentActorState((Seat(self._wiring.components.agent),), self._wiring.options)

    def receive(self, state: AgentActorState, message: AgentMessage, out: Outbox[AgentMessage]) -> AgentActorState:
        """One message."""
        return pass_on_waiters(self._handle(state, message, out), self._wiring, out)

    def _handle(self, state: AgentActorState, message: AgentMessage, out: Outbox[AgentMessage]) -> AgentActorState:
        match message:
            case IdleWanted():
                return replace(state, idle_wanted=(*state.idle_wanted, message))
            case UserTurnEnded():
                return self._on_turn_ended(state, message, out)
            case TurnPreflight():
                return self._speculating.on_preflight(state, message, out)
            case UserTurnExceeded():
                return self._on_exceeded(state, message, out)
            case TurnClaimed(turn):
                return self._on_claimed(state, turn, out)
            case ContextSnapshot():
                return self._on_context(state, message, out)
            case HookReturned(turn, verdict):
                return self._on_hook_returned(state, turn, verdict, out)
            case HookFailed(hook, agent, error):
                return self._on_hook_failed(state, hook, agent, error, out)
            case SpeakRequested():
                return self._on_speak_requested(state, message, out)
            case AgentEnters():
                return self._on_enters(state, out)
            case OptionsChanged(session=options):
                return replace(state, options=options)
            case LeaveAgent():
                return self._on_leave(state, out)
            case WithholdReplies(by, withheld):
                return self._speculating.turn_over(state.withholding(by, withheld), out)
            case ServerBeganReply(response):
                begin_server_reply(state, response, self._wiring, out)
                return state
            case SettleTurns():
                return self._settle(replace(state, settling=True), out)
            case _:
                return self._moved(self._on_change(state, message, out), out)

    def _on_change(self, state: AgentActorState, message: ChangeMessage, out: Outbox[AgentMessage]) -> AgentActorState:
        """An agent is changed, or another one takes over."""
        succession = self._succession
        match message:
            case ReviseAgent(agent, change, ticket):
                noted = () if change is None else (replace(change, id=out.new_id("item"), created_at=out.wall()),)
                out.tell(self._wiring.history, AgentRevised(agent, noted, ticket))
                if agent.key == state.agent.key:
                    out.tell(self._wiring.supervisor, AgentInCharge(agent))
                return state.revised(agent)
            case RewriteContext(agent_key, items, ticket):
                out.tell(self._wiring.history, ReplaceContext(agent_key, items, ticket))
                return state
            case HandOver():
                return succession.hand_over(state, message, out)
            case TaskAwaited():
                return succession.await_task(state, message, out)
            case TaskEnded():
                return succession.end_task(state, message, out)
            case AgentReady(key):
                return succession.ready(state, key, out)
            case AgentUnusable(key, error):
                return succession.unusable(state, key, error, out)
            case HookDone(hook, key):
                if hook == EXCEEDED_HOOK:
                    return replace(state, exceeded=None)
                return succession.hook_over(state, hook, key, out)
            case FloorDrained(number):
                return succession.drained(state, number, out)
            case _:
                assert_never(message)

    def restarted(self, state: AgentActorState, error: BaseException, out: Outbox[AgentMessage]) -> AgentActorState:
        """Handle the open turn again from its beginning: its message is not stored before its reply is scheduled."""
        state = replace(state, message=None, exceeded=None, hooked="", claimed=False)
        state = self._succession.resume(state, error, out)
        return pass_on_waiters(self._settle(self._claim(state, out), out), self._wiring, out)

    def _moved(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        """When nothing is under way any more: what waited for whoever is in charge now is his."""
        if state.move is not None:
            return self._settle(state, out)
        for request in state.held:
            self._schedule(state, request, out)
        state = replace(state, held=())
        if state.claimed and state.turns:
            out.tell(self._wiring.history, ContextWanted(state.turns[0].turn, out.myself, state.agent.key))
            state = replace(state, claimed=False)
        return self._settle(state, out)

    # -- the user's turn ---------------------------------------------------------------------------------------------

    def _on_turn_ended(self, state: AgentActorState, turn: UserTurnEnded, out: Outbox[AgentMessage]) -> AgentActorState:
        first = not state.turns
        state = replace(state, turns=(*state.turns, turn))
        return self._claim(state, out) if first else state

    def _claim(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        if not state.turns:
            return state
        turn = state.turns[0]
        out.turn = turn.turn
        out.oblige(turn.turn, f"the reply to {turn.turn} to be scheduled", HOOK_WITHIN)
        if state.replies_withheld:
            out.tell(self._wiring.floor, TurnClaim(turn.turn, reply=False))
        if state.stores_only or not turn.reply:
            return self._store_without_reply(state, out)
        if turn.typed:
            out.tell(self._wiring.supervisor, TypedTurnTaken(turn.turn))
        out.tell(self._wiring.floor, TurnClaim(turn.turn))
        return replace(state, decided_at=out.now)

    def _on_claimed(self, state: AgentActorState, turn: str, out: Outbox[AgentMessage]) -> AgentActorState:
        """The floor is clear for the turn: who is in charge may see it; while that changes, it waits."""
        if not state.turns or state.turns[0].turn != turn or state.leaving:
            return state
        return self._moved(replace(state, claimed=True), out)

    def _on_context(
        self, state: AgentActorState, context: ContextSnapshot, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        state = self._speculating.on_context(state, context, out)
        if not state.turns or state.turns[0].turn != context.request or state.hooked or state.leaving:
            return state
        if context.agent.key != state.agent.key or state.move is not None:
            return self._moved(replace(state, claimed=True), out)
        turn, agent = state.turns[0], state.agent
        message = state.message or user_message(state, turn, out)

        async def run_hook(_port: object) -> TurnVerdict:
            return await agent.on_user_turn_completed(ChatContext(context.items), message)

        out.effect(
            TURN_HOOK,
            run_hook,
            done=lambda verdict: HookReturned(turn.turn, verdict),
            failed=lambda error: HookFailed(TURN_HOOK, agent.key, error),
            user_loop=True,
        )
        return replace(state, message=message, hooked=agent.key, version=context.version, hook_began=out.now)

    def _on_hook_returned(
        self, state: AgentActorState, name: str, verdict: TurnVerdict, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        if not state.turns or state.turns[0].turn != name:
            return state
        turn = state.turns[0]
        if not verdict.reply:
            out.log("turn_discarded", turn=name, reason="the user's hook asked for no reply")
            return self._turn_over(replace(state, turns_discarded=state.turns_discarded + 1), out)
        if not state.leaving and (state.move is not None or state.hooked != state.agent.key):
            # Another agent takes over, or has: the turn is his next one, with the message as this hook left it.
            return self._moved(replace(state, message=verdict.message, hooked="", claimed=True), out)
        message = with_hook_delay(state, verdict.message, out)
        store_message(turn, message, state.agent.key, self._wiring, out)
        if state.agent.components.llm is None or state.stores_only:
            return self._turn_over(replace(state, turns_stored=state.turns_stored + 1), out)
        spec = SpeechSpec(
            id="",
            source=SpeechSource.GENERATE_REPLY,
            agent=state.agent,
            chat_items=context_for(turn, verdict, message),
            allow_interruptions=state.agent.options(state.options).allow_interruptions,
            turn=name,
            automatic=True,
            input_modality="text" if turn.typed else "audio",
            user_stopped_at=turn.stopped_speaking_at,
        )
        state, spec = self._speculating.schedule(state, spec, message, out)
        metrics = end_of_turn(turn, state.decided_at, state.hook_began, out.now, spec.id, out.wall())
        if metrics is not None:
            out.tell(self._wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))
        state = replace(state, turns_replied=state.turns_replied + 1, waiting_exceeded=None)
        return self._turn_over(state, out, replied=True)

    def _on_hook_failed(
        self, state: AgentActorState, hook: str, agent: str, error: BaseException, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """A hook raised. The user's words are kept; there is no reply, since the hook may have been a guard."""
        out.tell(self._wiring.supervisor, Publish(ErrorEvent(error, hook, recoverable=True, created_at=out.wall())))
        if hook in (ENTER_HOOK, EXIT_HOOK):
            return self._moved(self._succession.hook_over(state, hook, agent, out), out)
        if hook == EXCEEDED_HOOK:
            return replace(state, exceeded=None)
        return self._store_without_reply(state, out) if hook == TURN_HOOK else state

    def _store_without_reply(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        if not state.turns:
            return state
        turn = state.turns[0]
        store_message(turn, state.message or user_message(state, turn, out), state.hooked, self._wiring, out)
        return self._turn_over(replace(state, turns_stored=state.turns_stored + 1), out)

    def _on_exceeded(
        self, state: AgentActorState, exceeded: UserTurnExceeded, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """The user does not stop. A reply on its way makes up for it; not told while the hook or a handoff runs."""
        if state.exceeded is not None or state.leaving or state.move is not None:
            return state
        if state.turns:
            return replace(state, waiting_exceeded=exceeded)
        agent, event = state.agent, exceeded.event

        async def run(_port: object) -> None:
            await agent.on_user_turn_exceeded(event)

        out.effect(
            EXCEEDED_HOOK,
            run,
            done=lambda _: HookDone(EXCEEDED_HOOK, agent.key),
            failed=lambda error: HookFailed(EXCEEDED_HOOK, agent.key, error),
            user_loop=True,
        )
        return replace(state, waiting_exceeded=None, exceeded=exceeded)

    def _turn_over(
        self, state: AgentActorState, out: Outbox[AgentMessage], *, replied: bool = False
    ) -> AgentActorState:
        turn = state.turns[0]
        out.discharge(turn.turn)
        if turn.typed and not replied:
            out.tell(self._wiring.supervisor, TurnUnanswered(turn.turn))
        state = self._claim(self._speculating.turn_over(state, out).next_turn(), out)
        out.tell(self._wiring.floor, TurnSettled(turn.turn))  # behind the claim of the next: no quiet between the two
        if (waiting := state.waiting_exceeded) is not None and not state.turns:
            state = self._on_exceeded(replace(state, waiting_exceeded=None), waiting, out)
        return self._settle(state, out)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _on_speak_requested(
        self, state: AgentActorState, request: SpeakRequested, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        tell_taken_over(state, request, out)
        move = state.move
        waits = move is not None and move.phase is Phase.DRAIN and not request.caller
        if waits:  # what tools of who leaves want to say is his, else they would wait for themselves
            return replace(state, held=(*state.held, request))
        self._schedule(state, request, out)
        return state

    def _schedule(self, state: AgentActorState, request: SpeakRequested, out: Outbox[AgentMessage]) -> None:
        spec = replace(request.spec, agent=state.agent)
        out.tell(self._wiring.floor, ScheduleSpeech(spec, said_in(request, out)))

    def _on_enters(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        agent = state.agent
        handoff = AgentHandoff(agent.id, None, id=out.new_id("item"), created_at=out.wall())
        out.tell(self._wiring.history, AgentTakesOver(agent, handoff))
        return enter(state, agent, out)

    def _on_leave(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        if state.leaving:
            return state
        state = self._succession.leave(self._speculating.turn_over(state, out), out)
        for request in state.held:  # nobody will say it; what the user said is kept
            if (said := said_in(request, out)) is not None:
                out.tell(self._wiring.history, AppendItems((said,), agent=state.agent.key))
        state = replace(state, held=(), claimed=False)
        if state.turns and not state.hooked:
            return self._store_without_reply(state, out)
        return state

    def _settle(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        """When all is done: by way of ``history``, so that what was stored is known before the end."""
        if not state.settling or not state.left or state.turns:
            return state
        out.tell(self._wiring.history, ContextWanted(SETTLED, self._wiring.supervisor))
        return replace(state, settling=False)

    def summary(self, state: AgentActorState) -> Mapping[str, object]:
        """Open and ended turns."""
        return {
            "agent": state.agent.key,
            "stack": [seat.agent.key for seat in state.stack],
            "move": None if state.move is None else f"{state.move.kind.value}: {state.move.phase.value}",
            "moves_wanted": len(state.wanted) + len(state.suspended),
            "held_speeches": len(state.held),
            "idle_wanted": [wish.request for wish in state.idle_wanted],
            "open_turns": [turn.turn for turn in state.turns],
            "replied": state.turns_replied,
            "stored": state.turns_stored,
            "discarded": state.turns_discarded,
            "speculation": state.speculation.summary(),
        }
