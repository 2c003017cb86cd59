"""One trial: one conversation, held once with the agent of a module, in virtual or in real time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import SessionActorsError, SessionStateError
from sessionactors.runtime import ActorSystem
from sessionactors.runtime.dispatcher import LoopDispatcher
from sessionactors.service.worker.job_context import JobContext
from sessionactors.service.worker.job_life import JobBounds, leave
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.job import current_job
from sessionactors.session.stand_ins import StandIn, StandIns, stand_ins
from sessionactors.testing.choices import Choices
from sessionactors.testing.marked_voice import MarkedVoice
from sessionactors.testing.schedule import Schedule
from sessionactors.testing.seeded_dispatcher import SeededDispatcher
from sessionactors.testing.virtual_loop import Livelock, Quiescent, VirtualLoop

from .caller import Caller, Missed, ToJudge, Voice
from .checks import Difference
from .course import Course, Line, Room
from .judges import JudgeGroup, judge_named
from .marked_line import RATE, MarkedSTT, MarkedVAD, Sayings
from .models import OWN, Models
from .reading import Evals
from .real_voice import RealVoice
from .scenario_file import Conversation, Step
from .scripted_model import AnswersFromFile
from .verdicts import judged_words

EntryPoint: TypeAlias = Callable[[JobContext], Awaitable[None]]
FindModule: TypeAlias = Callable[..., EntryPoint]
"""``find(name, audio=..., note=...)``: as :func:`sessionactors.cli.entry_points.find_entry_point`."""

START_PATIENCE: Final = 30.0
"""Seconds in which the module must have started a session."""
AT_MOST: Final = 1800.0
"""Seconds that a conversation may take, of its own time."""
CLOSE_PATIENCE: Final = 5.0
"""Seconds that an entry point may go on when its session has ended."""


class NoSessionStarted(SessionActorsError):
    """Raised when the module's entry point started no session in its room."""


@dataclass(frozen=True, slots=True)
class How:
    """How conversations are held."""

    real_time: bool = False
    """The clock of the wall; what is said is synthesised, and heard by the agent's own ears."""
    llm: str | None = None
    """In place of what the files say: ``own``, ``offline`` or ``MODULE:NAME``."""


