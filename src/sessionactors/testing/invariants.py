"""The promises, checked on a finished run. Each check says what is broken, or nothing.

They look at the sound that was heard, at the messages that were handled and at the sums of the mailboxes: never at what
an actor believes of itself, where that can be helped. Scenarios of one room with a :class:`.MarkedVoice`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sessionactors.actors import states
from sessionactors.actors.spoken_message import joined
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.ear import FinalTranscript
from sessionactors.messages.floor import (
    FloorGranted,
    PauseSpeech,
    PromoteSpeech,
    ResumeSpeech,
    ScheduleSpeech,
    SetAllowInterruptions,
    SilenceSpeech,
)
from sessionactors.messages.llm import ToolCallsRequested
from sessionactors.messages.room import TextReceived
from sessionactors.messages.session import SpeakRequested
from sessionactors.messages.tools import RunTool, ToolFinished
from sessionactors.messages.turn import TurnRoute, TurnTaken, UserActivity, UserTurnEnded
from sessionactors.model.chat import ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.events import AgentStateChangedEvent, CloseEvent, UserStateChangedEvent

from .scenario_run import Run

ONE_SAMPLE = 1 / 24000 + 1e-9
"""Seconds."""
CLOSE_SLACK = 0.1
"""Seconds beyond its deadline that a close may take (P10)."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that a run did not keep."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


Check: TypeAlias = Callable[[Run], Iterable[Broken]]


def broken(run: Run) -> list[Broken]:
    """All promises that the run did not keep, those of sound first."""
    return [found for check in CHECKS for found in check(run)]


def check(run: Run) -> None:
    """Raise if a promise was not kept.

    Raises:
        AssertionError: the text lists all that is broken.
    """
    found = broken(run)
    if found:
        raise AssertionError("\n".join(map(str, found)))


# -- sound -----------------------------------------------------------------------------------------------------------


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


# -- the user --------------------------------------------------------------------------------------------------------


def p03_transcripts_are_conserved(run: Run) -> Iterator[Broken]:
    """Every final and typed text becomes part of one turn; every turn is stored, or discarded by the user's hook."""
    typed = sum(1 for text in run.told(TextReceived) if text.text.strip())
    turns = run.told(UserTurnEnded, "agent")
    if typed != sum(1 for turn in turns if turn.typed):
        yield Broken("P3", f"{typed} texts were typed, {sum(1 for turn in turns if turn.typed)} became turns")
    if not run.settled:
        return
    yield from _finals_end_once(run, turns)
    agent = run.state_of("agent")
    replied, stored, discarded = (int(str(agent[name])) for name in ("replied", "stored", "discarded"))
    kept_at_close = len(turns) - replied - stored - discarded
    flushed = len(run.told(UserTurnEnded, "agent", after_snapshot=True))
    if kept_at_close != flushed:
        yield Broken("P3", f"{len(turns)} turns: {replied} replied to, {stored} stored, {discarded} discarded")
    asked = [request.user_input for request in run.told(SpeakRequested) if request.user_input is not None]
    messages = [item.text_content for item in run.added if isinstance(item, ChatMessage) and item.role == "user"]
    kept = replied + stored + kept_at_close
    # A realtime model keeps a turn's audio itself: the words are its transcript's, which is a turn of its own.
    silent = sum(1 for turn in turns if turn.route is TurnRoute.AUDIO and not _words_are_kept(run, turn))
    if not max(0, silent - discarded) <= kept + len(asked) - len(messages) <= silent:
        yield Broken("P3", f"{kept} turns and {len(asked)} inputs were kept, history has {messages}")


def _words_are_kept(run: Run, turn: UserTurnEnded) -> bool:
    """Of a turn whose audio a realtime model has: it does not say itself what they were."""
    transcribes = run.realtime is not None and run.realtime.capabilities.user_transcription
    return bool(turn.transcript) and not transcribes


