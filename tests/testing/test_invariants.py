"""The checks can fail: a sound run, tampered with in one place, breaks the promise that is about that place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from sessionactors.messages.floor import FloorGranted
from sessionactors.messages.llm import GenerationDone
from sessionactors.messages.output import SegmentText
from sessionactors.messages.session import ComponentFailed
from sessionactors.model.events import CloseReason
from sessionactors.runtime import DeadLetter, Delivery, MailboxBounds, Overflow, policy_of
from sessionactors.session.waits import WaitEdge
from sessionactors.testing import Run, Scenario, invariants
from sessionactors.testing.scenario_run import MailboxFacts
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import Session, keeper


@cache
def sound() -> Run:
    """Two speeches, the first of them cut; the model makes the second."""
    scenario = Scenario(keeper(), without=("vad", "stt"), room=MemoryTransport)
    scenario.llm_replies("All right then.")

    def say(session: Session) -> None:
        _ = session.say("Once upon a time there was a king.")
        _ = session.generate_reply()

    scenario.call(0.5, say)
    scenario.call(1.2, lambda session: session.current_speech.interrupt())  # type: ignore[union-attr]
    return scenario.play()


def with_deliveries(run: Run, change: Callable[[list[Delivery]], None]) -> Run:
    deliveries = list(run.deliveries)
    change(deliveries)
    return replace(run, deliveries=tuple(deliveries))


def first(deliveries: list[Delivery], kind: type) -> int:
    return next(place for place, delivery in enumerate(deliveries) if isinstance(delivery.message, kind))


def an_actor_asks(run: Run) -> Run:
    def ask(deliveries: list[Delivery]) -> None:
        place = first(deliveries, FloorGranted)
        deliveries[place] = replace(deliveries[place], asked=True)

    return with_deliveries(run, ask)


def a_circle_of_waits(run: Run) -> Run:
    return replace(run, waits=(WaitEdge("speech-1", "tool", "speech-2"), WaitEdge("speech-2", "tool", "speech-1")))


def someone_waits_on(run: Run) -> Run:
    return replace(run, waits_left=(WaitEdge("user code", "", "speech-2"),))


def a_failure_is_not_told(run: Run) -> Run:
    def fail(deliveries: list[Delivery]) -> None:
        place = next(place for place, delivery in enumerate(deliveries) if delivery.target == run.room)
        deliveries[place] = replace(deliveries[place], message=ComponentFailed("llm", RuntimeError("gone")))

    return replace(with_deliveries(run, fail), close_asked=False)


def a_request_without_end(run: Run) -> Run:
    def lose(deliveries: list[Delivery]) -> None:
        del deliveries[first(deliveries, GenerationDone)]

    return with_deliveries(run, lose)


def a_killed_voice_ends_the_call(run: Run) -> Run:
    wrong = replace(run.close_event, reason=CloseReason.ERROR)
    events = [replace(timed, event=wrong) if timed.event is run.close_event else timed for timed in run.events]
    return replace(run, killed=("scenario/tts",), events=tuple(events))


def a_lane_too_full(run: Run) -> Run:
    return replace(run, mailboxes={"scenario/output": MailboxFacts(MailboxBounds(4, 16), 200)})


def a_message_refused(run: Run) -> Run:
    letter = DeadLetter("scenario", "scenario/tts", "scenario/output", "SegmentAudioEnded", "its lane is full")
    return replace(run, refused=(letter,))


def two_of_one_lane_change_places(run: Run) -> Run:
    def swap(deliveries: list[Delivery]) -> None:
        one = first(deliveries, SegmentText)
        sender = deliveries[one].sender
        other = next(
            place
            for place, later in enumerate(deliveries)
            if place > one and later.sender == sender and later.target == deliveries[one].target
            and policy_of(type(later.message)).overflow is not Overflow.CONFLATE
        )  # fmt: skip
        deliveries[one], deliveries[other] = deliveries[other], deliveries[one]

    return with_deliveries(run, swap)


def control_waits_for_data(run: Run) -> Run:
    """The order to be silent changes places with the data behind it."""

    def swap(deliveries: list[Delivery]) -> None:
        place = next(n for n, d in enumerate(deliveries) if type(d.message).__name__ == "SilenceSpeech")
        at = deliveries[place].began_at
        data = Delivery(10**6, 0, run.room, "", "edge", f"{run.room}/tts", object(), at, at, at, "handled")
        deliveries.insert(place, data)

    return with_deliveries(run, swap)


def something_is_left(run: Run) -> Run:
    return replace(run, leaks=("thread voice",))


def a_cause_is_unknown(run: Run) -> Run:
    def forget(deliveries: list[Delivery]) -> None:
        place = first(deliveries, FloorGranted)
        deliveries[place] = replace(deliveries[place], cause=10**6)

    return with_deliveries(run, forget)


def a_cause_is_not_told(run: Run) -> Run:
    def forget(deliveries: list[Delivery]) -> None:
        place = first(deliveries, FloorGranted)
        deliveries[place] = replace(deliveries[place], cause=0)

    return with_deliveries(run, forget)


def test_a_sound_run_breaks_nothing() -> None:
    assert invariants.broken(sound()) == []


@pytest.mark.parametrize(
    "promise, tamper",
    [
        ("P11", an_actor_asks),
        ("P11", a_circle_of_waits),
        ("P11", someone_waits_on),
        ("P12", a_killed_voice_ends_the_call),
        ("P13", a_failure_is_not_told),
        ("P13", a_request_without_end),
        ("P15", a_lane_too_full),
        ("P15", a_message_refused),
        ("P16", two_of_one_lane_change_places),
        ("P16", control_waits_for_data),
        ("P17", something_is_left),
        ("P21", a_cause_is_unknown),
        ("P21", a_cause_is_not_told),
    ],
)
def test_what_is_wrong_is_told(promise: str, tamper: Callable[[Run], Run]) -> None:
    assert promise in {found.promise for found in invariants.broken(tamper(sound()))}
