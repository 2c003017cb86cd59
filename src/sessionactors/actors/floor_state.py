"""The state of ``floor`` as a value: the speeches that are not over, in what order they may be heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.deferred import QuietWanted, SpeechEnded
from sessionactors.messages.floor import DrainFloor, ScheduleSpeech
from sessionactors.messages.overlap import Judged
from sessionactors.messages.session import IdleWanted, OptionsChanged
from sessionactors.messages.turn import Decided, InterruptionWanted
from sessionactors.model.speech import SPEECH_PRIORITY_NORMAL
from sessionactors.runtime import (
    Ref,
    Scope,
)
from sessionactors.runtime.frozen import replace

from .speech import SpeechMessage

REMEMBERED = 64
"""Speeches of which orders are remembered that came before them (or after their end)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A speech that is not over."""

    spec: SpeechSpec
    ref: Ref[SpeechMessage]
    scope: Scope
    order: int
    interruptible: bool
    """As its user wants it."""
    wants: bool = False
    """It has something to be heard."""
    granted: bool = False
    audible: bool = False
    background: bool = False
    """It has been heard and goes on out of hearing (tools)."""
    resumed: bool = False
    """It goes on with what its tools gave."""
    interrupted: bool = False
    holds: frozenset[str] = frozenset()
    """Who protects it besides: tasks that its tools await."""
    report_to: Ref[SpeechEnded] | None = None
    """Who wants to be told of its end."""

    @property
    def allow_interruptions(self) -> bool:
        """Whether it may be cut off."""
        return self.interruptible and not self.holds

    @property
    def priority(self) -> int:
        """Its rank in the queue; the reply to tools has the normal one."""
        return SPEECH_PRIORITY_NORMAL if self.resumed else self.spec.priority


@dataclass(frozen=True, slots=True)
class EarlyOrder:
    """What was ordered about a speech before it was scheduled: control overtakes data."""

    cut: bool = False
    force: bool = False
    allow_interruptions: bool | None = None


class Warmup(Enum):
    """How far the echo canceller is, which has to hear the agent for a while: once in a session."""

    DUE = "due"
    """The agent has not been heard yet."""
    RUNNING = "running"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class UserFacts:
    """What is known of one participant."""

    speaking: bool = False
    hushed: bool = False
    """While speaking: the voice has paused for a moment."""
    recognised: bool = False
    """Words may come of the voice."""
    wish: InterruptionWanted | None = None
    """The newest of this stretch of speech."""
    judged: Judged = Judged.NOTHING
    """What a detector says of this stretch of speech over the agent's."""
    decided: Decided = Decided.DROPPED
    """Of the turn. One that is open or committed may still cut off what is paused."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The current speech is held back, or has been stopped, until it is known what the user wants."""

    speech: str
    since: int
    wanted_at: int
    """When the user's voice set in."""
    at_output: bool
    """``output`` was told. If not, it is enough that the floor is not granted."""
    brief: bool = False
    """A moment without voice ends it, for the user spoke when the speech came, or its sink cannot be held. Else silence
    that the detector is sure of."""
    interrupted_at: int | None = None
    """Since when the voice is long enough to interrupt: the agent listens, and silence has to last before the speech
    goes on. None: it is only held back."""
    silent: bool = False
    """Nobody speaks: silence is being counted."""
    due: bool = False
    """Silence has lasted; what is waited for is the decision on the user's turn."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Speculative speeches: not in the queue, and nobody has been told of them."""

    speeches: Mapping[str, Entry] = field(default_factory=dict)
    promoted: int = 0
    wasted_tokens: int = 0
    """Of the model, for speeches that were dropped."""
    wasted_characters: int = 0

    def without(self, speech: str) -> Prepared:
        """One is over, or promoted."""
        return replace(self, speeches={name: entry for name, entry in self.speeches.items() if name != speech})

    def with_wish(self, speech: str) -> Prepared:
        """One has something to be heard."""
        entry = self.speeches.get(speech)
        return self if entry is None else replace(self, speeches={**self.speeches, speech: replace(entry, wants=True)})


