"""The intent table: the one description of what callers say and what is answered.

Everything offline is generated from it: the recogniser's grammar and dictionary (:mod:`.grammar`), the responder's
matcher and replies (:mod:`.responder`), and the test whether an utterance is complete, which the recogniser and the
turn detector share. It is a frozen value, checked when it is made; it knows no engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from types import MappingProxyType

from sessionactors.model.tools import JsonValue

from .errors import IntentTableError
from .phrases import (
    Phrase,
    Span,
    Walk,
    is_spoken_word,
    parse_phrase,
    phrase_words,
    slot_names,
    split_words,
)

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_ARPABET = frozenset(
    {
        *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY"),
        *("JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y"),
        *("Z", "ZH"),
    }
)
"""The phones of the CMU dictionary, without stress marks."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A set of values that can stand in a phrase.

    Args:
        values: what is said, in spoken words (``"seven thirty"``), to the value that tools get (``"19:30"``).
        typed: further spellings that only text can have (``"7:30"``); the recogniser never sees them.
    """

    values: Mapping[str, JsonValue]
    typed: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))
        object.__setattr__(self, "typed", MappingProxyType(dict(self.typed)))
        if not self.values:
            raise IntentTableError("a slot needs at least one spoken value")
        for spoken in self.values:
            bad = [word for word in spoken.split() if not is_spoken_word(word)]
            if bad or not spoken.split():
                raise IntentTableError(
                    f"slot value {spoken!r} is not spoken words; put spellings with digits into Slot(typed=...)"
                )
        for spelling in self.typed:
            if not split_words(spelling):
                raise IntentTableError(f"typed slot value {spelling!r} has no letters or digits")


@dataclass(frozen=True, slots=True)
class IntentTool:
    """The tool that an intent calls.

    Args:
        name: name of the tool as the session knows it.
        arguments: argument name to value; the text ``"{slot}"`` stands for the value of that slot, anything else is
            passed as it is. A slot that was not said leaves its argument out.
        reply: said with the tool's answer. ``{output}`` is the answer as text; if the answer is a JSON object, its
            fields can be named too, and so can the arguments of the call.
        error_reply: said when the tool failed.
    """

    name: str
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    reply: str = "{output}"
    error_reply: str = "I am sorry, that did not work."

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that callers want.

    Args:
        name: lower-case identifier.
        examples: phrases (see :mod:`.phrases`); each is one path of the grammar.
        reply: said when there is no tool, or the tool is not available. ``{slot}`` is replaced by the words said.
        tool: called instead of replying, when the session has it.
    """

    name: str
    examples: tuple[str, ...]
    reply: str
    tool: IntentTool | None = None


@dataclass(frozen=True, slots=True)
class IntentMatch:
    """An intent found in a text, with what its slots were filled with."""

    intent: Intent
    spoken: Mapping[str, str]
    """Slot to the words that were said."""
    values: Mapping[str, JsonValue]
    """Slot to the value for tools."""


class Completeness(Enum):
    """How the end of a text relates to the phrases of the table."""

    COMPLETE = "complete"
    """It ends with a whole phrase that nothing continues."""
    MAY_GROW = "may_grow"
    """It ends with a whole phrase, but a longer one starts the same way ("at seven" - "thirty")."""
    PARTIAL = "partial"
    """It ends inside a phrase."""
    UNKNOWN = "unknown"
    """No phrase of the table is at its end."""


