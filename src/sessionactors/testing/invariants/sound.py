"""What was heard, and that the history says so: P1, P2, P8."""

from __future__ import annotations

from collections.abc import Iterator

from sessionactors.actors.spoken_message import joined
from sessionactors.messages.floor import (
    FloorGranted,
    HoldFloor,
    InterruptSpeech,
    PauseSpeech,
    ResumeSpeech,
    SilenceSpeech,
    SpeechInterrupted,
)
from sessionactors.messages.session import SpeechAudible
from sessionactors.messages.tts import SegmentAudio
from sessionactors.model.chat import ChatMessage
from sessionactors.testing.scenario_run import Run

from .broken import Broken

ONE_SAMPLE = 1 / 24000 + 1e-9
"""Seconds."""


def p01_no_stale_sound(run: Run) -> Iterator[Broken]:
    """After ``output`` has handled the silence of a speech, or while it holds it, the sink plays no sample of it."""
    for speech, silent_from, until in _pauses(run):
        for piece in run.audio:
            seconds = min(piece.until, until) - max(piece.at, silent_from)
            if piece.speech == speech and seconds > ONE_SAMPLE:
                yield Broken(
                    "P1", f"{speech} was paused from {silent_from:.3f} s and heard {seconds:.3f} s in the pause"
                )
    for delivery in run.handled(SilenceSpeech, "output"):
        speech = delivery.message.speech if isinstance(delivery.message, SilenceSpeech) else ""
        silent_from = (delivery.ended_at - run.began) / 1e9
        for piece in run.audio:
            if piece.speech == speech and piece.until > silent_from + ONE_SAMPLE:
                seconds = piece.until - max(piece.at, silent_from)
                yield Broken("P1", f"{speech} was silenced at {silent_from:.3f} s and heard {seconds:.3f} s after that")


def _pauses(run: Run) -> Iterator[tuple[str, float, float]]:
    """Speech, and from when until when ``output`` held it."""
    held: tuple[str, float] | None = None
    latest = 0
    for delivery in run.deliveries:
        order = delivery.message
        if not isinstance(order, PauseSpeech | ResumeSpeech) or delivery.outcome != "handled" or order.number <= latest:
            continue
        latest = order.number
        at = run.time_of(delivery)
        if held is not None:
            yield (*held, at)
        held = (order.speech, (delivery.ended_at - run.began) / 1e9) if isinstance(order, PauseSpeech) else None
    if held is not None:
        yield (*held, run.ended_at)


def p02_history_is_what_was_heard(run: Run) -> Iterator[Broken]:
    """Each assistant item is what was heard of its segment, in the order of playout; nothing unspoken or twice."""
    shown: dict[str, str] = {}
    for piece in run.transcripts:
        if piece.participant == "agent":
            shown[piece.segment] = shown.get(piece.segment, "") + piece.text
    items = [item.text_content for item in run.added if isinstance(item, ChatMessage) and item.role == "assistant"]
    messages: dict[str, str] = {}
    for segment, text in shown.items():  # the segments of a message: speech-1/segment-1, speech-1/segment-1.2, ...
        message = segment.split(".", 1)[0]
        messages[message] = joined(messages.get(message, ""), text)
    if items != [text for text in messages.values() if text]:
        yield Broken("P2", f"history says {items}, shown was {shown}")
    first: dict[str, float] = {}
    for heard in run.audio:
        first.setdefault(heard.segment, heard.at)
    for segment in first:
        spoken, nearly = run.heard_of(segment)
        if run.word_timings and shown.get(segment, "").split() not in (spoken, nearly):
            yield Broken("P2", f"{segment}: heard was {' '.join(spoken)!r}, kept is {shown.get(segment, '')!r}")
    order = [first[segment] for segment, text in shown.items() if text and segment in first]
    if order != sorted(order):
        yield Broken("P2", f"history is not in the order of playout: {order}")


def p08_audio_balances(run: Run) -> Iterator[Broken]:
    """What ``output`` was given was played or discarded; the sink's account balances too."""
    if run.settled:
        sums = run.state_of("output")
        given, played, discarded = (float(str(sums[name])) for name in ("synthesised", "played", "discarded"))
        if abs(given - played - discarded) > 0.003:
            yield Broken("P8", f"{given} s synthesised, {played} s played, {discarded} s discarded")
    sink = run.sink
    if sink is not None and sink.written != sink.played + sink.discarded + sink.queued:
        yield Broken("P8", f"the sink's account does not balance: {sink}")


def p01_what_was_cut_is_not_granted(run: Run) -> Iterator[Broken]:
    """A speech that has been cut off, or was to be, is never given the floor; nothing is once the session closes."""
    cut: set[str] = set()
    before: frozenset[int] | None = None
    for place, delivery in enumerate(run.deliveries):
        match delivery.message:
            case InterruptSpeech(str() as speech, force=True) if delivery.outcome == "handled":
                cut.add(speech)
            case HoldFloor() if delivery.outcome == "handled":
                before = frozenset(other.id for other in run.deliveries[:place])
            case FloorGranted():
                speech = delivery.target.rsplit("/", 1)[-1]
                if speech in cut:
                    yield Broken("P1", f"{speech} was to be cut off, and is given the floor", delivery.id)
                if before is not None and delivery.cause not in before:
                    yield Broken("P10", f"{speech} is given the floor though the session closes", delivery.id)
            case _:
                pass
    told = {delivery.target: delivery.id for delivery in run.handled(SpeechInterrupted)}
    for delivery in run.handled(FloorGranted):
        if delivery.id > told.get(delivery.target, delivery.id):
            yield Broken("P1", f"{delivery.target} was cut off, and then given the floor", delivery.id)


def p01_nothing_of_what_was_cut_goes_on(run: Run) -> Iterator[Broken]:
    """Audio behind the silence of its speech is discarded, whoever sent it; what was cut is not said to be heard."""
    silenced: set[str] = set()
    cut = {delivery.target: delivery.id for delivery in run.handled(SpeechInterrupted)}
    for delivery in run.deliveries:
        match delivery.message:
            # The floor's order closes the scope too. A speech's own, to an output that was restarted, does not: what
            # comes behind that one is handled, and discarded there.
            case SilenceSpeech(speech) if delivery.outcome == "handled" and delivery.sender == f"{run.room}/floor":
                silenced.add(speech)
            case SegmentAudio(segment) if delivery.outcome == "handled" and segment.split("/", 1)[0] in silenced:
                yield Broken(
                    "P1",
                    f"audio of {segment} reached the output behind its silence, and was not discarded",
                    delivery.id,
                )
            case SpeechAudible(speech) if delivery.target == run.room:
                if delivery.id > cut.get(f"{run.room}/floor/{speech}", delivery.id):
                    yield Broken("P6", f"{speech} was cut off, and then said to be heard", delivery.id)
            case _:
                pass
