"""Speeches that a task holds: a tool of theirs awaits it. They may not be cut off, and are not what the agent does.

Used by ``floor`` only. The agent goes on thinking until something has been said since; then it thinks only if the task
does. (At once would be wrong: the task is about to say something, and the public state would flicker.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.floor import HoldInterruptions
from sessionactors.messages.session import SpeechQuiet
from sessionactors.runtime import Outbox

from .floor_state import FloorState, with_changes
from .wiring import Wiring

if TYPE_CHECKING:
    from .floor import FloorMessage


def hold(state: FloorState, order: HoldInterruptions, wiring: Wiring, out: Outbox[FloorMessage]) -> FloorState:
    """A task takes hold of a speech, or lets go of it; nothing, if the speech is over."""
    entry = state.entries.get(order.speech)
    if entry is None:
        return state
    holds = entry.holds | {order.holder} if order.held else entry.holds - {order.holder}
    if entry.background and entry.holds and not holds:
        out.tell(wiring.supervisor, SpeechQuiet(order.speech, out.now, working=True))
    return with_changes(state, order.speech, holds=holds)


def tell_held(state: FloorState, wiring: Wiring, out: Outbox[FloorMessage]) -> None:
    """A speech is over: those that are held are not what the agent does."""
    for name, entry in state.entries.items():
        if entry.background and entry.holds:
            out.tell(wiring.supervisor, SpeechQuiet(name, out.now, working=False))