@dataclass(frozen=True, slots=True)
class FloorState:
    """Who speaks, who waits, and whether the user does."""

    entries: Mapping[str, Entry]
    options: OptionsChanged
    """What holds now."""
    current: str | None = None
    users: Mapping[str, UserFacts] = field(default_factory=dict)
    """By participant."""
    pause: Pause | None = None
    """Written by :mod:`.floor_pause` only."""
    pause_orders: int = 0
    """Orders to pause and to go on, so far."""
    pauses: int = 0
    false_interruptions: int = 0
    warmup: Warmup = Warmup.DUE
    echo: bool = True
    """Somebody is there whose echo canceller has to warm up."""
    warm_at: int = 0
    """When the warm-up is over."""
    substituting: bool = False
    """Recognisers get silence in place of what the users say."""
    voice: bool = False
    """The agent is heard as sound."""
    can_pause: bool = False
    """What is heard can be held."""
    deferred: tuple[ScheduleSpeech, ...] = ()
    """Replies to what was said while the current speech was being cut off: made when that is accounted for."""
    prepared: Prepared = field(default_factory=Prepared)
    claims: tuple[str, ...] = ()
    """User turns that wait for the current speech to be cut off and accounted for."""
    last_end: int | None = None
    """When the last speech ceased to be heard."""
    answering: frozenset[str] = frozenset()
    """User turns whose reply is being decided on."""
    quiet_wanted: tuple[QuietWanted, ...] = ()
    """Who waits for the quiet, the longest wait first."""
    quiet_for: str | None = None
    """Who has the quiet."""
    idle_wanted: tuple[IdleWanted, ...] = ()
    """Who waits to be told of the quiet, and takes nothing."""
    held: bool = False
    """The session is closing: nothing is granted."""
    withheld_by: frozenset[str] = frozenset()
    """Detections that want to know first who is there: nothing begins meanwhile."""
    scheduled: int = 0
    drain: DrainFloor | None = None
    """``agent`` waits for the end of some speeches."""
    early: Mapping[str, EarlyOrder] = field(default_factory=dict)
    """Orders about speeches that are not here (yet), the newest of them."""


def is_user_speaking(state: FloorState) -> bool:
    """Whether any participant speaks now."""
    return any(user.speaking for user in state.users.values())


def holds_the_floor(state: FloorState) -> bool:
    """Whether any participant speaks, and has not paused for a moment."""
    return any(user.speaking and not user.hushed for user in state.users.values())


def is_open(state: FloorState) -> bool:
    """Whether something may still follow from what a participant said."""
    return any(user.decided is not Decided.DROPPED for user in state.users.values())


def is_being_decided(state: FloorState) -> bool:
    """Whether it is not known yet if a participant's turn is over."""
    return any(user.decided is Decided.OPEN for user in state.users.values())


def with_user(state: FloorState, participant: str, **changes: object) -> FloorState:
    """The same with one participant changed."""
    user = replace(state.users.get(participant, UserFacts()), **changes)  # type: ignore[arg-type]
    return replace(state, users={**state.users, participant: user})


def early(state: FloorState, speech: str, **orders: bool) -> FloorState:
    """The same with an order remembered about a speech that is not here (yet)."""
    order = replace(state.early.get(speech, EarlyOrder()), **orders)
    early = {**state.early, speech: order}
    while len(early) > REMEMBERED:
        del early[next(iter(early))]
    return replace(state, early=early)


def with_changes(state: FloorState, speech: str, **changes: object) -> FloorState:
    """The same with one speech changed, if it is here."""
    entry = state.entries.get(speech)
    if entry is None:
        return state
    changed = replace(entry, **changes)  # type: ignore[arg-type]
    return replace(state, entries={**state.entries, speech: changed})


def holds(state: FloorState, words: int) -> bool:
    """Whether a turn of so few words interrupts nothing: it waits for more of them while the current speech goes on."""
    current = state.entries.get(state.current or "")
    if current is None or current.interrupted or not current.allow_interruptions:
        return False
    return words < current.spec.agent.options(state.options.session).min_interruption_words


def to_be_drained(state: FloorState, drain: DrainFloor) -> tuple[Entry, ...]:
    """The speeches of those agents that are not over, but for the spared ones."""
    return tuple(
        entry
        for name, entry in state.entries.items()
        if entry.spec.agent.key in drain.agents and name not in drain.spared
    )


def is_drained(state: FloorState, drain: DrainFloor) -> bool:
    """Whether none is left, and none will be made."""
    coming = any(order.spec.agent.key in drain.agents for order in state.deferred)
    return not coming and not to_be_drained(state, drain)


def claimed(users: Mapping[str, UserFacts]) -> Mapping[str, UserFacts]:
    """The turns that were committed have had their effect."""
    return {
        name: replace(user, decided=Decided.DROPPED) if user.decided is Decided.COMMITTED else user
        for name, user in users.items()
    }
