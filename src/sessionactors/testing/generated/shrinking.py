"""Making a conversation smaller as long as it fails: what is left is what matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .conversation import AgentPlan, Conversation, Reply

TRIES = 400
"""Smaller ones that are tried at most."""


def shrunk(conversation: Conversation, fails: Callable[[Conversation], bool], tries: int = TRIES) -> Conversation:
    """The smallest conversation that still fails and that leaving out one thing after the other leads to.

    Args:
        conversation: one that fails.
        fails: plays it, and says whether it still does.
        tries: how often it may be played.
    """
    left = tries
    again = True
    while again and left > 0:
        again = False
        for smaller in _smaller(conversation):
            left -= 1
            if fails(smaller):
                conversation, again = smaller, True
                break
            if left <= 0:
                break
    return conversation


def _smaller(of: Conversation) -> Iterator[Conversation]:
    """Each with one thing less, the largest things first."""
    if of.agent != AgentPlan():
        yield replace(of, agent=AgentPlan())
    for index in range(len(of.moments)):
        yield replace(of, moments=of.moments[:index] + of.moments[index + 1 :])
    for index in reversed(range(len(of.replies))):
        yield replace(of, replies=of.replies[:index] + of.replies[index + 1 :])
    for index in range(len(of.agent.tools)):
        tools = of.agent.tools[:index] + of.agent.tools[index + 1 :]
        yield replace(of, agent=replace(of.agent, tools=tools))
    for plainer_agent in (replace(of.agent, enters=""), replace(of.agent, exits=""), replace(of.agent, listens="")):
        if plainer_agent != of.agent:
            yield replace(of, agent=plainer_agent)
    for index in range(len(of.options)):
        yield replace(of, options=of.options[:index] + of.options[index + 1 :])
    for index, reply in enumerate(of.replies):
        for plainer in _plainer(reply):
            yield replace(of, replies=(*of.replies[:index], plainer, *of.replies[index + 1 :]))


def _plainer(reply: Reply) -> Iterator[Reply]:
    if reply.calls:
        yield replace(reply, calls=reply.calls[:-1])
    if reply.ends:
        yield replace(reply, ends="")
    if len(reply.text) > len("Short."):
        yield replace(reply, text="Short.")
