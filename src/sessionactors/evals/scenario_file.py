"""What an eval file may say, as values: conversations, their steps, and what is expected of them. See docs/evals.md.

Keys are written with spaces, underscores or hyphens: ``barge in``, ``barge_in`` and ``barge-in`` are one key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

import pydantic
from pydantic import BeforeValidator, Field

from sessionactors.model.errors import OptionError
from sessionactors.session.turn_latency import LatencyKind

from .judges import judge_named

TOTAL: Final = "total"
ACTORS: Final = (
    *("input", "vad", "stt", "turn", "agent", "floor", "speech", "llm", "tools", "tts", "output", "history", "room"),
    "realtime",
)
"""Whose time of an answer can be limited, besides kinds of time."""
PARTS: Final = (TOTAL, *(kind.value for kind in LatencyKind), *ACTORS)
"""What ``within`` can limit."""
OTHERS: Final = "others"
"""In ``not called``: whatever ``calls`` does not name."""

Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def plain_key(key: str) -> str:
    """The key as it is in the values: with underscores."""
    return re.sub(r"[ -]", "_", key)


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) or value is None else [value]


Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One text, or a list of them."""


class Part(pydantic.BaseModel):
    """A part of an eval file."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _plain_keys(cls, value: object) -> object:
        return {plain_key(str(key)): item for key, item in value.items()} if isinstance(value, dict) else value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


Patterns: TypeAlias = Annotated[tuple[Annotated[str, pydantic.AfterValidator(_pattern)], ...], BeforeValidator(_listed)]


class TextMatch(Part):
    """What a text must be. A bare string is ``contains``. Case and runs of blanks do not count but in ``exact``."""

    contains: Texts = ()
    """All of these."""
    contains_not: Texts = ()
    """None of these."""
    matches: Patterns = ()
    """Regular expressions, each to be found in the text."""
    exact: str | None = None


class Interrupted(TextMatch):
    """That the agent was cut off, and what of it had been heard. ``true`` and ``false`` say whether at all."""

    happened: bool = True


def _text_match(value: object) -> object:
    return {"contains": value} if isinstance(value, str | list) else value


def _interrupted(value: object) -> object:
    return {"happened": value} if isinstance(value, bool) else _text_match(value)


class CallMatch(Part):
    """A call of a tool: its name, some of its arguments, and what it answered."""

    name: str
    arguments: Mapping[str, object] = {}
    """Those that must be as they are here; others may be there."""
    output: Annotated[TextMatch | None, BeforeValidator(_text_match)] = None


class ScriptedCall(Part):
    """A call that the scripted model makes."""

    name: str
    arguments: Mapping[str, object] = {}


def _called(value: object) -> object:
    """``tool``, ``{tool: {argument: value}}`` or all of it by name."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and "name" not in value:
        ((name, arguments),) = value.items()
        return {"name": name, "arguments": {} if arguments is None else arguments}
    return value


