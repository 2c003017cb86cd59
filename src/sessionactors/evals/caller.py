"""The caller of a conversation: does what its steps say, waits as callers wait, and looks at what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import SessionStateError
from sessionactors.runtime import TreeSnapshot
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.agent_task import AgentTask
from sessionactors.session.turn_latency import TurnLatency

from .checks import Difference, differences, plain
from .course import Came, Course, Mark, Room
from .scenario_file import TOTAL, Conversation, Expectation, Step
from .scripted_model import AnswersFromFile

LOOK: Final = 0.1
"""Seconds between two looks whether all is quiet."""
QUIET: Final = 3
"""Looks in a row at which it must be."""
INSTANT: Final = 1e-6
"""Seconds that no loop can wait: what is as near as that is now."""
POLITE: Final = 0.3
"""Seconds of quiet before the caller says something."""

Voice = Callable[[Step, str], Awaitable[AudioFrame]]
"""Makes the sound of what a step says: of the step and its words."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One thing that was expected of a step and did not come."""

    step: int
    """From 0."""
    at: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class ToJudge:
    """Words that a judge is to look at."""

    step: int
    at: float
    intent: str
    text: str


class SessionOver(Exception):
    """The session has ended, and the caller has more to do."""


class Caller:
    """Holds one conversation with a session that runs.

    Args:
        conversation: what to do.
        session: with whom.
        room: where.
        course: takes down what happens, from before the start.
        voice: makes what is said audible.
        model: told which step begins; None: the file does not answer for it.
    """

    def __init__(
        self,
        conversation: Conversation,
        session: AgentSession[object],
        room: Room,
        course: Course,
        voice: Voice,
        model: AnswersFromFile | None,
    ) -> None:
        self._conversation = conversation
        self._session = session
        self._room = room
        self._course = course
        self._voice = voice
        self._model = model
        self._since = Mark(0.0, 0, 0, 0, 0)
        """What came since is nobody's yet."""
        self._open: tuple[int, Expectation] | None = None
        """Expected of the step that is about to be barged into."""
        self._latest: TurnLatency | None = None
        course.on_speaking = self._measure
        self.missed: list[Missed] = []
        self.to_judge: list[ToJudge] = []

    async def converse(self) -> None:
        """All steps. What was not as expected is in :attr:`missed`, what is to be judged in :attr:`to_judge`."""
        steps = self._conversation.steps
        for number, step in enumerate(steps):
            barged_into = number + 1 < len(steps) and steps[number + 1].barge_in is not None
            try:
                await self._step(number, step)
                if barged_into:
                    self._open = None if step.expect is None else (number, step.expect)
                    continue
                if step.wait is None:
                    await self._until_quiet(step.patience)
            except SessionOver:
                self._miss(number, Difference(step.does or "expect", "a session that goes on", "it has ended before"))
                return
            if step.expect is not None:
                self._look(number, step.expect)

    async def _step(self, number: int, step: Step) -> None:
        if self._course.ended and step.does:
            raise SessionOver
        if step.does in {"say", "type", "press"}:
            await self._until_quiet(step.patience)
            await self._sleep(POLITE)
            self._since = self._mark()
        elif step.does == "wait":
            self._since = self._mark()
        if step.barge_in is not None:
            await self._barge_in(number, step, step.barge_in)
            return
        self._begin(number, step)
        if step.say is not None:
            await self._say(step, step.say)
        elif step.type is not None:
            self._course.add("types", step.type)
            self._room.type(step.type)
            await self._rest(LOOK)
        elif step.press is not None:
            self._course.add("presses", step.press)
            self._room.press(step.press)
            await self._rest(LOOK)
        elif step.wait is not None:
            self._course.add("waits", f"{step.wait:g} s")
            await self._rest(step.wait)

    def _begin(self, number: int, step: Step) -> None:
        """What the model is asked from here on is of this step."""
        if self._model is not None:
            self._model.begin(f"in step {number + 1}", step.answers)

    async def _say(self, step: Step, words: str) -> None:
        sound = await self._voice(step, words)
        self._course.add("says", words)
        snapshot = self._snapshot()
        if snapshot is not None and not any(path.startswith(f"{snapshot.room}/ear-") for path in snapshot.actors):
            self._course.add("note", "nobody hears it: the session takes no audio")
        self._room.play(sound)
        await self._rest(sound.duration + LOOK)

    async def _barge_in(self, number: int, step: Step, words: str) -> None:
        began = self._since
        speaks = await self._until(lambda: self._course.agent_state == "speaking", step.patience)
        if self._open is not None:
            self._look(*self._open)
            self._open = None
        if not speaks:
            self._miss(number, Difference("barge in", "a reply to barge into", "the agent said nothing"))
        else:
            self._since = self._mark()
            if not await self._moment(step, began):
                heard = self._course.spoken[began.spoken :].strip()
                wanted = f"to hear {step.at_word!r}" if step.at_word else f"a reply of {step.after or 0:g} s"
                self._miss(number, Difference("barge in", wanted, f"the reply was over before: {heard!r}"))
        self._begin(number, step)
        await self._say(step, words)

    async def _moment(self, step: Step, began: Mark) -> bool:
        """Wait for the moment to barge in; False: the reply was over before."""
        course = self._course
        if step.at_word is None:
            wanted = course.speaking_since + (step.after or 0.0)
            over = await self._until(lambda: course.agent_state != "speaking", wanted - course.now)
            return not over
        word = plain(step.at_word)

        def spoken() -> bool:
            return word in plain(course.spoken[began.spoken :])

        await self._until(lambda: spoken() or course.agent_state != "speaking", step.patience)
        return spoken() and course.agent_state == "speaking"

    # -- waiting -----------------------------------------------------------------------------------------------------

    async def _sleep(self, seconds: float) -> None:
        await self._until(lambda: False, seconds)

    async def _rest(self, seconds: float) -> None:
        """As long as that, or until the session has ended."""
        with contextlib.suppress(SessionOver):
            await self._sleep(seconds)

    async def _until(self, holds: Callable[[], bool], patience: float) -> bool:
        """Wait until it holds; whether it did in so many seconds.

        Raises:
            SessionOver: the session ended before.
        """
        course = self._course
        limit = course.now + patience
        while not holds():
            if course.ended:
                raise SessionOver
            left = limit - course.now
            if left <= INSTANT:
                return False
            course.news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(course.news.wait(), left)
        return True

    async def _until_quiet(self, patience: float) -> None:
        """Wait until nobody speaks and nothing is owed any more, or so many seconds."""
        limit, looks = self._course.now + patience, 0
        while looks < QUIET and not self._course.ended:
            if self._course.now >= limit:
                self._course.add("waits", f"no longer: after {patience:g} s it is not quiet: {self._why()}")
                return
            looks = looks + 1 if self._is_quiet() else 0
            await self._rest(LOOK)

    def _is_quiet(self) -> bool:
        course = self._course
        if course.agent_state != "listening" or course.user_state == "speaking":
            return False
        snapshot = self._snapshot()
        if snapshot is None:
            return False
        room = snapshot.room
        if f"{room}/floor" not in snapshot.actors or f"{room}/agent" not in snapshot.actors:
            return False
        floor, agent = snapshot["floor"].state, snapshot["agent"].state
        turns = [actor.state for path, actor in snapshot.items() if path.endswith("/turn")]
        if floor["current"] or floor["queued"] or any(turn["phase"] in {"speaking", "deciding"} for turn in turns):
            return False
        if isinstance(self._session.current_agent, AgentTask):
            return True  # the tool that waits for it runs as long as it does
        tools = snapshot["tools"].state["running"]
        return not (snapshot.obligations or floor["background"] or tools or agent["open_turns"])

    def _snapshot(self) -> TreeSnapshot | None:
        try:
            return self._session.inspect()
        except (SessionStateError, RuntimeError):  # it ends just now
            return None

    def _why(self) -> str:
        try:
            return self._session.why()
        except (SessionStateError, RuntimeError):
            return "the session ends"

    # -- looking -----------------------------------------------------------------------------------------------------

    def _mark(self) -> Mark:
        snapshot = self._snapshot()
        return self._course.mark(0 if snapshot is None else snapshot.now)

    def _look(self, number: int, expected: Expectation) -> None:
        """Compare, and begin anew: what came is told now."""
        came = self._came()
        for difference in differences(expected, came):
            self._miss(number, difference)
        if expected.judge is not None:
            self.to_judge.append(ToJudge(number, self._course.now, expected.judge, came.text))
        self._since = self._mark()

    def _miss(self, number: int, difference: Difference) -> None:
        self.missed.append(Missed(number, self._course.now, difference))

    def _came(self) -> Came:
        course, since = self._course, self._since
        in_charge = self._session.current_agent
        return Came(
            at=course.now,
            said=tuple(course.said[since.said :]),
            called=tuple(course.called[since.called :]),
            latency=self._latency(since),
            agent_state=course.agent_state,
            user_state=course.user_state,
            agent=(type(in_charge).__name__, in_charge.id),
            ended=course.ended,
        )

    def _measure(self) -> None:
        """Where the time of the last turn went: when its answer begins, for what is long ago is not kept."""
        with contextlib.suppress(SessionStateError, RuntimeError):
            self._latest = self._session.turn_latency() or self._latest

    def _latency(self, since: Mark) -> Mapping[str, float] | None:
        self._measure()
        latest = self._latest
        if latest is None or latest.ended_at < since.kernel:
            return None  # it was the answer to an earlier turn
        return parts_of(latest)


def parts_of(latency: TurnLatency) -> Mapping[str, float]:
    """Seconds of each part: of all, by kind and by actor."""
    parts = {TOTAL: latency.total, **latency.by_kind}
    for part in latency.parts:
        actor = part.actor.rpartition("/")[2].partition("-")[0]
        parts[actor] = parts.get(actor, 0.0) + part.seconds
    return parts
