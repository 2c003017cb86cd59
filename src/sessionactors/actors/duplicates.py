"""What becomes of a tool call while the same tool runs already. Pure: a table over the tool's rules and what runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from sessionactors.interfaces.tool_link import EntryVerdict
from sessionactors.model.tools import ToolFlag, ToolRules


@dataclass(frozen=True, slots=True)
class Running:
    """A call that runs, as far as it matters here."""

    call_id: str
    key: str
    cancellable: bool


def duplicate_key(name: str, arguments: str, rules: ToolRules) -> str:
    """Equal for calls that count as the same; empty for a tool that may run as often as it is called."""
    if rules.on_duplicate == "allow":
        return ""
    return name if rules.duplicate_scope == "name" else f"{name} {arguments}"


def decide(
    key: str, rules: ToolRules, running: Iterable[Running], *, confirmed: bool
) -> tuple[EntryVerdict, tuple[str, ...]]:
    """The verdict, and the ids of the running calls that it is about."""
    same = [call for call in running if key and call.key == key]
    ids = tuple(call.call_id for call in same)
    if not same:
        return "run", ()
    match rules.on_duplicate:
        case "allow":
            return "run", ()
        case "reject":
            return "reject", ids
        case "confirm":
            return ("run", ()) if confirmed else ("confirm", ids)
        case "replace":
            return ("run" if all(call.cancellable for call in same) else "stuck"), ids
        case _:
            assert_never(rules.on_duplicate)


def is_cancellable(rules: ToolRules) -> bool:
    """Whether model and session may cancel a running call."""
    return ToolFlag.CANCELLABLE in rules.flags