def _within(value: object) -> object:
    return {TOTAL: value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _known_parts(value: Mapping[str, float]) -> Mapping[str, float]:
    for name in value:
        if name not in PARTS:
            raise ValueError(f"{name!r} is no part of a latency; there are {', '.join(PARTS)}")
    return value


class State(Part):
    """Public states when all is quiet again."""

    agent: Literal["initializing", "idle", "listening", "thinking", "speaking"] | None = None
    user: Literal["speaking", "listening", "away"] | None = None


class Expectation(Part):
    """What must have come of a step when all is quiet again: all of it."""

    text: Annotated[TextMatch | None, BeforeValidator(_text_match)] = None
    """Of what the agent said since the step began, its messages joined by blanks."""
    silent: bool | None = None
    """True: the agent said nothing."""
    absent: Texts = ()
    """What the agent did not say."""
    calls: Annotated[tuple[Annotated[CallMatch, BeforeValidator(_called)], ...], BeforeValidator(_listed)] = ()
    """Tools that were called, in this order; others may come between."""
    not_called: Texts = ()
    """Tools that were not; ``others``: none but those in ``calls``."""
    within: Annotated[
        Mapping[str, Seconds] | None, BeforeValidator(_within), pydantic.AfterValidator(lambda v: v and _known_parts(v))
    ] = None
    """Seconds from the end of what the user said to the first sound of the answer: of all, or of each part."""
    interrupted: Annotated[Interrupted | None, BeforeValidator(_interrupted)] = None
    state: State | None = None
    ends: bool | None = None
    """Whether the session has ended by itself: the agent hung up."""
    agent: str | None = None
    """Who is in charge: the name of its class, or its id."""
    judge: str | None = None
    """What the agent's words must do, in words: a model judges."""

    @pydantic.model_validator(mode="after")
    def _expects_something(self) -> Expectation:
        if not any(getattr(self, name) not in (None, ()) for name in type(self).model_fields):
            raise ValueError("expects nothing: it would pass whatever happened")
        return self


class Answer(Part):
    """What the scripted model answers to one request. A bare string is ``text``."""

    text: str = ""
    call: Annotated[tuple[Annotated[ScriptedCall, BeforeValidator(_called)], ...], BeforeValidator(_listed)] = ()
    """Tools that it calls behind the text."""
    ttft: Seconds = 0.3
    """Seconds to the first word."""
    duration: Seconds = 0.3
    """Seconds from there to the end."""


def _answer(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


Answers: TypeAlias = Annotated[tuple[Annotated[Answer, BeforeValidator(_answer)], ...], BeforeValidator(_listed)]
DOES: Final = ("say", "type", "press", "barge_in", "wait")
"""What a step can do; one without is only an expectation."""


class Step(Part):
    """One thing that the caller does, and what must come of it."""

    say: str | None = None
    type: str | None = None
    press: Annotated[str | None, Field(pattern=r"^[0-9*#]$")] = None
    """A key of the telephone."""
    barge_in: str | None = None
    """Said into the agent's reply, ``at word`` or ``after`` seconds of it."""
    wait: Seconds | None = None
    hears: str | None = None
    """What the recogniser makes of what is said, if not that; "" for a noise. Not where it is really recognised."""
    takes: Annotated[float | None, Field(gt=0, le=600)] = None
    """Seconds that it takes to say; 0.06 a character if not given. Not where it is really spoken."""
    at_word: str | None = None
    """Barge in when the agent has begun to say this."""
    after: Seconds | None = None
    """Barge in after so many seconds of the reply."""
    patience: Seconds = 30.0
    """Seconds in which all must be quiet again, or the agent must begin to speak."""
    answers: Answers = ()
    """Of the scripted model, to what is asked from here on."""
    expect: Expectation | None = None

    @property
    def does(self) -> str:
        """Which of :data:`DOES`; empty for an expectation alone."""
        return next((name for name in DOES if getattr(self, name) is not None), "")

    @property
    def spoken(self) -> str | None:
        """What the caller says aloud."""
        return self.barge_in if self.say is None else self.say

    @pydantic.model_validator(mode="after")
    def _does_one_thing(self) -> Step:
        done = [name for name in DOES if getattr(self, name) is not None]
        if len(done) > 1:
            raise ValueError(f"does {len(done)} things ({', '.join(done)}): make a step of each")
        if not done and self.expect is None:
            raise ValueError(f"does nothing and expects nothing: give it {', '.join(DOES)} or expect")
        if self.spoken is None and not (self.hears is None and self.takes is None):
            raise ValueError("hears and takes are about what is said: with say or barge in")
        if self.barge_in is None and not (self.at_word is None and self.after is None):
            raise ValueError("at word and after are about a barge in")
        if self.at_word is not None and self.after is not None:
            raise ValueError("barge in at a word, or after seconds: not both")
        return self


class JudgeNamed(Part):
    """Who judges."""

    llm: str
    """``own``: the agent's own model, with ``--real-time``. ``MODULE:NAME``: a model, or a function that makes one."""


def _known_judge(name: str) -> str:
    try:
        return judge_named(plain_key(name)).name
    except OptionError as error:
        raise ValueError(str(error)) from error


class Conversation(Part):
    """One call: what the caller does, step by step."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    room: Literal["voice", "text"] | None = None
    """``voice``: a line with sound; if not given, where something is said aloud."""
    llm: str | None = None
    """In place of the file's."""
    answers: Answers = ()
    """Of the scripted model before the first step that has some, such as to a greeting."""
    otherwise: Annotated[Answer | None, BeforeValidator(_answer)] = None
    """Its answer when a step has no more."""
    judges: Annotated[tuple[Annotated[str, pydantic.AfterValidator(_known_judge)], ...], BeforeValidator(_listed)] = ()
    """Judges of the whole conversation, such as ``accuracy``: none may say fail."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]

    @property
    def has_voice(self) -> bool:
        """Whether the room is one with sound."""
        return self.room == "voice" if self.room else any(step.spoken is not None for step in self.steps)

    @property
    def scripted(self) -> bool:
        """Whether the file says what the model answers."""
        return bool(self.answers or self.otherwise or any(step.answers for step in self.steps))

    @pydantic.model_validator(mode="after")
    def _can_be_held(self) -> Conversation:
        if not self.judges and all(step.expect is None for step in self.steps):
            raise ValueError("expects nothing in any step: it would pass whatever happened")
        if not self.has_voice and any(step.spoken is not None for step in self.steps):
            raise ValueError("room: text, and yet something is said aloud")
        if self.scripted and self.llm is not None:
            raise ValueError("has both answers and llm: the model is scripted, or it is that one")
        for step, following in zip(self.steps, self.steps[1:], strict=False):
            expected = set() if step.expect is None else step.expect.model_fields_set
            early = sorted(expected - {"calls", "not_called", "within", "agent"})
            if following.barge_in is not None and early:
                raise ValueError(
                    f"a step that is barged into can expect calls, not called, within and agent; {', '.join(early)} "
                    "is known behind the barge in: expect it there"
                )
        return self


class EvalFile(Part):
    """A whole file."""

    agent: str
    """The module: a path, relative to this file, or a dotted name."""
    llm: str | None = None
    """``own`` (if not given), ``offline``: the rules of the front desk, or ``MODULE:NAME``."""
    environment: Mapping[str, str] = {}
    """Variables for the time of the run, such as keys that must be there and are not used."""
    judge: JudgeNamed | None = None
    conversations: Annotated[tuple[Conversation, ...], Field(min_length=1)]

    @pydantic.model_validator(mode="after")
    def _names_tell_apart(self) -> EvalFile:
        names = [conversation.name for conversation in self.conversations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"conversations have the same name: {', '.join(twice)}")
        judged = [
            conversation.name
            for conversation in self.conversations
            if conversation.judges
            or any(step.expect is not None and step.expect.judge is not None for step in conversation.steps)
        ]
        if judged and self.judge is None:
            raise ValueError(f"{judged[0]!r} expects a judge's verdict, and there is no judge: add judge: {{llm: ...}}")
        return self
