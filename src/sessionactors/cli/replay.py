"""``sessionactors replay``: runs a recorded session again, and says what it was like at any message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sessionactors.journal.code_hash import code_hash
from sessionactors.journal.plain import differences
from sessionactors.journal.plain import plain as plain_state
from sessionactors.journal.replay import Moment, Replay
from sessionactors.model.errors import OptionError
from sessionactors.runtime import NS

from .plain_values import Json, plain


class Watch:
    """``ACTOR.FACT=VALUE``: holds when that fact of the actor's summary has that value.

    Raises:
        OptionError: it is not written so.
    """

    def __init__(self, text: str) -> None:
        path, equals, self._value = text.partition("=")
        self._actor, dot, self._fact = path.rpartition(".")
        if not equals or not dot or not self._actor:
            raise OptionError(f"--first {text!r}: write ACTOR.FACT=VALUE, such as floor.current=speech-2")

    def __call__(self, replay: Replay) -> bool:
        """Whether it holds now."""
        facts = replay.facts(self._actor)
        return self._fact in facts and str(facts[self._fact]) == self._value


class Showing:
    """Shows a replay.

    Args:
        replay: at its beginning.
        as_json: an object for each line, for programs.
    """

    def __init__(self, replay: Replay, *, as_json: bool) -> None:
        self._replay = replay
        self._json = as_json

    def _line(self, text: str, value: dict[str, Json]) -> str:
        return json.dumps(value, ensure_ascii=False) if self._json else text

    def all(self) -> Iterator[str]:
        """Run it to the end: whether it is the same."""
        replay, header = self._replay, self._replay.header
        recorded = datetime.fromtimestamp(header.wall, UTC)
        yield self._line(
            f"room {header.room}, recorded {recorded:%Y-%m-%d %H:%M:%S} UTC by sessionactors {header.version}",
            {"room": header.room, "recorded": header.wall, "version": header.version, "notes": plain(header.notes)},
        )
        if header.version != (here := version("sessionactors")):
            yield self._line(
                f"this is sessionactors {here}: where handlers have changed, the runs part", {"other_version": here}
            )
        elif replay.other_code:
            yield self._line(
                f"recorded by other code of the same version ({header.code}, here {code_hash()}): "
                "where handlers have changed, the runs part",
                {"other_code": code_hash()},
            )
        if replay.cut:
            yield self._line(
                "the journal was not closed: its process was killed, or still writes; this is all up to its last flush",
                {"cut": True},
            )
        began = time.perf_counter()
        divergence = replay.run()
        took = time.perf_counter() - began
        call = replay.seconds
        if divergence is not None:
            yield self._line(str(divergence), {"divergence": plain(divergence), "messages": replay.number})
            return
        yield self._line(
            f"{replay.number:,} messages of {call:.1f} s: the same again, in {took:.2f} s "
            f"({call / max(took, 1e-9):.0f} times as fast)",
            {"messages": replay.number, "seconds": call, "took": took, "divergence": None},
        )

    def at(self, number: int) -> Iterator[str]:
        """All actors at a message.

        Raises:
            OptionError: there is none of that number.
        """
        self._go(number)
        yield from self._now()

    def _go(self, number: int) -> None:
        try:
            self._replay.to(number)
        except ValueError as error:
            raise OptionError(str(error)) from None

    def first(self, watch: Watch) -> Iterator[str]:
        """All actors at the first message after which something holds."""
        if self._replay.first(watch) is None:
            yield self._line("it never holds", {"message": None})
        else:
            yield from self._now()

    def _now(self) -> Iterator[str]:
        replay, moment = self._replay, self._replay.moment
        yield self._line(
            "at the beginning" if moment is None else f"after message {self._named(moment)}",
            {"message": plain(moment), "inspect": plain(replay.inspect())},
        )
        if not self._json:
            yield str(replay.inspect())
        yield from self._parted()

    def _parted(self) -> Iterator[str]:
        if (divergence := self._replay.divergence) is not None:
            yield self._line(str(divergence), {"divergence": plain(divergence)})

    def _named(self, moment: Moment) -> str:
        after = (moment.at - self._replay.header.at) / NS
        cause = f" <- #{moment.cause}" if moment.cause else ""
        failed = "  FAILED" if moment.failed else ""
        return f"{moment.number}  +{after:.3f} s  {moment.actor}  {moment.type} #{moment.id}{cause}{failed}"

    def steps(self, until: int, wait: Callable[[], bool]) -> Iterator[str]:
        """Each message up to one, and what it changed in its actor; ``wait`` says whether to go on."""
        replay = self._replay
        known = {path: plain_state(state) for path, state in replay.states().items()}
        while replay.number < until and (moment := replay.step()) is not None:
            state = plain_state(replay.states().get(moment.actor))
            changes = list(differences(known.get(moment.actor), state))
            known[moment.actor] = state
            text = "\n".join([self._named(moment), *(f"    {change}" for change in changes)])
            yield self._line(text, {"message": plain(moment), "changes": list(changes)})
            if not wait():
                return
        yield from self._parted()

    def between(self, earlier: int, later: int) -> Iterator[str]:
        """What differs between two messages, actor by actor."""
        self._go(earlier)
        before = {path: plain_state(state) for path, state in self._replay.states().items()}
        self._go(later)
        after = {path: plain_state(state) for path, state in self._replay.states().items()}
        for path in sorted({*before, *after}):
            if path not in after or path not in before:
                changes = ["ended" if path in before else "started"]
            else:
                changes = list(differences(before[path], after[path]))
            if changes:
                text = "\n".join([path, *(f"    {change}" for change in changes)])
                yield self._line(text, {"actor": path, "changes": list(changes)})
        yield from self._parted()


def opened(file: Path) -> Replay:
    """A replay of a file.

    Raises:
        OptionError: it cannot be read.
    """
    try:
        return Replay(file)
    except OSError as error:
        raise OptionError(f"{file}: {error.strerror or error}") from None
