"""What the model is asked with: the conversation as one step of a speech sees it, and its tools. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.history import ContextSnapshot
from sessionactors.model.chat import ChatItem, ChatMessage
from sessionactors.model.instructed import instructed
from sessionactors.model.instructions import rendered
from sessionactors.model.tools import ToolChoice, ToolDefinition, ToolFlag

from .voice_guide import with_guide


def context_of(
    spec: SpeechSpec, context: ContextSnapshot, step: int, own: AbstractSet[str], wall: float
) -> tuple[ChatItem, ...]:
    """The items of a request.

    Args:
        spec: the speech.
        context: the agent's, and the agent as it is now.
        step: number of the step, from 1.
        own: ids of the items that this speech has added so far.
        wall: seconds since the epoch.
    """
    conversation = context.items
    if spec.chat_items is not None:  # the context given for this reply, and what this reply has added to it since
        added = tuple(item for item in context.items if step > 1 and item.id in own)
        conversation = (*spec.chat_items, *added)
    items = instructed(conversation, rendered(context.agent.instructions, spec.input_modality), wall)
    voice = context.agent.components.tts
    items = with_guide(items, None if voice is None else voice.markup, spec.expressive, spec.input_modality, wall)
    if not spec.instructions:
        return items
    return (*items, ChatMessage("system", [spec.instructions], id=f"{spec.id}.instructions", created_at=wall))


def aside_of(spec: SpeechSpec, context: ContextSnapshot) -> tuple[ChatItem, ...]:
    """What the context that was given for this reply has beside the agent's own: messages with words."""
    own = {item.id for item in context.items}
    given = () if spec.chat_items is None else spec.chat_items
    return tuple(item for item in given if isinstance(item, ChatMessage) and item.text_content and item.id not in own)


def tools_of(spec: SpeechSpec, agent: UserAgent) -> tuple[ToolDefinition, ...]:
    """The tools that a speech may use."""
    return tuple(
        tool
        for tool in agent.tools
        if (spec.tools is None or tool.name in spec.tools)
        and not (spec.on_enter and ToolFlag.IGNORE_ON_ENTER in tool.rules.flags)
    )


def tool_choice_of(spec: SpeechSpec, step: int, *, without_tools: bool) -> ToolChoice:
    """Whether a step may call tools."""
    if without_tools:
        return "none"
    return spec.tool_choice if step == 1 or spec.tool_choice == "none" else "auto"
