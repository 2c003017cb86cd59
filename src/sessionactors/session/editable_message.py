"""The user's message as ``on_user_turn_completed`` gets it: a message that may still be changed."""

from __future__ import annotations

from dataclasses import fields

from sessionactors.model.chat import ChatMessage


class EditableMessage(ChatMessage):
    """A draft of a message: its fields may be assigned, and its ``content`` is an ordinary list."""

    __slots__ = ()

    def __init__(self, message: ChatMessage) -> None:
        for field in fields(ChatMessage):
            object.__setattr__(self, field.name, getattr(message, field.name))
        object.__setattr__(self, "content", list(message.content))

    __setattr__ = object.__setattr__

    def as_value(self) -> ChatMessage:
        """What has become of it."""
        return ChatMessage(**{field.name: getattr(self, field.name) for field in fields(ChatMessage)})
