"""What a chat model may be told besides the conversation: the vendor's parameters, under the vendor's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import structlog
from typing_extensions import TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NotGiven, NotGivenOr
from sessionactors.model.tools import ToolChoice

log = structlog.get_logger("sessionactors.providers")

ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity: TypeAlias = Literal["low", "medium", "high"]


class CommonOptions(TypedDict, total=False):
    """What Chat Completions and Responses share. What is not given is not sent: the model's defaults count."""

    user: NotGivenOr[str]
    """Who it is for, for the vendor's caches and checks; ``safety_identifier`` and ``prompt_cache_key`` replace it."""
    safety_identifier: NotGivenOr[str]
    """A stable, anonymous name of the person on the line, for the vendor's checks of abuse."""
    prompt_cache_key: NotGivenOr[str]
    """Requests of one key are served where their beginnings are cached."""
    prompt_cache_retention: NotGivenOr[Literal["in_memory", "24h"]]
    prompt_cache_options: NotGivenOr[Mapping[str, object]]
    temperature: NotGivenOr[float]
    """0..2. Models that reason do not take it; it is left out for them, with a warning."""
    top_p: NotGivenOr[float]
    """0..1. As ``temperature``."""
    parallel_tool_calls: NotGivenOr[bool]
    """Whether it may ask for several tools at once; sent only with tools."""
    tool_choice: NotGivenOr[ToolChoice]
    """For requests that do not say it themselves."""
    store: NotGivenOr[bool]
    """Whether the vendor keeps the answer."""
    metadata: NotGivenOr[Mapping[str, str]]
    """Up to 16 pairs, shown with stored answers."""
    service_tier: NotGivenOr[str]
    """``auto``, ``default``, ``flex``, ``scale``, ``priority``, ..."""
    verbosity: NotGivenOr[Verbosity]


class ChatOptions(CommonOptions, total=False):
    """Parameters of Chat Completions."""

    max_completion_tokens: NotGivenOr[int]
    """> 0, hidden reasoning included. Endpoints that only know ``max_tokens`` are sent that."""
    reasoning_effort: NotGivenOr[ReasoningEffort]
    """How much it thinks before it answers. Not given: the least that the model knows, because somebody waits."""


def given_only(options: Mapping[str, object], known: frozenset[str], label: str) -> dict[str, object]:
    """The options that were given.

    Raises:
        OptionError: an unknown one, or a value out of range.
    """
    unknown = sorted(options.keys() - known)
    if unknown:
        raise OptionError(
            f"{label} has no option {', '.join(unknown)}; there are: {', '.join(sorted(known))}. What a server knows "
            "besides goes into extra_body"
        )
    given = {name: value for name, value in options.items() if not isinstance(value, NotGiven)}
    _check_range("temperature", given, 0, 2)
    _check_range("top_p", given, 0, 1)
    for name in ("max_completion_tokens", "max_output_tokens"):
        limit = given.get(name)
        if name in given and (not isinstance(limit, int) or limit <= 0):
            raise OptionError(f"{name} must be positive, got {limit}")
    return given


def _check_range(name: str, given: Mapping[str, object], least: float, most: float) -> None:
    value = given.get(name)
    if name in given and (not isinstance(value, int | float) or not least <= value <= most):
        raise OptionError(f"{name} must be between {least} and {most}, got {value}")


# -- models that reason ----------------------------------------------------------------------------------------------

_LEAST_EFFORT: Mapping[str, ReasoningEffort] = {
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano"), "minimal"),
    **dict.fromkeys(("gpt-5.1", "gpt-5.2", "gpt-5.4", "gpt-5.4-mini", "gpt-5.5"), "none"),
    **dict.fromkeys(("gpt-5.6-luna", "gpt-5.6-sol", "gpt-5.6-terra"), "none"),
}
"""Asked for when nothing is said."""
_REASONING = ("o1", "o3", "o4", "gpt-5", "gpt-6")
_NO_EFFORT_WITH_TOOLS = ("gpt-5.2", "gpt-5.4")
"""Chat Completions of these refuse an effort beside tools."""


def least_effort(model: str) -> ReasoningEffort | None:
    """The effort to ask for when nothing is said; None: nothing is sent."""
    return _LEAST_EFFORT.get(model)


def refuses_effort_with_tools(model: str) -> bool:
    """Whether the effort must be left out of requests with tools."""
    return _family(model).startswith(_NO_EFFORT_WITH_TOOLS)


def without_sampling(options: Mapping[str, object], model: str, effort: object) -> dict[str, object]:
    """The options without those that the model refuses while it reasons.

    Args:
        options: as given.
        model: its name.
        effort: how much it reasons; with ``none`` it does not.
    """
    name = _family(model)
    reasons = name.startswith(_REASONING) and "chat" not in name and effort != "none"
    refused = [option for option in ("temperature", "top_p") if reasons and option in options]
    if refused:
        log.warning("options_left_out", model=model, options=refused, reason="the model reasons and refuses them")
    return {option: value for option, value in options.items() if option not in refused}


def _family(model: str) -> str:
    return model.rsplit("/", 1)[-1]
