"""The minimal delay that follows the pauses of this user. Pure, tested as a table.

Learned are two kinds of pause: between two utterances with no word of the agent in between, and before an utterance
that cuts the agent off as soon as it began: then the turn had not been over. Times are kernel clock, ns.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.runtime import NS
from sessionactors.runtime.frozen import replace

AGENT_LEADS_IN = round(0.25 * NS)
"""The agent's sound may begin so much later than its speech: who begins to speak meanwhile has not heard it."""


@dataclass(frozen=True, slots=True)
class PauseHistory:
    """What was learned, and what is needed to learn more."""

    learned: float | None = None
    """Moving average of the pauses, seconds; None: none yet."""
    began_at: int | None = None
    """Beginning of the user's present or last utterance."""
    ended_at: int | None = None
    """End of the user's last utterance but for the present one."""
    agent_began_at: int | None = None
    """Beginning of the agent's speech since the user's last utterance."""
    agent_speaking: bool = False
    overlaps: bool = False
    """The user's utterance set in while the agent was heard."""


@dataclass(frozen=True, slots=True)
class DelayRange:
    """The configured delays, seconds, and the weight (0..1) of the pauses so far against the newest."""

    least: float
    most: float
    alpha: float = 0.9


def min_delay(history: PauseHistory, configured: DelayRange) -> float:
    """Seconds of silence that end a turn: what was learned, within what is configured."""
    if history.learned is None:
        return configured.least
    return max(configured.least, min(history.learned, configured.most))


def utterance_began(history: PauseHistory, at: int) -> PauseHistory:
    """The user began to speak."""
    return replace(history, began_at=at, overlaps=history.agent_speaking)


def agent_began(history: PauseHistory, at: int, *, user_speaking: bool) -> PauseHistory:
    """The agent is heard. Over a user who speaks, it ends the pause before that speech: nothing is learned of it."""
    ended_at = history.ended_at
    if user_speaking and ended_at is not None and history.began_at is not None and ended_at < history.began_at:
        ended_at = at
    return replace(history, agent_began_at=at, agent_speaking=True, ended_at=ended_at)


def agent_ended(history: PauseHistory) -> PauseHistory:
    """The agent is not heard any more; that it was is remembered until the user's utterance is over."""
    return replace(history, agent_speaking=False)


def utterance_ended(history: PauseHistory, at: int, configured: DelayRange) -> PauseHistory:
    """The user's utterance is over: learn the pause before it, if it tells something.

    Args:
        history: before.
        at: when it ended.
        configured: the delays; what is learned stays within them, so that one long pause is not remembered for ever.
    """
    pause = _pause(history)
    if pause > 0 and _tells_something(history, pause, configured):
        before = configured.least if history.learned is None else history.learned
        learned = configured.alpha * before + (1 - configured.alpha) * pause
        history = replace(history, learned=max(configured.least, min(learned, configured.most)))
    agent_began_at = history.agent_began_at if history.agent_speaking else None
    return replace(history, ended_at=at, agent_began_at=agent_began_at, overlaps=False)


def was_backchannel(history: PauseHistory, before: PauseHistory) -> PauseHistory:
    """The utterance that ended last was judged to be a listening noise: nothing is learned of it, and it ends no pause.

    Unless it set in together with the agent: who had not heard the agent did not listen to it.

    Args:
        history: now.
        before: when the utterance was about to end.
    """
    began_at, agent_began_at = before.began_at, before.agent_began_at
    if began_at is None or (agent_began_at is not None and abs(began_at - agent_began_at) < AGENT_LEADS_IN):
        return history
    since = agent_began_at if history.agent_began_at is None else history.agent_began_at
    return replace(history, learned=before.learned, began_at=None, ended_at=None, agent_began_at=since)


def _pause(history: PauseHistory) -> float:
    """Seconds between the last utterance and the present one."""
    if history.ended_at is None or history.began_at is None:
        return 0.0
    return max(0.0, (history.began_at - history.ended_at) / NS)


def _tells_something(history: PauseHistory, pause: float, configured: DelayRange) -> bool:
    if history.agent_began_at is None or history.ended_at is None:
        return True
    gap = (history.agent_began_at - history.ended_at) / NS
    heard = pause - gap
    return history.overlaps and 0 < gap <= configured.most and 0 < heard <= min_delay(history, configured)
