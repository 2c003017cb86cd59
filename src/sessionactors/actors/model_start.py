"""Who replies in a session: ``llm``, or ``realtime``, which is the ears and the voice as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.llm import CancelGeneration, GenerateText
from sessionactors.runtime import ChildSpec, Outbox, Ref

from .llm import LLMActor
from .realtime import RealtimeActor
from .wiring import Wiring

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage


def start_model(
    wiring: Wiring, out: Outbox[SupervisorMessage], *, freely: ChildSpec, once: ChildSpec
) -> Ref[GenerateText | CancelGeneration]:
    """Start the actor that replies.

    Args:
        wiring: the session; takes note of a realtime model.
        out: of ``supervisor``.
        freely: how an actor around a provider is restarted.
        once: how an actor that holds the conversation is.
    """
    model = wiring.components.realtime
    if model is None:
        return out.spawn("llm", lambda: LLMActor(wiring), freely)
    wiring.realtime = out.spawn("realtime", lambda: RealtimeActor(wiring, model), once)
    return wiring.realtime
