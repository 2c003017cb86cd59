"""``deferred``: delivers what tools in the background have to say, as one reply, when all is quiet.

Told by ``tools``. Each report enters the history at once, so that a reply that comes anyway sees it; a reply about it
is asked for when nobody speaks. What comes meanwhile is told in the same reply. It knows nothing of audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.deferred import CallReported, Instructed, Quiet, QuietOver, QuietWanted, SpeechEnded
from sessionactors.messages.floor import ScheduleSpeech
from sessionactors.messages.history import AppendItems, ContextSnapshot, ContextWanted
from sessionactors.messages.session import Publish
from sessionactors.messages.tools import ToolFinished, ToolsRunning
from sessionactors.model.speech import SpeechSource
from sessionactors.model.tool_events import ToolExecutionUpdatedEvent, ToolReplyStatus, ToolReplyUpdated
from sessionactors.runtime import Actor, EffectPort, Outbox
from sessionactors.runtime.frozen import replace

from .wiring import Wiring

DeferredMessage: TypeAlias = (
    CallReported
    | ToolFinished
    | ToolsRunning
    | Quiet
    | QuietWanted
    | QuietOver
    | ContextSnapshot
    | Instructed
    | SpeechEnded
)


@dataclass(frozen=True, slots=True)
class DeferredState:
    """What is to be told, and the reply that tells it."""

    waiting: tuple[CallReported, ...] = ()
    request: str = ""
    """Under which the quiet was asked for; empty while nothing is to be told."""
    agent: UserAgent | None = None
    """Who will tell it, once that is known."""
    replies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Replies under way, and the call ids that they are about."""
    told: int = 0
    finished: int = 0


class Deferred(Actor[DeferredState, DeferredMessage]):
    """Tells the user of background tools."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def initial(self) -> DeferredState:
        """Nothing is to be told."""
        return DeferredState()

    def restarted(self, state: DeferredState, error: BaseException, out: Outbox[DeferredMessage]) -> DeferredState:
        """Ask anew: the effect that found the words is gone."""
        if not state.request:
            return state
        out.tell(self._wiring.floor, QuietOver(state.request))
        return self._ask(replace(state, request="", agent=None), out)

    def receive(self, state: DeferredState, message: DeferredMessage, out: Outbox[DeferredMessage]) -> DeferredState:
        """One message."""
        match message:
            case CallReported():
                return self._on_report(state, message, out)
            case ToolFinished(call=call, output=output):
                report = CallReported(call, output, message.owner)
                return self._on_report(replace(state, finished=state.finished + 1), report, out)
            case Quiet(request):
                if request != state.request:
                    return state
                out.tell(self._wiring.history, ContextWanted(request, out.myself))
                return state
            case ToolsRunning():  # by way of history: who hears that none runs may rely on what they said being there
                out.tell(self._wiring.history, message)
                return state
            case QuietWanted() | QuietOver():  # of a tool: in the order of what it tells
                out.tell(self._wiring.floor, message)
                return state
            case ContextSnapshot():
                return self._on_context(state, message, out)
            case Instructed():
                return self._on_instructed(state, message, out)
            case SpeechEnded():
                return self._on_speech_ended(state, message, out)
            case _:
                assert_never(message)

    def _on_report(self, state: DeferredState, report: CallReported, out: Outbox[DeferredMessage]) -> DeferredState:
        out.tell(self._wiring.history, AppendItems((report.call, report.output), agent=report.agent))
        if not report.output.reply_required:
            return state
        return self._ask(replace(state, waiting=(*state.waiting, report)), out)

    def _ask(self, state: DeferredState, out: Outbox[DeferredMessage]) -> DeferredState:
        if state.request or not state.waiting:
            return state
        request = out.new_id("deferred")
        out.tell(self._wiring.floor, QuietWanted(request, out.myself))
        return replace(state, request=request)

    def _on_context(
        self, state: DeferredState, context: ContextSnapshot, out: Outbox[DeferredMessage]
    ) -> DeferredState:
        if context.request != state.request:
            return state
        agent = context.agent
        state = self._hand_over(state, context, out)
        if not state.waiting:
            out.tell(self._wiring.floor, QuietOver(state.request))
            return replace(state, request="")
        last = state.waiting[-1].output.id
        at_tail = bool(context.items) and context.items[-1].id == last
        ids, request = _ids(state), state.request

        async def run(port: EffectPort[DeferredMessage]) -> Instructed:
            return Instructed(request, agent.deferred_instructions(ids, at_tail=at_tail))

        def stock(_: BaseException) -> Instructed:  # the template is the user's code
            return Instructed(request, UserAgent.deferred_instructions(agent, ids, at_tail=at_tail))

        out.effect(
            "instructions",
            run,
            done=lambda words: words,
            failed=stock,
            user_loop=True,
        )
        return replace(state, agent=agent)

    def _hand_over(self, state: DeferredState, context: ContextSnapshot, out: Outbox[DeferredMessage]) -> DeferredState:
        """Another agent is in charge: it is told of what belongs to the session; the rest went with its agent."""
        known = {item.id for item in context.items}
        kept: list[CallReported] = []
        for report in state.waiting:
            if report.agent not in ("", context.agent.key):
                out.log("tool_report_dropped", level="info", call_id=report.call.call_id, reason="its agent has left")
                continue
            if report.output.id not in known:
                items = (report.call, report.output)
                out.tell(self._wiring.history, AppendItems(items, agent=context.agent.key, in_history=False))
            kept.append(report)
        return replace(state, waiting=tuple(kept))

    def _on_instructed(self, state: DeferredState, words: Instructed, out: Outbox[DeferredMessage]) -> DeferredState:
        if words.request != state.request or state.agent is None:
            return state
        spec = SpeechSpec(
            id=out.new_id("speech"),
            source=SpeechSource.GENERATE_REPLY,
            agent=state.agent,
            instructions=words.instructions,
            tool_choice="none",
            allow_interruptions=state.agent.options(self._wiring.options).allow_interruptions,
            automatic=True,
            may_be_empty=True,
        )
        ids = _ids(state)
        out.tell(self._wiring.floor, ScheduleSpeech(spec, report_to=out.myself))
        out.tell(self._wiring.floor, QuietOver(state.request))
        self._publish(ids, "scheduled", spec.id, out)
        replies = {**state.replies, spec.id: ids}
        return replace(state, waiting=(), request="", agent=None, replies=replies, told=state.told + len(ids))

    def _on_speech_ended(self, state: DeferredState, end: SpeechEnded, out: Outbox[DeferredMessage]) -> DeferredState:
        replies = dict(state.replies)
        ids = replies.pop(end.speech, None)
        if ids is None:
            return state
        status: ToolReplyStatus = "completed" if end.items else "skipped"
        self._publish(ids, "interrupted" if end.interrupted else status, end.speech, out)
        return replace(state, replies=replies)

    def _publish(
        self, ids: tuple[str, ...], status: ToolReplyStatus, speech: str, out: Outbox[DeferredMessage]
    ) -> None:
        update = ToolReplyUpdated(ids, status, speech)
        out.tell(self._wiring.supervisor, Publish(ToolExecutionUpdatedEvent(update, out.wall())))

    def summary(self, state: DeferredState) -> Mapping[str, object]:
        """What is to be told, and by what."""
        return {
            "waiting": list(_ids(state)),
            "request": state.request,
            "replies": {speech: list(ids) for speech, ids in state.replies.items()},
            "told": state.told,
            "finished": state.finished,
        }


def _ids(state: DeferredState) -> tuple[str, ...]:
    return tuple(report.call.call_id for report in state.waiting)
