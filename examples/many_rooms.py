"""Fifty rooms at once in one process, and what happens to the others when one of them misbehaves.

    python examples/many_rooms.py [--rooms 50] [--seconds 8] [--detector silero|energy] [--json]

In every room a caller's audio flows in real time, 20 ms a frame, from a thread of its own as from a network. Callers
ask something every few seconds; the agent answers aloud. Meanwhile one room is killed, a tool of another blocks its
thread for five seconds, a callback of a third blocks the users' event loop, and an actor of a fourth the actor loop.

What is measured is the lateness of every frame: from the moment it was due at the sender (by an absolute schedule, so
that a sender that is held up does not hide it) to the end of its handling by the room's ``vad`` actor, which has then
passed it to the detector. It is read with a tap. A second thread inspects all rooms all the time.

Detector: Silero, all rooms in one batch, where it is installed; else by loudness. The language model is a table of
rules, the voice is a tone of the length of the text, and the recogniser knows beforehand what its caller will ask and
says so when the detector has heard the end of it: turns, replies and playout are real, understanding is not.

Python's garbage collector stops all threads, and a full collection takes 100 ms with 150 000 objects about: a whole
process of rooms is late at once, whatever any room does. So the program does what a server should: what exists when the
rooms are open is taken out of its sight (``gc.freeze()``), and full collections are made ten times rarer. The longest
pause that remains is in the table.

The program fails if another room was harmed: a frame lost, an answer that did not come, a restart or an error, or a
lateness (p99) beyond twice that of before or 10 ms more, whichever is larger. While the actor loop itself is blocked
every room waits: that phase only has to be readable, and to leave no trace.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import math
import sys
import threading
import time
from array import array
from collections import Counter, deque
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field

import structlog
from rich.console import Console
from rich.table import Table

from sessionactors import (
    STT,
    TTS,
    VAD,
    Agent,
    AgentSession,
    AudioFrame,
    ChatMessage,
    ConversationItemAddedEvent,
    DropIn,
    ErrorEvent,
    FlushSentinel,
    Outbox,
    RoomHandle,
    RoomSupervisor,
    SessionSpec,
    SpeechEvent,
    SpeechEventType,
    SynthesizedAudio,
    function_tool,
    message,
)
from sessionactors.messages.ear import AudioHeard
from sessionactors.providers import offline
from sessionactors.transports.memory import MemoryTransport

RATE = 16000
FRAME = 0.02
"""Seconds of a frame."""
BURSTS = 10
"""The callers' frames come in so many bursts, spread over the 20 ms of a frame."""
ASKS_EVERY = 6.0
"""Seconds from one question of a caller to the next."""
ANSWERED_WITHIN = 4.0
"""Seconds from the end of a question to the end of its answer, generously."""
WARM_UP = 2.0
"""Seconds before anything counts."""
TOOL_BLOCKS = 5.0
"""Seconds."""
LOOP_BLOCKS = 0.8
"""Seconds; shorter than the second of audio that may wait for a room, so that nothing has to give way."""

DESK = offline.IntentTable(
    intents=(
        offline.Intent(name="hours", examples=("when do you open",), reply="We open at noon."),
        offline.Intent(name="place", examples=("where are you",), reply="On Market Street."),
        offline.Intent(
            name="order",
            examples=("where is my order",),
            reply="I do not know.",
            tool=offline.IntentTool(name="order_status", arguments={}, reply="{output}", error_reply="I do not know."),
        ),
    )
)
QUESTIONS = ("when do you open", "where are you")

KILLED, BLOCKS_ITS_THREAD, BLOCKS_USER_LOOP, BLOCKS_ACTOR_LOOP = "room-1", "room-2", "room-3", "room-4"
"""The rooms that misbehave. All others must not notice."""


# -- a caller ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CapturedFrame(AudioFrame):
    """A frame that knows when it was due at the sender."""

    captured_at: int = 0
    """Monotonic clock, ns."""


