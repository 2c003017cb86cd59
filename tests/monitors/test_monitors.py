"""Monitors see at which message a promise breaks; they tell, and the call goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from sessionactors import ErrorEvent, Monitors, PromiseViolated, Violation
from sessionactors.actors.supervisor_state import SupervisorState
from sessionactors.messages.floor import (
    FloorGranted,
    FloorWanted,
    InterruptSpeech,
    ScheduleSpeech,
    SilenceSpeech,
    SpeechInterrupted,
)
from sessionactors.messages.session import Publish
from sessionactors.messages.tts import AudioSynthesized, SegmentAudio
from sessionactors.messages.turn import Decided, UserActivity
from sessionactors.model.audio import AudioFrame
from sessionactors.monitors.kernel_watch import KernelWatch
from sessionactors.monitors.session_watch import SessionWatch
from sessionactors.runtime import NS, Obligation, Scope, commit, handling
from sessionactors.runtime.cell import Cell
from sessionactors.runtime.envelope import Envelope
from sessionactors.runtime.operation import Operation
from sessionactors.runtime.policy import policy_of
from sessionactors.runtime.witness import Witness
from sessionactors.testing import Run, Scenario, invariants, watched
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import STORY, Session, barge_in, keeper

ROOM = "scenario"


class DumpingJournal(Witness):
    """A journal with a black box, and nothing else."""

    def __init__(self) -> None:
        self.dumped: list[str] = []

    def begin(self, *_: object) -> DumpingJournal:
        return self

    def keep(self, why: str) -> None:
        self.dumped.append(why)


def talk(monitors: Monitors, tamper: Callable[[Session], object] | None = None, **options: object) -> Scenario:
    """Two speeches without ears; ``tamper`` is called in the middle of the first."""
    scenario = Scenario(
        keeper(), without=("vad", "stt"), room=MemoryTransport, monitors=monitors, **options  # type: ignore[arg-type]
    )  # fmt: skip
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.call(0.6, lambda session: session.generate_reply())
    scenario.llm_replies("All right then.")
    if tamper is not None:
        scenario.call(1.0, tamper)
    return scenario


def cell(session: Session, name: str = "") -> Cell:
    system = session._system
    assert system is not None
    return system.tree(ROOM).cells[f"{ROOM}/{name}" if name else ROOM]


def put(to: Cell, message: object, *, sender: str = "edge", id: int = 10**6, waited: float = 0.0) -> None:
    """Into the mailbox, past the dispatcher."""
    at = to.system.clock.now() - round(waited * NS)
    _ = to.mailbox.put(Envelope.of(message, None, sender, id, 0, "", at, policy_of(type(message)), None))


def test_a_sound_session_breaks_nothing_under_any_order() -> None:
    for schedule in (None, 1, 2):
        monitors = Monitors()
        run = barge_in(frame_ms=100, monitors=monitors).play(schedule)
        assert monitors.violations == ()
        assert monitors.looked_at > 500
        assert invariants.broken(run) == []


def test_a_violation_is_an_event_a_line_with_its_causes_and_a_black_box_and_the_call_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unfenced(*_: object) -> bool:
        return True

    monkeypatch.setattr(handling, "wanted", unfenced)
    told: list[Violation] = []
    journal = DumpingJournal()  # type: ignore[abstract]

    def play(seed: int) -> Run:
        scenario = talk(Monitors(on_violation=told.append), journal=journal)
        scenario.call_behind("tts", AudioSynthesized, 3, lambda session: session.interrupt())
        scenario.call(2.0, lambda session: session.say("Goodbye."))
        return scenario.play(seed)

    with capture_logs() as lines:
        run = next(run for seed in range(1, 40) if (run := play(seed)) and told)
    first = told[0]
    assert journal.dumped[0].startswith(f"P1 at {first.message_type} #{first.message_id} in ")
    assert first.promise == "P1"
    assert "closed" in first.what
    (error, *_) = [event for event in run.of(ErrorEvent) if isinstance(event.error, PromiseViolated)]
    assert error.recoverable
    assert error.source == first.actor
    (line, *_) = [line for line in lines if line["event"] == "promise_violated"]
    assert line["message_id"] == first.message_id
    assert line["chain"][0].startswith(f"{first.message_type} #{first.message_id}")
    assert len(line["chain"]) > 1
    assert run.said()[-1] == "Goodbye.", "the call goes on"


def sums_are_wrong(session: Session) -> None:
    cell(session, "output").mailbox.accounts.received += 1


def nobody_named_it(session: Session) -> None:
    root = cell(session)
    late = Obligation("debt", f"{ROOM}/llm", "the moon", 0, root.system.clock.now() - 2 * NS)
    root.tree.obligations["debt"] = late


def nobody_serves_it(session: Session) -> None:
    put(cell(session, "history"), Publish(None), waited=5.0)  # type: ignore[arg-type]


def a_state_is_illegal(session: Session) -> None:
    root = cell(session)
    assert isinstance(root.state, SupervisorState)
    root.state = replace(root.state, agent_state="initializing")


@pytest.mark.parametrize(
    "promise, says, tamper",
    [
        ("P18", "do not add up", sums_are_wrong),
        ("P9", "beyond its deadline, and nobody said so", nobody_named_it),
        ("P9", "is free, and Publish #1000000 waits for 5", nobody_serves_it),
        ("P6", "is not in the table", a_state_is_illegal),
    ],
)
def test_what_breaks_is_named(promise: str, says: str, tamper: Callable[[Session], object]) -> None:
    monitors = Monitors()
    _ = talk(monitors, tamper).play()
    assert any(found.promise == promise and says in found.what for found in monitors.violations), monitors.violations


def looked_at(look: Callable[[Cell, Cell], list[tuple[str, str]]]) -> list[str]:
    """What a watch says of messages that are made up; it is given the floor and a speech of a live session."""
    found: list[tuple[str, str]] = []

    def call(session: Session) -> None:
        found.extend(look(cell(session, "floor"), cell(session, "floor/speech-1")))

    _ = talk(Monitors(), call).play()
    return [f"{promise}: {what}" for promise, what in found]


def envelope(message: object, id: int, sender: str = "scenario/agent") -> Envelope:
    return Envelope.of(message, None, sender, id, 0, "", 0, policy_of(type(message)), None)


def test_p16_a_message_that_overtook_another_of_its_sender_is_named() -> None:
    def look(floor: Cell, _: Cell) -> list[tuple[str, str]]:
        watch = KernelWatch()
        orders = [envelope(FloorWanted("speech-1"), id) for id in (7, 9, 8)]
        return [found for order in orders for found in watch.before(floor, order)]

    assert looked_at(look) == ["P16: #9 of the same sender and lane was taken before it"]


def test_p16_data_that_is_taken_before_control_is_named() -> None:
    def look(floor: Cell, _: Cell) -> list[tuple[str, str]]:
        put(floor, InterruptSpeech("nobody"))
        found = list(KernelWatch().before(floor, envelope(FloorWanted("speech-1"), 7)))
        floor.mailbox.control.clear()  # type: ignore[union-attr]
        floor.mailbox.accounts.received -= 1
        return found

    assert looked_at(look) == ["P16: it is data, and was taken before InterruptSpeech #1000000"]


def test_p07_a_reply_that_begins_while_the_user_speaks_is_named_and_one_behind_it_is_not() -> None:
    def look(floor: Cell, speech: Cell) -> list[tuple[str, str]]:
        watch = SessionWatch()
        spec = replace(floor.state.entries["speech-1"].spec, automatic=True)  # type: ignore[attr-defined]
        begins: list[Operation] = [
            (floor, ScheduleSpeech(spec)),
            (floor, UserActivity("caller", True, 0, Decided.OPEN)),
            (speech, FloorGranted()),
            (floor, UserActivity("caller", False, 0, Decided.OPEN)),
            (speech, FloorGranted()),
        ]
        return list(watch.before(floor, envelope(FloorWanted("speech-1"), 7), floor.state, begins))

    assert looked_at(look) == ["P7: speech-1 is given the floor while caller speaks"]


def test_p01_a_grant_behind_the_cut_and_sound_behind_the_silence_are_named() -> None:
    def look(floor: Cell, speech: Cell) -> list[tuple[str, str]]:
        watch = SessionWatch()
        cut: list[Operation] = [(speech, SpeechInterrupted(0)), (speech, FloorGranted())]
        silence = SilenceSpeech("speech-1", Scope("speech-1"), 0, 0)
        sound = SegmentAudio("speech-1/segment-1", AudioFrame(bytes(960), 24000, 1), (), Scope("speech-1"))

        def write() -> None: ...

        writes: list[Operation] = [(None, (commit.port, write, ()))]
        return [
            *watch.before(floor, envelope(InterruptSpeech("speech-1"), 7), floor.state, cut),
            *watch.before(floor, envelope(silence, 8), floor.state, []),
            *watch.before(floor, envelope(sound, 9), floor.state, writes),
        ]

    assert looked_at(look) == [
        "P1: speech-1 is given the floor, and was cut off by #7",
        "P1: sound of speech-1/segment-1 goes to the sink, and was silenced by #8",
    ]


def test_what_is_told_again_and_again_is_told_a_few_times_and_counted() -> None:
    def wrong_from_now_on(session: Session) -> None:
        cell(session, "output").mailbox.accounts.received += 1

    monitors = Monitors()
    _ = talk(monitors, wrong_from_now_on).play()
    assert len(monitors.violations) == 5
    assert monitors.counts["P18"] > 5


def test_who_is_told_and_raises_hurts_nobody() -> None:
    def raising(_: Violation) -> None:
        raise RuntimeError("no")

    monitors = Monitors(on_violation=raising)
    run = talk(monitors, sums_are_wrong).play()
    assert monitors.violations
    assert run.said() == [STORY, "All right then."]


def test_a_scenario_that_is_watched_names_the_first_message_and_runs_in_the_same_order() -> None:
    run, seen = watched(barge_in(frame_ms=100), 7)
    assert seen == ()
    again = barge_in(frame_ms=100).play(7)
    assert [delivery.id for delivery in run.deliveries] == [delivery.id for delivery in again.deliveries]
