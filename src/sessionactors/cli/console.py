"""``console``: talk to an agent in the terminal, or let a program do so through a pipe."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TextIO

from rich.console import Console

from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.interfaces.transport import NO_ATTRIBUTES, ParticipantKind, TranscriptSegment, TransportEvents
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.errors import SessionActorsError
from sessionactors.model.events import (
    AgentStateChangedEvent,
    CloseEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    PublicEvent,
)
from sessionactors.service.worker.job_context import JobContext
from sessionactors.service.worker.job_life import JobBounds, leave
from sessionactors.service.worker.job_process import set_up
from sessionactors.service.worker.user_functions import SetupFunction
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.drop_in import AnyDropIn
from sessionactors.session.job import current_job
from sessionactors.session.journaling import SessionJournal
from sessionactors.transports.console import ConsoleTransport
from sessionactors.transports.transcript import AGENT

from .end_of_input import EndOfInput
from .entry_points import EntryPoint
from .plain_values import plain

ENTRY_POINT_PATIENCE: Final = 5.0
"""Seconds that an entry point may go on after its session has ended."""


SETUP_PATIENCE: Final = 60.0
"""Seconds for a program to load what its jobs share: nobody waits for it but the one at the terminal."""


class NoSession(SessionActorsError):
    """Raised when an entry point returned and had started no session in its room."""


async def talk(
    entry_point: EntryPoint,
    *,
    audio: bool = False,
    actors: Sequence[AnyDropIn] = (),
    json_lines: bool = False,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
    note: Callable[[str], None] = print,
    setup: SetupFunction | None = None,
    journal: SessionJournal | None = None,
) -> CloseEvent:
    """Run an entry point for a room that is the terminal, until its session ends or the input does.

    The end of the input means that the user has left. From a terminal the session closes at once; from a pipe when the
    last line has been answered, or when something waits for the user, who will not come: then a note says what.

    Args:
        entry_point: starts a session in the room.
        audio: use microphone and speakers.
        actors: drop-in actors for the session.
        json_lines: print each event as a JSON object on a line of its own, and nothing else.
        stdin: instead of the standard input.
        stdout: instead of the standard output.
        note: given what people should know besides the conversation.
        setup: prepares what jobs share, before the entry point runs.
        journal: records the first session.

    Raises:
        NoSession: the entry point returned and had started no session in its room.
        Unanswered: the input ended, and for a minute and a half nothing happened that would answer its last line.
        Exception: whatever the entry point raised, or the session ended with.
    """
    out = stdout or sys.stdout
    console = Console(file=out, quiet=json_lines, highlight=False)
    room = _TerminalRoom(audio=audio, stdin=stdin, console=console)
    watch = _JsonLines(out).watch if json_lines else _Notes(room, states=audio).watch
    started = asyncio.Event()

    def on_session(session: AgentSession[object]) -> None:
        watch(session)
        if journal is not None and not started.is_set():
            session.record_into(journal)
        started.set()

    ctx = JobContext(room, actors=actors, on_session=on_session)
    await set_up(setup, ctx.proc, SETUP_PATIENCE)
    serving = asyncio.create_task(_serve(entry_point, ctx), name="entry-point")
    over = asyncio.create_task(_over(ctx, started))
    ending = EndOfInput(note, in_a_hurry=(stdin or sys.stdin).isatty())
    typing = asyncio.create_task(ending.close_when_answered(room.input_ended, ctx), name="end-of-input")
    try:
        await asyncio.wait([serving, over], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        end = await over
        await asyncio.wait([serving], timeout=ENTRY_POINT_PATIENCE)
    finally:
        for session in ctx.sessions:
            await session.aclose()
        for task in (typing, over, serving):
            task.cancel()
        await asyncio.wait([serving, over, typing])
        await leave(ctx, "console closed", JobBounds())
        await ctx.clean_up()
    if serving.done() and not serving.cancelled():
        serving.result()
    if end.error is not None:
        raise end.error
    if ending.unanswered is not None:
        raise ending.unanswered
    return end


async def _serve(entry_point: EntryPoint, ctx: JobContext) -> None:
    current_job.set(ctx)
    await entry_point(ctx)
    if not ctx.sessions:
        raise NoSession("the entry point returned and had started no session with room=ctx.room")


async def _over(ctx: JobContext, started: asyncio.Event) -> CloseEvent:
    await started.wait()
    return await ctx.sessions[-1].wait_closed()


class _TerminalRoom(ConsoleTransport):
    """The terminal, whose end of input is ours to act on: a pipe ends before its last line is answered."""

    def __init__(self, *, audio: bool, stdin: TextIO | None, console: Console) -> None:
        super().__init__(audio=audio, stdin=stdin, console=console)
        self._user_loop = asyncio.get_running_loop()
        self.input_ended = asyncio.Event()
        self._lock = threading.Lock()
        self._agent_talks = False
        self._notes: list[TranscriptSegment] = []

    async def connect(self, events: TransportEvents) -> None:
        """See :meth:`ConsoleTransport.connect`."""
        await super().connect(_HeldEvents(events, self._left))

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        """See :meth:`ConsoleTransport.publish_transcript`."""
        with self._lock:
            super().publish_transcript(segment)
            if segment.participant == AGENT:
                self._agent_talks = not segment.final
            if not self._agent_talks:
                for note in self._notes:
                    super().publish_transcript(note)
                self._notes.clear()

    def note(self, text: TranscriptSegment) -> None:
        """From any thread: show something that nobody said, and not in the middle of what the agent says."""
        with self._lock:
            if self._agent_talks:
                self._notes.append(text)
            else:
                super().publish_transcript(text)

    def _left(self) -> None:
        try:
            self._user_loop.call_soon_threadsafe(self.input_ended.set)
        except RuntimeError:  # the command is over
            return


class _HeldEvents(TransportEvents):
    """Passes on what the transport says, but for the end of the input."""

    def __init__(self, events: TransportEvents, left: Callable[[], None]) -> None:
        self._events = events
        self._left = left

    def participant_joined(
        self,
        identity: str,
        audio: AudioSource | None,
        *,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        """Somebody is there."""
        self._events.participant_joined(identity, audio, kind=kind, attributes=attributes)

    def participant_left(self, identity: str, reason: str) -> None:
        """The input ended."""
        self._left()

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        """Nothing is shown in a terminal."""
        self._events.video_published(identity, video)

    def text_received(self, identity: str, text: str) -> None:
        """A line was typed."""
        self._events.text_received(identity, text)

    def key_pressed(self, identity: str, digit: str) -> None:
        """A key of a telephone was pressed."""
        self._events.key_pressed(identity, digit)

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        """Nobody at a terminal has attributes."""
        self._events.participant_changed(identity, attributes=attributes, metadata=metadata)

    def closed(self, reason: str) -> None:
        """The terminal is gone."""
        self._events.closed(reason)


class _JsonLines:
    """Prints events for a program."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def watch(self, session: AgentSession[object]) -> None:
        """Print all its events from now on."""
        session.on_any(self._print)

    def _print(self, event: PublicEvent) -> None:
        self._out.write(json.dumps(plain(event), ensure_ascii=False) + "\n")
        self._out.flush()


class _Notes:
    """Shows people what the transcript does not tell: tools, errors, and in a call who is expected to speak."""

    def __init__(self, room: _TerminalRoom, *, states: bool) -> None:
        self._room = room
        self._states = states
        self._count = 0

    def watch(self, session: AgentSession[object]) -> None:
        """Show them from now on."""
        session.on("function_tools_executed", self._on_tools)
        session.on("error", self._on_error)
        if self._states:
            session.on("agent_state_changed", self._on_state)

    def _on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        for call, output in event.zipped():
            self._show("tool", f"{call.name}({call.arguments}) -> {output.output}")

    def _on_error(self, event: ErrorEvent) -> None:
        self._show("error", f"{event.source}: {event.error}")

    def _on_state(self, event: AgentStateChangedEvent) -> None:
        self._show("state", event.new_state)

    def _show(self, what: str, text: str) -> None:
        self._count += 1
        self._room.note(TranscriptSegment(what, f"note-{self._count}", text, final=True))
