"""An agent's own ``transcription_node``: what it makes of a segment's text is what is shown and kept. For ``output``.

The node runs on the user's loop, one run for each segment. It is given text when it asks for it, so it is known at any
time whether it works or waits for us. The sound never waits for it: one that raises, hangs or gives nonsense costs the
speech nothing but its own changes. When the speech is cut off it is cancelled, and what it made by then counts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from sessionactors.interfaces.speech_in_hand import in_hand
from sessionactors.interfaces.text_node import TextNode
from sessionactors.messages.session import Publish
from sessionactors.messages.transcription import NodeEnded, NodeOverdue, NodeTextMade, NodeTextWanted
from sessionactors.model.errors import NodeError
from sessionactors.model.events import ErrorEvent
from sessionactors.model.sentinel import given
from sessionactors.model.timed_string import TimedString
from sessionactors.runtime import EffectPort, Outbox, Scope
from sessionactors.runtime.frozen import replace

from .node_text import NodeText
from .playout_segment import OutputState, Segment, find, update
from .wiring import Wiring

if TYPE_CHECKING:
    from .output import OutputMessage

AFTER_SOUND = 2.0
"""Seconds without a piece of text that a node may take when all has been heard: the speech ends no later for it."""

WITHOUT_SOUND = 10.0
"""The same where there is no sound: text is all there is, so it is waited for as for a provider."""

MOST_MADE, MOST_FOR_EACH = 2000, 8
"""Characters that a node may make: so many, and so many more for each character of the segment."""


def give_text(state: OutputState, name: str, out: Outbox[OutputMessage]) -> OutputState:
    """Bring the node of a segment on: start it, give it what it asks for, and wait no longer for it than is right."""
    segment = find(state, name)
    if segment is None or segment.node is None or segment.node.ended or segment.cut:
        return state
    node = segment.node
    if not node.begun:
        _begin(segment, node.node, out)
        node = replace(node, begun=True)
    if node.wanting:
        node = _fed(segment, node, out)
    _watch(segment, node, out)
    return update(state, name, node=node)


def node_asked(state: OutputState, message: NodeTextWanted, out: Outbox[OutputMessage]) -> OutputState:
    """The node has taken all it was given."""
    segment = find(state, message.segment)
    if segment is None or segment.node is None:
        return state
    return give_text(update(state, segment.id, node=replace(segment.node, wanting=True)), segment.id, out)


def node_made(state: OutputState, piece: NodeTextMade, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """The node has made text. What comes after the segment was cut off is nobody's any more."""
    segment = find(state, piece.segment)
    if segment is None or segment.node is None or segment.node.ended or segment.cut:
        return state
    node = segment.node.with_made(piece)
    state = update(state, segment.id, node=node)
    if len(node.text) > MOST_MADE + MOST_FOR_EACH * len(segment.text):
        return _give_up(state, segment, f"made {len(node.text)} characters of {len(segment.text)}", wiring, out)
    if segment.sound_end is None:
        _watch(segment, node, out)
    return state


def node_ended(state: OutputState, end: NodeEnded, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """The node is over. After a failure, what it had not answered for is shown as it is."""
    segment = find(state, end.segment)
    if segment is None or segment.node is None or segment.node.ended:
        return state
    out.cancel_timer(_key(segment.id))
    if end.error is not None:
        out.log("transcription_node_failed", level="warning", segment=segment.id, error=repr(end.error))
        event = ErrorEvent(_error(end.error), segment.node.node.label, recoverable=True, created_at=out.wall())
        out.tell(wiring.supervisor, Publish(event))
    return update(state, segment.id, node=replace(segment.node, ended=True, failed=end.error is not None))


def node_overdue(state: OutputState, name: str, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """The node has held the segment up for too long: go on without it."""
    segment = find(state, name)
    if segment is None or segment.node is None:
        return state
    if segment.sink is not None:
        what = f"had not ended {AFTER_SOUND} s after all had been heard"
    else:
        what = f"made nothing for {WITHOUT_SOUND} s of the text that it had been given"
    return _give_up(state, segment, what, wiring, out)


def stop_node(segment: Segment, out: Outbox[OutputMessage]) -> None:
    """Whatever the node still does, nobody waits for it."""
    if segment.node is not None and not segment.node.ended:
        out.cancel_effect(_key(segment.id))
        out.cancel_timer(_key(segment.id))


def _give_up(
    state: OutputState, segment: Segment, what: str, wiring: Wiring, out: Outbox[OutputMessage]
) -> OutputState:
    stop_node(segment, out)
    label = "transcription_node" if segment.node is None else segment.node.node.label
    return node_ended(state, NodeEnded(segment.id, NodeError(f"{label} {what}: it is given up")), wiring, out)


def _fed(segment: Segment, node: NodeText, out: Outbox[OutputMessage]) -> NodeText:
    pieces = node.next_pieces(segment.text, segment.anchors, complete=segment.source_complete)
    if pieces:
        out.feed(_key(segment.id), pieces)
        return replace(node, wanting=False, given=node.given + sum(map(len, pieces)))
    if segment.source_complete:
        out.end_inlet(_key(segment.id))
        return replace(node, wanting=False)
    return node


def _watch(segment: Segment, node: NodeText, out: Outbox[OutputMessage]) -> None:
    """Something went on: the node has its time again, unless it waits for us or the sound goes on without it."""
    patience = AFTER_SOUND if segment.sound_end is not None else None if segment.with_audio else WITHOUT_SOUND
    if patience is None or node.wanting:
        out.cancel_timer(_key(segment.id))
    else:
        out.timer(_key(segment.id), patience, NodeOverdue(segment.id))


def _begin(segment: Segment, node: TextNode, out: Outbox[OutputMessage]) -> None:
    name, scope = segment.id, segment.scope
    out.effect(
        _key(name),
        lambda port: _run(port, node, name, scope),
        done=lambda _: NodeEnded(name, None),
        failed=lambda error: NodeEnded(name, error),
        user_loop=True,
    )


async def _run(port: EffectPort[OutputMessage], node: TextNode, name: str, scope: Scope) -> None:
    source = _Source(port, name)
    with in_hand(name, node.label):
        async with aclosing(node.process(source)) as pieces:
            async for piece in pieces:
                end = given(piece.end_time, None) if isinstance(piece, TimedString) else None
                await port.send(NodeTextMade(name, str(piece), source.taken, end, scope))


class _Source(AsyncIterator[str]):
    """The segment's text as the node reads it; counts what it has taken."""

    def __init__(self, port: EffectPort[OutputMessage], name: str) -> None:
        self._port = port
        self._name = name
        self._waiting: list[str] = []
        self._ended = False
        self.taken = 0

    async def __anext__(self) -> str:
        if not self._waiting and not self._ended:
            await self._port.send(NodeTextWanted(self._name))
            try:
                self._waiting.extend(cast("tuple[str, ...]", await anext(self._port.inlet)))
            except StopAsyncIteration:
                self._ended = True
        if self._ended:
            raise StopAsyncIteration
        piece = self._waiting.pop(0)
        self.taken += len(piece)
        return piece


def _error(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else NodeError(f"transcription_node raised {error!r}")


def _key(name: str) -> str:
    return f"transcription:{name}"
