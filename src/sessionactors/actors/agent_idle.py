"""Who waits until all is idle: passed on to ``floor`` when nothing is held back here. Used by ``agent`` only.

``floor`` sees speeches and the turns that it was told of; a change of who is in charge, turns that wait for one
another, and what waits for the next agent are known here. What is told to ``floor`` before arrives there before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionactors.runtime import Outbox

from .agent_state import AgentActorState
from .wiring import Wiring

if TYPE_CHECKING:
    from .agent import AgentMessage


def pass_on_waiters(state: AgentActorState, wiring: Wiring, out: Outbox[AgentMessage]) -> AgentActorState:
    """When no agent takes over and no turn is open, the rest is for ``floor`` to know."""
    if not state.idle_wanted or state.turns or state.held or state.move is not None:
        return state
    for wanted in state.idle_wanted:
        out.tell(wiring.floor, wanted)
    return replace(state, idle_wanted=())