AS_USUAL: Final = How()
"""In virtual time, answered by whom the file says."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that was not as expected."""

    line: int
    """In the file."""
    step: int
    """From 1; 0: of none."""
    at: float
    """Seconds from the beginning of the conversation."""
    key: str
    expected: str
    came: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a conversation, as plain values."""

    path: str
    conversation: str
    line: int
    seed: int
    real_time: bool
    failures: tuple[Failure, ...] = ()
    transcript: tuple[Line, ...] = ()
    seconds: float = 0.0
    """How long it was, by its own clock."""
    took: float = 0.0
    """Seconds that it took to hold it."""
    notes: tuple[str, ...] = ()
    """Such as what a judge said."""

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.failures


def hold(evals: Evals, name: str, find: FindModule, *, seed: int = 0, how: How = AS_USUAL) -> Trial:
    """Hold one conversation. Not on a running loop: it has one of its own.

    Args:
        evals: the file.
        name: of the conversation.
        find: finds the module.
        seed: 0: as in production; others: another order of what happens at once, other delays and another pace.
        how: in which time, with which model.

    Returns:
        What came of it. What goes wrong, in the agent's code too, is a failure of the trial.

    Raises:
        OptionError: the conversation or the module is not there, or cannot be used so.
        SessionStateError: a loop runs here.
    """
    if _loop_runs():
        raise SessionStateError(
            "a conversation has a loop of its own: hold it where none runs, as a test that is not async"
        )
    conversation = evals.conversation(name)
    holding = _Holding(evals, conversation, seed, how)
    began = time.perf_counter()
    with _environment(evals.file.environment):
        audio = conversation.has_voice and how.real_time
        entry_point = find(evals.agent, audio=audio, note=lambda _: None)
        holding.models.prepare(conversation, how.llm)
        try:
            with asyncio.Runner(loop_factory=None if how.real_time else VirtualLoop) as runner:
                runner.run(holding.hold(entry_point))
        except (Livelock, Quiescent) as error:  # the module's doing: somebody waits for what virtual time cannot bring
            holding.stands_still(error)
        if holding.unjudged:
            asyncio.run(holding.judge())
    return replace(holding.trial(), took=time.perf_counter() - began)


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Holding:
    """One conversation while it is held."""

    def __init__(self, evals: Evals, conversation: Conversation, seed: int, how: How) -> None:
        self._evals = evals
        self._conversation = conversation
        self._seed = seed
        self._how = how
        self._drawn = random.Random(seed)
        self._sayings = Sayings()
        self._failures: list[Failure] = []
        self._notes: list[str] = []
        self._seconds = 0.0
        self._course = Course()
        self._where = ("conversations", evals.index(conversation.name))
        self.models = Models(evals)
        self.to_judge: list[ToJudge] = []
        self._history: ChatContext | None = None
        """The whole conversation, until it has been judged."""

    @property
    def unjudged(self) -> bool:
        """Whether there is something for a judge to look at."""
        return bool(self.to_judge) or (self._history is not None and bool(self._conversation.judges))

    async def hold(self, entry_point: EntryPoint) -> None:
        """All of it, on its own loop."""
        course = self._course
        course.begin()
        voice = self._conversation.has_voice
        keys = any(step.press for step in self._conversation.steps)
        room = Room(course.hear, voice=voice, rate=RATE, telephone=keys)
        started = asyncio.Event()

        def on_session(session: AgentSession[object]) -> None:
            if not started.is_set():
                session.on_any(course.note)
                started.set()

        ctx = JobContext(room, on_session=on_session)
        real = RealVoice() if voice and self._how.real_time else None
        system = None if self._how.real_time else self._system()
        model = self._model()
        serving = asyncio.create_task(self._serve(entry_point, ctx, StandIns(self._parts(model), system)))
        try:
            async with asyncio.timeout(AT_MOST):
                session = await self._session(ctx, serving, started)
                self.models.check(session.llm, real_time=self._how.real_time)
                caller = Caller(self._conversation, session, room, course, self._voice(real), model)
                await self._converse(caller, session, serving)
        except TimeoutError:
            self._fail(Difference("time", f"an end within {AT_MOST:g} s", "it went on"))
        except Exception as error:  # noqa: BLE001  whatever it is, the trial has failed, and says why
            self._fail(Difference("agent", "that the module runs", f"{type(error).__name__}: {error}"))
        finally:
            await self._end(ctx, serving)
            if real is not None:
                await real.aclose()
            if system is not None:
                await system.aclose()
            self._seconds = course.now
        for at, what in course.broken:
            self._failures.append(Failure(self._evals.line(*self._where), 0, at, "errors", "none", what))

    def stands_still(self, error: Exception) -> None:
        """Its loop has been given up."""
        line = self._evals.line(*self._where)
        came = f"{type(error).__name__}: {error}"
        self._failures.append(Failure(line, 0, self._seconds, "agent", "that virtual time goes on", came))

    def _system(self) -> ActorSystem:
        if not self._seed:
            return ActorSystem("running", dispatcher=LoopDispatcher)
        choices = Choices(Schedule.random(self._seed))
        return ActorSystem("running", seed=self._seed, dispatcher=SeededDispatcher.by(choices))

    def _pace(self) -> float:
        """By how much something takes longer than the file says."""
        return self._drawn.uniform(0.8, 1.25) if self._seed else 1.0

    def _model(self) -> AnswersFromFile | None:
        conversation = self._conversation
        if self._how.llm is not None or not conversation.scripted:
            return None
        return AnswersFromFile(conversation.answers, otherwise=conversation.otherwise, slower=self._pace())

    def _parts(self, model: AnswersFromFile | None) -> Mapping[str, StandIn]:
        """What takes the place of what the module brings."""
        parts: dict[str, StandIn] = {}
        if not self._conversation.has_voice:
            parts = dict.fromkeys(("stt", "vad", "tts"))
        elif not self._how.real_time:
            parts = {
                "stt": MarkedSTT(self._sayings, latency=0.2 * self._pace()),
                "vad": MarkedVAD(),
                "tts": MarkedVoice(ttfb=0.2 * self._pace()),
            }
        other = model or self.models.model
        return parts if other is None else {**parts, "llm": other}

    def _voice(self, real: RealVoice | None) -> Voice:
        async def marked(step: Step, words: str) -> AudioFrame:
            heard = words if step.hears is None else step.hears
            return self._sayings.sound_of(heard, None if step.takes is None else step.takes * self._pace())

        return marked if real is None else real.sound_of

    async def _serve(self, entry_point: EntryPoint, ctx: JobContext, others: StandIns) -> None:
        current_job.set(ctx)
        stand_ins.set(others)
        try:
            await entry_point(ctx)
        except SystemExit as error:  # it would end the loop, and all trials behind
            raise NoSessionStarted(f"the entry point ended the program: {error!r}") from error
        if not ctx.sessions:
            raise NoSessionStarted("the entry point returned and had started no session with room=ctx.room")

    async def _session(
        self, ctx: JobContext, serving: asyncio.Task[None], started: asyncio.Event
    ) -> AgentSession[object]:
        """The session, when it listens."""
        course = self._course
        waiting = asyncio.create_task(started.wait())
        try:
            await asyncio.wait([waiting, serving], timeout=START_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            if not started.is_set():
                raise NoSessionStarted(f"no session was started with room=ctx.room in {START_PATIENCE:g} s")
            limit = course.now + START_PATIENCE
            while course.agent_state == "initializing" and not course.ended:
                if serving.done():
                    serving.result()
                if course.now > limit:
                    raise NoSessionStarted(f"the session is not ready after {START_PATIENCE:g} s")
                await asyncio.sleep(0.01)
            return ctx.sessions[0]
        finally:
            waiting.cancel()

    async def _converse(self, caller: Caller, session: AgentSession[object], serving: asyncio.Task[None]) -> None:
        try:
            await caller.converse()
            if serving.done() and not serving.cancelled():
                serving.result()
        finally:
            self._failures += [self._failure(missed) for missed in caller.missed]
            self.to_judge = caller.to_judge
            self._history = session.history
        judge = self._evals.file.judge
        if self.unjudged and judge is not None and judge.llm == OWN:
            await self.judge()  # its model is closed with the session

    async def _end(self, ctx: JobContext, serving: asyncio.Task[None]) -> None:
        for session in ctx.sessions:
            await session.aclose()
        await asyncio.wait([serving], timeout=CLOSE_PATIENCE)
        serving.cancel()
        await asyncio.wait([serving], timeout=CLOSE_PATIENCE)
        await leave(ctx, "the conversation is over", JobBounds())
        await ctx.clean_up()

    async def judge(self) -> None:
        """Have a model judge what is still to be judged. No verdict is no pass."""
        to_judge, self.to_judge = self.to_judge, []
        history, self._history = self._history, None
        judge = self.models.judge()
        for words in to_judge:
            verdict = await judged_words(judge, words.text, words.intent)
            self._notes.append(f"step {words.step + 1}: the judge says {verdict.verdict}: {verdict.reason}")
            if not verdict.passes:
                came = f"{verdict.verdict}: {verdict.reason}; the agent said {words.text!r}"
                missed = Missed(words.step, words.at, Difference("judge", words.intent, came))
                self._failures.append(self._failure(missed))
        if history is not None and self._conversation.judges:
            await self._judge_all(
                JudgeGroup(llm=judge, judges=list(map(judge_named, self._conversation.judges))), history
            )

    async def _judge_all(self, judges: JudgeGroup, history: ChatContext) -> None:
        """Have the whole conversation judged."""
        result = await judges.evaluate(history)
        line = self._evals.line(*self._where, "judges")
        for name, judgment in result.judgments.items():
            self._notes.append(f"{name}: the judge says {judgment.verdict}: {judgment.reasoning}")
            if judgment.failed:
                came = f"{judgment.verdict}: {judgment.reasoning}"
                self._failures.append(Failure(line, 0, self._seconds, "judges", f"{name} to pass", came))
        for name, error in result.unjudged.items():
            came = f"not judged: {type(error).__name__}: {error}"
            self._failures.append(Failure(line, 0, self._seconds, "judges", f"{name} to pass", came))

    def _failure(self, missed: Missed) -> Failure:
        found = missed.difference
        key = found.key.replace(" ", "_")
        way = (*self._where, "steps", missed.step)
        line = self._evals.line(*way, "expect", key)
        if (*way, "expect", key) not in self._evals.lines:
            line = self._evals.line(*way, key)
        return Failure(line, missed.step + 1, missed.at, found.key, found.expected, found.came)

    def _fail(self, found: Difference) -> None:
        line = self._evals.line(*self._where)
        self._failures.append(Failure(line, 0, self._course.now, found.key, found.expected, found.came))

    def trial(self) -> Trial:
        """What came of it."""
        return Trial(
            path=str(self._evals.path),
            conversation=self._conversation.name,
            line=self._evals.line(*self._where, "name"),
            seed=self._seed,
            real_time=self._how.real_time,
            failures=tuple(sorted(self._failures, key=lambda failure: failure.at)),
            transcript=tuple(self._course.lines),
            seconds=self._seconds,
            notes=tuple(self._notes),
        )


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
