"""The quiet of a session, and who may use it: one at a time, in the order of asking. Used by ``floor`` only.

Who only wants to know of it (``wait_for_idle``) is told when nobody uses it, and takes nothing.

Quiet is when no speech is heard or waits to be, no user speaks, and no turn of a user is open. A speech that is out of
hearing while its tools run does not count: a tool may use the quiet that it makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, assert_never

from sessionactors.messages.deferred import Quiet, QuietOver, QuietWanted, TurnSettled
from sessionactors.messages.session import IdleWanted, Publish
from sessionactors.model.answers import IdleNote
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .floor_state import FloorState, is_being_decided, is_open, is_user_speaking
from .wiring import Wiring

if TYPE_CHECKING:
    from .floor import FloorMessage

QuietFact: TypeAlias = QuietWanted | QuietOver | IdleWanted | TurnSettled
"""What is told about the quiet."""


def is_quiet(state: FloorState, *, aside: bool = False) -> bool:
    """Whether nobody speaks, and nobody is about to.

    Args:
        state: of the floor.
        aside: turns that wait for their reply do not count: they wait for who asks.
    """
    if state.current is not None or state.held or state.claims or state.deferred or is_user_speaking(state):
        return False
    if is_being_decided(state) if aside else state.answering or is_open(state):
        return False
    return all(entry.background for entry in state.entries.values())


def is_aside(state: FloorState, wish: QuietWanted | IdleWanted) -> bool:
    """Whether a change of agents waits for the tool that waits here: then what that change holds up does not count."""
    drain = state.drain
    if drain is None or not wish.speech or wish.speech in drain.spared:
        return False
    return wish.agent in drain.agents and wish.speech in state.entries


def follow(state: FloorState, fact: QuietFact) -> FloorState:
    """Somebody wants the quiet, or does not any more; or the turn of a user has got what follows from it."""
    match fact:
        case QuietWanted():
            return replace(state, quiet_wanted=(*state.quiet_wanted, fact))
        case IdleWanted():
            return replace(state, idle_wanted=(*state.idle_wanted, fact))
        case QuietOver(request):
            waiting = tuple(wish for wish in state.quiet_wanted if wish.request != request)
            holder = None if state.quiet_for == request else state.quiet_for
            idle = tuple(wish for wish in state.idle_wanted if wish.request != request)
            return replace(state, quiet_wanted=waiting, quiet_for=holder, idle_wanted=idle)
        case TurnSettled(turn):
            return replace(state, answering=state.answering - {turn})
        case _:
            assert_never(fact)


def summary(state: FloorState) -> Mapping[str, object]:
    """Who has the quiet, and who waits for it."""
    return {
        "quiet_for": state.quiet_for,
        "quiet_wanted": [wish.request for wish in state.quiet_wanted],
        "idle_wanted": [wish.request for wish in state.idle_wanted],
    }


def give(state: FloorState, wiring: Wiring, out: Outbox[FloorMessage]) -> FloorState:
    """Give the quiet to the one who has waited longest, if there is quiet and nobody has it; else tell of it."""
    if not (state.quiet_wanted or state.idle_wanted) or not is_quiet(state, aside=True):
        return state
    quiet = is_quiet(state)
    if state.quiet_for is None:
        wish = next((wish for wish in state.quiet_wanted if quiet or is_aside(state, wish)), None)
        if wish is not None:
            out.tell(wish.reply_to, Quiet(wish.request))
            waiting = tuple(other for other in state.quiet_wanted if other is not wish)
            state = replace(state, quiet_wanted=waiting, quiet_for=wish.request)
    told = tuple(
        wish
        for wish in state.idle_wanted
        if wish.aside or is_aside(state, wish) or (quiet and (wish.in_front or state.quiet_for is None))
    )
    for idle in told:
        out.tell(wiring.supervisor, Publish(IdleNote(idle.request)))
    return replace(state, idle_wanted=tuple(wish for wish in state.idle_wanted if wish not in told))
