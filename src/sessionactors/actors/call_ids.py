"""Names for tool calls that mean one call in the whole session, whatever the model's server calls them. Pure.

Some servers count the calls of each reply from zero, or send no id at all. The ledger and the model's context need to
know which output belongs to which call, so such an id is replaced. Twice the same id in one reply is one call that was
sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.runtime.frozen import replace


def named_for_session(
    calls: Sequence[FunctionToolCall], request: str, known: Mapping[str, str]
) -> tuple[tuple[FunctionToolCall, ...], Mapping[str, str]]:
    """The new calls under ids that no other request of the session has used, and who has used which id now.

    Args:
        calls: as the model's server named them.
        request: the request they answer.
        known: request by id, of all calls so far.
    """
    used = dict(known)
    named: list[FunctionToolCall] = []
    for call in calls:
        name = call.call_id
        if name and used.get(name) == request:
            continue
        if not name or name in used:
            number = sum(owner == request for owner in used.values()) + 1
            name = f"{request.replace('/', '_')}_call-{number}"  # short: vendors take no more than 40 characters
        used[name] = request
        named.append(call if name == call.call_id else replace(call, call_id=name))
    return tuple(named), used
