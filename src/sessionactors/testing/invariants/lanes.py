"""What becomes of messages: P15, P16, P18."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sessionactors.runtime import Delivery, Lane, Overflow, policy_of
from sessionactors.runtime.envelope import EDGE
from sessionactors.testing.scenario_run import Run

from .broken import Broken

RESERVED = 64
"""Timers, effects and watches have a place in a full lane too. The receiver asked for them, so they are few."""


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


CONTROL = frozenset(
    """
    AgentStateSeen AudioCredit CallsSuperseded CancelGeneration CancelSynthesis ChangeOptions CloseSession EchoExpected
    HoldFloor HoldInterruptions InterruptSpeech InterruptionWanted LeaveAgent LeaveRoom OptionsChanged OutputChanged
    OverlapJudged PauseSpeech RecognitionContextChanged ResumeSpeech SetAllowInterruptions SetInputEnabled SetKeyterms
    SetOutputEnabled SetVideoEnabled SilenceSpeech SpeechInterrupted StopSound SubstituteSilence UserActivity UserBegan
    UsersSpeak
    """.split()  # noqa: SIM905 - thirty names are read better as text
)
"""The messages that overtake data: the contract, not what a class says of itself."""


def p15_every_mailbox_is_bounded(run: Run) -> Iterator[Broken]:
    """No lane ever held more than its bound and what its actor had asked for; nothing that counts was refused."""
    for path, mailbox in run.mailboxes.items():
        most = max(mailbox.bounds.control, mailbox.bounds.data)
        if mailbox.high_water > most + RESERVED:
            yield Broken("P15", f"{path}: {mailbox.high_water} messages waited, its lanes take {most}")
    for letter in run.refused:
        yield Broken(
            "P15", f"{letter.target} had no room for {letter.type} from {letter.sender}, which may not be lost"
        )


def p16_order_is_fifo_in_a_lane(run: Run) -> Iterator[Broken]:
    """What one sender tells one receiver in one lane is taken out in the order in which it was told.

    A conflated message stands in the place of an older one, and what threads tell shares the name ``edge``: they are
    no evidence. What an actor keeps for later is seen again when it is taken up.
    """
    last: dict[tuple[str, str, bool], Delivery] = {}
    seen: set[int] = set()
    for delivery in run.deliveries:
        policy = policy_of(type(delivery.message))
        if delivery.id in seen or policy.overflow is Overflow.CONFLATE or delivery.sender == EDGE:
            continue
        seen.add(delivery.id)
        lane = delivery.sender, delivery.target, policy.lane is Lane.CONTROL
        before = last.get(lane)
        if before is not None and before.id > delivery.id:
            yield Broken("P16", f"{_named(before)} overtook {_named(delivery)}, of the same sender", delivery.id)
        last[lane] = delivery


def p16_control_overtakes_data(run: Run) -> Iterator[Broken]:
    """No actor takes data while another has control that was told before, unless that one is held.

    In virtual time a handler takes no time, so control is taken at the instant at which it was told, unless its actor
    is suspended or restarts: that shows as a wait.
    """
    if run.mode != "virtual" or run.killed or run.deliveries_lost:
        return
    lane = [policy_of(type(delivery.message)).lane for delivery in run.deliveries]
    place = {delivery.id: position for position, delivery in enumerate(run.deliveries)}
    for position, delivery in enumerate(run.deliveries):
        by_contract = type(delivery.message).__name__ in CONTROL
        if not (by_contract or lane[position] is Lane.CONTROL) or delivery.began_at != delivery.sent_at:
            continue
        told = place.get(delivery.cause)
        if told is None:
            continue
        cause = run.deliveries[told]
        if cause.target != delivery.sender or cause.ended_at != delivery.sent_at:
            continue  # not told by the handler itself: a timer, or an effect
        for between in range(told + 1, position):
            other = run.deliveries[between]
            data = lane[between] is Lane.DATA and type(other.message).__name__ not in CONTROL
            # What travels as data against the contract cannot be first in the process, but must be at its receiver.
            looked_at = lane[position] is Lane.CONTROL or other.target == delivery.target
            if data and looked_at and other.outcome == "handled":
                yield Broken("P16", f"{_named(delivery)} waited for {_named(other)}, which is data", delivery.id)
                break


def _named(delivery: Delivery) -> str:
    return f"{type(delivery.message).__name__} #{delivery.id} for {delivery.target}"
