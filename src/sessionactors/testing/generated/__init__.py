"""Conversations that nobody thought of: people who talk, cough, type and leave; agents whose tools and hooks go wrong.

A conversation is a value: it prints as the expression that makes it, is made again from its number, and can be shrunk
by leaving things out::

    conversation = numbered(17)
    run = conversation.scenario().play()
    shrunk(conversation, lambda smaller: bool(invariants.broken(smaller.scenario().play())))

With hypothesis (not needed for the rest), in a test of your own::

    @given(conversations())
    def test_promises_hold(conversation): invariants.check(conversation.scenario().play())

``python -m sessionactors.testing.generated 17`` plays number 17 again.
"""

from __future__ import annotations

from .conversation import AgentPlan, Conversation, Moment, Reply, ToolPlan
from .drawing import Draw, conversations, drawn, numbered
from .shrinking import shrunk

__all__ = [
    "AgentPlan",
    "Conversation",
    "Draw",
    "Moment",
    "Reply",
    "ToolPlan",
    "conversations",
    "drawn",
    "numbered",
    "shrunk",
]
