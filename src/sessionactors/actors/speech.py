"""``speech-N``: one thing the agent says, from the request to the last word heard. A child of ``floor``.

A reply may take several steps: text, tools, text again. Each step has one request to the model and one segment of
playout. It is over when its accounts balance: every segment it opened is reported, every tool it asked for is answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from dataclasses import replace
from typing import TypeAlias, assert_never

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.floor import FloorGranted, FloorReleased, FloorWanted, SpeechFinished, SpeechInterrupted
from sessionactors.messages.history import AppendItems, ContextSnapshot, ContextWanted
from sessionactors.messages.llm import (
    CancelGeneration,
    GenerateText,
    GenerationDone,
    GenerationFailed,
    TextDelta,
    ToolCallsRequested,
)
from sessionactors.messages.output import (
    GenerationMarks,
    PlayoutFinished,
    PlayoutStarted,
    PlaySegment,
    SegmentText,
    SegmentTextEnded,
)
from sessionactors.messages.session import Publish, SpeechAudible
from sessionactors.messages.speech import AccountsOverdue, SourceText, SourceTextEnded
from sessionactors.messages.tools import CallsStored, CallsSuperseded, RunTool, ToolFinished
from sessionactors.messages.tts import CancelSynthesis, EndOfText, SpeakText
from sessionactors.model.chat import (
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
)
from sessionactors.model.events import FunctionToolsExecutedEvent, SpeechItemNote, SpeechStepNote
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import Actor, EffectPort, Outbox, Ref, Scope

from .component_metadata import metadata_of
from .request_context import context_of, tools_of
from .speech_state import SpeechState, record_of, starts
from .wiring import Wiring

SpeechMessage: TypeAlias = (
    FloorGranted
    | SpeechInterrupted
    | ContextSnapshot
    | TextDelta
    | ToolCallsRequested
    | GenerationDone
    | GenerationFailed
    | PlayoutStarted
    | PlayoutFinished
    | ToolFinished
    | SourceText
    | SourceTextEnded
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

    def initial(self) -> SpeechState:
        """Before the first step."""
        return SpeechState()

    def started(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Begin to work at once; being heard is the floor's to grant."""
        state = replace(state, scope=out.open_scope("step-1", self._scope))
        if self._spec.source is SpeechSource.GENERATE_REPLY:
            out.tell(self._wiring.history, ContextWanted(self._request(state), out.myself, self._spec.agent.key))
            return state
        text = self._spec.text
        if text is None or isinstance(text, str):
            state = self._add_text(state, text or "", out)
            return self._end_text(state, out)
        out.effect(
            "source",
            lambda port: self._read_source(port, text, state.scope),
            done=lambda _: SourceTextEnded(None),
            failed=SourceTextEnded,
            user_loop=True,
        )
        return state

    def receive(self, state: SpeechState, message: SpeechMessage, out: Outbox[SpeechMessage]) -> SpeechState:
        """One message."""
        match message:
            case TextDelta(request, text):
                return self._add_text(state, text, out) if request == self._request(state) else state
            case ToolCallsRequested(request, calls):
                return self._on_calls(state, calls, out) if request == self._request(state) else state
            case GenerationDone():
                return self._on_generated(state, message, out)
            case GenerationFailed(request, error):
                return self._on_failed(state, error, out) if request == self._request(state) else state
            case ContextSnapshot():
                return self._on_context(state, message, out)
            case FloorGranted():
                return self._on_granted(state, out)
            case PlayoutStarted(_, at):
                out.tell(self._floor, SpeechAudible(self._spec.id, at))
                return state
            case PlayoutFinished():
                return self._on_playout_finished(state, message, out)
            case ToolFinished():
                return self._on_tool_finished(state, message, out)
            case SpeechInterrupted():
                return self._on_interrupted(state, out)
            case SourceText(text):
                return self._add_text(state, text, out)
            case SourceTextEnded(error):
                return self._end_text(replace(state, error=error), out)
            case AccountsOverdue():  # no report of the playout comes any more; results of tools may
                return self._settle(self._step_over(replace(state, closed=True), out), out)
            case _:
                assert_never(message)

    # -- names -------------------------------------------------------------------------------------------------------

    def _request(self, state: SpeechState) -> str:
        return f"{self._spec.id}/step-{state.step}"

    def _segment(self, state: SpeechState) -> str:
        return f"{self._spec.id}/segment-{state.step}"

    def _step_scope(self, state: SpeechState) -> Scope:
        return state.scope or self._scope

    # -- the request -------------------------------------------------------------------------------------------------

    def _on_context(self, state: SpeechState, context: ContextSnapshot, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.interrupted or context.request != self._request(state):
            return state
        state = replace(state, agent=context.agent)
        items = context_of(self._spec, context, state.step, state.own, out.wall())
        last = state.step > self._wiring.options.max_tool_steps
        out.tell(
            self._wiring.llm,
            GenerateText(
                request=self._request(state),
                chat_items=items,
                tools=tools_of(self._spec, context.agent),
                tool_choice="none" if last else (self._spec.tool_choice if state.step == 1 else "auto"),
                reply_to=out.myself,
                speech=self._spec.id,
                scope=self._step_scope(state),
            ),
        )
        model = metadata_of(self._wiring.components.llm)
        return replace(state, marks=GenerationMarks(self._spec.user_stopped_at, out.now, model=model))

    def _on_generated(self, state: SpeechState, done: GenerationDone, out: Outbox[SpeechMessage]) -> SpeechState:
        if done.request != self._request(state):
            return state
        return self._end_text(replace(state, marks=state.marks.generated(done)), out)

    # -- text --------------------------------------------------------------------------------------------------------

    def _add_text(self, state: SpeechState, text: str, out: Outbox[SpeechMessage]) -> SpeechState:
        if not text or state.interrupted:
            return state
        scope, segment = self._step_scope(state), self._segment(state)
        if self._with_audio():
            out.tell(self._wiring.tts, SpeakText(segment, self._spec.id, text, scope))
        if state.opened:
            out.tell(self._wiring.output, SegmentText(segment, text, scope))
        state = replace(state, text=state.text + text, marks=state.marks.with_text(out.now))
        return self._want_floor(state, out)

    def _end_text(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.text_ended or state.interrupted:
            return state
        state = replace(state, text_ended=True)
        if state.text:
            scope, segment = self._step_scope(state), self._segment(state)
            if self._with_audio():
                out.tell(self._wiring.tts, EndOfText(segment, scope))
            if state.opened:
                out.tell(self._wiring.output, SegmentTextEnded(segment, scope, state.marks))
        return self._step_over(state, out)

    def _on_failed(self, state: SpeechState, error: BaseException, out: Outbox[SpeechMessage]) -> SpeechState:
        """What has been said of the text is played to its end; the error is the speech's."""
        return self._end_text(replace(state, error=error), out)

    def _with_audio(self) -> bool:
        components = self._wiring.components
        return self._spec.with_audio and components.tts is not None and components.audio_output

    async def _read_source(
        self, port: EffectPort[SpeechMessage], source: AsyncIterable[str], scope: Scope | None
    ) -> None:
        async for text in source:
            await port.send(SourceText(text, scope or self._scope))

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
        if state.text:
            state = self._open_segment(state, out)
        state = self._start_tools(state, out)
        return self._step_over(state, out)

    def _open_segment(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        scope, segment = self._step_scope(state), self._segment(state)
        output = self._wiring.output
        spec = self._spec
        out.tell(
            output,
            PlaySegment(
                *(segment, spec.id, self._with_audio(), out.myself, scope),
                granted_at=state.granted_at,
                add_to_context=spec.add_to_chat_ctx,
                marks=state.marks,
                agent=spec.agent.key,
            ),
        )
        out.tell(output, SegmentText(segment, state.text, scope))
        if state.text_ended:
            out.tell(output, SegmentTextEnded(segment, scope, state.marks))
        return replace(state, opened=True)

    def _on_playout_finished(self, state: SpeechState, end: PlayoutFinished, out: Outbox[SpeechMessage]) -> SpeechState:
        state = replace(state, closed=True, error=state.error or end.error)
        if end.item is not None:
            state = self._added(state, end.item, out)
        if end.interrupted and not state.interrupted:
            # The sink was cut by something other than the floor (replaced, lost): the speech ends here.
            return self._on_interrupted(state, out)
        return self._step_over(state, out)

    def _added(
        self, state: SpeechState, item: ChatMessage | FunctionCall | FunctionCallOutput, out: Outbox[SpeechMessage]
    ) -> SpeechState:
        """An item of this speech is in the history: the handle lists it, a further step sees it."""
        out.tell(self._wiring.supervisor, Publish(SpeechItemNote(self._spec.id, item)))
        return replace(state, own=state.own | {item.id})

    # -- tools -------------------------------------------------------------------------------------------------------

    def _on_calls(
        self, state: SpeechState, calls: tuple[FunctionToolCall, ...], out: Outbox[SpeechMessage]
    ) -> SpeechState:
        if state.step > self._wiring.options.max_tool_steps:
            out.log("tool_calls_ignored", level="warning", speech=self._spec.id, reason="tool step limit reached")
            return state
        made = tuple(record_of(call, out.new_id("item"), out.wall()) for call in calls)
        state = self._want_floor(replace(state, calls=state.calls + made), out)
        return self._start_tools(state, out)

    def _start_tools(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Tools start once the speech may be heard; after an interruption ``tools`` answers ``cancelled`` at once."""
        if not state.granted and not state.interrupted:
            return state
        agent = state.agent or self._spec.agent
        for record in state.calls:
            if not record.told and starts(record, state, agent):
                order = RunTool(record.call, self._spec.id, out.myself, self._step_scope(state), agent)
                out.tell(self._wiring.tools, order)
        calls = tuple(replace(record, told=starts(record, state, agent)) for record in state.calls)
        return replace(state, calls=calls)

    def _on_tool_finished(self, state: SpeechState, end: ToolFinished, out: Outbox[SpeechMessage]) -> SpeechState:
        calls = tuple(
            replace(record, finished=end) if record.call.call_id == end.call_id and record.finished is None else record
            for record in state.calls
        )
        return self._step_over(replace(state, calls=calls), out)

    # -- the end of a step -------------------------------------------------------------------------------------------

    def _step_over(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Go on when text, playout and tools of this step are done."""
        if not state.interrupted and not state.text_ended:
            return state
        playing = state.opened and not state.closed
        waiting_for_floor = bool(state.text) and not state.opened and not state.interrupted
        if playing or waiting_for_floor:
            return state
        state = self._start_tools(state, out)
        if any(record.finished is None for record in state.calls):
            return self._release(state, out)
        state, outputs = self._commit_tools(state, out)
        if state.interrupted or state.error is not None or not any(output.reply_required for output in outputs):
            return self._settle(state, out, stop=True)
        return self._next_step(state, out)

    def _release(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Heard for now: others may speak while the tools run."""
        if not state.released and (state.granted or state.interrupted):
            out.tell(self._floor, FloorReleased(self._spec.id))
            return replace(state, released=True)
        return state

    def _commit_tools(
        self, state: SpeechState, out: Outbox[SpeechMessage]
    ) -> tuple[SpeechState, tuple[FunctionCallOutput, ...]]:
        """Store the calls that ran, each with its output; a call that never started leaves no trace in the history."""
        ran = [
            (record.finished.call, record.finished.output)
            for record in state.calls
            if record.finished is not None and record.finished.stored
        ]
        state = replace(state, calls=())
        if not ran:
            return state, ()
        calls = tuple(call for call, _ in ran)
        outputs = tuple(output for _, output in ran)
        out.tell(
            self._wiring.history, AppendItems((*calls, *outputs), self._spec.add_to_chat_ctx, self._spec.agent.key)
        )
        out.tell(self._wiring.tools, CallsStored(tuple(call.call_id for call in calls)))
        for call in calls:
            state = self._added(state, call, out)
        for output in outputs:
            state = self._added(state, output, out)
        out.tell(self._wiring.supervisor, Publish(FunctionToolsExecutedEvent(calls, outputs, created_at=out.wall())))
        return state, outputs

    def _next_step(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        state = self._release(state, out)
        out.close_scope(self._step_scope(state))
        step = state.step + 1
        scope = out.open_scope(f"step-{step}", self._scope)
        out.tell(self._wiring.supervisor, Publish(SpeechStepNote(self._spec.id, step)))
        state = SpeechState(step=step, scope=scope, released=True, own=state.own)
        out.tell(self._wiring.history, ContextWanted(self._request(state), out.myself, self._spec.agent.key))
        return state

    # -- the end -----------------------------------------------------------------------------------------------------

    def _on_interrupted(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        if state.interrupted:
            return state
        out.cancel_effect("source")
        out.tell(self._wiring.llm, CancelGeneration(self._request(state)))
        if self._with_audio():
            out.tell(self._wiring.tts, CancelSynthesis(self._segment(state)))
        out.timer("accounts", SETTLE_WITHIN, AccountsOverdue())
        if state.calls:
            out.tell(self._wiring.tools, CallsSuperseded(self._spec.id))
        state = self._start_tools(replace(state, interrupted=True), out)
        return self._step_over(state, out)

    def _settle(self, state: SpeechState, out: Outbox[SpeechMessage], *, stop: bool = False) -> SpeechState:
        """Tell the floor that the speech is over. The actor itself lives on until its last tool has been stored."""
        if not state.settled:
            out.tell(self._floor, SpeechFinished(self._spec.id, state.interrupted, state.error))
        if stop:
            out.cancel_timer("accounts")
            out.stop(out.myself, "over")
        return replace(state, settled=True)

    def summary(self, state: SpeechState) -> Mapping[str, object]:
        """Step, length and open accounts."""
        return {
            "source": self._spec.source.value,
            "step": state.step,
            "characters": len(state.text),
            "granted": state.granted,
            "interrupted": state.interrupted,
            "open_tools": sum(1 for record in state.calls if record.finished is None),
        }


_FloorAnswer: TypeAlias = FloorWanted | FloorReleased | SpeechAudible | SpeechFinished