@dataclass
class Caller:
    """The caller of one room: silence, and now and then a question."""

    room: str
    transport: MemoryTransport
    recordings: dict[str, list[bytes]]
    """Question to its frames."""
    asks_first: float
    """Seconds from the start to the first question."""
    last_words: float = math.inf
    """Seconds from the start after which nothing is asked any more."""
    hangs_up: bool = False
    spoken: deque[str] = field(default_factory=deque)
    """Questions asked and not understood yet; the room's recogniser takes them."""
    asked: list[float] = field(default_factory=list)
    """When the questions ended, monotonic seconds."""
    sent: int = 0
    _playing: deque[bytes] = field(default_factory=deque)
    _questions: int = 0

    def send(self, now: float, captured_at: int) -> None:
        """Send the frame that is due, ``now`` seconds after the start."""
        if not self._playing and now >= self.asks_first + self._questions * ASKS_EVERY and now < self.last_words:
            question = QUESTIONS[self._questions % len(QUESTIONS)]
            self._questions += 1
            self.spoken.append(question)
            self._playing.extend(self.recordings[question])
            self.asked.append(captured_at / 1e9 + FRAME * len(self._playing))
        pcm = self._playing.popleft() if self._playing else SILENCE
        self.transport.push_audio(CapturedFrame(pcm, RATE, 1, captured_at))
        self.sent += 1


SILENCE = bytes(round(FRAME * RATE) * 2)


class Wire(threading.Thread):
    """Sends all callers' frames in real time, each when it is due."""

    def __init__(self, callers: list[Caller]) -> None:
        super().__init__(name="wire", daemon=True)
        self.late = array("d")
        """Seconds by which this thread itself was late, burst by burst."""
        self._callers = callers
        self._stopping = threading.Event()

    def run(self) -> None:
        """Send until stopped."""
        start = time.monotonic_ns()
        step = round(FRAME * 1e9 / BURSTS)
        tick = 0
        while not self._stopping.is_set():
            due = start + tick * step
            wait = (due - time.monotonic_ns()) / 1e9
            if wait > 0:
                time.sleep(wait)
            self.late.append((time.monotonic_ns() - due) / 1e9)
            for caller in self._callers[tick % BURSTS :: BURSTS]:
                if not caller.hangs_up:
                    caller.send((due - start) / 1e9, due)
            tick += 1

    def stop(self) -> None:
        """Send no more."""
        self._stopping.set()
        self.join()


async def recorded(questions: tuple[str, ...]) -> tuple[str, dict[str, list[bytes]]]:
    """The questions as frames, spoken by the offline voice if there is one; and what was used."""
    frames: dict[str, list[bytes]] = {}
    try:
        voice = offline.default_tts("caller")
    except offline.MissingDependencyError:
        return "tone", {question: _cut(_tone(1.2, RATE).data) for question in questions}
    try:
        for question in questions:
            pcm = b"".join([audio.frame.data async for audio in voice.synthesize(_pieces(question))])
            frames[question] = _cut(_resampled(pcm, voice.sample_rate))
    finally:
        await voice.aclose()
    return voice.label, frames


async def _pieces(text: str) -> AsyncIterator[str]:
    yield text


def _cut(pcm: bytes) -> list[bytes]:
    size = len(SILENCE)
    return [pcm[at : at + size].ljust(size, b"\0") for at in range(0, len(pcm), size)]


def _resampled(pcm: bytes, rate: int) -> bytes:
    """At 16 kHz, by the nearest sample: good enough for a detector."""
    samples = array("h", pcm)
    return array("h", (samples[int(at * rate / RATE)] for at in range(int(len(samples) * RATE / rate)))).tobytes()


def _tone(seconds: float, rate: int) -> AudioFrame:
    wave = (round(6000 * math.sin(2 * math.pi * 220 * at / rate)) for at in range(round(seconds * rate)))
    return AudioFrame(array("h", wave).tobytes(), rate)


# -- the agent's side --------------------------------------------------------------------------------------------------


class KnowingSTT(STT):
    """Understands what its caller was known to ask, when the detector says that the question is over."""

    label = "knows beforehand"

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """One final for each question."""
        async for item in audio:
            if isinstance(item, FlushSentinel) and self._caller.spoken:
                text = self._caller.spoken.popleft()
                yield SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, text, complete=True)


class ToneTTS(TTS):
    """A tone, 50 ms a character: the same every time, and nearly free."""

    label = "tone"
    _second = _tone(1.0, 24000)

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return 24000

    async def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        """Audio as long as the text."""
        async for piece in text:
            yield SynthesizedAudio(self._second.split(round(0.05 * len(piece) * self.sample_rate))[0])