def _finals_end_once(run: Run, turns: Sequence[UserTurnEnded]) -> Iterator[Broken]:
    """Each final is part of one turn, or was answered before its turn was over, or was given up with a reason."""
    finals = {final.id: final.text for final in run.told(FinalTranscript, "turn")}
    ended = Counter(name for turn in turns for name in turn.finals)
    ended.update(name for taken in run.told(TurnTaken, "turn") for name in taken.finals)
    for actor in () if run.snapshot is None else run.snapshot.values():
        account = actor.state.get("transcripts") if actor.path.endswith("/turn") else None
        if isinstance(account, Mapping):
            ended.update(str(line).split(":")[0] for line in account["lost"])
    for name, text in finals.items():
        if ended[name] != 1:
            yield Broken("P3", f"{name} {text!r} ended {ended[name]} times; the turns are {turns}")
    for turn in turns:
        understood = " ".join(finals.get(name, "") for name in turn.finals)
        if all(name in finals for name in turn.finals) and not turn.typed and understood != turn.transcript:
            yield Broken("P3", f"{turn.turn} says {turn.transcript!r}, understood was {understood!r}")


def p04_one_reply_for_each_turn(run: Run) -> Iterator[Broken]:
    """No user turn has two automatic replies."""
    orders: tuple[ScheduleSpeech | PromoteSpeech, ...] = (*run.told(ScheduleSpeech), *run.told(PromoteSpeech))
    turns = Counter(order.spec.response or order.spec.turn for order in orders if order.spec.automatic)
    for turn, replies in turns.items():
        if turn and replies > 1:  # those that answer no turn tell of background tools
            yield Broken("P4", f"{turn} has {replies} automatic replies")


def p07_the_user_wins(run: Run) -> Iterator[Broken]:
    """No interruptible automatic reply is granted the floor while the user speaks."""
    specs: dict[str, SpeechSpec] = {}
    protected: dict[str, bool] = {}
    speaking: set[str] = set()
    while_speaking: dict[int, frozenset[str]] = {}
    for delivery in run.deliveries:
        if not delivery.target.endswith("/floor") or delivery.outcome != "handled":
            continue
        match delivery.message:
            case ScheduleSpeech(spec) | PromoteSpeech(spec):
                specs[spec.id] = spec
            case SetAllowInterruptions(speech, allow):
                protected[speech] = not allow
            case UserActivity(participant, present, hushed=hushed):
                (speaking.add if present and not hushed else speaking.discard)(participant)
            case _:
                pass
        while_speaking[delivery.id] = frozenset(speaking)
    for delivery in run.handled(FloorGranted):
        speech = delivery.target.rsplit("/", 1)[-1]
        granted = specs.get(speech)
        speakers = while_speaking.get(delivery.cause, frozenset())
        if granted is None or not granted.automatic or not speakers:
            continue
        if granted.allow_interruptions and not protected.get(speech, False):
            yield Broken("P7", f"{speech} was granted the floor while {', '.join(sorted(speakers))} spoke")


# -- tools -----------------------------------------------------------------------------------------------------------


def p05_tool_calls_are_conserved(run: Run) -> Iterator[Broken]:
    """Each call that was started or refused has one terminal record; each one in the history has its output."""
    wanted = [call.call_id for order in run.told(ToolCallsRequested) for call in order.calls]
    begun = [order.call.call_id for order in run.told(RunTool)]
    ended = Counter(end.call_id for end in run.told(ToolFinished))
    for call in begun:
        if run.settled and ended[call] != 1:
            yield Broken("P5", f"{call} was begun and has {ended[call]} terminal records")
    if set(begun) - set(wanted):
        yield Broken("P5", f"begun without having been asked for: {sorted(set(begun) - set(wanted))}")
    calls = [item.call_id for item in run.added if isinstance(item, FunctionCall)]
    outputs = [item.call_id for item in run.added if isinstance(item, FunctionCallOutput)]
    if sorted(calls) != sorted(outputs):
        yield Broken("P5", f"history has calls {calls} and outputs {outputs}")
    if not run.settled:
        return
    finished = [end.call_id for end in run.told(ToolFinished) if end.stored]
    calls = [call for call in calls if not _of_background(call)]
    if sorted(finished) != sorted(calls):
        yield Broken("P5", f"ended were {finished}, the history has {calls}")


def _of_background(call_id: str) -> bool:
    """Whether it is a pair of its own, for what a tool told after it had answered its call."""
    return call_id.endswith("_final") or re.fullmatch(r".*_update_\d+", call_id) is not None


# -- states and end --------------------------------------------------------------------------------------------------


