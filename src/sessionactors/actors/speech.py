"""``speech-N``: one thing the agent says, from the request to the last word heard. A child of ``floor``.

A reply may take several steps: text, tools, text again. Each step has one request to the model and one message, heard
in one segment or, where the model flushes, in several. It is over when its accounts balance: every segment it opened is
reported, every tool it asked for is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from sessionactors.interfaces.llm import LLM, FunctionToolCall
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.floor import (
    FloorGranted,
    FloorReleased,
    FloorWanted,
    SilenceSpeech,
    SpeechFinished,
    SpeechInterrupted,
    SpeechPromoted,
    SpeechWasted,
)
from sessionactors.messages.history import ContextSnapshot, ContextWanted
from sessionactors.messages.llm import (
    CancelGeneration,
    GenerateText,
    GenerationDone,
    GenerationFailed,
    LLMAnswer,
    ReplyBegan,
    TextDelta,
    TextFlushed,
    ToolCallsRequested,
)
from sessionactors.messages.output import (
    GenerationMarks,
    MessageKept,
    MessagePending,
    PlayoutFinished,
    PlayoutReport,
    PlayoutStarted,
)
from sessionactors.messages.session import Publish, SpeechAudible
from sessionactors.messages.speech import (
    AccountsOverdue,
    AudioGone,
    SourceText,
    SourceTextEnded,
    ToolsReviewed,
    WholeText,
)
from sessionactors.messages.tools import CallsSuperseded, ToolAnswer, ToolAnswered, ToolFinished
from sessionactors.messages.tts import ResendText
from sessionactors.model.chat import ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.events import SpeechItemNote, SpeechStepNote
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import Actor, Outbox, Ref, Scope
from sessionactors.runtime.frozen import replace

from .component_metadata import metadata_of
from .request_context import aside_of, context_of, tool_choice_of, tools_of
from .speech_request import StepNames, adopt, read_source, say_by_model
from .speech_state import REVIEW_WITHIN, SpeechState
from .speech_text import SpeechText
from .speech_tools import SpeechTools
from .wiring import Wiring

SpeechMessage: TypeAlias = (
    FloorGranted
    | SpeechInterrupted
    | SpeechPromoted
    | ContextSnapshot
    | LLMAnswer
    | PlayoutReport
    | ToolAnswer
    | ToolsReviewed
    | SourceText
    | SourceTextEnded
    | WholeText
    | AudioGone
    | ResendText
    | AccountsOverdue
)

SETTLE_WITHIN = 5.0
"""Seconds after an interruption in which its accounts must balance; then the handle is done without (as in LiveKit)."""


class Speech(Actor[SpeechState, SpeechMessage]):
    """Carries one speech through its steps."""

    def __init__(self, wiring: Wiring, spec: SpeechSpec, scope: Scope, floor: Ref[_FloorAnswer]) -> None:
        self._wiring = wiring
        self._spec = spec
        self._scope = scope
        self._floor = floor
        self._text = SpeechText(wiring, spec, scope)
        self._tools = SpeechTools(wiring, spec, scope)

    def initial(self) -> SpeechState:
        """Before the first step."""
        spec = self._spec
        return SpeechState(speculative=spec.speculative, mute=spec.speculative and not spec.speaks_ahead)

    def started(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Begin to work at once; being heard is the floor's to grant."""
        state = replace(state, scope=out.open_scope("step-1", self._scope))
        if self._spec.response:
            return adopt(state, self._spec, self._names(state), self._wiring, out)
        if self._spec.source is SpeechSource.GENERATE_REPLY:
            out.tell(self._wiring.history, ContextWanted(self._request(state), out.myself, self._spec.agent.key))
            return state
        state = self._text.start_recording(state, out)
        if state.recording is not None:
            state = self._want_floor(state, out)
        text = self._spec.text
        if self._text.by_model and text:
            return say_by_model(state, self._spec, text, self._names(state), self._wiring, out)
        if text is None or isinstance(text, str):
            state = self._add_text(state, text or "", out)
            return self._end_text(state, out)
        out.effect(
            "source",
            lambda port: read_source(port, text, self._spec.id, self._step_scope(state)),
            done=lambda _: SourceTextEnded(None),
            failed=SourceTextEnded,
            user_loop=True,
        )
        return state

    def receive(self, state: SpeechState, message: SpeechMessage, out: Outbox[SpeechMessage]) -> SpeechState:
        """One message."""
        match message:
            case TextDelta() | TextFlushed() | ToolCallsRequested() | GenerationDone() | GenerationFailed():
                return self._on_answer(state, message, out) if message.request == self._request(state) else state
            case ReplyBegan(request, item_id):
                return self._on_began(state, item_id, out) if request == self._request(state) else state
            case PlayoutStarted() | PlayoutFinished() | MessageKept() | MessagePending():
                return self._on_report(state, message, out)
            case ContextSnapshot():
                return self._on_context(state, message, out)
            case FloorGranted():
                return self._on_granted(state, out)
            case SpeechPromoted(user_stopped_at):
                marks = replace(state.marks, user_stopped_at=user_stopped_at)
                return self._text.unmute(replace(state, speculative=False, marks=marks), out)
            case ToolFinished() | ToolAnswered():
                return self._step_over(self._tools.finished(state, message), out)
            case ToolsReviewed():
                return self._on_reviewed(state, message, out)
            case SpeechInterrupted():
                return self._on_interrupted(state, out)
            case SourceText(text):
                return self._add_text(state, text, out)
            case SourceTextEnded(error):
                return self._end_text(replace(state, error=error), out)
            case WholeText(text):
                return say_by_model(state, self._spec, text, self._names(state), self._wiring, out)
            case AudioGone(error):
                self._text.audio_gone(state, error, out)
                return state
            case ResendText():
                self._text.resend(state, message, out)
                return state
            case AccountsOverdue():
                return self._on_overdue(state, out)
            case _:
                assert_never(message)

    def _request(self, state: SpeechState) -> str:
        return f"{self._spec.id}/step-{state.step}"

    def _step_scope(self, state: SpeechState) -> Scope:
        return state.scope or self._scope

    # -- the model ---------------------------------------------------------------------------------------------------

    def _on_context(self, state: SpeechState, context: ContextSnapshot, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.interrupted or context.request != self._request(state):
            return state
        spec, model = self._spec, context.agent.components.llm
        last = state.step > self._wiring.options.max_tool_steps
        out.tell(
            self._wiring.llm,
            GenerateText(
                request=self._request(state),
                chat_items=context_of(spec, context, state.step, state.own, out.wall()),
                tools=tools_of(spec, context.agent),
                tool_choice=tool_choice_of(spec, state.step, without_tools=last or state.handing_over),
                reply_to=out.myself,
                speech=spec.id,
                scope=self._step_scope(state),
                model=model if isinstance(model, LLM) else None,
                instructions=spec.instructions,
                segment=self._text.message(state),
                audio_node=context.agent.components.audio_node,
                may_be_empty=spec.may_be_empty,
                aside=aside_of(spec, context),
            ),
        )
        marks = GenerationMarks(state.marks.user_stopped_at or spec.user_stopped_at, out.now, model=metadata_of(model))
        return replace(state, agent=context.agent, marks=marks)

    def _on_answer(self, state: SpeechState, answer: ModelAnswer, out: Outbox[SpeechMessage]) -> SpeechState:
        match answer:
            case TextDelta(_, text):
                return self._add_text(replace(state, pieces=state.pieces + 1), text, out)
            case TextFlushed():
                return state if state.interrupted else self._text.flush(state, out)
            case ToolCallsRequested(_, calls):
                return self._on_calls(state, calls, out)
            case GenerationDone():
                return self._end_text(replace(state, marks=state.marks.generated(answer)), out)
            case GenerationFailed(_, error):  # what came of the text is played to its end
                return self._end_text(replace(state, error=error), out)
            case _:
                assert_never(answer)

    def _on_began(self, state: SpeechState, item_id: str, out: Outbox[SpeechMessage]) -> SpeechState:
        """A realtime model has something to be heard, perhaps before there are words for it."""
        if state.interrupted:
            return state
        return self._want_floor(self._text.begin(replace(state, item_id=item_id), out), out)

    def _names(self, state: SpeechState) -> StepNames:
        return StepNames(self._request(state), self._text.message(state), self._step_scope(state))

    def _on_calls(
        self, state: SpeechState, calls: tuple[FunctionToolCall, ...], out: Outbox[SpeechMessage]
    ) -> SpeechState:
        if state.step > self._wiring.options.max_tool_steps:
            out.log("tool_calls_ignored", level="warning", speech=self._spec.id, reason="tool step limit reached")
            return state
        state = self._want_floor(self._tools.asked(state, calls, out), out)
        return self._tools.start(state, out)

    # -- text --------------------------------------------------------------------------------------------------------

    def _add_text(self, state: SpeechState, text: str, out: Outbox[SpeechMessage]) -> SpeechState:
        if not text or state.interrupted:
            return state
        return self._want_floor(self._text.add(state, text, out), out)

    def _end_text(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.text_ended or state.interrupted:
            return state
        return self._step_over(self._text.end(state, out), out)

    # -- the floor ---------------------------------------------------------------------------------------------------

    def _want_floor(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.wanted:
            return state
        out.tell(self._floor, FloorWanted(self._spec.id))
        return replace(state, wanted=True)

    def _on_granted(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.interrupted:
            return state
        state = replace(state, granted=True, granted_at=out.now, released=False)
        state = self._tools.start(self._text.open_all(state, out), out)
        return self._step_over(state, out)

    def _on_report(self, state: SpeechState, report: PlayoutReport, out: Outbox[SpeechMessage]) -> SpeechState:
        match report:
            case PlayoutStarted(_, at):
                out.tell(self._floor, SpeechAudible(self._spec.id, at))
                return state
            case PlayoutFinished():
                return self._on_playout_finished(state, report, out)
            case MessageKept(_, item):
                state = replace(state, message_open=False)
                return self._step_over(state if item is None else self._added(state, item, out), out)
            case MessagePending():
                self._text.say_if_over(state, out)
                return state
            case _:
                assert_never(report)

    def _on_playout_finished(self, state: SpeechState, end: PlayoutFinished, out: Outbox[SpeechMessage]) -> SpeechState:
        state = self._text.finished(replace(state, error=state.error or end.error), end, out)
        if end.item is not None:
            state = self._added(state, end.item, out)
        if end.interrupted and not state.interrupted:
            # The sink was cut by something other than the floor (replaced, lost): the speech ends here.
            out.tell(self._wiring.output, SilenceSpeech(self._spec.id, self._scope, out.now, out.now))
            return self._on_interrupted(state, out)
        return self._step_over(state, out)

    def _added(
        self, state: SpeechState, item: ChatMessage | FunctionCall | FunctionCallOutput, out: Outbox[SpeechMessage]
    ) -> SpeechState:
        """An item of this speech is in the history: the handle lists it, a further step sees it."""
        out.tell(self._wiring.supervisor, Publish(SpeechItemNote(self._spec.id, item)))
        return replace(state, own=state.own | {item.id})

    # -- the end of a step -------------------------------------------------------------------------------------------

    def _step_over(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Go on when text, playout and tools of this step are done."""
        if not state.interrupted and not state.text_ended:
            return state
        if state.playing or (state.unheard and not state.interrupted):
            return state
        state = self._tools.start(self._text.heard(state, out), out)
        if any(record.finished is None for record in state.calls):
            return self._release(state, out)
        if state.reviewing:
            return self._settle(self._tools.hand_over(state, out), out, stop=True) if state.interrupted else state
        state, items, reply = self._tools.keep(state, out)
        for item in items:
            state = self._added(state, item, out)
        if state.interrupted or state.error is not None or not (reply or state.handoff):
            return self._settle(self._tools.hand_over(state, out), out, stop=True)
        out.timer("review", REVIEW_WITHIN, ToolsReviewed(self._spec.id, state.step, reply=True))
        state = self._release(replace(state, reviewing=True, reply_wanted=reply), out)
        if reply:
            out.tell(self._floor, FloorWanted(self._spec.id, ready=False))  # no other comes first
        return state

    def _on_reviewed(self, state: SpeechState, review: ToolsReviewed, out: Outbox[SpeechMessage]) -> SpeechState:
        if not state.reviewing or review.step != state.step or state.interrupted:
            return state
        out.cancel_timer("review")
        state = self._tools.hand_over(state, out, refused=not review.handoff)
        return (
            self._next_step(state, out) if review.reply and state.reply_wanted else self._settle(state, out, stop=True)
        )

    def _release(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Heard for now: others may speak while the tools run."""
        if not state.released and (state.granted or state.interrupted):
            out.tell(self._floor, FloorReleased(self._spec.id))
            return replace(state, released=True)
        return state

    def _next_step(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        out.close_scope(self._step_scope(state))
        step = state.step + 1
        scope = out.open_scope(f"step-{step}", self._scope)
        out.tell(self._wiring.supervisor, Publish(SpeechStepNote(self._spec.id, step)))
        state = SpeechState(step=step, scope=scope, released=True, own=state.own, handing_over=state.handing_over)
        out.tell(self._wiring.history, ContextWanted(self._request(state), out.myself, self._spec.agent.key))
        return state

    # -- the end -----------------------------------------------------------------------------------------------------

    def _on_interrupted(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.interrupted:
            return state
        out.cancel_effect("source")
        out.cancel_timer("review")
        out.tell(self._wiring.llm, CancelGeneration(self._request(state)))
        self._text.cancel_voice(state, out)
        out.timer("accounts", SETTLE_WITHIN, AccountsOverdue())
        if state.calls:
            out.tell(self._wiring.tools, CallsSuperseded(self._spec.id))
        state = self._tools.start(replace(state, interrupted=True), out)
        return self._step_over(state, out)

    def _on_overdue(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """No report of the playout comes any more; results of tools may, and are kept."""
        closed = tuple(replace(segment, opened=True, closed=True) for segment in state.segments)
        return self._settle(self._step_over(replace(state, segments=closed, message_open=False), out), out)

    def _settle(self, state: SpeechState, out: Outbox[SpeechMessage], *, stop: bool = False) -> SpeechState:
        """Tell the floor that the speech is over. The actor itself lives on until its last tool has been stored."""
        if state.speculative and state.interrupted:
            tokens = state.marks.tokens or state.pieces
            out.tell(self._floor, SpeechWasted(self._spec.id, tokens, state.characters))
        if not state.settled:
            out.tell(self._floor, SpeechFinished(self._spec.id, state.interrupted, state.error, len(state.own)))
        if stop:
            out.cancel_timer("accounts")
            out.stop(out.myself, "over")
        return replace(state, settled=True)

    def summary(self, state: SpeechState) -> Mapping[str, object]:
        """Step, length and open accounts."""
        return {
            "source": self._spec.source.value,
            "agent": self._spec.agent.id,
            "step": state.step,
            "characters": state.characters,
            "segments": [segment.name for segment in state.segments if not segment.closed],
            "granted": state.granted,
            "interrupted": state.interrupted,
            "open_tools": sum(1 for record in state.calls if record.finished is None),
            "reviewing": state.reviewing,
        }


ModelAnswer: TypeAlias = TextDelta | TextFlushed | ToolCallsRequested | GenerationDone | GenerationFailed
_FloorAnswer: TypeAlias = FloorWanted | FloorReleased | SpeechAudible | SpeechFinished | SpeechWasted