class Clerk(Agent):
    """Answers; its only tool is slow, and blocks its thread."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk of a shop.")

    @function_tool
    def order_status(self) -> str:
        """Look up an order, in a database that hangs."""
        time.sleep(TOOL_BLOCKS)
        return "It is on its way."


@message()
class BlockNow:
    """Block the actor loop."""

    seconds: float


class Rogue(DropIn[None, BlockNow]):
    """A drop-in actor that does what a handler must never do."""

    name = "rogue"

    def initial(self) -> None:
        """Nothing."""

    def receive(self, state: None, message: BlockNow, out: Outbox[BlockNow]) -> None:
        """Block."""
        time.sleep(message.seconds)


@dataclass
class Ledger:
    """What happened in one room, as its events told."""

    answers: list[float] = field(default_factory=list)
    """When an answer entered the history, monotonic seconds."""
    errors: list[str] = field(default_factory=list)
    closed: str = ""
    block_user_loop: float = 0.0
    """Seconds for which the next callback blocks the loop that it runs on."""

    def listen(self, session: AgentSession[object]) -> None:
        """Follow a session."""
        session.on("conversation_item_added", self._on_item)
        session.on("error", self._on_error)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.role == "assistant":
            self.answers.append(time.monotonic())
        if self.block_user_loop:
            seconds, self.block_user_loop = self.block_user_loop, 0.0
            time.sleep(seconds)

    def _on_error(self, event: ErrorEvent) -> None:
        self.errors.append(f"{event.source}: {event.error!r}")


# -- what is measured --------------------------------------------------------------------------------------------------


@dataclass
class Phase:
    """A stretch of the run. Frames belong to the phase in which they were due."""

    name: str
    begin: float
    """Monotonic seconds."""
    end: float = math.inf
    bound: bool = True
    """Whether the lateness of this phase is promised."""
    lateness: array[float] = field(default_factory=lambda: array("d"))
    """Seconds, of the rooms that do not misbehave."""
    looks: int = 0
    """Rooms inspected."""
    blocked_looks: int = 0
    """Of these, inspections that saw an actor in its handler for more than 0.1 s."""
    cpu: array[float] = field(default_factory=lambda: array("d"))
    """CPU seconds of an inspection."""
    oldest: float = 0.0
    """Seconds: the longest that a message was seen waiting."""
    torn: int = 0
    collected: float = 0.0
    """Seconds: the longest pause of the garbage collector."""


def percentile(values: array[float], share: float) -> float:
    """The value below which that share lies; 0.0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Observer(threading.Thread):
    """Reads the tap, and inspects all rooms, from outside of both loops."""

    def __init__(self, rooms: RoomSupervisor, unbiased: frozenset[str]) -> None:
        super().__init__(name="observer", daemon=True)
        self.phases: list[Phase] = []
        self.handled: Counter[str] = Counter()
        self.blockers: set[str] = set()
        """What was in hand while the actor loop was blocked."""
        self.hurry = threading.Event()
        """Set: look at all rooms without a pause."""
        self._rooms = rooms
        self._unbiased = unbiased
        self._tap = rooms.system.tap(None, [AudioHeard], capacity=200_000)
        self._stopping = threading.Event()
        self._collecting = 0.0
        gc.callbacks.append(self._on_collection)

    def _on_collection(self, stage: str, info: dict[str, int]) -> None:
        if stage == "start":
            self._collecting = time.monotonic()
        elif self.phases:
            self.phases[-1].collected = max(self.phases[-1].collected, time.monotonic() - self._collecting)

    def enter(self, name: str, *, bound: bool = True) -> Phase:
        """The next phase begins."""
        now = time.monotonic()
        if self.phases:
            self.phases[-1].end = now
        self.phases = [*self.phases, Phase(name, now, bound=bound)]
        return self.phases[-1]

    def run(self) -> None:
        """Look on until stopped; a room in 20 ms, or all as fast as it goes."""
        while not self._stopping.is_set():
            for handle in self._rooms.list():
                self._inspect(handle.room)
                if not self.hurry.is_set() and self._stopping.wait(0.02):
                    break
            self.read_tap()

    def read_tap(self) -> None:
        """Account for what was handled since the last time."""
        for delivery in self._tap.drain():
            frame = delivery.message.frame if isinstance(delivery.message, AudioHeard) else None
            if isinstance(frame, CapturedFrame) and delivery.target.endswith("/vad"):
                self.handled[delivery.room] += 1
                phase = self._phase_at(frame.captured_at / 1e9)
                if phase is not None and delivery.room in self._unbiased:
                    phase.lateness.append((delivery.ended_at - frame.captured_at) / 1e9)

    def _phase_at(self, moment: float) -> Phase | None:
        return next((phase for phase in self.phases if phase.begin <= moment < phase.end), None)

    def _inspect(self, room: str) -> None:
        began = time.thread_time()
        try:
            snapshot = self._rooms.inspect(room)
        except KeyError:  # it has just ended
            return
        phase = self.phases[-1]
        phase.cpu.append(time.thread_time() - began)
        phase.looks += 1
        phase.torn += sum(actor.torn for actor in snapshot.actors.values())
        phase.oldest = max(phase.oldest, *(actor.oldest for actor in snapshot.actors.values()))
        for actor in snapshot.actors.values():
            if actor.in_hand is not None and actor.in_hand.running > 0.1:
                self.blockers.add(f"{actor.path} at {actor.in_hand.type}")
                phase.blocked_looks += 1

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self.join()
        self.read_tap()
        self._tap.close()
        gc.callbacks.remove(self._on_collection)


