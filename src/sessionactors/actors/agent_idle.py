"""Who waits until all is idle: passed on to ``floor`` when nothing is held back here. Used by ``agent`` only.

``floor`` sees speeches and the turns that it was told of; a change of who is in charge, turns that wait for one
another, and what waits for the next agent are known here. What is told to ``floor`` before arrives there before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.session import IdleWanted
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .agent_state import AgentActorState
from .wiring import Wiring

if TYPE_CHECKING:
    from .agent import AgentMessage


def pass_on_waiters(state: AgentActorState, wiring: Wiring, out: Outbox[AgentMessage]) -> AgentActorState:
    """When no agent takes over and no turn is open, the rest is for ``floor`` to know.

    Who is waited for by a change of agents does not wait for that change, nor for what waits for it.
    """
    busy = bool(state.turns or state.held) or state.move is not None
    kept: list[IdleWanted] = []
    for wanted in state.idle_wanted:
        if not busy:
            out.tell(wiring.floor, wanted)
        elif state.is_waited_for(wanted):
            out.tell(wiring.floor, replace(wanted, aside=True))
        else:
            kept.append(wanted)
    return replace(state, idle_wanted=tuple(kept)) if len(kept) < len(state.idle_wanted) else state
