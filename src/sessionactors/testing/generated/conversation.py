"""A conversation as a value: an agent, what its model answers, and what people and user code do when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from sessionactors.model.errors import APIConnectionError, SessionStateError
from sessionactors.session.room_options import RoomOptions
from sessionactors.testing.scenario import Scenario

if TYPE_CHECKING:
    from sessionactors.session.agent_session import AgentSession

Does: TypeAlias = Literal[
    "says", "coughs", "types", "leaves", "comes", "tells", "protects", "interrupts", "forces", "asks", "hands over"
]
"""The caller ``says`` something, ``coughs``, ``types``, ``leaves`` or ``comes`` back. The user's code lets the agent
say something (``tells``, or ``protects``: nobody may interrupt it), ``interrupts`` or ``forces`` it to be silent,
``asks`` for a reply, or ``hands over`` to another agent.
"""
ToolAct: TypeAlias = Literal["works", "fails", "refuses", "talks", "hands over", "asks", "cuts"]
"""What a tool does when its time is up. ``refuses``: it raises what the model may read. ``asks``: it awaits a task."""
ToolKind: TypeAlias = Literal["plain", "cancellable", "irreversible"]

FRAME_MS: Final = 100


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """A tool."""

    name: str
    does: ToolAct = "works"
    takes: float = 0.0
    """Seconds."""
    kind: ToolKind = "plain"


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """An agent: its tools and its hooks."""

    tools: tuple[ToolPlan, ...] = ()
    enters: Literal["", "says", "replies", "raises"] = ""
    exits: Literal["", "says", "raises"] = ""
    listens: Literal["", "stops", "raises", "slow"] = ""
    """What its ``on_user_turn_completed`` does."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers to one request."""

    text: str = ""
    calls: tuple[str, ...] = ()
    """Names of tools."""
    ttft: float = 0.1
    ends: Literal["", "fails", "hangs"] = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Somebody does something."""

    at: float
    does: Does
    text: str = ""
    lasts: float = 0.0
    """Seconds, of what is said."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """All of it. What makes no sense (a goodbye of somebody who is not there) does not happen."""

    agent: AgentPlan = field(default_factory=AgentPlan)
    replies: tuple[Reply, ...] = ()
    """Beyond them the model says "That is all."."""
    moments: tuple[Moment, ...] = ()
    audio: bool = True
    """False: a room for text."""
    options: tuple[tuple[str, object], ...] = ()
    """Of the session, by name."""
    closes: float | None = None
    """Seconds at which the session is closed; None: when all is quiet."""

    def scenario(self) -> Scenario:
        """A fresh one, to be played."""
        from .planned_agent import planned  # noqa: PLC0415  it makes conversations of its own

        scenario = Scenario(
            planned(self.agent),
            audio=self.audio,
            frame_ms=FRAME_MS,
            room_options=RoomOptions(close_on_disconnect=False),
            **dict(self.options),  # type: ignore[arg-type]
        )
        names = {tool.name for tool in self.agent.tools}
        for reply in self.replies:
            calls = [(name, "{}") for name in reply.calls if name in names]
            text = reply.text or ("" if calls else "Hm.")
            error = APIConnectionError("the conversation says so") if reply.ends == "fails" else None
            scenario.llm_replies(
                text,
                ttft=reply.ttft,
                duration=reply.ttft + 0.4,
                tool_calls=calls,
                error=error,
                hang=reply.ends == "hangs",
            )
        scenario.llm_otherwise("That is all.")
        self._let_them_talk(scenario)
        if self.closes is not None:
            scenario.close(self.closes)
        return scenario

    def _let_them_talk(self, scenario: Scenario) -> None:
        present, silent_from = True, 0.0
        for moment in sorted(self.moments, key=lambda moment: moment.at):
            match moment.does:
                case "says" | "coughs":
                    if self.audio and moment.at > silent_from:
                        until = round(moment.at + max(moment.lasts, 0.1), 3)
                        scenario.user_says(moment.text, at=moment.at, until=until)
                        silent_from = until
                case "types":
                    if present:
                        scenario.user_types(moment.text or "Hello?", at=moment.at)
                case "leaves":
                    if present:
                        scenario.leaves(at=moment.at)
                    present = False
                case "comes":
                    if not present:
                        scenario.joins("caller", at=moment.at)
                    present = True
                case _:
                    scenario.call(moment.at, _unless_refused(_CALLS[moment.does], moment.text))


Call: TypeAlias = "Callable[[AgentSession[object], str], object]"


def _unless_refused(call: Call, text: str) -> Callable[[AgentSession[object]], None]:
    """A session that has ended, or speech that may not be cut, refuses: that is as it should be."""

    def attempt(session: AgentSession[object]) -> None:
        try:
            call(session, text)
        except SessionStateError:
            return

    return attempt


def _hand_over(session: AgentSession[object], text: str) -> None:
    from .planned_agent import planned  # noqa: PLC0415

    session.update_agent(planned(AgentPlan(enters="says"), name=text or "other"))


_CALLS: Mapping[str, Call] = {
    "tells": lambda session, text: session.say(text or "Let me say something."),
    "protects": lambda session, text: session.say(text or "Hear this out.", allow_interruptions=False),
    "interrupts": lambda session, _: session.interrupt(),
    "forces": lambda session, _: session.interrupt(force=True),
    "asks": lambda session, text: session.generate_reply(user_input=text or "And?"),
    "hands over": _hand_over,
}
