"""``agent``: from a complete user turn to a reply. Owns the user's agent, its hooks, and the order of turns.

Turns are handled one after the other: claim the floor, run the user's hook, store the message, schedule the reply. A
turn that comes meanwhile waits; none is dropped. User code runs as effects on the user's loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import TurnVerdict, UserAgent
from sessionactors.messages.agent import AgentEnters, HookDone, HookFailed, HookReturned, ReviseAgent, RewriteContext
from sessionactors.messages.floor import ScheduleSpeech, TurnClaim, TurnClaimed
from sessionactors.messages.history import (
    AgentRevised,
    AgentTakesOver,
    AppendItems,
    ContextSnapshot,
    ContextWanted,
    ReplaceContext,
)
from sessionactors.messages.session import LeaveAgent, OptionsChanged, Publish, SettleTurns, SpeakRequested
from sessionactors.messages.turn import TurnPreflight, TurnTaken, UserTurnEnded, UserTurnExceeded
from sessionactors.model.chat import AgentHandoff, ChatContext, ChatMessage
from sessionactors.model.events import ErrorEvent, MetricsCollectedEvent
from sessionactors.model.metrics import EOUMetrics
from sessionactors.model.options import SessionOptions
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import NS, Actor, Outbox

from .item_metrics import user_metrics
from .wiring import Wiring

AgentMessage: TypeAlias = (
    UserTurnEnded
    | TurnPreflight
    | UserTurnExceeded
    | TurnClaimed
    | ContextSnapshot
    | HookReturned
    | HookFailed
    | HookDone
    | SpeakRequested
    | AgentEnters
    | OptionsChanged
    | ReviseAgent
    | RewriteContext
    | LeaveAgent
    | SettleTurns
)

HOOK_WITHIN = 10.0
"""Seconds after which a hook that has not returned is named as overdue. It is not cancelled: it is the user's code."""

TURN_HOOK = "on_user_turn_completed"
ENTER_HOOK = "on_enter"
EXIT_HOOK = "on_exit"
EXCEEDED_HOOK = "on_user_turn_exceeded"

SETTLED = "settled"
"""The request under which ``history`` tells ``supervisor`` that nothing more comes from here."""


@dataclass(frozen=True, slots=True)
class AgentActorState:
    """The turns that are open."""

    agent: UserAgent
    """The one in charge."""
    options: SessionOptions
    """The session's; an agent may have its own."""
    turns: tuple[UserTurnEnded, ...] = ()
    """The first one is being handled."""
    message: ChatMessage | None = None
    """The message of the turn being handled, once its hook runs."""
    waiting_exceeded: UserTurnExceeded | None = None
    """The user goes on too long; a turn that is open may be answered first."""
    exceeded: UserTurnExceeded | None = None
    """The hook about it runs."""
    hook_began: int = 0
    decided_at: int = 0
    leaving: bool = False
    left: bool = False
    """``on_exit`` has run, or failed."""
    settling: bool = False
    """The supervisor waits for the end of all this."""
    turns_replied: int = 0
    turns_stored: int = 0
    turns_discarded: int = 0


