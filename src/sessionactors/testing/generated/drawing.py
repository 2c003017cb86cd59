"""Drawing a conversation: by number from a seed, or by hypothesis. Both make the same choices in the same order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .conversation import AgentPlan, Conversation, Does, Moment, Reply, ToolAct, ToolKind, ToolPlan

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

STORY = "Once upon a time there was a king who had three daughters and a very old horse."
WORDS = ("Tell me.", "Stop.", "Yes, please go on.", "And then what happened?")
TOOLS: tuple[ToolAct, ...] = ("works", "works", "fails", "refuses", "talks", "hands over", "asks", "cuts")
KINDS: tuple[ToolKind, ...] = ("plain", "plain", "cancellable", "irreversible")
BY_CODE: tuple[Does, ...] = ("tells", "protects", "interrupts", "forces", "asks", "hands over")


class Draw(Protocol):
    """What chooses. The first of several, and the least of numbers, are the simplest."""

    def integer(self, least: int, most: int) -> int:
        """A number, ends included."""

    def pick(self, of: Sequence[T]) -> T:
        """One of several."""


class Dice(Draw):
    """Chooses from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, least: int, most: int) -> int:
        """Each as likely as any other."""
        return self._random.randint(least, most)

    def pick(self, of: Sequence[T]) -> T:
        """Each as likely as any other."""
        return self._random.choice(of)


def numbered(number: int) -> Conversation:
    """The conversation of this number: the same whenever it is asked for."""
    return drawn(Dice(number))


def conversations() -> SearchStrategy[Conversation]:
    """The same conversations as a strategy of hypothesis, which shrinks them.

    Raises:
        ImportError: hypothesis is not installed.
    """
    from hypothesis import strategies  # noqa: PLC0415  a tool for tests, not needed to run sessions

    class Hypothesis(Draw):
        def __init__(self, draw: Callable[[Any], Any]) -> None:
            self._draw = draw

        def integer(self, least: int, most: int) -> int:
            number: int = self._draw(strategies.integers(least, most))
            return number

        def pick(self, of: Sequence[T]) -> T:
            one: T = self._draw(strategies.sampled_from(of))
            return one

    @strategies.composite
    def conversation(draw: Callable[[Any], Any]) -> Conversation:
        return drawn(Hypothesis(draw))

    return conversation()


def drawn(draw: Draw) -> Conversation:
    """One conversation, by whatever chooses."""
    audio = draw.integer(0, 3) > 0
    agent = _agent(draw)
    moments, last = _moments(draw, audio=audio)
    names = [tool.name for tool in agent.tools]
    replies = tuple(_reply(draw, names) for _ in range(draw.integer(1, 5)))
    closes = round(draw.integer(1, 10 * int(last + 2)) / 10, 1) if draw.integer(0, 5) == 5 else None
    return Conversation(agent, replies, moments, audio, _options(draw), closes)


def _agent(draw: Draw) -> AgentPlan:
    tools = tuple(
        ToolPlan(f"tool_{number}", draw.pick(TOOLS), draw.pick((0.0, 0.3, 2.0)), draw.pick(KINDS))
        for number in range(draw.integer(0, 3))
    )
    return AgentPlan(
        tools,
        draw.pick(("", "", "says", "replies", "raises")),
        draw.pick(("", "", "says", "raises")),
        draw.pick(("", "", "", "stops", "raises", "slow")),
    )


def _moments(draw: Draw, *, audio: bool) -> tuple[tuple[Moment, ...], float]:
    moments: list[Moment] = []
    at, present = 0.2, True
    for number in range(draw.integer(1, 6)):
        at = round(at + draw.integer(1, 30) / 10, 1)
        acts: tuple[Does, ...] = ("types", "leaves") if present else ("comes",)
        if audio and present:
            acts = ("says", "says", "says", "coughs", *acts)
        does = draw.pick(acts)
        lasts = round(draw.integer(2, 15) / 10, 1) if does in ("says", "coughs") else 0.0
        text = {"says": draw.pick(WORDS), "types": f"Typed as number {number}."}.get(does, "")
        moments.append(Moment(at, does, text, lasts))
        present = does == "comes" or (present and does != "leaves")
        at = round(at + lasts, 1)
    for number in range(draw.integer(0, 4)):
        act = draw.pick(BY_CODE)
        when = draw.integer(1, 100 * int(at + 1)) / 100
        moments.append(Moment(when, act, f"By code, number {number}." if act in ("tells", "protects", "asks") else ""))
    return tuple(moments), at


def _reply(draw: Draw, names: Sequence[str]) -> Reply:
    text = draw.pick(("Short.", "", "One moment. " + STORY))
    calls = tuple(draw.pick(names) for _ in range(draw.pick((0, 1, 1, 2)))) if names else ()
    ends = draw.pick(("", "", "", "", "", "", "fails", "hangs"))
    return Reply(text, calls, draw.pick((0.1, 0.05, 1.0)), ends)  # type: ignore[arg-type]


def _options(draw: Draw) -> tuple[tuple[str, object], ...]:
    return (
        ("allow_interruptions", draw.integer(0, 9) < 9),
        ("min_interruption_words", draw.pick((0, 0, 2))),
        ("preemptive_generation", draw.integer(0, 1) == 1),
        ("max_tool_steps", draw.pick((3, 1))),
    )
