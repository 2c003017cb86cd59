"""Whether what came is what was expected: pure functions, each difference in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .course import Called, Came
from .scenario_file import OTHERS, CallMatch, Expectation, Interrupted, TextMatch

SHOWN = 300
"""Characters of a text that a report shows."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected."""

    key: str
    """Of the expectation."""
    expected: str
    came: str


def differences(expected: Expectation, came: Came) -> list[Difference]:
    """All that is not as expected, but for the judge's verdict."""
    return [*_words(expected, came), *_calls(expected, came), *_around(expected, came)]


def _words(expected: Expectation, came: Came) -> Iterator[Difference]:
    said = shown(came.text) if came.said else "the agent said nothing"
    if expected.text is not None:
        yield from (Difference("text", wanted, said) for wanted in missing(expected.text, came.text))
    if expected.silent is not None and expected.silent == bool(came.said):
        yield Difference("silent", "silence" if expected.silent else "that the agent says something", said)
    for text in expected.absent:
        if plain(text) in plain(came.text):
            yield Difference("absent", f"not to hear {text!r}", said)
    if expected.interrupted is not None:
        yield from _interrupted(expected.interrupted, came)


def _interrupted(expected: Interrupted, came: Came) -> Iterator[Difference]:
    cut = [said for said in came.said if said.interrupted]
    if not expected.happened:
        if cut:
            yield Difference("interrupted", "that nothing is cut off", f"cut off: {shown(cut[0].text)}")
        return
    if not cut:
        said = shown(came.text) if came.said else "the agent said nothing"
        yield Difference("interrupted", "that the agent is cut off", f"nothing was cut off: {said}")
        return
    for wanted in missing(expected, cut[0].text):
        yield Difference("interrupted", f"what was heard {wanted}", shown(cut[0].text))


def missing(expected: TextMatch, text: str) -> Iterator[str]:
    """What a text should be and is not, in words."""
    for part in expected.contains:
        if plain(part) not in plain(text):
            yield f"to contain {part!r}"
    for part in expected.contains_not:
        if plain(part) in plain(text):
            yield f"not to contain {part!r}"
    for pattern in expected.matches:
        if not re.search(pattern, text):
            yield f"to match {pattern!r}"
    if expected.exact is not None and text.strip() != expected.exact.strip():
        yield f"to be {expected.exact!r}"


def _calls(expected: Expectation, came: Came) -> Iterator[Difference]:
    left = list(came.called)
    for wanted in expected.calls:
        found = next((n for n, call in enumerate(left) if not list(_wrong(wanted, call))), None)
        if found is None:
            yield Difference("calls", f"a call {_wanted(wanted)}", _why_not(wanted, left, came.called))
        else:
            del left[: found + 1]
    allowed = {call.name for call in expected.calls}
    for call in came.called:
        if call.name in expected.not_called or (OTHERS in expected.not_called and call.name not in allowed):
            yield Difference("not called", f"that {call.name} is not called", _call(call))


def _why_not(wanted: CallMatch, left: Sequence[Called], called: Sequence[Called]) -> str:
    nearest = next((call for call in left if call.name == wanted.name), None)
    if nearest is not None:
        return f"{_call(nearest)}: {'; '.join(_wrong(wanted, nearest))}"
    if any(call.name == wanted.name for call in called):
        return f"it was called before: {', '.join(map(_call, called))}"
    return f"called: {', '.join(map(_call, called))}" if called else "no tool was called"


def _wrong(wanted: CallMatch, call: Called) -> Iterator[str]:
    """What is wrong with a call."""
    if call.name != wanted.name:
        yield f"it is {call.name}"
        return
    try:
        arguments = json.loads(call.arguments or "{}")
    except json.JSONDecodeError:
        arguments = None
    given: Mapping[str, object] = arguments if isinstance(arguments, dict) else {}
    for name, value in wanted.arguments.items():
        if name not in given:
            yield f"{name} was not given"
        elif given[name] != value:
            yield f"{name} is {given[name]!r}"
    if wanted.output is not None:
        yield from (f"expected its answer {text}" for text in missing(wanted.output, call.output))


def _wanted(wanted: CallMatch) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in wanted.arguments.items())
    return f"{wanted.name}({arguments})"


def _call(call: Called) -> str:
    return f"{call.name}({call.arguments}) -> {shown(call.output)}"


def _around(expected: Expectation, came: Came) -> Iterator[Difference]:
    for part, seconds in (expected.within or {}).items():
        if came.latency is None:
            yield Difference("within", f"an answer within {seconds:g} s", "no turn was answered in this step")
            break
        took = came.latency.get(part, 0.0)
        if took > seconds:
            longest = sorted(came.latency.items(), key=lambda item: -item[1])
            parts = ", ".join(f"{name} {value:.3f}" for name, value in longest if value > 0 and name != part)
            what = "the answer" if part == "total" else f"{part}'s part of it"
            yield Difference("within", f"{what} within {seconds:g} s", f"{took:.3f} s ({parts})")
    if expected.state is not None:
        for who, wanted, is_now in (
            ("agent", expected.state.agent, came.agent_state),
            ("user", expected.state.user, came.user_state),
        ):
            if wanted is not None and wanted != is_now:
                yield Difference("state", f"the {who} to be {wanted}", str(is_now))
    if expected.ends is not None and expected.ends != came.ended:
        wanted_end = "that the session has ended" if expected.ends else "that the session goes on"
        yield Difference("ends", wanted_end, "it has ended" if came.ended else "it goes on")
    if expected.agent is not None and expected.agent not in came.agent:
        yield Difference("agent", f"{expected.agent} to be in charge", " or ".join(filter(None, came.agent)))


def plain(text: str) -> str:
    """Without differences of case and blanks."""
    return " ".join(text.casefold().split())


def shown(text: str) -> str:
    """In quotes, and not too long."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