@dataclass(frozen=True)
class IntentTable:
    """Intents, slots and fixed replies.

    Args:
        intents: in order of preference when a text matches several equally well.
        slots: slot name to its values.
        fallback: said when no intent matches.
        greeting: said when there is nothing to answer: no user message yet.
        pronunciations: ARPAbet phones (``"HH AH L OW"``) of words that the CMU dictionary lacks.

    Raises:
        IntentTableError: if names, phrases, slots, templates or phones do not fit together.
    """

    intents: tuple[Intent, ...]
    slots: Mapping[str, Slot] = field(default_factory=dict)
    fallback: str = "Sorry, I did not understand that."
    greeting: str = "Hello. How can I help you?"
    pronunciations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", MappingProxyType(dict(self.slots)))
        object.__setattr__(self, "pronunciations", MappingProxyType(dict(self.pronunciations)))
        names = [intent.name for intent in self.intents]
        if not names or len(names) != len(set(names)):
            raise IntentTableError("a table needs at least one intent, and each name once")
        for name in (*names, *self.slots):
            if not _NAME.fullmatch(name):
                raise IntentTableError(f"name {name!r}: use lower-case letters, digits and underscores")
        for word, phones in self.pronunciations.items():
            unknown = set(phones.split()) - _ARPABET
            if not is_spoken_word(word) or unknown or not phones.split():
                raise IntentTableError(f"pronunciation of {word!r}: {phones!r} is not ARPAbet phones without stress")
        for intent in self.intents:
            self._check_intent(intent)

    def _check_intent(self, intent: Intent) -> None:
        if not intent.examples:
            raise IntentTableError(f"intent {intent.name!r} has no examples")
        used: set[str] = set()
        for example in intent.examples:
            used.update(slot_names(parse_phrase(example)))
        asked = used | set(_FIELD.findall(intent.reply))
        if intent.tool is not None:
            for value in intent.tool.arguments.values():
                asked.update(_slot_of(value))
        if missing := sorted(asked - set(self.slots)):
            raise IntentTableError(f"intent {intent.name!r} names {missing}; known slots are {sorted(self.slots)}")
        if unsaid := sorted(asked - used):
            raise IntentTableError(f"intent {intent.name!r} uses {unsaid}, which none of its examples contains")

    @cached_property
    def phrases(self) -> tuple[tuple[Intent, Phrase], ...]:
        """Every example, parsed, with its intent, in table order."""
        return tuple((intent, parse_phrase(example)) for intent in self.intents for example in intent.examples)

    def spoken_words(self) -> frozenset[str]:
        """Every word the recogniser must be able to hear."""
        words = {word for _, phrase in self.phrases for word in phrase_words(phrase)}
        for slot in self.slots.values():
            words.update(word for spoken in slot.values for word in spoken.split())
        return frozenset(words)

    def match(self, text: str) -> IntentMatch | None:
        """The intent that a text expresses: the phrase that covers most of its words, the earlier one if equal.

        Words around the phrase are ignored ("well, when do you close, please?"), since free speech and typed text
        have them.
        """
        words = split_words(text)
        walk = Walk(words, self._slot_words)
        best: tuple[Intent, Span] | None = None
        for start in range(len(words)):
            for intent, phrase in self.phrases:
                for span in walk.spans(phrase, start):
                    if best is None or span.end - span.start > best[1].end - best[1].start:
                        best = intent, span
        return None if best is None else self._matched(*best)

    def completeness(self, text: str) -> Completeness:
        """How the end of a text relates to the phrases: a table lookup, not a guess about meaning."""
        words = split_words(text)
        walk = Walk(words, self._slot_words)
        # A list, not any(): every path must be walked to know whether one of them goes on.
        ends = [
            span.end for start in range(len(words)) for _, phrase in self.phrases for span in walk.spans(phrase, start)
        ]
        if len(words) in ends:
            return Completeness.MAY_GROW if walk.ran_out else Completeness.COMPLETE
        return Completeness.PARTIAL if walk.ran_out else Completeness.UNKNOWN

    def is_complete(self, text: str) -> bool:
        """Whether the text ends with a whole phrase."""
        return self.completeness(text) in (Completeness.COMPLETE, Completeness.MAY_GROW)

    def arguments(self, found: IntentMatch) -> dict[str, JsonValue]:
        """The arguments of the intent's tool, filled from the slots; empty without a tool."""
        if found.intent.tool is None:
            return {}
        filled: dict[str, JsonValue] = {}
        for name, value in found.intent.tool.arguments.items():
            slot = next(_slot_of(value), None)
            if slot is None:
                filled[name] = value
            elif slot in found.values:
                filled[name] = found.values[slot]
        return filled

    @cached_property
    def _slot_words(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        return {
            # Longest first, so that "seven thirty" is not taken as "seven" followed by something unknown.
            name: tuple(sorted(self._slot_values[name], key=len, reverse=True))
            for name in self.slots
        }

    @cached_property
    def _slot_values(self) -> Mapping[str, Mapping[tuple[str, ...], JsonValue]]:
        return {
            name: {tuple(split_words(words)): value for words, value in (*slot.typed.items(), *slot.values.items())}
            for name, slot in self.slots.items()
        }

    def _matched(self, intent: Intent, span: Span) -> IntentMatch:
        return IntentMatch(
            intent=intent,
            spoken={name: " ".join(words) for name, words in span.taken.items()},
            values={name: self._slot_values[name][words] for name, words in span.taken.items()},
        )


def fill_template(template: str, fields: Mapping[str, str]) -> str:
    """Replace each ``{name}`` by its field.

    Not ``str.format``: a field is only ever text here, never attributes or format specifications.

    Raises:
        KeyError: a name without a field.
    """
    return _FIELD.sub(lambda found: fields[found[1]], template)


def _slot_of(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str) and (found := _FIELD.fullmatch(value)):
        yield found[1]
