"""A schedule: one order of a run, as a value that can be printed, typed and played again.

Wherever several things could happen next in a simulated run (a message of this actor or of that one, a wake-up of user
code, a due timer), the run makes a *choice*; the choices are numbered from 0. A schedule says how they are made: by a
strategy and a seed, or first come first served but for some choices that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from sessionactors.model.errors import OptionError

Strategy: TypeAlias = Literal["fifo", "random", "pct", "delay"]

DEPTH = 3
"""How many orderings a bug needs that ``pct`` looks for, unless said otherwise."""
DELAYS = 2
"""How often ``delay`` lets somebody wait, unless said otherwise."""
EXPECTED_CHOICES = 1000
"""Choices over which ``pct`` and ``delay`` spread theirs, unless said otherwise; :func:`.explore` measures them."""


class ScheduleError(OptionError):
    """Raised when a text or its numbers are no schedule: says what is wrong and what one looks like."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How one run makes its choices. Two runs of one scenario and one schedule are the same, byte for byte.

    In all of them an actor's lanes stay what they are: control first, and in each lane the order of arrival.

    Args:
        strategy: ``"fifo"``: what has been ready longest, as in production, but for ``picks``. ``"random"``: each of
            what is ready is as likely. ``"pct"``: everybody has a random priority, and ``depth - 1`` times whoever is
            first becomes last (Burckhardt and others, 2010). ``"delay"``: first come first served, but ``depth`` times
            whoever is next has to wait until all else is quiet.
        seed: of what is drawn, and of the actors' own random numbers; >= 0.
        depth: for ``pct`` >= 1, for ``delay`` >= 0.
        expected: choices of a run, over which ``pct`` and ``delay`` spread theirs; >= 1.
        picks: for ``fifo``: at which choice something else goes first. 0 is what would have been next; whatever comes
            before the pick waits until all else is quiet.

    Raises:
        ScheduleError: a number is out of its range.
    """

    strategy: Strategy = "fifo"
    seed: int = 0
    depth: int = 0
    expected: int = EXPECTED_CHOICES
    picks: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        least = 1 if self.strategy == "pct" else 0
        if self.strategy not in get_args(Strategy):
            raise ScheduleError(f"{self.strategy!r} is no strategy; there are {', '.join(get_args(Strategy))}")
        if self.seed < 0 or self.depth < least or self.expected < 1:
            raise ScheduleError(
                f"seed must be >= 0, depth >= {least} and expected >= 1, got {self.seed}, {self.depth}, {self.expected}"
            )
        if self.picks and self.strategy != "fifo":
            raise ScheduleError(f"picks are for fifo, not for {self.strategy}")
        wrong = {choice: pick for choice, pick in self.picks.items() if choice < 0 or pick < 1}
        if wrong:
            raise ScheduleError(f"picks go from a choice >= 0 to a pick >= 1 (0 would be next anyway), got {wrong}")
        object.__setattr__(self, "picks", dict(sorted(self.picks.items())))

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def random(cls, seed: int) -> Schedule:
        """Each of what is ready is as likely to be next."""
        return cls("random", seed)

    @classmethod
    def pct(cls, seed: int, *, depth: int = DEPTH, expected: int = EXPECTED_CHOICES) -> Schedule:
        """Random priorities, with ``depth - 1`` changes."""
        return cls("pct", seed, depth, expected)

    @classmethod
    def delayed(cls, seed: int, *, delays: int = DELAYS, expected: int = EXPECTED_CHOICES) -> Schedule:
        """First come first served, but so many delays."""
        return cls("delay", seed, delays, expected)

    @classmethod
    def first_come(cls, picks: Mapping[int, int] | None = None, *, seed: int = 0) -> Schedule:
        """First come first served, but for these picks."""
        return cls("fifo", seed, picks=picks or {})

    def with_picks(self, picks: Mapping[int, int]) -> Schedule:
        """Another exact order with the same random numbers of the actors: what shrinking tries."""
        return replace(self, strategy="fifo", depth=0, expected=EXPECTED_CHOICES, picks=picks)

    @classmethod
    def parse(cls, text: str | int) -> Schedule:
        """Read the text form; a bare number is the seed of a random one.

        Raises:
            ScheduleError: it is none.
        """
        if isinstance(text, int) or text.strip().isdecimal():
            return cls.random(int(text))
        strategy, *rest = text.strip().split(":")
        numbers: dict[str, int] = {}
        picks: dict[int, int] = {}
        for item in rest:
            name, equals, value = item.partition("=")
            if not (equals and value.isdecimal() and (name in _NAMES or name.isdecimal())):
                raise ScheduleError(f"{item!r} in {text!r} is neither {EXAMPLES}")
            if name.isdecimal():
                picks[int(name)] = int(value)
            else:
                numbers[_NAMES[name]] = int(value)
        if strategy not in get_args(Strategy):
            raise ScheduleError(
                f"{text!r} begins with no strategy; there are {', '.join(get_args(Strategy))}: {EXAMPLES}"
            )
        defaults = {"pct": DEPTH, "delay": DELAYS}
        numbers.setdefault("depth", defaults.get(strategy, 0))
        return cls(strategy, picks=picks, **numbers)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """The text form: what ``--schedule`` takes, with nothing that a shell would touch."""
        parts = [self.strategy, *([f"seed={self.seed}"] if self.seed or self.strategy != "fifo" else [])]
        if self.strategy in ("pct", "delay"):
            parts += [f"{'depth' if self.strategy == 'pct' else 'delays'}={self.depth}", f"over={self.expected}"]
        parts += [f"{choice}={pick}" for choice, pick in self.picks.items()]
        return ":".join(parts)


_NAMES = {"seed": "seed", "depth": "depth", "delays": "depth", "over": "expected"}
EXAMPLES = (
    '"fifo", "fifo:57=1:90=2" (at choice 57 the second, at 90 the third), "random:seed=7",'
    ' "pct:seed=7:depth=3:over=900" nor "delay:seed=7:delays=2:over=900"'
)
