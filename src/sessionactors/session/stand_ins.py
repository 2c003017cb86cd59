"""Stand-ins: what takes the place of a session's components, whoever makes the session. For evals and rehearsals.

A program makes its providers itself, in an entry point or in an agent. Whoever runs that program with others sets
:data:`stand_ins` in the context in which it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from sessionactors.interfaces.realtime import AnyModel
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.vad import VAD

if TYPE_CHECKING:
    from sessionactors.runtime import ActorSystem

    from .session_link import SessionLink, Userdata_T

StandIn: TypeAlias = STT | VAD | AnyModel | TTS | None
"""A component, or None for none at all."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """What a session has instead of what it was given."""

    parts: Mapping[str, StandIn] = field(default_factory=dict)
    """By ``stt``, ``vad``, ``llm``, ``tts``; what is not named stays."""
    system: ActorSystem | None = None
    """Where the session's actors run, if it was given no system; it stays whose it is."""


stand_ins: Final[ContextVar[StandIns]] = ContextVar("sessionactors_stand_ins", default=StandIns())  # noqa: B039  frozen
"""Those of the program that runs here."""


def stand_in(session: SessionLink[Userdata_T]) -> None:
    """Let the stand-ins take their places in a session that starts."""
    taken = stand_ins.get()
    for name, part in taken.parts.items():
        setattr(session, f"_{name}", part)
    session._vad_absent = session._vad_absent and "vad" not in taken.parts
    session._given_system = session._given_system or taken.system


def own_parts(parts: Mapping[str, object], taken: Mapping[str, StandIn]) -> dict[str, object]:
    """What an agent has of its own, as far as nobody stands in for it. An agent without a voice stays without."""
    return {name: part for name, part in parts.items() if part is None or name not in taken}
