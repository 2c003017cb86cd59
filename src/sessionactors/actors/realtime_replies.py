"""The replies of a realtime model: asking, receiving, handing on, cutting to what was heard. Used by ``realtime`` only.

The server works on one reply at a time, so requests wait for each other. What a reply brings goes to its speech as the
answers of ``llm`` do, and its audio to ``output`` by credit, as that of ``tts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sessionactors.interfaces.realtime import (
    GenerationCreated,
    RealtimeModel,
    RealtimeUsage,
    ResponseAudio,
    ResponseDone,
    ResponseText,
    ResponseToolCall,
)
from sessionactors.messages.llm import (
    GenerateText,
    GenerationDone,
    GenerationFailed,
    ReplyBegan,
    TextDelta,
    ToolCallsRequested,
)
from sessionactors.messages.realtime import (
    AdoptResponse,
    ReplyDue,
    ReplyStalled,
    ReplyUnclaimed,
    SayText,
    ServerBeganReply,
)
from sessionactors.messages.session import ComponentStumbled, Publish
from sessionactors.model.errors import APIError
from sessionactors.model.events import MetricsCollectedEvent
from sessionactors.runtime import NS, Outbox
from sessionactors.runtime.frozen import replace

from .realtime_figures import metrics_of
from .realtime_link import LINK, AskReply, AskSay, ForgetItems, Interrupt, SetToolChoice
from .realtime_memory import aside_for
from .realtime_reply import Claim, Reply, fresh
from .realtime_sound import ReplySound
from .realtime_state import RealtimeState, Stage
from .retry_policy import retry_delay
from .wiring import Wiring

if TYPE_CHECKING:
    from .realtime import RealtimeMessage

CLAIMED_WITHIN = 5.0
"""Seconds for a speech to adopt a response that the server began."""
FURTHEST_AHEAD = 300.0
"""Seconds of audio that a server may be ahead of playout; more is no reply but a fault."""


class Replies:
    """What is done with the replies of one session.

    Args:
        wiring: the session.
        model: whose replies they are.
    """

    def __init__(self, wiring: Wiring, model: RealtimeModel) -> None:
        self._wiring = wiring
        self._model = model
        self._can = model.capabilities
        self._options = wiring.options.llm_conn_options
        self.sound = ReplySound(wiring, model)

    # -- asking ------------------------------------------------------------------------------------------------------

    def asked_for(self, state: RealtimeState, order: GenerateText, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """A speech wants a reply."""
        if order.request in state.ended or order.request in state.replies:
            return state
        claim = Claim(order.request, order.segment, order.reply_to, order.speech, order.scope, order.audio_node)
        if order.speech in state.owed:
            return self._await_owed(state, claim, out)
        choice = order.tool_choice
        own_choice = self._can.per_response_tool_choice
        ask = AskReply(
            order.request,
            order.instructions,
            choice if own_choice else None,
            order.tools if own_choice and order.tools != state.tools else None,
            aside_for(state, order, self._can, out),
        )
        reply = replace(self._fresh(order.request, out), claim=claim, order=ask, tool_choice=choice)
        return self.ask_next(state.with_reply(reply), out)

    def say(self, state: RealtimeState, order: SayText, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """A speech wants a text spoken as it is."""
        if order.request in state.ended or order.request in state.replies:
            return state
        claim = Claim(order.request, order.segment, order.reply_to, order.speech, order.scope, order.audio_node)
        reply = replace(self._fresh(order.request, out), claim=claim, order=AskSay(order.request, order.text))
        return self.ask_next(state.with_reply(reply), out)

    def ask_next(self, state: RealtimeState, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Ask for the reply that has waited longest, if the server is free."""
        if state.stage is not Stage.OPEN or any(reply.running for reply in state.replies.values()):
            return state
        for reply in state.replies.values():
            if reply.order is None or reply.asked or reply.ended or reply.paused:
                continue
            if reply.claim is not None and reply.claim.scope.closed:
                state = state.without_reply(reply.key).with_ended(reply.key)
                continue
            if not self._can.per_response_tool_choice and reply.tool_choice != state.tool_choice:
                out.feed(LINK, SetToolChoice(reply.tool_choice))
                state = replace(state, tool_choice=reply.tool_choice)
            out.feed(LINK, reply.order)
            return state.with_reply(self._watch(replace(reply, asked=True), out))
        return state

    def ask_again(self, state: RealtimeState, request: str, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """The pause after a failure is over."""
        reply = state.replies.get(request)
        return state if reply is None else self.ask_next(state.with_reply(replace(reply, paused=False)), out)

    def _fresh(self, key: str, out: Outbox[RealtimeMessage]) -> Reply:
        return fresh(key, out.now, self._model.sample_rate)

    def ask_outright(self, state: RealtimeState, reply: Reply, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """The server did not answer the tools by itself."""
        ask = AskReply(reply.key, None, None, None)
        return self.ask_next(state.with_reply(replace(reply, order=ask, asked=False)), out)

    def _watch(self, reply: Reply, out: Outbox[RealtimeMessage]) -> Reply:
        """Something went on: the server has its time again."""
        out.timer(_stall(reply.key), self._options.timeout, ReplyStalled(reply.key))
        return reply

    # -- responses that the server begins ----------------------------------------------------------------------------

    def created(self, state: RealtimeState, event: GenerationCreated, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """A response begins: one that was asked for, one that answers tools, or one of the server's own."""
        response = event.response_id
        if event.request_id is not None:
            reply = state.replies.get(event.request_id)
            if reply is None or reply.ended:
                out.feed(LINK, Interrupt(event.request_id))
                reply = reply or replace(self._fresh(event.request_id, out), ended=True, cancelled=True, settled=True)
                return state.with_reply(replace(reply, response=response, asked=True))
            return state.with_reply(self._watch(replace(reply, response=response), out))
        for speech, begun in state.owed.items():
            if not begun:
                return self._owed_began(state, speech, response, out)
        out.tell(self._wiring.agent, ServerBeganReply(response))
        return self._unclaimed(state, response, out)

    def _unclaimed(self, state: RealtimeState, response: str, out: Outbox[RealtimeMessage]) -> RealtimeState:
        out.timer(_claim(response), CLAIMED_WITHIN, ReplyUnclaimed(response))
        reply = replace(self._fresh(response, out), response=response, asked=True)
        return state.with_reply(self._watch(reply, out))

    def _owed_began(
        self, state: RealtimeState, speech: str, response: str, out: Outbox[RealtimeMessage]
    ) -> RealtimeState:
        """The server answers the outputs of a speech's tools; the speech may not have asked yet."""
        waiting = next((reply for reply in state.replies.values() if _waits_as_owed(reply, speech)), None)
        if waiting is None:
            return self._unclaimed(replace(state, owed={**state.owed, speech: response}), response, out)
        state = replace(state, owed=_without(state.owed, speech))
        return state.with_reply(self._watch(replace(waiting, response=response), out))

    def _await_owed(self, state: RealtimeState, claim: Claim, out: Outbox[RealtimeMessage]) -> RealtimeState:
        response = state.owed[claim.speech]
        if response:
            return self._adopt(replace(state, owed=_without(state.owed, claim.speech)), response, claim, out)
        reply = replace(self._fresh(claim.request, out), claim=claim, asked=True)
        return state.with_reply(self._watch(reply, out))

    def adopted(self, state: RealtimeState, order: AdoptResponse, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """A speech takes a response of the server's as its own."""
        if order.request in state.ended:
            return self.cancel(state, order.response, out)
        claim = Claim(order.request, order.segment, order.reply_to, order.speech, order.scope, order.audio_node)
        return self._adopt(state, order.response, claim, out)

    def _adopt(self, state: RealtimeState, response: str, claim: Claim, out: Outbox[RealtimeMessage]) -> RealtimeState:
        out.cancel_timer(_claim(response))
        out.cancel_timer(_stall(response))
        reply = state.replies.get(response)
        if reply is None or reply.cancelled:  # the user spoke first, or it was lost
            out.tell(claim.reply_to, GenerationDone(claim.request, None, 0.0, 0.0))
            return state.with_ended(claim.request)
        state = state.without_reply(response)
        reply = self.sound.adopted(replace(reply, key=claim.request, claim=claim), out)
        if reply.parts:
            out.tell(claim.reply_to, ReplyBegan(claim.request, reply.parts[0].message_id, claim.scope))
        if reply.text:
            out.tell(claim.reply_to, TextDelta(claim.request, reply.text, claim.scope))
        if reply.calls:
            state = self._call(state, claim, reply, out)
        if reply.done is not None:
            return self._ended(state, reply, reply.done, out)
        return state.with_reply(self._watch(reply, out))

    # -- what a response brings --------------------------------------------------------------------------------------

    def text(self, state: RealtimeState, event: ResponseText, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """More text."""
        reply = state.of_response(event.response_id)
        if reply is None or reply.ended:
            return self._late(state, reply, event)
        state = state.knowing(event.message_id)
        reply = self._begun(reply, replace(reply.part(event.message_id, "text"), text=reply.text + event.text), out)
        if reply.claim is not None and event.text:
            out.tell(reply.claim.reply_to, TextDelta(reply.key, event.text, reply.claim.scope))
        return state.with_reply(self._watch(reply, out))

    def audio(self, state: RealtimeState, event: ResponseAudio, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """More sound."""
        reply = state.of_response(event.response_id)
        if reply is None or reply.ended:
            return self._late(state, reply, event)
        state = state.knowing(event.message_id)
        reply = self._begun(reply, reply.part(event.message_id, "audio"), out)
        if not reply.audio_wanted:
            return state.with_reply(self._watch(reply, out))
        reply = self.sound.received(reply, event.frame, event.timings, out)
        if (reply.audio.received - reply.audio.handed) / reply.audio.rate > FURTHEST_AHEAD:
            out.feed(LINK, Interrupt(reply.key))
            error = APIError(f"{self._model.label} gave more than {FURTHEST_AHEAD:g} s of audio ahead of playout")
            return self.failed(state, reply, error, out)
        return state.with_reply(self._watch(reply, out))

    def tool_call(self, state: RealtimeState, event: ResponseToolCall, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """It wants a tool to run."""
        reply = state.of_response(event.response_id)
        if reply is None or reply.ended:
            return self._late(state, reply, event)
        if reply.tool_choice == "none":
            out.log("tool_calls_ignored", level="warning", request=reply.key, reason="tool_choice is none")
            return state
        first_at = out.now if reply.first_at is None else reply.first_at
        reply = replace(reply, calls=(*reply.calls, event.call), first_at=first_at)
        if reply.claim is not None:
            state = self._call(state, reply.claim, replace(reply, calls=(event.call,)), out)
        return state.with_reply(self._watch(reply, out))

    @staticmethod
    def _call(state: RealtimeState, claim: Claim, reply: Reply, out: Outbox[RealtimeMessage]) -> RealtimeState:
        for call in reply.calls:
            state = state.with_caller(call.call_id, claim.speech)
        out.tell(claim.reply_to, ToolCallsRequested(claim.request, reply.calls, claim.scope))
        return state

    @staticmethod
    def _begun(before: Reply, reply: Reply, out: Outbox[RealtimeMessage]) -> Reply:
        """The first sound or text: the speech shall want the floor."""
        if not before.parts and reply.claim is not None:
            out.tell(reply.claim.reply_to, ReplyBegan(reply.key, reply.parts[0].message_id, reply.claim.scope))
        return replace(reply, first_at=out.now if reply.first_at is None else reply.first_at)

    @staticmethod
    def _late(
        state: RealtimeState, reply: Reply | None, event: ResponseText | ResponseAudio | ResponseToolCall
    ) -> RealtimeState:
        """Of a reply that nobody wants any more. Its messages are in the server's conversation all the same."""
        state = replace(state, late=state.late + 1)
        if reply is None or isinstance(event, ResponseToolCall):
            return state
        return state.with_reply(reply.part(event.message_id, "text" if isinstance(event, ResponseText) else "audio"))

    # -- ends --------------------------------------------------------------------------------------------------------

    def response_done(self, state: RealtimeState, done: ResponseDone, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """The server is done with a response."""
        reply = state.of_response(done.response_id)
        if reply is None:
            return state
        out.cancel_timer(_stall(reply.key))
        if isinstance(reply.order, AskReply) and reply.order.aside:
            out.feed(LINK, ForgetItems(frozenset(item.id for item in reply.order.aside)))
        if reply.ended:
            if reply.cancelled and reply.settled:  # what came after the cut was never heard
                reply = self.sound.shorten(reply, "", 0.0, out)
            return self.ask_next(state.with_reply(replace(reply, done=done)), out)
        if done.error is not None or done.status == "failed":
            error = done.error or APIError(f"{self._model.label} failed to reply, without saying why")
            return self.failed(state, replace(reply, done=done), error, out)
        if done.status == "completed" and not reply.released and reply.order is not None:
            empty = APIError(f"{self._model.label} replied with neither sound nor text nor calls")
            return self.failed(state, replace(reply, done=done), empty, out)
        if reply.claim is None:
            return self.ask_next(state.with_reply(replace(reply, done=done)), out)
        return self.ask_next(self._ended(state, reply, done, out), out)

    def _ended(
        self, state: RealtimeState, reply: Reply, done: ResponseDone, out: Outbox[RealtimeMessage]
    ) -> RealtimeState:
        if reply.claim is None:
            return state
        first_at = reply.since if reply.first_at is None else reply.first_at
        ttft, duration = (first_at - reply.since) / NS, (out.now - reply.since) / NS
        out.tell(reply.claim.reply_to, GenerationDone(reply.key, None, ttft, duration))
        self._publish_metrics(reply, done.usage, out, cancelled=done.status == "cancelled")
        reply = replace(reply, done=done, ended=True, settled=reply.settled or not reply.parts)
        state = replace(state, done=state.done + 1).with_ended(reply.key)
        return state.with_reply(self.sound.end_audio(reply, out))

    def failed(
        self, state: RealtimeState, reply: Reply, error: Exception, out: Outbox[RealtimeMessage], *, final: bool = False
    ) -> RealtimeState:
        """A reply failed: ask again after a while, if nothing was handed on and the budget allows.

        Args:
            state: as it is.
            reply: which one.
            error: why.
            out: the outbox.
            final: it is not asked for again, and the error is told elsewhere.
        """
        out.cancel_timer(_stall(reply.key))
        reply = replace(reply, failures=reply.failures + 1, error=error)
        again = reply.order is not None and not reply.released and not final
        delay = retry_delay(error, reply.failures, self._options) if again else None
        if delay is not None:
            out.log("reply_retried", level="warning", request=reply.key, failures=reply.failures, error=repr(error))
            out.timer(_retry(reply.key), delay, ReplyDue(reply.key))
            return state.with_reply(replace(reply, asked=False, paused=True, response="", done=None, error=None))
        if not final:
            out.tell(self._wiring.supervisor, ComponentStumbled("realtime", error, self._model.label))
        if reply.claim is not None:
            out.tell(reply.claim.reply_to, GenerationFailed(reply.key, error))
        settled = reply.settled or not reply.parts or reply.claim is None
        reply = self.sound.end_audio(replace(reply, ended=True, settled=settled), out)
        state = replace(state, failed=state.failed + 1, owed=_without(state.owed, reply.speech))
        return self.ask_next(state.with_ended(reply.key).with_reply(reply), out)

    def lost(self, state: RealtimeState, reply: Reply, error: Exception, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """The session has ended. What was not begun is asked of the next one; of the rest, nothing more comes."""
        for timer in (_stall(reply.key), _claim(reply.key)):
            out.cancel_timer(timer)
        if not reply.asked:
            return state
        done = ResponseDone(reply.response, "failed", error=error)
        if reply.ended:
            return state.with_reply(replace(reply, done=done))
        if reply.claim is None:
            return state.without_reply(reply.key)
        if reply.released:
            return self.failed(state, replace(reply, done=done), error, out, final=True)
        ask = reply.order or AskReply(reply.key, None, None, None)
        return state.with_reply(replace(reply, asked=False, response="", order=ask))

    def cancel(self, state: RealtimeState, request: str, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Nobody wants the reply any more."""
        reply = state.replies.get(request)
        if reply is None:
            return state if request in state.ended else state.with_ended(request)
        if reply.ended:
            return state
        for timer in (_stall(request), _retry(request), _claim(request)):
            out.cancel_timer(timer)
        if reply.running:
            out.feed(LINK, Interrupt(request))
        reply = self.sound.drop_node(reply, out)
        self._publish_metrics(reply, None, out, cancelled=True)
        if reply.claim is None:  # no segment will ever be heard of it
            reply = self.sound.shorten(reply, "", 0.0, out)
        silent = not reply.parts or reply.claim is None
        reply = replace(reply, cancelled=True, ended=True, settled=reply.settled or silent)
        state = replace(state, cancelled=state.cancelled + 1, owed=_without(state.owed, reply.speech))
        return self.ask_next(state.with_ended(request).with_reply(reply), out)

    def _publish_metrics(
        self, reply: Reply, usage: RealtimeUsage | None, out: Outbox[RealtimeMessage], *, cancelled: bool
    ) -> None:
        figures = metrics_of(reply, usage or RealtimeUsage(), self._model, out.now, out.wall(), cancelled=cancelled)
        out.tell(self._wiring.supervisor, Publish(MetricsCollectedEvent(figures, out.wall())))


def _stall(key: str) -> str:
    return f"stall:{key}"


def _retry(key: str) -> str:
    return f"retry:{key}"


def _claim(response: str) -> str:
    return f"claim:{response}"


def _waits_as_owed(reply: Reply, speech: str) -> bool:
    """A speech waits in it for what the server says of its tools."""
    return reply.order is None and not reply.response and not reply.ended and reply.speech == speech


def _without(owed: Mapping[str, str], speech: str) -> Mapping[str, str]:
    return {name: response for name, response in owed.items() if name != speech}