# -- the run -----------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """All that a run is judged by."""

    detector: str
    caller_voice: str
    start_seconds: float
    phases: list[Phase]
    wire_late: float
    """p99 of the sender's own lateness, seconds."""
    blockers: list[str]
    stalls: list[str]
    killed: str
    harm: list[str]


class House:
    """The rooms, their callers and their ledgers."""

    def __init__(self, count: int, vad: VAD, recordings: dict[str, list[bytes]]) -> None:
        self.vad = vad
        self.llm = offline.RuleBasedLLM(DESK)
        self.tts = ToneTTS()
        names = [f"room-{number}" for number in range(count)]
        self.callers = {
            room: Caller(room, MemoryTransport(), recordings, asks_first=1.0 + number * ASKS_EVERY / count)
            for number, room in enumerate(names)
        }
        self.ledgers = {room: Ledger() for room in names}
        self.others = frozenset(names) - {KILLED, BLOCKS_ITS_THREAD, BLOCKS_USER_LOOP, BLOCKS_ACTOR_LOOP}

    def session_for(self, room: str) -> SessionSpec:
        """What one room is made of."""
        return SessionSpec(
            agent=Clerk(),
            vad=self.vad,
            stt=KnowingSTT(self.callers[room]),
            llm=self.llm,
            tts=self.tts,
            turn_handling={"endpointing": {"min_delay": 0.3}},
            aec_warmup_duration=None,  # callers in memory hear no loudspeaker
            actors=(Rogue(),) if room == BLOCKS_ACTOR_LOOP else (),
            prepare=self.ledgers[room].listen,
        )

    def closed(self, handle: RoomHandle) -> None:
        """A room is over; its caller hangs up."""
        self.callers[handle.room].hangs_up = True
        self.ledgers[handle.room].closed = handle.closed.result().reason.value


async def run(options: argparse.Namespace) -> Run:
    """Open the rooms, let them misbehave, close them."""
    detector, vad = await _detector(options.detector)
    caller_voice, recordings = await recorded(QUESTIONS)
    house = House(options.rooms, vad, recordings)
    rooms = RoomSupervisor(house.session_for, max_sessions=options.rooms)
    rooms.on_room_closed(house.closed)
    async with rooms:
        began = time.monotonic()
        await asyncio.gather(*(rooms.spawn(room, transport=caller.transport) for room, caller in house.callers.items()))
        started = time.monotonic() - began
        thresholds = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*thresholds[:2], 10 * thresholds[2])
        wire, observer = Wire(list(house.callers.values())), Observer(rooms, house.others)
        observer.enter("warm-up", bound=False)
        wire.start()
        observer.start()
        try:
            await _misbehave(rooms, house, observer, options.seconds)
        finally:
            wire.stop()
            await asyncio.sleep(0.3)  # what was sent last is still on its way
            await asyncio.to_thread(observer.stop)
            gc.set_threshold(*thresholds)
            gc.unfreeze()
        harm = _harm(rooms, house, observer)
        stalls = [] if rooms.system.watchdog is None else rooms.system.watchdog.stalls
    await vad.aclose()
    return Run(
        detector=detector,
        caller_voice=caller_voice,
        start_seconds=started,
        phases=observer.phases,
        wire_late=percentile(wire.late, 0.99),
        blockers=sorted(observer.blockers),
        stalls=[
            f"{stall.loop} loop, {stall.actor or 'user code'}, noticed at {stall.seconds:.2f} s" for stall in stalls
        ],
        killed=house.ledgers[KILLED].closed,
        harm=harm,
    )


