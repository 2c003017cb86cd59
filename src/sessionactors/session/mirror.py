"""What can be read of a session at once, on the user's loop: brought up to date by events, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, assert_never

from sessionactors.model.answers import ClosingNote, IdleNote, UserTurnCommittedNote
from sessionactors.model.chat import AgentHandoff, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import SessionStateError
from sessionactors.model.events import (
    AgentState,
    AgentStateChangedEvent,
    HistoryNote,
    KeytermsNote,
    SessionUsageUpdatedEvent,
    UserState,
    UserStateChangedEvent,
)
from sessionactors.model.link_notes import LinkNote, ParticipantsNote, RealtimeNote
from sessionactors.model.usage import AgentSessionUsage

from .run_result import RunResult
from .speech_handle import SpeechHandle

if TYPE_CHECKING:
    from .roster import Roster


@dataclass(slots=True)
class Mirror:
    """The mirrored state."""

    agent_state: AgentState = "initializing"
    user_state: UserState = "listening"
    current: SpeechHandle | None = None
    handles: dict[str, SpeechHandle] = field(default_factory=dict)
    """Handles of speeches that are not over."""
    items: list[ChatItem] = field(default_factory=list)
    commits: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    """Calls of ``commit_user_turn()`` that wait, by request."""
    idles: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    """Calls of ``wait_for_idle()`` that wait, by request."""
    run: RunResult[object] | None = None
    """What ``session.run`` watches, until it is complete."""
    keyterms: tuple[str, ...] = ()
    """Words that the recogniser is told to expect."""
    realtime: object | None = None
    """The session with the realtime model."""
    people: ParticipantsNote | None = None
    """Who is listened to in the room."""
    links: list[asyncio.Future[None]] = field(default_factory=list)
    """Who waits for somebody to be listened to."""
    subscribed: asyncio.Task[None] | None = None
    """Waits, if somebody asked, until the agent can be heard in the room."""
    closing: bool = False
    """The user has closed the session: speeches that end now do not complete a run."""
    usage: AgentSessionUsage = field(default_factory=AgentSessionUsage)

    def watch(self, handle: SpeechHandle) -> None:
        """A speech was asked for: a run that is under way includes it."""
        if self.run is not None:
            self.run.watch(handle)

    def watch_entering(self, key: str) -> RunResult[object]:
        """The session starts: watch what its first agent says when it enters."""

        def forget(run: object) -> None:
            if self.run is run:
                self.run = None

        run: RunResult[object] = RunResult(None, attempts=0, ask_again=lambda: None, forget=forget)
        run.work_begins(key)
        self.run = run
        return run

    def add_item(self, handle: SpeechHandle, item: ChatMessage | FunctionCall | FunctionCallOutput) -> None:
        """A speech produced an item of the history."""
        handle._add_item(item)
        if self.run is not None:
            self.run.add(handle.id, item)

    def handoff_begins(self, agent: str) -> None:
        """An agent is to take over: a run is not complete before it has entered."""
        if self.run is not None:
            self.run.work_begins(f"handoff to {agent}")

    def handoff_ends(self, agent: str) -> None:
        """It has entered, or does not take over."""
        if self.run is not None:
            self.run.work_ends(f"handoff to {agent}")

    def add_items(self, items: Sequence[ChatItem], at: int | None, roster: Roster) -> None:
        """Items entered the history; a run lists handoffs, but the one with which the session began."""
        place = len(self.items) if at is None else at
        self.items[place:place] = items
        for item in items:
            if isinstance(item, AgentHandoff) and item.old_agent_id is not None and self.run is not None:
                self.run.add_handoff(item, *roster.who(item))

    @contextmanager
    def entering(self, agent: str) -> Iterator[None]:
        """While ``on_enter`` of an agent runs: what it makes belongs to a run that is under way."""
        run = self.run
        if run is None:
            yield
            return
        run.work_begins(agent)
        self.handoff_ends(agent)
        try:
            yield
        finally:
            run.work_ends(agent)

    def open_handles(self) -> list[SpeechHandle]:
        """Speeches that are not over."""
        return list(self.handles.values())

    def to_be_cut(self, *, force: bool) -> list[SpeechHandle]:
        """What ``interrupt()`` cuts: in the order of playout, up to the first speech that is protected."""
        in_order = sorted(
            self.open_handles(),  # a stable sort: speeches of one priority stay in the order of their calls
            key=lambda handle: (handle is not self.current, not handle._was_current, -handle._priority),
        )
        if force:
            return in_order
        return list(takewhile(lambda handle: handle.allow_interruptions, in_order))

    def unbegun(self) -> frozenset[str]:
        """Speeches that were asked for here, and that the actors have not taken up."""
        return frozenset(name for name, handle in self.handles.items() if not handle._created)

    def link(self, note: LinkNote) -> None:
        """The session with the realtime model is another one, or other people are listened to."""
        if isinstance(note, RealtimeNote):
            self.realtime = note.session
            return
        self.people = note
        if note.present:
            for waiting in self.links:
                if not waiting.done():
                    waiting.set_result(None)
            self.links.clear()

    async def somebody_linked(self) -> None:
        """Wait until somebody is listened to.

        Raises:
            SessionStateError: the session ended before.
        """
        if self.people is None or not self.people.present:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.links.append(waiting)
            await waiting

    def note(
        self, note: HistoryNote | UserTurnCommittedNote | IdleNote | ClosingNote | KeytermsNote, roster: Roster
    ) -> None:
        """Items were added, a turn was committed by hand, all is idle, or the session closes."""
        match note:
            case HistoryNote(_, items, at):
                self.add_items(items, at, roster)
            case KeytermsNote(keyterms):
                self.keyterms = keyterms
            case ClosingNote():
                self.begin_close()
            case IdleNote(request):
                idle = self.idles.pop(request, None)
                if idle is not None and not idle.done():
                    idle.set_result(None)
            case UserTurnCommittedNote(request, transcript):
                waiting = self.commits.pop(request, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(transcript)

    def finish(self, speech_id: str, *, interrupted: bool, error: BaseException | None) -> None:
        """A speech is over."""
        handle = self.handles.pop(speech_id, None)
        if handle is None:
            return
        if self.current is handle:
            self.current = None
        handle._finish(interrupted=interrupted, error=error)
        if self.run is not None and (error is not None or not self.closing):  # what a close cuts off is no result
            self.run.speech_over(speech_id, error)

    def reflect(self, event: AgentStateChangedEvent | UserStateChangedEvent | SessionUsageUpdatedEvent) -> None:
        """A public value has changed."""
        match event:
            case AgentStateChangedEvent(_, new_state):
                self.agent_state = new_state
            case UserStateChangedEvent(_, new_state):
                self.user_state = new_state
            case SessionUsageUpdatedEvent(usage):
                self.usage = usage
            case _:
                assert_never(event)

    def begin_close(self) -> None:
        """The session closes: it will not be idle any more."""
        self.closing = True
        for idle in self.idles.values():
            if not idle.done():
                idle.set_exception(SessionStateError("wait_for_idle(): the session is closing"))
                idle.exception()  # taken, so that asyncio does not report one that nobody awaits
        self.idles.clear()

    def end_speeches(self) -> None:
        """The session is over: so is every speech."""
        for speech_id in list(self.handles):
            ended = SessionStateError(f"the session closed before {speech_id} was over")
            self.finish(speech_id, interrupted=True, error=ended)
        for request, waiting in self.commits.items():
            if not waiting.done():
                waiting.set_exception(SessionStateError(f"the session closed before {request} was over"))
                waiting.exception()  # taken, so that asyncio does not report one that nobody awaits
        self.commits.clear()
        self.begin_close()
        self.current = None

    def reset(self) -> None:
        """The end has been told of: states return to their beginning, without events, and a run that waits fails."""
        self.agent_state = "initializing"
        self.user_state = "listening"
        self.realtime = self.people = None
        for waiting in self.links:
            if not waiting.done():
                waiting.set_exception(SessionStateError("the session closed before anybody was there"))
                waiting.exception()  # taken, so that asyncio does not report one that nobody awaits
        self.links.clear()
        if self.subscribed is not None:
            self.subscribed.cancel()
        if self.run is not None:
            self.run.close()
