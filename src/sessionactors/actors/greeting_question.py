"""What the model is asked about a greeting, and what its answer means. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Final

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.messages.answering import AnswerJudged
from sessionactors.model.answering import AMDCategory
from sessionactors.model.errors import APIError
from sessionactors.model.tools import ToolDefinition

MAX_EXTENSIONS: Final = 3
"""How often the model may want to hear more."""
MAX_EXTENSION: Final = 10.0
"""Seconds that it may wait at a time."""

VERDICT_TOOL: Final = ToolDefinition(
    name="save_prediction",
    description="Says who answered the call.",
    parameters={
        "type": "object",
        "properties": {"label": {"type": "string", "enum": [category.value for category in AMDCategory]}},
        "required": ["label"],
    },
)
POSTPONE_TOOL: Final = ToolDefinition(
    name="postpone_termination",
    description="Waits for more of the greeting, when it may still turn out to be something else.",
    parameters={
        "type": "object",
        "properties": {"seconds": {"type": "number", "description": f"how long, at most {MAX_EXTENSION:.0f}"}},
        "required": ["seconds"],
    },
)

PROMPT: Final = """\
An agent has called somebody by telephone. You are given what was heard first after the call was answered, as a speech
recogniser understood it; its beginning may be missing. Decide who answered, and call save_prediction once with one of:
- human: a person speaks ("Hello?", "Miller speaking").
- machine-ivr: something automatic wants a key or an answer before it goes on: a menu, or a screening that asks who
  calls and why.
- machine-vm: a recording that takes a message after it.
- machine-unavailable: a recording that takes no message: the mailbox is full or not set up, the number is not in
  service, nobody can be reached.
- uncertain: what was heard fits more than one of these. A recording that has only named a business or its opening
  hours may still go on with a menu, or with a tone for a message."""


def tools_for(extensions: int) -> tuple[ToolDefinition, ...]:
    """What the model may answer with, when it has postponed the verdict so often already."""
    return (VERDICT_TOOL, POSTPONE_TOOL) if extensions < MAX_EXTENSIONS else (VERDICT_TOOL,)


def read_answer(attempt: int, calls: Sequence[FunctionToolCall], text: str) -> AnswerJudged:
    """What the model has said. One that writes the category instead of calling the tool is understood, too.

    Raises:
        APIError: it is neither a category nor a wish to hear more.
    """
    for call in calls:
        arguments = _arguments(call)
        label = str(arguments.get("label"))
        if call.name == VERDICT_TOOL.name and label in _LABELS:
            return AnswerJudged(attempt, AMDCategory(label))
        if call.name == POSTPONE_TOOL.name:
            return AnswerJudged(attempt, None, _seconds(arguments.get("seconds")))
    if not calls and (label := text.strip().strip(".\"'").lower()) in _LABELS:
        return AnswerJudged(attempt, AMDCategory(label))
    said = [f"{call.name}({call.arguments})" for call in calls] or [repr(text)]
    raise APIError(f"the model was asked who answered the call, and said {', '.join(said)}", retryable=True)


_LABELS: Final = frozenset(category.value for category in AMDCategory)


def _seconds(value: object) -> float:
    """So long as it may wait; all of it, if it did not say how long."""
    number = isinstance(value, int | float) and math.isfinite(value)
    return min(max(float(value), 0.0), MAX_EXTENSION) if number else MAX_EXTENSION  # type: ignore[arg-type]


def _arguments(call: FunctionToolCall) -> dict[str, object]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
