"""What the demo's caller says: sentences of the front desk's intent table, chosen by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from sessionactors.model.errors import OptionError
from sessionactors.providers.offline import FRONT_DESK, IntentTable
from sessionactors.providers.offline.phrases import Maybe, Phrase, SlotRef

PAUSE = 0.6
"""Seconds of silence after the agent before the caller speaks."""
INTO_REPLY = 2.6
"""Seconds into the long answer at which the caller speaks over it."""
INTO_TYPED_REPLY = 0.4
"""The same for a caller who types, to whom the answer is shown as fast as the model writes it."""


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One sentence of the caller."""

    text: str
    intent: str
    interrupts: bool = False
    """It is said over the answer to the line before."""


def script_for(seed: int, table: IntentTable = FRONT_DESK) -> tuple[ScriptLine, ...]:
    """Something that needs a tool; the menu, whose answer is long; another question over that answer; goodbye.

    Args:
        seed: the same seed, the same sentences.
        table: where the sentences come from.

    Raises:
        OptionError: the seed is negative.
    """
    if seed < 0:
        raise OptionError(f"seed must be >= 0, got {seed}")
    rng = random.Random(seed)
    return (
        _line(table, rng.choice(("book_table", "order_status")), rng),
        _line(table, "menu", rng),
        _line(table, rng.choice(("opening_hours", "directions")), rng, interrupts=True),
        _line(table, "goodbye", rng),
    )


def _line(table: IntentTable, intent: str, rng: random.Random, *, interrupts: bool = False) -> ScriptLine:
    phrases = [phrase for other, phrase in table.phrases if other.name == intent]
    return ScriptLine(" ".join(_words(rng.choice(phrases), table, rng)), intent, interrupts)


def _words(phrase: Phrase, table: IntentTable, rng: random.Random) -> Iterator[str]:
    for element in phrase:
        match element:
            case SlotRef(name):
                yield rng.choice(sorted(table.slots[name].values))
            case Maybe(elements):
                if rng.random() < 0.5:
                    yield from _words(elements, table, rng)
            case str():
                yield element
