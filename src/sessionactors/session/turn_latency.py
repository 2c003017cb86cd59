"""Where the time of a turn went: from the last frame of the user's speech to the first frame of the reply.

The way is found backwards, from message to message by their causes, in the messages that were really sent. What lies
between two of them is somebody's time: a mailbox's, a handler's, a provider's, a timer's or the user code's. The parts
add up to the whole, to the nanosecond (promise P21). Pure; it reads deliveries and knows no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sessionactors.messages.ear import AudioHeard, FrameCaptured
from sessionactors.messages.floor import PromoteSpeech, ScheduleSpeech
from sessionactors.messages.llm import GenerationDone
from sessionactors.messages.output import PlayoutStarted
from sessionactors.messages.speech import ToolsReviewed
from sessionactors.messages.tools import ToolFinished
from sessionactors.messages.tts import SegmentAudio
from sessionactors.messages.turn import UserTurnEnded
from sessionactors.runtime import NS, Delivery

from .why import STANDING

PROVIDERS: Final = frozenset({"llm", "tts", "stt", "vad", "turn", "realtime"})
"""Actors whose effects are a provider's work; the effects of all others run the user's code."""

LAST_OF_STEP: Final = (ToolFinished, GenerationDone)
"""What a speech is told last of a step with tools, one or the other."""


class LatencyKind(Enum):
    """Whose time it was."""

    QUEUE = "queue"
    """A message waited in a mailbox."""
    HANDLER = "handler"
    """An actor worked."""
    PROVIDER = "provider"
    """A recogniser, detector, model or voice worked."""
    TIMER = "timer"
    """More silence, or a pause, was waited for."""
    USER = "user"
    """The user's code ran: a hook, a tool, a source of text."""
    OUTSIDE = "outside"
    """Nobody's in here, or nobody knows: the part says why."""


@dataclass(frozen=True, slots=True)
class LatencyPart:
    """One stretch of a turn's latency."""

    kind: LatencyKind
    actor: str
    """Whose time it was, without the room's name."""
    what: str
    """The message that waited or was handled, or what was waited for."""
    nanoseconds: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.nanoseconds / NS


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """The time from the end of what the user said to the first frame of the reply, and its parts in their order."""

    turn: str
    speech: str
    began_at: int
    """The last frame of the user's speech (or the typed text) came in: kernel clock nanoseconds."""
    ended_at: int
    """The first frame of the reply was handed to the transport (or its first text was shown)."""
    parts: tuple[LatencyPart, ...]
    chain: tuple[Delivery, ...]
    """The messages, each the cause of the next."""

    @property
    def total(self) -> float:
        """Seconds from beginning to end: the sum of all parts."""
        return (self.ended_at - self.began_at) / NS

    def of(self, kind: LatencyKind) -> float:
        """Seconds of one kind."""
        return sum(part.nanoseconds for part in self.parts if part.kind is kind) / NS

    @property
    def by_kind(self) -> Mapping[str, float]:
        """Seconds by kind."""
        return {kind.value: self.of(kind) for kind in LatencyKind}

    def __str__(self) -> str:
        lines = [f"{self.turn} answered by {self.speech} after {self.total * 1000:.1f} ms"]
        lines.extend(
            f"  {part.seconds * 1000:9.3f} ms  {part.kind.value:<8}  {part.actor}: {part.what}"
            for part in self.parts
            if part.nanoseconds
        )
        return "\n".join(lines)


def turn_latency(deliveries: Iterable[Delivery], turn: str | None = None) -> TurnLatency | None:
    """The latency of a turn; None when it has no reply that was heard, or its messages are not kept.

    Args:
        deliveries: of one session; the more, the further the way can be walked.
        turn: its id; None for the last turn that was answered.
    """
    handled = {delivery.id: delivery for delivery in deliveries if delivery.outcome == "handled"}
    turns = [delivery for delivery in handled.values() if isinstance(delivery.message, UserTurnEnded)]
    for ended in reversed(turns):
        message = ended.message
        if not isinstance(message, UserTurnEnded) or (turn is not None and message.turn != turn):
            continue
        reply = _first_frame(handled.values(), message.turn)
        if reply is not None:
            return _measured(message, ended, *reply, handled)
    return None


def _first_frame(deliveries: Iterable[Delivery], turn: str) -> tuple[str, int] | None:
    """The reply to a turn, and the id of the delivery by which its first frame was handed over."""
    speech = ""
    for delivery in deliveries:
        match delivery.message:
            case ScheduleSpeech(spec) | PromoteSpeech(spec) if spec.turn == turn and spec.automatic:
                speech = spec.id
            case SegmentAudio(segment) if speech and segment.startswith(f"{speech}/"):
                return speech, delivery.id
            case PlayoutStarted(segment) if speech and segment.startswith(f"{speech}/"):
                return speech, delivery.cause  # text only: it is shown when it is handled
            case _:
                pass
    return None


