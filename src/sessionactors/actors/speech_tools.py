"""The tool calls of a step: started when the speech may be heard, kept when all have ended. For ``speech``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.agent import HandOver
from sessionactors.messages.history import AppendItems
from sessionactors.messages.session import Publish
from sessionactors.messages.tools import CallsStored, RunTool, ToolAnswered, ToolFinished
from sessionactors.model.chat import FunctionCall, FunctionCallOutput
from sessionactors.model.events import FunctionToolsExecutedEvent
from sessionactors.runtime import Outbox, Scope
from sessionactors.runtime.frozen import replace

from .handoff import handoffs
from .speech_state import SpeechState, record_of, starts
from .wiring import Wiring

if TYPE_CHECKING:
    from .speech import SpeechMessage


class SpeechTools:
    """Keeps the calls of one speech."""

    def __init__(self, wiring: Wiring, spec: SpeechSpec, scope: Scope) -> None:
        self._wiring = wiring
        self._spec = spec
        self._scope = scope

    def asked(self, state: SpeechState, calls: tuple[FunctionToolCall, ...], out: Outbox[SpeechMessage]) -> SpeechState:
        """The model wants these to run."""
        made = tuple(record_of(call, out.new_id("item"), out.wall()) for call in calls)
        return replace(state, calls=state.calls + made)

    def start(self, state: SpeechState, out: Outbox[SpeechMessage]) -> SpeechState:
        """Tools start once the speech may be heard; after an interruption ``tools`` answers ``cancelled`` at once."""
        if not state.granted and not state.interrupted:
            return state
        agent, scope = state.agent or self._spec.agent, state.scope or self._scope
        for record in state.calls:
            if not record.told and starts(record, state, agent):
                order = RunTool(record.call, self._spec.id, out.myself, scope, agent, self._spec.on_enter)
                out.tell(self._wiring.tools, order)
        calls = tuple(replace(record, told=starts(record, state, agent)) for record in state.calls)
        return replace(state, calls=calls)

    @staticmethod
    def finished(state: SpeechState, end: ToolFinished | ToolAnswered) -> SpeechState:
        """A call has its one record; or its tool goes on in the background, and this is its answer."""
        calls = tuple(
            replace(record, finished=end) if record.call.call_id == end.call_id and record.finished is None else record
            for record in state.calls
        )
        return replace(state, calls=calls)

    def keep(
        self, state: SpeechState, out: Outbox[SpeechMessage]
    ) -> tuple[SpeechState, tuple[FunctionCall | FunctionCallOutput, ...], bool]:
        """Store the calls that ran, each with its output; a call that never started leaves no trace in the history.

        Users hear of them first: a callback sees the history as it was before.

        Returns:
            The state without them, the items that were stored, and whether an output wants a reply.
        """
        ran = [
            (record.finished.call, record.finished)
            for record in state.calls
            if record.finished is not None and record.finished.stored
        ]
        state = replace(state, calls=())
        if not ran:
            return state, (), False
        calls = tuple(call for call, _ in ran)
        handed = handoffs([(end.output, end.agent) for _, end in ran], interrupted=state.interrupted)
        for agent in handed.refused:
            out.tell(self._wiring.agent, HandOver(agent, self._spec.id, refused=True))
        state, outputs = replace(state, handoff=handed.agent), handed.outputs
        event = FunctionToolsExecutedEvent(
            *(calls, outputs, out.wall(), self._spec.id, state.step), has_agent_handoff=handed.agent is not None
        )
        out.tell(self._wiring.supervisor, Publish(event))
        items: tuple[FunctionCall | FunctionCallOutput, ...] = (*calls, *outputs)
        out.tell(self._wiring.history, AppendItems(items, self._spec.add_to_chat_ctx, self._spec.agent.key))
        out.tell(self._wiring.tools, CallsStored(tuple(call.call_id for call in calls)))
        return state, items, any(output.reply_required for output in outputs)

    def hand_over(self, state: SpeechState, out: Outbox[SpeechMessage], *, refused: bool = False) -> SpeechState:
        """Let the agent take over that a tool returned, if one did; or not, since a callback objects."""
        if state.handoff is None:
            return state
        out.tell(self._wiring.agent, HandOver(state.handoff, self._spec.id, refused))
        return replace(state, handoff=None, handing_over=not refused)
