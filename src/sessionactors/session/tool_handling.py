"""``tool_handling``: the words in which a model is told of tools that run in the background, and of duplicates."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict, TypeVar, cast

from sessionactors.model.chat import FunctionCall
from sessionactors.model.errors import OptionError
from sessionactors.model.tools import CANCEL_TASK_TOOL, CONFIRM_DUPLICATE_PARAM


class UpdatePromptArgs(TypedDict):
    """What a template for updates may use."""

    function_name: str
    call_id: str
    message: str


class DuplicatePromptArgs(TypedDict):
    """What a template for duplicates may use."""

    function_name: str
    fnc_calls_json: list[str]
    """The running calls, each as JSON."""
    fnc_calls_text: str
    """The same, a line for each."""


class ReplyPromptArgs(TypedDict):
    """What a template for deferred replies may use."""

    call_ids: list[str]


class AsyncToolOptions(TypedDict, total=False):
    """Templates: texts for ``str.format``, or functions of the arguments. What is not given keeps its default."""

    update_template: str | Callable[[UpdatePromptArgs], str]
    """Wraps the message of ``RunContext.update``."""
    duplicate_reject_template: str | Callable[[DuplicatePromptArgs], str]
    """Answers a call that was rejected because its tool runs already."""
    duplicate_confirm_template: str | Callable[[DuplicatePromptArgs], str]
    """Answers a call that has to be confirmed because its tool runs already."""
    reply_at_tail_template: str | Callable[[ReplyPromptArgs], str]
    """Instructs a deferred reply when nothing has been said since the results came."""
    reply_maybe_covered_template: str | Callable[[ReplyPromptArgs], str]
    """Instructs a deferred reply when something has been said since."""


class ToolHandlingOptions(TypedDict, total=False):
    """How tools are handled. For ``AgentSession``, ``Agent`` or ``AsyncToolset``: the most specific counts."""

    async_options: AsyncToolOptions


DEFAULTS: AsyncToolOptions = {
    "update_template": (
        "Progress of the tool `{function_name}`: {message}\n"
        "It has not finished. Tell the user only what is said here; invent no result."
    ),
    "duplicate_reject_template": (
        "Not started: `{function_name}` is running already.\n{fnc_calls_text}\n"
        f"Wait for it. If the user wants it stopped, call `{CANCEL_TASK_TOOL}` with its call_id."
    ),
    "duplicate_confirm_template": (
        "Not started: `{function_name}` is running already.\n{fnc_calls_text}\n"
        f"If the user wants a second run, call it again with `{CONFIRM_DUPLICATE_PARAM}` set to true; if they want the "
        f"running one stopped, call `{CANCEL_TASK_TOOL}` with its call_id. Do neither on your own account."
    ),
    "reply_at_tail_template": (
        "Tools that ran in the background have reported (calls {call_ids}). Tell the user what is new, in a sentence "
        "or two, and repeat nothing that you have said before."
    ),
    "reply_maybe_covered_template": (
        "Tools that ran in the background have reported (calls {call_ids}), and you have spoken since. If you have "
        "told the user all of it, answer with no text at all. Otherwise say only what is missing."
    ),
}

ArgsT = TypeVar("ArgsT", UpdatePromptArgs, DuplicatePromptArgs, ReplyPromptArgs)


def resolved(*given: ToolHandlingOptions | None) -> AsyncToolOptions:
    """All templates: the last ones given count."""
    options = dict(DEFAULTS)
    for handling in given:
        options.update(_checked(handling))
    return cast("AsyncToolOptions", options)


def check_tool_handling(handling: ToolHandlingOptions | None) -> None:
    """Raise if a template is unknown, or uses what it will not be given.

    Raises:
        OptionError: the text names the template and what there is.
    """
    for name, template in _checked(handling).items():
        if name not in DEFAULTS:
            raise OptionError(f"tool_handling has no template {name!r}; there are: {', '.join(DEFAULTS)}")
        if isinstance(template, str):
            try:
                template.format(**_example(name))
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                there = ", ".join(_example(name))
                raise OptionError(f"{name} cannot be used: {error!r}; it may use: {there}") from error
        elif not callable(template):
            raise OptionError(f"{name} must be a text or a function, got {template!r}")


def rendered(template: str | Callable[[ArgsT], str], args: ArgsT) -> str:
    """The text. A template that is a function is the user's code: on the user's loop."""
    return template(args) if callable(template) else template.format(**args)


def duplicate_args(name: str, running: Sequence[FunctionCall]) -> DuplicatePromptArgs:
    """What a model is told of the calls that run already."""
    calls = [
        json.dumps({"call_id": call.call_id, "name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        for call in running
    ]
    return DuplicatePromptArgs(function_name=name, fnc_calls_json=calls, fnc_calls_text="\n".join(calls))


def _checked(handling: ToolHandlingOptions | None) -> Mapping[str, object]:
    if handling is None:
        return {}
    unknown = sorted(set(handling) - {"async_options"})
    if unknown:
        raise OptionError(f"tool_handling has no {', '.join(unknown)}; there is: async_options")
    return cast("Mapping[str, object]", handling.get("async_options", {}))


def _example(name: str) -> Mapping[str, object]:
    if name == "update_template":
        return {"function_name": "", "call_id": "", "message": ""}
    if name.startswith("duplicate"):
        return {"function_name": "", "fnc_calls_json": [], "fnc_calls_text": ""}
    return {"call_ids": []}