class AgentActor(Actor[AgentActorState, AgentMessage]):
    """Turns what the user said into what the agent shall say."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def initial(self) -> AgentActorState:
        """No turn is open."""
        return AgentActorState(self._wiring.components.agent, self._wiring.options)

    def receive(self, state: AgentActorState, message: AgentMessage, out: Outbox[AgentMessage]) -> AgentActorState:
        """One message."""
        match message:
            case UserTurnEnded():
                return self._on_turn_ended(state, message, out)
            case TurnPreflight():
                return state  # replies are prepared elsewhere
            case UserTurnExceeded():
                return self._on_exceeded(state, message, out)
            case TurnClaimed(turn):
                if state.turns and state.turns[0].turn == turn:
                    out.tell(self._wiring.history, ContextWanted(turn, out.myself, state.agent.key))
                return state
            case ContextSnapshot():
                return self._on_context(state, message, out)
            case HookReturned(turn, verdict):
                return self._on_hook_returned(state, turn, verdict, out)
            case HookFailed(hook, error):
                return self._on_hook_failed(state, hook, error, out)
            case HookDone(hook):
                if hook == EXCEEDED_HOOK:
                    return replace(state, exceeded=None)
                return self._left(state, out) if hook == EXIT_HOOK else state
            case SpeakRequested():
                return self._on_speak_requested(state, message, out)
            case ReviseAgent(agent, change, ticket):
                change = replace(change, id=out.new_id("item"), created_at=out.wall())
                out.tell(self._wiring.history, AgentRevised(agent, (change,), ticket))
                return replace(state, agent=agent) if agent.key == state.agent.key else state
            case RewriteContext(agent_key, items, ticket):
                out.tell(self._wiring.history, ReplaceContext(agent_key, items, ticket))
                return state
            case AgentEnters():
                return self._on_enters(state, out)
            case OptionsChanged(session=options):
                return replace(state, options=options)
            case LeaveAgent():
                return self._on_leave(state, out)
            case SettleTurns():
                return self._settle(replace(state, settling=True), out)
            case _:
                assert_never(message)

    def restarted(self, state: AgentActorState, error: BaseException, out: Outbox[AgentMessage]) -> AgentActorState:
        """Handle the open turn again from its beginning: its message is not stored before its reply is scheduled."""
        state = replace(state, message=None, exceeded=None)
        if state.leaving and not state.left:
            self._run_hook(state.agent, EXIT_HOOK, out)
        return self._settle(self._claim(state, out), out)

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
        if state.leaving or not turn.reply:
            return self._store_without_reply(state, out)
        out.tell(self._wiring.floor, TurnClaim(turn.turn))
        return replace(state, decided_at=out.now)

    def _on_context(
        self, state: AgentActorState, context: ContextSnapshot, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        if not state.turns or state.turns[0].turn != context.request or state.message is not None:
            return state
        turn = state.turns[0]
        message = self._user_message(state, turn, out)
        agent = state.agent

        async def run_hook(_port: object) -> TurnVerdict:
            return await agent.on_user_turn_completed(ChatContext(context.items), message)

        out.effect(
            TURN_HOOK,
            run_hook,
            done=lambda verdict: HookReturned(turn.turn, verdict),
            failed=lambda error: HookFailed(TURN_HOOK, error),
            user_loop=True,
        )
        return replace(state, message=message, hook_began=out.now)

    @staticmethod
    def _user_message(state: AgentActorState, turn: UserTurnEnded, out: Outbox[AgentMessage]) -> ChatMessage:
        return ChatMessage(
            "user",
            [turn.transcript],
            id=out.new_id("item"),
            created_at=out.wall(),
            transcript_confidence=turn.confidence,
            metrics=user_metrics(turn, state.decided_at or out.now, out.wall),
        )

    def _on_hook_returned(
        self, state: AgentActorState, name: str, verdict: TurnVerdict, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        if not state.turns or state.turns[0].turn != name:
            return state
        turn = state.turns[0]
        if not verdict.reply:
            out.log("turn_discarded", turn=name, reason="the user's hook asked for no reply")
            return self._turn_over(replace(state, turns_discarded=state.turns_discarded + 1), out)
        message = self._with_hook_delay(state, verdict.message, out)
        out.tell(self._wiring.history, AppendItems((message,)))
        if state.agent.components.llm is None or state.leaving:
            return self._turn_over(replace(state, turns_stored=state.turns_stored + 1), out)
        spec = SpeechSpec(
            id=out.new_id("speech"),
            source=SpeechSource.GENERATE_REPLY,
            agent=state.agent,
            chat_items=None if verdict.chat_items is None else (*verdict.chat_items, message),
            allow_interruptions=state.agent.options(state.options).allow_interruptions,
            turn=name,
            automatic=True,
            input_modality="text" if turn.typed else "audio",
            user_stopped_at=turn.stopped_speaking_at,
        )
        out.tell(self._wiring.floor, ScheduleSpeech(spec))
        self._publish_end_of_turn(state, turn, spec.id, out)
        return self._turn_over(replace(state, turns_replied=state.turns_replied + 1, waiting_exceeded=None), out)

    @staticmethod
    def _with_hook_delay(state: AgentActorState, message: ChatMessage, out: Outbox[AgentMessage]) -> ChatMessage:
        if "stopped_speaking_at" not in message.metrics:
            return message
        delay = (out.now - state.hook_began) / NS
        return replace(message, metrics={**message.metrics, "on_user_turn_completed_delay": delay})

    def _publish_end_of_turn(
        self, state: AgentActorState, turn: UserTurnEnded, speech: str, out: Outbox[AgentMessage]
    ) -> None:
        stopped = turn.stopped_speaking_at
        if stopped is None:
            return
        last_final = turn.last_final_at if turn.last_final_at is not None else stopped
        metrics = EOUMetrics(
            end_of_utterance_delay=(state.decided_at - stopped) / NS,
            transcription_delay=max(0, last_final - stopped) / NS,
            on_user_turn_completed_delay=(out.now - state.hook_began) / NS,
            speech_id=speech,
            timestamp=out.wall(),
        )
        out.tell(self._wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))

    def _on_hook_failed(
        self, state: AgentActorState, hook: str, error: BaseException, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """A hook raised. The user's words are kept; there is no reply, since the hook may have been a guard."""
        out.tell(self._wiring.supervisor, Publish(ErrorEvent(error, hook, recoverable=True, created_at=out.wall())))
        if hook == EXIT_HOOK:
            return self._left(state, out)
        if hook == EXCEEDED_HOOK:
            return replace(state, exceeded=None)
        if hook == TURN_HOOK:
            return self._store_without_reply(state, out)
        return state

    def _store_without_reply(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        if not state.turns:
            return state
        message = state.message or self._user_message(state, state.turns[0], out)
        out.tell(self._wiring.history, AppendItems((message,)))
        return self._turn_over(replace(state, turns_stored=state.turns_stored + 1), out)

    def _on_exceeded(
        self, state: AgentActorState, exceeded: UserTurnExceeded, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """The user does not stop. A reply that is on its way makes up for it; while the hook runs, no more of it."""
        if state.exceeded is not None or state.leaving:
            return state
        if state.turns:
            return replace(state, waiting_exceeded=exceeded)
        agent, event = state.agent, exceeded.event

        async def run(_port: object) -> None:
            await agent.on_user_turn_exceeded(event)

        out.effect(
            EXCEEDED_HOOK,
            run,
            done=lambda _: HookDone(EXCEEDED_HOOK),
            failed=lambda error: HookFailed(EXCEEDED_HOOK, error),
            user_loop=True,
        )
        return replace(state, waiting_exceeded=None, exceeded=exceeded)

    def _taken_over(self, state: AgentActorState, request: SpeakRequested, out: Outbox[AgentMessage]) -> None:
        """What the hook has answered is no part of the turn that is open."""
        exceeded, said = state.exceeded, request.user_input
        text = said.text_content if isinstance(said, ChatMessage) else said
        if exceeded is not None and exceeded.finals and text == exceeded.event.transcript:
            out.tell(exceeded.reply_to, TurnTaken(exceeded.finals))

    def _turn_over(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        out.discharge(state.turns[0].turn)
        state = self._claim(replace(state, turns=state.turns[1:], message=None), out)
        if state.waiting_exceeded is not None and not state.turns:
            state = self._on_exceeded(state, state.waiting_exceeded, out)
        return self._settle(state, out)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _on_speak_requested(
        self, state: AgentActorState, request: SpeakRequested, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        self._taken_over(state, request, out)
        said = request.user_input
        if isinstance(said, str):
            said = ChatMessage("user", [said], id=out.new_id("item"), created_at=out.wall())
        out.tell(self._wiring.floor, ScheduleSpeech(replace(request.spec, agent=state.agent), said))
        return state

    def _on_enters(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        agent = state.agent
        handoff = AgentHandoff(agent.id, None, id=out.new_id("item"), created_at=out.wall())
        out.tell(self._wiring.history, AgentTakesOver(agent, handoff))
        self._run_hook(state.agent, ENTER_HOOK, out)
        return state

    @staticmethod
    def _run_hook(agent: UserAgent, hook: str, out: Outbox[AgentMessage]) -> None:
        async def run(_port: object) -> None:
            await (agent.on_enter() if hook == ENTER_HOOK else agent.on_exit())

        out.effect(
            hook, run, done=lambda _: HookDone(hook), failed=lambda error: HookFailed(hook, error), user_loop=True
        )

    def _on_leave(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        if state.leaving:
            return state
        self._run_hook(state.agent, EXIT_HOOK, out)
        state = replace(state, leaving=True)
        if state.turns and state.message is None:
            return self._store_without_reply(state, out)
        return state

    def _left(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        return self._settle(replace(state, left=True), out)

    def _settle(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        """When all is done: by way of ``history``, so that what was stored is known before the end."""
        if not state.settling or not state.left or state.turns:
            return state
        out.tell(self._wiring.history, ContextWanted(SETTLED, self._wiring.supervisor))
        return replace(state, settling=False)

    def summary(self, state: AgentActorState) -> Mapping[str, object]:
        """Open and ended turns."""
        return {
            "agent": state.agent.id,
            "open_turns": [turn.turn for turn in state.turns],
            "replied": state.turns_replied,
            "stored": state.turns_stored,
            "discarded": state.turns_discarded,
        }
