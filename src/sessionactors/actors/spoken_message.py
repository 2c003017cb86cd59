"""Messages of which some segments have been heard, as values: several segments make one item of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sessionactors.messages.output import PlayoutReport, PlaySegment
from sessionactors.model.metrics import MetricsReport
from sessionactors.runtime import Ref
from sessionactors.runtime.frozen import replace

REMEMBERED = 64
"""Complete messages that are remembered: a segment of one that was cut may still come."""


@dataclass(frozen=True, slots=True)
class SpokenMessage:
    """A message that is not in the history yet."""

    id: str
    speech: str
    reply_to: Ref[PlayoutReport]
    granted_at: int
    add_to_context: bool
    agent: str
    """Key of whose context it enters."""
    item_id: str = ""
    """The id that its item shall have; empty: a new one."""
    open: frozenset[str] = frozenset()
    """Its segments that are not over."""
    heard: str = ""
    """Of those that are."""
    metrics: MetricsReport = field(default_factory=MetricsReport)
    ended: bool = False
    """No further segment comes."""
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether it can enter the history."""
        return not self.open and (self.ended or self.interrupted)


@dataclass(frozen=True, slots=True)
class SpokenMessages:
    """The open ones, and which were complete last."""

    pending: Mapping[str, SpokenMessage] = field(default_factory=dict)
    complete: tuple[str, ...] = ()

    def with_segment(self, play: PlaySegment) -> SpokenMessages:
        """A segment is to be played; of a message that is complete, it belongs to none any more."""
        name = play.message or play.segment
        if name in self.complete:
            return self
        message = self.pending.get(name)
        if message is None:
            whose = (play.speech, play.reply_to, play.granted_at, play.add_to_context, play.agent)
            message = SpokenMessage(name, *whose, play.item_id)
        return self._with(replace(message, open=message.open | {play.segment}))

    def of(self, segment: str) -> SpokenMessage | None:
        """The message that an open segment belongs to."""
        return next((message for message in self.pending.values() if segment in message.open), None)

    def ended(self, name: str) -> SpokenMessages:
        """No further segment of a message comes."""
        message = self.pending.get(name)
        return self if message is None else self._with(replace(message, ended=True))

    def last_is(self, segment: str) -> SpokenMessages:
        """No further segment of its message comes after this one."""
        message = self.of(segment)
        return self if message is None else self.ended(message.id)

    def interrupted(self, speech: str) -> SpokenMessages:
        """A speech was cut: nothing more of it comes."""
        messages = self
        for message in self.pending.values():
            if message.speech == speech:
                messages = messages._with(replace(message, interrupted=True))
        return messages

    def heard(self, segment: str, text: str, metrics: MetricsReport, *, interrupted: bool) -> SpokenMessages:
        """A segment is over, and so much of it was heard."""
        message = self.of(segment)
        if message is None:
            return self
        return self._with(
            replace(
                message,
                open=message.open - {segment},
                heard=joined(message.heard, text),
                metrics=_from_first_to_last(message.metrics, metrics),
                interrupted=message.interrupted or interrupted,
            )
        )

    def without(self, name: str) -> SpokenMessages:
        """A message is complete."""
        left = {other: message for other, message in self.pending.items() if other != name}
        return SpokenMessages(left, (*self.complete, name)[-REMEMBERED:])

    def _with(self, message: SpokenMessage) -> SpokenMessages:
        return replace(self, pending={**self.pending, message.id: message})


def _from_first_to_last(first: MetricsReport, last: MetricsReport) -> MetricsReport:
    """What a message took: to the first of it that was heard, and until the last."""
    if not first:
        return last
    report = MetricsReport(**{**last, **first})
    if "stopped_speaking_at" in last:
        report["stopped_speaking_at"] = last["stopped_speaking_at"]
    return report


def joined(before: str, after: str) -> str:
    """Two texts as one: pieces carry their own spaces, but where none has one, words must not grow together."""
    if not before or not after or before[-1].isspace() or after[0].isspace():
        return before + after
    return f"{before} {after}"
