"""Looking inside a session: snapshots, taps, diagrams, and what blocks progress."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sessionactors.model.errors import SessionStateError
from sessionactors.runtime import (
    Ref,
    Tap,
    TreeSnapshot,
)

from . import diagram
from .journaling import SessionJournal
from .observing import SessionObserver
from .session_link import SessionLink, Userdata_T
from .turn_latency import TurnLatency, turn_latency
from .waits import WaitEdge
from .why import why


class Insight(SessionLink[Userdata_T]):
    """The views of a session."""

    def inspect(self) -> TreeSnapshot:
        """Every actor: status, message in hand, both lanes, timers, effects. Never blocks; works on a hung session."""
        system, _ = self._live("inspect()")
        return system.inspect(self._room_name)

    def tap(self, types: Collection[type] | None = None, capacity: int = 1024) -> Tap:
        """Watch deliveries as they end: ``async for delivery in session.tap(types=[TextDelta])``. Close it after."""
        system, _ = self._live("tap()")
        return system.tap(self._room_name, types, capacity)

    def diagram(self, *, whole: bool = False) -> str:
        """A Mermaid sequence diagram of the last turn (or of all that is kept), from the real messages."""
        drawn = self._trace.drawn()
        deliveries = drawn if whole else diagram.last_turn(drawn)
        return diagram.mermaid(deliveries, room=self._room_name)

    def turn_latency(self, turn: str | None = None) -> TurnLatency | None:
        """Where the time of a turn went, from the end of the user's speech to the first frame of the reply.

        The parts add up to the whole. None when the turn has not been answered, or is too long ago to be kept.

        Args:
            turn: its id, such as ``turn-3``; None for the last one that was answered.
        """
        return turn_latency(self._trace.deliveries(), turn)

    def record_into(self, journal: SessionJournal) -> None:
        """As ``AgentSession(journal=...)``, beside what was given there: for who is not who made the session.

        Raises:
            SessionStateError: the session runs already.
        """
        if self._root is not None:
            raise SessionStateError("record_into(): the session runs already: a journal begins with it")
        given = self._journal
        before = () if given is None else tuple(given) if isinstance(given, Sequence) else (given,)
        self._journal = (*before, journal)

    def observe(self, observer: SessionObserver) -> None:
        """Have somebody look on from the start to the end. A :class:`.Telemetry` does: ``telemetry.observe(session)``.

        Raises:
            SessionStateError: the session runs already.
        """
        if self._root is not None:
            raise SessionStateError("observe(): the session runs already: who looks on begins with it")
        self._trace.observers.append(observer)

    def keep_black_box(self, why: str = "asked for") -> tuple[object, ...]:
        """Have what was seen of the session last written, where it has a :class:`.BlackBox`. From any thread, at once.

        Args:
            why: is written into the file.

        Returns:
            The paths of the files that are being written; none if there is no black box, or one was kept just now.
        """
        system, _ = self._live("keep_black_box()")
        return tuple(system.tree(self._room_name).keep(why))

    def why(self) -> str:
        """What blocks progress: one actor, one message, in one line."""
        line = why(self.inspect())
        return "; ".join((line, *map(str, self.waits)))

    @property
    def waits(self) -> tuple[WaitEdge, ...]:
        """What user code waits for now: speeches, or the quiet of the session. Nobody can wait for itself."""
        return self._waits.edges

    def actor(self, name: str) -> Ref[object]:
        """One actor of the session, to suspend, step, resume or inspect it while debugging.

        Raises:
            KeyError: there is none of that name; the text lists those that exist.
        """
        system, _ = self._live("actor()")
        path = system.inspect(self._room_name)[name].path
        return system.tree(self._room_name).cells[path].ref
