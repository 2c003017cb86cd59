"""What was heard of a message enters the history when its last segment is over. For ``output``."""

from __future__ import annotations

from typing import TypeVar

from sessionactors.messages.history import AppendItems
from sessionactors.messages.output import MessageKept
from sessionactors.model.chat import ChatMessage
from sessionactors.model.metrics import MetricsReport
from sessionactors.runtime import Outbox, Ref

from .item_metrics import assistant_metrics
from .playout_segment import Segment
from .spoken_message import SpokenMessage, SpokenMessages

M = TypeVar("M")


def heard_of(
    messages: SpokenMessages, segment: Segment, text: str, cut: bool, at: int, history: Ref[AppendItems], out: Outbox[M]
) -> tuple[SpokenMessages, ChatMessage | None, bool]:
    """A segment is over: the messages then, the item if its message is complete, and whether more of it is expected.

    ``at``: when it ceased to be heard.
    """
    before = messages.of(segment.id)
    if before is None:
        return messages, None, False
    metrics = assistant_metrics(segment, at, out.wall) if text else MetricsReport()
    messages = messages.heard(segment.id, text, metrics, interrupted=cut)
    message = messages.pending[before.id]
    if not message.complete:
        return messages, None, True
    return messages.without(message.id), _keep(message, history, out), False


def keep_complete(messages: SpokenMessages, history: Ref[AppendItems], out: Outbox[M]) -> SpokenMessages:
    """Keep the messages that became complete without a segment that ended just now."""
    for message in messages.pending.values():
        if message.complete:
            out.tell(message.reply_to, MessageKept(message.id, _keep(message, history, out)))
            messages = messages.without(message.id)
    return messages


def _keep(message: SpokenMessage, history: Ref[AppendItems], out: Outbox[M]) -> ChatMessage | None:
    """What was heard enters the history from here, in the order of playout, whatever becomes of the speech."""
    if not message.heard:
        return None
    created_at = out.wall(message.granted_at)
    item = ChatMessage(
        "assistant",
        [message.heard],
        message.item_id or out.new_id("item"),
        created_at,
        message.interrupted,
        metrics=message.metrics,
    )
    out.tell(history, AppendItems((item,), message.add_to_context, message.agent, since=message.granted_at))
    return item