async def _misbehave(rooms: RoomSupervisor, house: House, observer: Observer, seconds: float) -> None:
    await asyncio.sleep(WARM_UP)
    observer.enter("before")
    await asyncio.sleep(seconds)

    observer.enter(f"1 killed, 1 tool blocks {TOOL_BLOCKS:.0f} s")
    await rooms.system.stop_tree(KILLED, 0.0)
    house.callers[BLOCKS_ITS_THREAD].transport.type("where is my order")
    await asyncio.sleep(max(seconds, TOOL_BLOCKS + 1.0))

    observer.enter(f"users' loop blocked {LOOP_BLOCKS} s")
    house.ledgers[BLOCKS_USER_LOOP].block_user_loop = LOOP_BLOCKS
    house.callers[BLOCKS_USER_LOOP].transport.type("where are you")
    await asyncio.sleep(seconds)

    observer.enter(f"actor loop blocked {LOOP_BLOCKS} s", bound=False)
    await asyncio.sleep(0.1)  # what was due before is handled by now, and counts before
    observer.hurry.set()
    rooms.get(BLOCKS_ACTOR_LOOP).session.actor("rogue").tell(BlockNow(LOOP_BLOCKS))
    await asyncio.sleep(LOOP_BLOCKS)
    observer.hurry.clear()
    await asyncio.sleep(1.5)

    observer.enter("after")
    await asyncio.sleep(seconds / 2)
    for caller in house.callers.values():
        caller.last_words = 0.0
    await asyncio.sleep(ANSWERED_WITHIN + 1.5)  # a question that has just begun takes a second and a half


async def _detector(wanted: str) -> tuple[str, VAD]:
    if wanted in ("auto", "silero"):
        vad = offline.SileroVAD()
        try:
            await vad.prewarm()
        except offline.MissingDependencyError:
            await vad.aclose()
            if wanted == "silero":
                raise
        else:
            return "silero (neural, all rooms in one batch)", vad
    return "energy (loudness only)", offline.EnergyVAD()


def _harm(rooms: RoomSupervisor, house: House, observer: Observer) -> list[str]:
    """What the rooms that did nothing wrong suffered."""
    harm = []
    for room in sorted(house.others):
        ledger, caller = house.ledgers[room], house.callers[room]
        if ledger.closed:
            harm.append(f"{room}: closed ({ledger.closed})")
            continue
        if observer.handled[room] != caller.sent:
            harm.append(f"{room}: {caller.sent} frames sent, {observer.handled[room]} handled")
        late = [answer - asked for asked, answer in zip(caller.asked, ledger.answers, strict=False)]
        if len(ledger.answers) != len(caller.asked):
            harm.append(f"{room}: asked {len(caller.asked)} times, answered {len(ledger.answers)} times")
        elif any(seconds > ANSWERED_WITHIN for seconds in late):
            harm.append(f"{room}: an answer took {max(late):.1f} s")
        harm.extend(f"{room}: {error}" for error in ledger.errors)
        harm.extend(
            f"{actor.path}: restarts {actor.restarts}, dropped {actor.accounts.dropped}, failed {actor.accounts.failed}"
            for actor in rooms.inspect(room).values()
            if actor.restarts or actor.accounts.dropped or actor.accounts.failed
        )
    before = next(percentile(phase.lateness, 0.99) for phase in observer.phases if phase.name == "before")
    bound = max(2 * before, before + 0.010)
    for phase in observer.phases:
        p99 = percentile(phase.lateness, 0.99)
        if phase.bound and p99 > bound:
            harm.append(f"{phase.name}: lateness p99 {p99 * 1000:.1f} ms, more than {bound * 1000:.1f} ms")
    if not any(phase.blocked_looks for phase in observer.phases):
        harm.append("no room could be inspected while the actor loop was blocked")
    return harm


