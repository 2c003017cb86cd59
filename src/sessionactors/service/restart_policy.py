"""Whether a room whose session failed gets another one, when, and with what of the conversation. Pure, but for chance.

Who restarts is :class:`.HostedRoom`; actors within a session are restarted by the kernel, long before this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sessionactors.model.chat import ChatContext, ChatItem
from sessionactors.model.errors import OptionError
from sessionactors.runtime.supervision import Backoff
from sessionactors.session.agent_session import AgentSession

from .session_spec import SessionSpec


@dataclass(frozen=True, slots=True)
class RoomFailure:
    """A session that failed, as a :class:`RestartPolicy` is asked about it."""

    room: str
    error: BaseException
    """Why: of the close event, or what the start of the last restart raised."""
    lived: float
    """Seconds since it listened; 0.0 if it never did."""
    restarts: int
    """Restarts of this room so far."""
    session: AgentSession[object]
    """The last session that listened: its history, usage and user data can be read."""
    history: tuple[ChatItem, ...]
    """What was said in the room until now, earlier sessions included."""


RestartWhen: TypeAlias = Literal["never", "on_failure"] | Callable[[RoomFailure], bool]
"""Whether a failed room is restarted: a rule, or a function that decides about each failure."""

DEFAULT_BACKOFF = Backoff(first=0.5, maximum=10.0)
"""Half a second, then twice as long each time: a caller stays on the line, a provider gets time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """What becomes of a room whose session ended with an error. Its slot and name stay taken meanwhile.

    The factory is asked for another spec, and for another transport where a function was given that makes it. The new
    agent knows what was said before; ``on_enter`` runs again. The message that failed is not tried again.

    Raises:
        OptionError: a number is out of range, or the rule is none.
    """

    when: RestartWhen = "on_failure"
    """``"never"``, ``"on_failure"``, or a function that is given the :class:`RoomFailure` and says whether."""
    most: int = 3
    """Restarts ``within`` that time; the next failure ends the room with a :class:`.RoomCrashLoop`."""
    within: float = 60.0
    """Seconds."""
    backoff: Backoff = DEFAULT_BACKOFF
    """Seconds before each restart of those ``within``; with a random part, so that rooms do not come back in step."""
    keep_history: bool = True
    """Whether the new agent's context holds what was said: messages, and calls of tools that it has."""
    says: str | None = None
    """What the agent says then, such as "Sorry, I was cut off. Where were we?"."""
    resume: Callable[[SessionSpec, RoomFailure], SessionSpec] | None = None
    """Makes of the factory's new spec the one to go on with: the place to carry over user data, or another agent."""

    def __post_init__(self) -> None:
        if self.when not in ("never", "on_failure") and not callable(self.when):
            raise OptionError(f'a room is restarted "never", "on_failure" or as a function says, got {self.when!r}')
        most: object = self.most
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise OptionError(f"most must be a whole number of restarts >= 1, got {self.most!r}")
        if not self.within > 0:
            raise OptionError(f"within must be > 0 seconds, got {self.within!r}")

    def wants(self, failure: RoomFailure) -> bool:
        """Whether this failure is one to restart after; how often that was done is not asked here."""
        match self.when:
            case "never":
                return False
            case "on_failure":
                return True
            case decide:
                return bool(decide(failure))


NEVER = RestartPolicy(when="never")


def policy_of(given: RestartPolicy | Literal["never", "on_failure"] | None) -> RestartPolicy:
    """A policy, of any of its spellings.

    Raises:
        OptionError: it is none.
    """
    match given:
        case None | "never":
            return NEVER
        case "on_failure":
            return RestartPolicy()
        case RestartPolicy():
            return given
        case _:
            raise OptionError(f'restart must be "never", "on_failure" or a RestartPolicy, got {given!r}')


def recent(restarts: Sequence[float], now: float, within: float) -> int:
    """How many of these instants lie within so many seconds before now."""
    return sum(now - at < within for at in restarts)


def remembered(history: Sequence[ChatItem]) -> ChatContext:
    """Of what was said, what a new agent is given: nothing of who took over when, or how agents were changed."""
    return ChatContext(history).copy(exclude_instructions=True, exclude_handoff=True, exclude_config_update=True)


async def resumed(spec: SessionSpec, policy: RestartPolicy, failure: RoomFailure) -> SessionSpec:
    """The spec to go on with.

    Raises:
        OptionError: ``resume`` gave something else.
    """
    if policy.keep_history:
        context = ChatContext((*spec.agent.chat_ctx.items, *remembered(failure.history)))
        await spec.agent.update_chat_ctx(context)
    if policy.resume is None:
        return spec
    made: object = policy.resume(spec, failure)
    if not isinstance(made, SessionSpec):
        raise OptionError(f"resume of room {failure.room!r} must give a SessionSpec, got {made!r}")
    return made
