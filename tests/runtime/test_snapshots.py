"""Snapshots: a picture of a room, from any thread, without asking any actor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sessionactors.runtime import ActorSystem, Lane, message, policy_of
from sessionactors.runtime.brief import LENGTH, brief
from sessionactors.runtime.envelope import Envelope
from sessionactors.runtime.flight_recorder import CAPACITY, RAISED, FlightRecorder

from tests.runtime.scripted import (
    Do,
    DoNow,
    Fenced,
    Note,
    NoteNow,
    Out,
    Probe,
    Scripted,
    State,
    ask,
    child,
    eventually,
    fails,
    on_loop,
    quiet,
    snapshot_of,
    spawn,
    state_of,
)


async def test_an_actor_is_found_by_the_end_of_its_path(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    tts, other = await child(room, "tts"), await child(room, "other")
    await child(tts, "sink")
    await child(other, "sink")
    snapshot = await on_loop(system, lambda: system.inspect("room"))
    assert snapshot["tts"].path == snapshot["room/tts"].path == "room/tts"
    assert list(snapshot) == ["room", "room/other", "room/other/sink", "room/tts", "room/tts/sink"]
    assert len(snapshot) == 5
    assert "tts" in snapshot
    with pytest.raises(KeyError, match="could be any of room/other/sink, room/tts/sink"):
        snapshot["sink"]
    with pytest.raises(KeyError, match="room 'room' has no actor 'stt'; there are: room, room/other"):
        snapshot["stt"]


async def test_a_room_that_does_not_live_is_named_with_those_that_do(system: ActorSystem) -> None:
    with pytest.raises(KeyError, match="no room named 'room'; there are: none"):
        system.inspect("room")
    await spawn(system, "other", Scripted)
    with pytest.raises(KeyError, match="there are: other"):
        system.inspect("room")


async def test_waiting_messages_show_type_sender_age_scope_and_a_few_characters(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    scope: Any = await ask(room, lambda out: out.reply(out.open_scope("speech-1")))
    await room.suspend()
    room.tell(Fenced(scope, "hello"))
    for number in range(7):
        room.tell(Note(number))
    snapshot = await snapshot_of(system, room)
    assert (snapshot.data_depth, len(snapshot.data)) == (8, 5)
    first = snapshot.data[0]
    assert (first.type, first.sender, first.scope) == ("Fenced", "edge", "speech-1")
    assert first.summary == "Fenced(scope=<Scope speech-1>, what='hello')"
    assert snapshot.oldest == first.age >= 0.0


async def test_the_last_handled_messages_are_remembered(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    ref.tell(Note(1))
    ref.tell(Do(fails()))
    await eventually(lambda: ref.cell.restarts == 1)
    recent = (await snapshot_of(system, ref)).recent
    assert [(row.type, row.took == -1) for row in recent] == [("Note", False), ("Do", True)]


async def test_a_failing_summary_hides_nothing_else(system: ActorSystem) -> None:
    class Opaque(Scripted):
        def summary(self, state: State) -> Mapping[str, object]:
            raise ValueError("no")

    ref = await spawn(system, "room", Opaque)
    assert (await snapshot_of(system, ref)).state == {"summary failed": "ValueError('no')"}


async def test_sums_of_a_room_include_actors_that_have_ended(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    ref.tell(Note(1))
    await state_of(ref)
    await ref.stop(block=False)
    snapshot = await on_loop(system, lambda: system.inspect("room"))
    assert (snapshot.accounts.received, snapshot.accounts.handled) == (3, 3)


async def test_a_snapshot_from_inside_a_handler_counts_the_message_in_hand(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    snapshot: Any = await ask(ref, lambda out: out.reply(system.inspect("room")["room"]))
    assert (snapshot.in_hand.type, snapshot.torn, snapshot.accounts.handled) == ("Do", False, 0)


async def test_numbers_that_do_not_add_up_are_marked(system: ActorSystem) -> None:
    ref = await spawn(system, "room", Scripted)
    ref.cell.mailbox.accounts.received += 5
    assert (await snapshot_of(system, ref)).torn
    assert "torn" in str(system.inspect("room"))
    ref.cell.mailbox.accounts.received -= 5


@pytest.mark.modes("virtual")
async def test_the_text_of_a_room(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    tts = await child(room, "tts")
    scope: Any = await ask(tts, lambda out: out.reply(out.open_scope("speech-1")))

    async def synthesise(port: Any) -> None:
        await asyncio.sleep(60)

    def begin(out: Out) -> None:
        out.timer("progress", 1.5, Note("slow"))
        out.effect("speech", synthesise, failed=Note, deadline=10.0)
        out.oblige("speech-1", "the first audio", 2.0)

    await ask(tts, begin)
    await tts.suspend()
    tts.tell(NoteNow("cancel"))
    tts.tell(Fenced(scope, "text"))
    await asyncio.sleep(0.25)
    assert str(system.inspect("room")).splitlines() == [
        "room room: 2 actors, 5 messages received, 3 handled, 0 fenced, 0 dropped, 0 failed, 0 dead letters",
        "  room [idle] control 0, data 0, handled 1  notes=0",
        "    tts [suspended] control 1, data 1, handled 2  notes=0",
        "      control: NoteNow #4 from edge, 250 ms old",
        "      data: Fenced #5 from edge, 250 ms old in speech-1",
        "      timer progress in 1.250 s",
        "      effect speech for 0.25 s, deadline in 9.75 s",
        "  open: speech-1 of room/tts waits for the first audio (due in 1.75 s)",
    ]


@pytest.mark.modes("virtual")
async def test_the_text_of_failures_and_of_what_is_ending(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    gate = asyncio.Event()

    async def hang(port: Any) -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    ref.tell(Do(fails()))
    await eventually(lambda: ref.cell.restarts == 1)
    await ask(ref, lambda out: out.effect("hang", hang, failed=Note))
    await ask(ref, lambda out: out.cancel_effect("hang"))
    text = str(system.inspect("room"))
    assert "child [idle] control 0, data 0, handled 2, restarts 1  notes=0" in text
    assert "effect hang for 0.00 s, cancelled" in text
    assert "last error: Boom('boom')" in text
    gate.set()
    await eventually(lambda: not ref.cell.ending_effects)


@pytest.mark.modes("own", "own+uvloop")
@pytest.mark.may_block("the handler blocks its loop", in_functions=["block"])
async def test_a_room_can_be_inspected_while_its_loop_is_blocked(system: ActorSystem) -> None:
    leave, entered = threading.Event(), Probe()

    def block(out: Out) -> None:
        entered.put()
        leave.wait(10)

    room = await spawn(system, "room", Scripted)
    ref = await child(room, "child")
    ref.tell(Do(block))
    await entered.count(1)
    await eventually(lambda: system.inspect("room").loop_blocked > 0)
    snapshot = system.inspect("room")
    in_hand = snapshot["child"].in_hand
    assert in_hand is not None
    assert (in_hand.type, in_hand.sender, in_hand.running > 0.4) == ("Do", "edge", True)
    assert "! the actor loop has not run for 0." in str(snapshot)
    assert "in hand: Do #2 from edge for" in str(snapshot)
    leave.set()
    await quiet(ref)
    await eventually(lambda: system.inspect("room").loop_blocked == 0.0)


async def test_an_inspection_never_raises_while_the_room_changes(system: ActorSystem) -> None:
    room = await spawn(system, "room", Scripted)
    over = threading.Event()
    seen: list[object] = []

    def look() -> None:
        while not over.is_set():
            try:
                str(system.inspect("room"))
            except Exception as error:
                seen.append(error)
                return

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(60):
        ref = await child(room, f"child-{number}")
        await ask(ref, lambda out: out.timer("t", 60.0, Note(1)))
        room.tell(NoteNow(number))
        await ref.stop(block=False)
    over.set()
    await asyncio.to_thread(looking.join)
    assert seen == []


# -- messages in a few characters --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    data: bytes
    rate: int = 16_000
    secret: str = field(default="hidden", repr=False)


@message(lane=Lane.DATA)
class Audio:
    frame: Frame


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no")


class Array:
    nbytes = 640


@pytest.mark.parametrize(
    "value, text",
    [
        (Note(1), "Note(what=1)"),
        (Audio(Frame(b"x" * 640)), "Audio(frame=Frame(data=<640 bytes>, rate=16000))"),
        (Note(bytearray(3)), "Note(what=<3 bytes>)"),
        (Note(memoryview(b"four")), "Note(what=<4 bytes>)"),
        (Note(Array()), "Note(what=<640 bytes>)"),
        (Note(Note), "Note(what=<class 'tests.runtime.scripted.Note'>)"),
        ("plain", "'plain'"),
        (Unprintable(), "<Unprintable, whose repr failed: ValueError('no')>"),
    ],
    ids=["message", "audio", "bytearray", "memoryview", "array", "class", "text", "unprintable"],
)
def test_a_message_in_a_few_characters(value: object, text: str) -> None:
    shown = brief(value)
    assert "Unprintable instance" in shown or shown == text


def test_a_long_message_is_cut() -> None:
    assert len(brief(Note("long " * 1000))) <= LENGTH
    assert brief(Note(tuple(Note("longer") for _ in range(50)))).endswith("…")


# -- the flight recorder -----------------------------------------------------------------------------------------------


def test_the_recorder_remembers_the_newest() -> None:
    recorder, told = FlightRecorder(), DoNow(lambda out: None)
    assert recorder.last() == []
    for number in range(1, CAPACITY + 11):
        sent = Envelope.of(told, None, "", number, number - 1, "", number * 9, policy_of(DoNow), None)
        recorder.record(sent, number * 10, RAISED if number > CAPACITY else number * 12)
    rows = recorder.last()
    assert [row.id for row in rows] == list(range(11, CAPACITY + 11))
    newest = rows[-1]
    assert (newest.cause, newest.type, newest.at, newest.waited, newest.took) == (41, "DoNow", 420, 42, -1)
    assert [row.id for row in recorder.last(2)] == [CAPACITY + 9, CAPACITY + 10]
    recording = recorder.recording()
    assert (len(recording), recording[-1], recording[-1:]) == (CAPACITY, newest, [newest])
    assert repr(recording[-1]) in repr(recording)