def _measured(
    turn: UserTurnEnded, ended: Delivery, speech: str, last: int, handled: Mapping[int, Delivery]
) -> TurnLatency | None:
    if last not in handled:
        return None
    began = ended.sent_at if turn.stopped_speaking_at is None else turn.stopped_speaking_at
    chain = _chain(handled[last], began, handled)
    first = chain[0]
    heard = _frame_before(first, began, handled.values())
    if heard:
        chain = [*heard, *chain]
        began = heard[0].sent_at
    elif turn.typed:
        began = first.sent_at
    parts = _parts(chain, began)
    return TurnLatency(turn.turn, speech, began, chain[-1].ended_at, tuple(parts), tuple(chain))


def _chain(last: Delivery, began: int, handled: Mapping[int, Delivery]) -> list[Delivery]:
    """From the last message back to the first one that came after ``began``, in order of time."""
    chain = [last]
    while not _standing(chain[-1]):
        cause = handled.get(chain[-1].cause) or _seen_by_callbacks(chain[-1], handled.values())
        if cause is None or cause.ended_at < began:
            break
        chain.append(cause)
    return chain[::-1]


def _seen_by_callbacks(delivery: Delivery, deliveries: Iterable[Delivery]) -> Delivery | None:
    """The last thing that a step waited for before callbacks saw it and the reply went on: they say so from outside."""
    if not isinstance(delivery.message, ToolsReviewed):
        return None
    speech, last = f"/{delivery.message.speech}", None
    for other in deliveries:
        if isinstance(other.message, LAST_OF_STEP) and other.id < delivery.id and other.target.endswith(speech):
            last = other
    return last


def _standing(delivery: Delivery) -> bool:
    """Whether a stream said it that has run since long before."""
    _, _, effect = delivery.sender.partition("#")
    return effect in STANDING


def _frame_before(said: Delivery, at: int, deliveries: Iterable[Delivery]) -> list[Delivery]:
    """How the last frame of speech reached the stream that said something about it; nothing where frames are not kept.

    A stream is fed with frames and says something when it likes: what it says has no one frame for its cause. It is
    about the speech that ended, so the last frame of that is where the way begins.
    """
    if not _standing(said):
        return []
    listeners = {said.target, *(f"{said.target.rpartition('/')[0]}/{name}" for name in ("vad", "stt"))}
    captured = heard = None
    by_id: dict[int, Delivery] = {}
    for delivery in deliveries:
        match delivery.message:
            case FrameCaptured() if delivery.sent_at <= at:
                by_id[delivery.id] = delivery
            case AudioHeard() if delivery.target in listeners and delivery.cause in by_id:
                if delivery.target == said.target or heard is None or heard.target != said.target:
                    captured, heard = by_id[delivery.cause], delivery
            case _:
                pass
    return [] if captured is None or heard is None else [captured, heard]


def _parts(chain: Sequence[Delivery], began: int) -> list[LatencyPart]:
    """The time from ``began`` to the end of the chain, cut at every message."""
    parts: list[LatencyPart] = []
    at = began

    def until(moment: int, kind: LatencyKind, actor: str, what: str) -> None:
        nonlocal at
        if moment > at:
            parts.append(LatencyPart(kind, actor, what, moment - at))
            at = moment

    before: Delivery | None = None
    for delivery in chain:
        name, actor = type(delivery.message).__name__, _name(delivery.target, delivery.room)
        if before is not None:
            until(min(before.ended_at, delivery.sent_at), LatencyKind.HANDLER, *_handling(before))
        until(delivery.sent_at, *_waited(before, delivery))
        until(delivery.began_at, LatencyKind.QUEUE, actor, name)
        before = delivery
    if before is not None:
        until(before.ended_at, LatencyKind.HANDLER, *_handling(before))
    return parts


def _handling(delivery: Delivery) -> tuple[str, str]:
    return _name(delivery.target, delivery.room), type(delivery.message).__name__


def _waited(before: Delivery | None, delivery: Delivery) -> tuple[LatencyKind, str, str]:
    """Whose time lies between the end of a handler and a message that it led to."""
    sender, _, effect = delivery.sender.partition("#")
    actor, name = _name(sender, delivery.room), type(delivery.message).__name__
    if isinstance(delivery.message, ToolsReviewed) and before is not None:
        return LatencyKind.USER, actor, "callbacks of function_tools_executed"
    if effect:
        kind = LatencyKind.PROVIDER if actor.rpartition("/")[2] in PROVIDERS else LatencyKind.USER
        return kind, actor, f"{effect} until {name}"
    if before is not None and delivery.sender == delivery.target == before.target:
        return LatencyKind.TIMER, actor, f"until {name}"
    return LatencyKind.OUTSIDE, actor, f"before {name}: what led to it is not kept, or came from outside"


def _name(path: str, room: str) -> str:
    return "supervisor" if path == room else path.removeprefix(f"{room}/").removeprefix("floor/")
