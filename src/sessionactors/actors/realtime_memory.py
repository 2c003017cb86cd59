"""What a realtime model's server remembers, brought in step with what the agent remembers. For ``realtime``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.realtime import RealtimeCapabilities, RealtimeModel
from sessionactors.messages.llm import GenerateText
from sessionactors.messages.realtime import ServeAgent
from sessionactors.messages.session import ComponentStumbled
from sessionactors.model.chat import INSTRUCTIONS_ITEM_ID, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import RealtimeError
from sessionactors.model.instructions import rendered
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .realtime_link import LINK, AddItems, ChangeInstructions, ChangeTools, ReplaceItems
from .realtime_state import RealtimeState
from .wiring import Wiring

if TYPE_CHECKING:
    from .realtime import RealtimeMessage


class ServersMemory:
    """Instructions, tools and conversation of the running session.

    Args:
        wiring: the session.
        model: whose server it is.
    """

    def __init__(self, wiring: Wiring, model: RealtimeModel) -> None:
        self._wiring = wiring
        self._label = model.label
        self._can = model.capabilities

    def grew(self, state: RealtimeState, items: tuple[ChatItem, ...], out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Give the server what it does not have. Outputs of tools always; other items if it takes them."""
        if state.connection is None:
            return state  # part of what the next session begins with
        new: list[ChatItem] = []
        for item in sendable(items):
            own = isinstance(item, FunctionCall) and item.call_id in state.callers
            if item.id in state.known or own:
                continue
            if not self._can.mutable_chat_context and not isinstance(item, FunctionCallOutput):
                self._not_sent(item, out)
                continue
            new.append(item)
        state = replace(state, known=state.known | {item.id for item in sendable(items)})
        if not new:
            return state
        out.feed(LINK, AddItems(tuple(new)))
        if not self._can.auto_tool_reply_generation:
            return state
        answered = [item for item in new if isinstance(item, FunctionCallOutput) and item.reply_required]
        speeches = [state.callers[item.call_id] for item in answered if item.call_id in state.callers]
        return replace(state, owed={**state.owed, **dict.fromkeys(speeches, "")})

    def _not_sent(self, item: ChatItem, out: Outbox[RealtimeMessage]) -> None:
        """The model takes no items while the session runs. What the user typed is then not answered: an error."""
        why = f"{self._label} has no mutable_chat_context"
        out.log("item_not_sent", level="warning", item=item.id, reason=why)
        if isinstance(item, ChatMessage) and item.role == "user":
            self._refuse(f"the model was not told what the user wrote: {why}", out)

    def _refuse(self, why: str, out: Outbox[RealtimeMessage]) -> None:
        out.tell(self._wiring.supervisor, ComponentStumbled("realtime", RealtimeError(why), self._label))

    def can_serve(self, state: RealtimeState, order: ServeAgent) -> bool:
        """Whether the running session can be changed to this agent and its conversation."""
        instructions, tools, conversation = _differences(state, order)
        return (
            (not instructions or self._can.mutable_instructions)
            and (not tools or self._can.mutable_tools)
            and (not conversation or self._can.mutable_chat_context)
        )

    def serve(self, state: RealtimeState, order: ServeAgent, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """Change what differs; what the model cannot change is said, and stays as it is."""
        instructions, tools, conversation = _differences(state, order)
        if instructions and self._can.mutable_instructions:
            text = rendered(order.agent.instructions, "audio")
            out.feed(LINK, ChangeInstructions(text))
            state = replace(state, instructions=text)
        elif instructions:
            self._refuse(f"{self._label} keeps its instructions while it runs (it has no mutable_instructions)", out)
        if conversation and self._can.mutable_chat_context:
            items = sendable(order.items)
            out.feed(LINK, ReplaceItems(items))
            state = replace(state, known=frozenset(item.id for item in items))
        elif conversation:
            self._refuse(f"{self._label} keeps its conversation while it runs (it has no mutable_chat_context)", out)
        if tools and self._can.mutable_tools:
            out.feed(LINK, ChangeTools(order.agent.tools))
            state = replace(state, tools=order.agent.tools)
        elif tools:
            self._refuse(f"{self._label} keeps its tools while it runs (it has no mutable_tools)", out)
        return state


def aside_for(
    state: RealtimeState, order: GenerateText, can: RealtimeCapabilities, out: Outbox[RealtimeMessage]
) -> tuple[ChatItem, ...]:
    """What the server is to know for one reply only, if it can be told."""
    aside = tuple(item for item in order.aside if item.id not in state.known)
    if aside and not can.mutable_chat_context:
        out.log("context_not_sent", level="warning", request=order.request, reason="no mutable_chat_context")
        return ()
    return aside


def _differences(state: RealtimeState, order: ServeAgent) -> tuple[bool, bool, bool]:
    """What the server has otherwise: instructions, tools, conversation."""
    ids = {item.id for item in sendable(order.items)}
    return (
        rendered(order.agent.instructions, "audio") != state.instructions,
        order.agent.tools != state.tools,
        order.rewritten and ids != state.known,
    )


def sendable(items: tuple[ChatItem, ...]) -> tuple[ChatItem, ...]:
    """What a server knows: messages, calls and outputs. The instructions it is given by themselves."""
    return tuple(item for item in items if _is_sendable(item))


def _is_sendable(item: ChatItem) -> bool:
    if isinstance(item, ChatMessage):
        return item.id != INSTRUCTIONS_ITEM_ID and bool(item.text_content)
    return isinstance(item, FunctionCall | FunctionCallOutput)
