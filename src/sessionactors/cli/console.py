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
from sessionactors.model.errors import SessionActorsError
from sessionactors.model.events import (
    AgentStateChangedEvent,
    CloseEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    PublicEvent,
)
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.drop_in import AnyDropIn
from sessionactors.session.job import JobContext
from sessionactors.transports.console import ConsoleTransport
from sessionactors.transports.transcript import AGENT

from .entry_points import EntryPoint
from .plain_values import plain

ENTRY_POINT_PATIENCE: Final = 5.0
"""Seconds that an entry point may go on after its session has ended."""
QUIET: Final = 1.0
"""Seconds without an event after which a conversation from a pipe is taken to be answered."""


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
) -> CloseEvent:
    """Run an entry point for a room that is the terminal, until its session ends or the input does.

    Args:
        entry_point: starts a session in the room.
        audio: use microphone and speakers.
        actors: drop-in actors for the session.
        json_lines: print each event as a JSON object on a line of its own, and nothing else.
        stdin: instead of the standard input.
        stdout: instead of the standard output.

    Raises:
        NoSession: the entry point returned and had started no session in its room.
        Exception: whatever the entry point raised, or the session ended with.
    """
    out = stdout or sys.stdout
    console = Console(file=out, quiet=json_lines, highlight=False)
    room = _TerminalRoom(audio=audio, stdin=stdin, console=console)
    watch = _JsonLines(out).watch if json_lines else _Notes(room, states=audio).watch
    started = asyncio.Event()

    def on_session(session: AgentSession[object]) -> None:
        watch(session)
        started.set()

    ctx = JobContext(room, actors=actors, on_session=on_session)
    serving = asyncio.create_task(_serve(entry_point, ctx), name="entry-point")
    over = asyncio.create_task(_over(ctx, started))
    typing = asyncio.create_task(
        _close_when_answered(room, ctx, in_a_hurry=(stdin or sys.stdin).isatty()), name="end-of-input"
    )
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
    if serving.done() and not serving.cancelled():
        serving.result()
    if end.error is not None:
        raise end.error
    return end


async def _serve(entry_point: EntryPoint, ctx: JobContext) -> None:
    await entry_point(ctx)
    if not ctx.sessions:
        raise NoSession("the entry point returned and had started no session with room=ctx.room")


async def _over(ctx: JobContext, started: asyncio.Event) -> CloseEvent:
    await started.wait()
    return await ctx.sessions[-1].wait_closed()


async def _close_when_answered(room: _TerminalRoom, ctx: JobContext, *, in_a_hurry: bool) -> None:
    """At the end of the input: close, from a terminal at once, from a pipe when the last line has been answered."""
    await room.input_ended.wait()
    for session in ctx.sessions:
        if not in_a_hurry:
            await _answered(session)
        session.shutdown(drain=False)


async def _answered(session: AgentSession[object]) -> None:
    heard = asyncio.Event()

    def something(_: PublicEvent) -> None:
        heard.set()

    session.on_any(something)
    while True:
        heard.clear()
        try:
            async with asyncio.timeout(QUIET):
                await heard.wait()
        except TimeoutError:
            if session.agent_state not in {"thinking", "speaking"} and session.current_speech is None:
                return


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

    def text_received(self, identity: str, text: str) -> None:
        """A line was typed."""
        self._events.text_received(identity, text)

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
