"""A recorded session, run again: go to any message, look at every actor, find where it parts from the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from sessionactors.runtime import NS, TreeSnapshot, snapshot

from .code_hash import code_hash
from .divergence import Divergence
from .errors import JournalDamaged, JournalError
from .reading import JournalReader
from .records import Entered, Failed, Given, Handled, Header, Lost, Named, Record
from .reenactment import Reenactment
from .replay_world import ReplayWorld
from .roots import root_of


class NotReplayable(JournalError):
    """Raised when a journal is whole and can be read, but the session cannot be run again from it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One message of a session that runs again, after it was handled."""

    number: int
    """Counted from 1, in the order of handling."""
    actor: str
    """Path of the actor that handled it."""
    type: str
    """Name of the message's class."""
    id: int
    """Of the delivery, as in taps and snapshots."""
    cause: int
    """Id of the message whose handler sent it; 0: it came from outside."""
    at: int
    """Kernel clock when it was taken, ns."""
    failed: bool = False
    """Its handler raised."""


class Replay:
    """Runs a recorded session again, message by message, with no provider, no user code and no real time.

    Args:
        file: the journal: its path, or its bytes.

    Raises:
        OSError: the file cannot be read.
        JournalDamaged: it is no journal, or was changed.
        JournalVersionError: it is of a format, or has messages, that this version does not know.
        NotReplayable: it does not begin with the session's beginning, or has lost records.
    """

    def __init__(self, file: str | Path | bytes) -> None:
        self._bytes = file if isinstance(file, bytes) else Path(file).read_bytes()
        self._contents = _Contents(self._open(None))
        self._reader: JournalReader
        self._again: Reenactment
        self.rewind()

    def _open(self, world: ReplayWorld | None) -> JournalReader:
        return JournalReader(BytesIO(self._bytes), world=world)

    def rewind(self) -> None:
        """Go back to the beginning."""
        world = ReplayWorld()
        self._reader = self._open(world)
        records = iter(self._reader)
        header, given = next(records), next(records, None)
        if not isinstance(header, Header) or not isinstance(given, Given):
            raise JournalDamaged("the journal does not say what its session was made of")
        contents = self._contents
        again = cast("type[Any]", Reenactment)  # of a witness's calls it needs but some
        self._again = again(header, root_of(given.root), records, world, contents.ids, contents.names)
        self._again.begin()
        self._began = self._again.at

    # -- facts -------------------------------------------------------------------------------------------------------

    @property
    def header(self) -> Header:
        """What the journal says of itself."""
        return self._again.header

    @property
    def other_code(self) -> bool:
        """It was recorded by other code than this, be it of the same version. False also where nobody knows."""
        recorded, here = self.header.code, code_hash()
        return self.header.version != version("sessionactors") or bool(recorded and here and recorded != here)

    @property
    def messages(self) -> int:
        """How many messages the journal has."""
        return self._contents.messages

    @property
    def cut(self) -> bool:
        """The journal was not closed: its process was killed, or still writes. All up to its last flush is there."""
        return self._contents.cut

    @property
    def number(self) -> int:
        """How many messages have been handled."""
        return self._again.handled_so_far

    @property
    def divergence(self) -> Divergence | None:
        """Where the run parted from the journal; None: so far it has not."""
        return self._again.divergence

    @property
    def moment(self) -> Moment | None:
        """The message that was handled last; None: at the beginning."""
        match self._again.last:
            case Handled() as last:
                return Moment(self.number, last.target, last.type, last.id, last.cause, last.began)
            case Failed() as last:
                served = self._again.serving
                kind = "" if served is None else type(served.message).__name__
                return Moment(self.number, last.target, kind, last.id, 0, last.began, failed=True)
            case None:
                return None

    @property
    def seconds(self) -> float:
        """Seconds of the session so far."""
        return (self._again.at - self._began) / NS

    # -- going on ----------------------------------------------------------------------------------------------------

    def step(self) -> Moment | None:
        """Go on until one more message has been handled, and all that came before the next; None: there is none."""
        before = self.number
        while self.number == before:
            if not self._again.step():
                return None
        return self.moment

    def __iter__(self) -> Iterator[Moment]:
        while (moment := self.step()) is not None:
            yield moment

    def to(self, number: int) -> Moment | None:
        """Go to a message: back to the beginning first, if it is behind; at most to the end.

        Raises:
            ValueError: there is no message of that number.
        """
        if not 0 <= number <= self.messages:
            raise ValueError(f"there is no message {number}: the journal has messages 1 to {self.messages}")
        if number < self.number:
            self.rewind()
        while self.number < number and self.step() is not None:
            continue
        return self.moment

    def run(self) -> Divergence | None:
        """Go to the end, or to where the runs part."""
        while self._again.step():
            continue
        return self.divergence

    def first(self, holds: Callable[[Replay], bool]) -> Moment | None:
        """From here on, the first message after which ``holds(replay)``; None: it never does.

        Each message is looked at, so it need not hold from then on.
        """
        return next((moment for moment in self if holds(self)), None)

    # -- looking -----------------------------------------------------------------------------------------------------

    def inspect(self) -> TreeSnapshot:
        """All actors as they are now: what ``session.inspect()`` gave at that moment."""
        return snapshot.take(self._again.tree)

    def states(self) -> Mapping[str, object]:
        """The states of all actors that live, by path."""
        return {path: cell.state for path, cell in sorted(self._again.tree.cells.items())}

    def facts(self, actor: str) -> Mapping[str, object]:
        """What an actor's summary says, by its path or the end of it; nothing while there is no such actor."""
        for path, cell in self._again.tree.cells.items():
            if path == actor or path.endswith(f"/{actor}"):
                return cell.actor.summary(cell.state)
        return {}

    def state(self, actor: str) -> object:
        """The state of one actor, by path or name.

        Raises:
            KeyError: there is none; the text lists those that live.
        """
        return self._again.tree.cells[self.inspect()[actor].path].state


class _Contents:
    """What has to be known of a journal before it is run again."""

    def __init__(self, reader: JournalReader) -> None:
        self.messages = 0
        ids: set[int] = set()
        names: set[str] = set()
        with reader:
            for index, record in enumerate(reader):
                self._look(index, record, ids, names)
        self.ids, self.names = frozenset(ids), frozenset(names)
        self.cut = reader.cut or not reader.closed
        if reader.header is None:
            raise JournalDamaged("the journal is empty: its process was killed before the first flush")

    def _look(self, index: int, record: Record, ids: set[int], names: set[str]) -> None:
        match record:
            case Entered(id=id):
                ids.add(id)
            case Named(name):
                names.add(name)
            case Handled() | Failed():
                self.messages += 1
            case Lost(records):
                raise NotReplayable(
                    f"{records} records were lost behind message {self.messages}: the disk was too slow for the journal"
                )
            case Header(captured=captured) if not captured.faithful:
                raise NotReplayable(
                    "its texts were replaced before they were written (transcripts=False, or redact=): handlers would "
                    "decide otherwise. Its records can be read"
                )
            case Header(captured=captured) if captured.seconds is not None:
                raise NotReplayable(
                    f"this is a black box of a session that began before it: it has the last {captured.seconds:g} s, "
                    "and actors can be run again from the beginning of a session only. It can be read: `sessionactors "
                    "journal FILE --whole`, or JournalReader, whose Checkpoint has the states of all actors at its "
                    "beginning. To run calls again too, record them beside it: journal=[Journal(...), BlackBox(...)]"
                )
            case Header() if index:
                raise JournalDamaged("the journal has a second header")
