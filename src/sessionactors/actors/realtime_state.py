"""The state of ``realtime`` as a value: the session with the server, whom it hears, and the replies that are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from sessionactors.messages.realtime import HeardByModel
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.runtime import Ref, Scope
from sessionactors.runtime.frozen import replace

from .realtime_reply import Reply
from .realtime_spoken import Spoken

REMEMBERED = 64
"""Ended requests, and callers of tools, that are remembered: control may overtake what it cancels."""


class Stage(Enum):
    """Where the session with the server is."""

    SEEDING = "seeding"
    """``history`` was asked for the conversation that the next session begins with."""
    OPENING = "opening"
    OPEN = "open"
    WAITING = "waiting"
    """The last one was lost; the next one is made in a while."""
    BROKEN = "broken"
    """There will be no other."""


@dataclass(frozen=True, slots=True)
class RealtimeState:
    """One conversation with the server."""

    stage: Stage = Stage.SEEDING
    connection: Scope | None = None
    connections: int = 0
    opened_at: int = 0
    failures: int = 0
    """Sessions lost in a row."""
    lost_at: int | None = None
    """Since when there is none that worked."""
    instructions: str = ""
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: ToolChoice = "auto"
    known: frozenset[str] = frozenset()
    """Items that the server has."""
    callers: Mapping[str, str] = field(default_factory=dict)
    """Which speech the server's tool calls belong to, by call id."""
    owed: Mapping[str, str] = field(default_factory=dict)
    """Speeches whose tool outputs the server answers by itself, and that answer's response as soon as it has begun."""
    ears: Mapping[str, Ref[HeardByModel]] = field(default_factory=dict)
    line: str | None = None
    """The participant whom the model hears: the one who has been there longest."""
    speaking: bool = False
    """The server hears the user."""
    spoken: tuple[Spoken, ...] = ()
    """What the user said, while its transcript is to come. Oldest first."""
    replies: Mapping[str, Reply] = field(default_factory=dict)
    """By request; by response while no speech has adopted it. Oldest first."""
    ended: tuple[str, ...] = ()
    """Requests that were answered or cancelled."""
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    late: int = 0
    """Pieces of replies that nobody wanted any more."""
    heard: float = 0.0
    """Seconds of the user's audio that were passed on."""
    unheard: float = 0.0
    """Seconds of audio that nobody heard: of other participants, or while there was no session."""

    def with_reply(self, reply: Reply) -> RealtimeState:
        """With this reply as it is now; without it when it is over."""
        replies = {**self.replies, reply.key: reply}
        if reply.over:
            del replies[reply.key]
        while len(replies) > REMEMBERED:
            del replies[next(iter(replies))]
        return replace(self, replies=replies)

    def without_reply(self, key: str) -> RealtimeState:
        """Without this one."""
        return replace(self, replies={name: reply for name, reply in self.replies.items() if name != key})

    def of_response(self, response: str) -> Reply | None:
        """The reply that a response of the server's belongs to."""
        return next((reply for reply in self.replies.values() if reply.response == response), None)

    def of_segment(self, segment: str) -> Reply | None:
        """The reply that is heard as this segment."""
        return next(
            (reply for reply in self.replies.values() if reply.claim is not None and reply.claim.segment == segment),
            None,
        )

    def knowing(self, item: str) -> RealtimeState:
        """The server has this item."""
        return self if item in self.known else replace(self, known=self.known | {item})

    def with_ended(self, request: str) -> RealtimeState:
        """Remember that a request has ended."""
        return replace(self, ended=(*self.ended, request)[-REMEMBERED:])

    def with_caller(self, call_id: str, speech: str) -> RealtimeState:
        """Remember for whom a tool is called."""
        callers = {**self.callers, call_id: speech}
        while len(callers) > REMEMBERED:
            del callers[next(iter(callers))]
        return replace(self, callers=callers)