def p06_legal_states_only(run: Run) -> Iterator[Broken]:
    """Agent and user state change along the table, from where they are, and each change names a message."""
    agent, user = run.of(AgentStateChangedEvent), run.of(UserStateChangedEvent)
    by_id = {delivery.id: delivery for delivery in run.deliveries if delivery.target == run.room}
    for name, changes, first, table in (
        ("agent", agent, "initializing", states.AGENT_TRANSITIONS),
        ("user", user, "listening", states.USER_TRANSITIONS),
    ):
        at: str = first
        for change in changes:
            if change.old_state != at:
                yield Broken("P6", f"{name} state was {at}, and changed from {change.old_state}")
            if change.new_state not in table[change.old_state]:  # type: ignore[index]
                yield Broken("P6", f"{name} state {change.old_state} -> {change.new_state} is not in the table")
            at = change.new_state
            if run.mode == "virtual" and change.message_id not in by_id and not _at_start(change):
                yield Broken("P6", f"{name} state -> {at} names message #{change.message_id}, which nobody handled")


def _at_start(change: AgentStateChangedEvent | UserStateChangedEvent) -> bool:
    """A session without a room listens as soon as it is started: no message is needed."""
    return change.old_state == "initializing" and change.message_id == 0


def p09_never_silent_for_ever(run: Run) -> Iterator[Broken]:
    """At the end nobody owes anything and the agent listens."""
    snapshot = run.snapshot
    if snapshot is None or run.closed_by_script:
        return
    if not run.settled or snapshot.obligations:
        owed = [f"{obligation.owner}: {obligation.waits_for}" for obligation in snapshot.obligations]
        yield Broken("P9", f"the session did not come to rest; owed: {owed or 'nothing'}")
    elif run.agent_states[-1] != "listening":
        yield Broken("P9", f"the agent ends {run.agent_states[-1]}")


def p10_closed_once_and_in_time(run: Run) -> Iterator[Broken]:
    """One ``close`` event, the last of all, in time; nothing given up."""
    closes = run.of(CloseEvent)
    if len(closes) != 1:
        yield Broken("P10", f"{len(closes)} close events")
    elif not isinstance(run.events[-1].event, CloseEvent):
        yield Broken("P10", f"{run.events[-1].event.type} came after the close event")
    if run.close_took > run.close_deadline + CLOSE_SLACK:
        yield Broken("P10", f"the close took {run.close_took:.3f} s, its deadline was {run.close_deadline} s")
    if run.report is not None and run.report.abandoned:
        yield Broken("P10", f"abandoned: {dict(run.report.abandoned)}")
    if run.leaks:
        yield Broken("P17", f"left behind: {list(run.leaks)}")


def p18_every_delivery_is_accounted_for(run: Run) -> Iterator[Broken]:
    """The sums of every mailbox reconcile, and those of the session after its end."""
    for actor in () if run.snapshot is None else run.snapshot.values():
        waiting = actor.control_depth + actor.data_depth + actor.stashed + (1 if actor.in_hand else 0)
        if actor.accounts.received != actor.accounts.ended() + waiting:
            yield Broken("P18", f"{actor.path}: {actor.accounts} and {waiting} waiting do not add up")
    if run.accounts.received != run.accounts.ended():
        yield Broken("P18", f"the session's sums do not add up: {run.accounts}")
    if run.deliveries_lost:
        return
    seen = Counter(delivery.outcome for delivery in run.deliveries)
    for outcome, count in (("handled", run.accounts.handled), ("failed", run.accounts.failed)):
        if seen[outcome] != count:
            yield Broken("P18", f"{seen[outcome]} deliveries were seen as {outcome}, {count} are counted")


def no_handler_fails(run: Run) -> Iterator[Broken]:
    """Handlers raise only where the script says so."""
    for delivery in run.deliveries:
        if delivery.outcome == "failed" and not run.killed:
            yield Broken("P12", f"{delivery.target} failed at {type(delivery.message).__name__} #{delivery.id}")


CHECKS: tuple[Check, ...] = (
    no_handler_fails,
    p01_no_stale_sound,
    p02_history_is_what_was_heard,
    p03_transcripts_are_conserved,
    p04_one_reply_for_each_turn,
    p05_tool_calls_are_conserved,
    p06_legal_states_only,
    p07_the_user_wins,
    p08_audio_balances,
    p09_never_silent_for_ever,
    p10_closed_once_and_in_time,
    p18_every_delivery_is_accounted_for,
)
"""In the order in which they are looked at: the first one that is broken is what a report names."""