# -- what is shown -----------------------------------------------------------------------------------------------------


LEGEND = """\
p50, p99, max: lateness of frames, from when they were due at the sender to the end of their handling by the vad actor,
in rooms that do nothing wrong. inspected: rooms read by another thread; blocked: of these, while some handler hung;
CPU: of one inspection, median. oldest: the longest that a message was seen waiting; gc: longest collection."""


def as_json(run: Run, options: argparse.Namespace) -> dict[str, object]:
    """The figures, in seconds."""
    return {
        "rooms": options.rooms,
        "detector": run.detector,
        "caller_voice": run.caller_voice,
        "start_seconds": run.start_seconds,
        "switch_interval": sys.getswitchinterval(),
        "sender_late_p99": run.wire_late,
        "phases": [
            {
                "name": phase.name,
                "frames": len(phase.lateness),
                "lateness_p50": percentile(phase.lateness, 0.5),
                "lateness_p99": percentile(phase.lateness, 0.99),
                "lateness_max": percentile(phase.lateness, 1.0),
                "bound": phase.bound,
                "inspections": phase.looks,
                "inspections_while_blocked": phase.blocked_looks,
                "inspection_cpu_p50": percentile(phase.cpu, 0.5),
                "inspection_cpu_p99": percentile(phase.cpu, 0.99),
                "torn": phase.torn,
                "oldest_waiting": phase.oldest,
                "longest_collection": phase.collected,
            }
            for phase in run.phases
        ],
        "killed_room_closed": run.killed,
        "blockers": run.blockers,
        "stalls": run.stalls,
        "harm": run.harm,
    }


def show(run: Run, options: argparse.Namespace) -> None:
    """The figures as a table."""
    table = Table(title=f"{options.rooms} rooms, {1 / FRAME:.0f} frames a second each")
    table.add_column("phase", no_wrap=True)
    for name in ("frames", "p50 ms", "p99 ms", "max ms", "inspected", "blocked", "CPU us", "oldest ms", "gc ms"):
        table.add_column(name, justify="right")
    for phase in run.phases:
        table.add_row(
            phase.name,
            str(len(phase.lateness)),
            *(f"{percentile(phase.lateness, share) * 1000:.1f}" for share in (0.5, 0.99, 1.0)),
            str(phase.looks),
            str(phase.blocked_looks),
            f"{percentile(phase.cpu, 0.5) * 1e6:.0f}",
            f"{phase.oldest * 1000:.0f}",
            f"{phase.collected * 1000:.0f}",
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a pipe has no width, and 80 columns cut the figures
    console.print(table)
    console.print(LEGEND)
    console.print(
        f"detector: {run.detector}; callers' voice: {run.caller_voice}; recogniser: knows beforehand; model: rules; "
        f"agents' voice: tone; switch interval {sys.getswitchinterval() * 1000:.0f} ms"
    )
    console.print(
        f"rooms started in {run.start_seconds:.2f} s; sender itself late by p99 {run.wire_late * 1000:.1f} ms"
    )
    console.print(f"{KILLED} killed: closed ({run.killed}); in hand while the actor loop was blocked: {run.blockers}")
    console.print(f"watchdog: {run.stalls}")
    console.print("[green]no other room was harmed[/green]" if not run.harm else "[red]harm:[/red]")
    for line in run.harm:
        console.print(f"  {line}")


def main() -> int:
    """The program; 1 if another room was harmed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=50, help="rooms at once, at least 6")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each phase whose lateness is promised")
    parser.add_argument("--detector", choices=("auto", "silero", "energy"), default="auto")
    parser.add_argument("--json", action="store_true", help="figures for programs, in seconds")
    options = parser.parse_args()
    if options.rooms < 6 or options.seconds <= 0:
        parser.error("--rooms must be at least 6 and --seconds positive")
    # What is provoked here is logged as errors, as it should be; the table tells it.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    result = asyncio.run(run(options))
    if options.json:
        print(json.dumps(as_json(result, options), indent=2))
    else:
        show(result, options)
    return 1 if result.harm else 0


if __name__ == "__main__":
    sys.exit(main())
