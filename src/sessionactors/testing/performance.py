"""One performance of a scenario: starts the session, does what the script says, and keeps what happens."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import TypeAlias

from sessionactors.interfaces.transport import Transport
from sessionactors.messages.tts import SegmentAudio
from sessionactors.model.events import CloseEvent, PublicEvent
from sessionactors.runtime import ActorSystem, Delivery, TreeSnapshot
from sessionactors.runtime.dead_letters import FULL
from sessionactors.session.agent import Agent
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.room_options import RoomOptions
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions
from sessionactors.session.waits import WaitEdge
from sessionactors.transports.memory import MemoryTransport

from .choices import Choices
from .faults.injection import Injection
from .interventions import Call, Execution, Moment
from .marked_voice import MarkedVoice, stretches, synthesis_of
from .scenario_run import HeardAudio, MailboxFacts, Run, TimedEvent
from .scripted_llm import ScriptedLLM
from .scripted_realtime import ScriptedRealtime

ROOM = "scenario"
KEPT = 500_000
"""Deliveries of a run that are kept."""
LOOK = 0.25
"""Seconds between two looks whether all is quiet."""
QUIET = 3
"""Looks in a row at which it must be."""
SAME_MOMENT = 0.005
"""Seconds by which the runtime and the marks may disagree on the end of a word."""


Command: TypeAlias = tuple[float, Callable[[AgentSession[object]], object]]
"""When the script calls what."""
Act: TypeAlias = tuple[float, Callable[[MemoryTransport], object]]
"""When somebody in the room does what."""


class Performance:
    """Conducts one session on the running loop."""

    def __init__(
        self,
        session: AgentSession[object],
        system: ActorSystem,
        room: MemoryTransport,
        agent: Agent,
        *,
        choices: Choices | None,
        mode: str,
        injection: Injection | None = None,
    ) -> None:
        self._session = session
        self._system = system
        self._room = room
        self._agent = agent
        self._choices = choices
        self._mode = mode
        self._injection = injection
        self._loop = asyncio.get_running_loop()
        self._events: list[TimedEvent] = []
        self._calls: list[asyncio.Future[object]] = []
        self._executions: list[Execution] = []
        self._snapshot: TreeSnapshot | None = None
        self._settled = False
        self._waits: tuple[WaitEdge, ...] = ()
        self._mailboxes: dict[str, MailboxFacts] = {}
        self._close_asked = 0.0
        session.on_any(self._note)

    def _note(self, event: PublicEvent) -> None:
        self._events.append(TimedEvent(self._now, event))

    @property
    def _now(self) -> float:
        return self._loop.time() - self._zero

    # -- the script --------------------------------------------------------------------------------------------------

    async def begin(
        self,
        room_input: RoomInputOptions | None,
        room_output: RoomOutputOptions | None,
        room_options: RoomOptions | None,
        kills: Sequence[tuple[Moment, BaseException]],
        calls: Sequence[tuple[Moment, Callable[[AgentSession[object]], object]]],
    ) -> None:
        """Start the session; this is the scenario's time 0."""
        system = self._system
        if self._mode == "own":
            await asyncio.to_thread(system.start)
        else:
            system.start()
        self._zero = self._loop.time()
        self._began = system.clock.now()
        self._tap = system.tap(ROOM, None, KEPT)
        self._executions = [Execution(system, ROOM, moment, error) for moment, error in kills]
        for moment, function in calls:
            Call(system, ROOM, moment, partial(self._begin_call, function, f"call behind {moment}"))
        link: Transport = self._room
        if self._injection is not None:
            self._injection.begin(system, ROOM)
            link = self._injection.of_room(link)
        await self._session.start(
            self._agent,
            room=link,
            room_name=ROOM,
            room_input_options=room_input,
            room_output_options=room_output,
            room_options=room_options,
        )
        self._tree = system.trees.get(ROOM)

    def schedule(self, commands: Sequence[Command], acts: Sequence[Act]) -> None:
        """Call and do what the script says, when it says; what is due in the same moment in the script's order."""
        script = [*commands, *((at, self._acting(act)) for at, act in acts)]
        self._script = self._loop.create_task(self._follow(sorted(script, key=itemgetter(0))), name="script")

    async def _follow(self, script: Sequence[Command]) -> None:
        for at, function in script:
            await asyncio.sleep(max(0.0, at - self._now))
            self._begin_call(function, f"call at {at}")

    def _begin_call(self, function: Callable[[AgentSession[object]], object], name: str) -> None:
        """Call at once; what it gives or raises is kept for the end."""
        call: asyncio.Future[object] = self._loop.create_future()
        try:
            result = function(self._session)
        except Exception as error:  # noqa: BLE001  the run raises it
            call.set_exception(error)
        else:
            if inspect.isawaitable(result):
                call = self._loop.create_task(_awaited(result), name=name)
            else:
                call.set_result(result)
        self._calls.append(call)

    def _acting(self, act: Callable[[MemoryTransport], object]) -> Callable[[AgentSession[object]], object]:
        def do_it(_: AgentSession[object]) -> None:
            if self._room.connected and not self._close_asked:  # nobody types into a room that is being left
                act(self._room)

        return do_it

    # -- the end -----------------------------------------------------------------------------------------------------

    async def until_over(self, close_at: float | None, last: float, patience: float, deadline: float) -> None:
        """Wait for the end of the session, or end it at the given time or when all is quiet."""
        self._deadline, self._by_script = deadline, close_at is not None
        ended = asyncio.ensure_future(self._session.wait_closed())
        try:
            if close_at is not None:
                await asyncio.wait([ended], timeout=max(0.0, close_at - self._now))
            else:
                await asyncio.wait([ended], timeout=max(0.0, last - self._now))
                self._settled = await self._until_quiet(ended, last + patience)
            if not ended.done():
                self._look()
                self._close_asked = self._now
                await self._session.aclose(deadline=deadline)
            await ended
        finally:
            ended.cancel()
        await self._end_calls()

    def _look(self) -> None:
        """All that can be seen of the actors only while they live."""
        self._snapshot = self._session.inspect()
        self._waits = self._session.waits
        cells = dict(self._system.tree(ROOM).cells)
        self._mailboxes = {
            path: MailboxFacts(cell.mailbox.bounds, cell.mailbox.high_water) for path, cell in cells.items()
        }

    async def _until_quiet(self, ended: asyncio.Future[CloseEvent], limit: float) -> bool:
        looks = 0
        while not ended.done() and self._now < limit:
            looks = looks + 1 if self._is_quiet() else 0
            if looks == QUIET:
                return True
            await asyncio.wait([ended], timeout=LOOK)
        return False

    def _is_quiet(self) -> bool:
        session = self._session
        if session.agent_state != "listening" or session.user_state == "speaking":
            return False
        snapshot = session.inspect()
        if f"{ROOM}/floor" not in snapshot.actors or f"{ROOM}/agent" not in snapshot.actors:
            return False  # it ends
        floor, agent = snapshot["floor"].state, snapshot["agent"].state
        speaking = floor["current"] or floor["queued"] or floor["background"] or snapshot["tools"].state["running"]
        turns = [actor.state for path, actor in snapshot.items() if path.endswith("/turn")]
        deciding = any(turn["phase"] in ("speaking", "deciding") for turn in turns)
        model = snapshot.get("realtime")
        if model is not None and (model.state["open"] or model.state["user_speaking"]):
            return False
        restarting = any(actor.status.value == "restarting" for actor in snapshot.values())
        held = any(actor.status.value == "suspended" and actor.data_depth for actor in snapshot.values())
        return not held and not (snapshot.obligations or speaking or agent["open_turns"] or deciding or restarting)

    async def _end_calls(self) -> None:
        """What the script called has ended by now; what it raised is the run's failure."""
        self._script.cancel()
        await asyncio.wait([self._script])
        if not self._calls:
            return
        _, pending = await asyncio.wait(self._calls, timeout=5.0)
        for call in pending:
            call.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if pending:
            raise AssertionError(f"the session is over, and these go on: {', '.join(map(_name, pending))}")
        errors = [error for call in self._calls if (error := call.exception()) is not None]
        if errors:
            raise errors[0]

    def end_injection(self) -> None:
        """Faults strike no more."""
        if self._injection is not None:
            self._injection.end()

    # -- what came of it ---------------------------------------------------------------------------------------------

    def run(self, voice: MarkedVoice, llm: ScriptedLLM, realtime: ScriptedRealtime | None = None) -> Run:
        """All that can be looked at."""
        deliveries = tuple(self._tap.drain())
        closes = [timed.at for timed in self._events if isinstance(timed.event, CloseEvent)]
        if self._tree is None:
            raise AssertionError("the session had ended before it began")
        if self._choices is not None:
            self._choices.over()
        has_audio = self._room.audio_sink is not None
        injection = self._injection
        killed = [execution.moment.actor for execution in self._executions if execution.done]
        return Run(
            schedule=None if self._choices is None else self._choices.schedule,
            choices=self._choices,
            room=ROOM,
            mode=self._mode,
            settled=self._settled,
            events=tuple(self._events),
            history=tuple(self._session.history.items),
            initial=0,
            audio=self._audio(voice, deliveries) if has_audio else (),
            word_timings=voice.aligned_transcript,
            sink=self._room.sink.statistics if has_audio else None,
            deliveries=deliveries,
            deliveries_lost=self._tap.dropped,
            transcripts=self._room.transcripts,
            requests=tuple(llm.requests),
            realtime=realtime,
            snapshot=self._snapshot,
            accounts=self._tree.accounts(),
            dead_letters=self._tree.dead_letters,
            refused=tuple(letter for letter in self._system.dead_letters.last if letter.reason == FULL),
            mailboxes=self._mailboxes,
            waits=self._waits,
            waits_left=self._session.waits,
            max_retry=self._max_retry(),
            report=self._session.close_report,
            close_asked=bool(self._close_asked),
            close_took=closes[0] - self._close_asked if closes and self._close_asked else 0.0,
            close_deadline=self._deadline,
            closed_by_script=self._by_script,
            leaks=tuple(self._system.leaks(ROOM)),
            killed=(*killed, *(injection.killed if injection is not None else ())),
            struck=injection.struck if injection is not None else (),
            signals=None if injection is None else injection.signals,
            began=self._began,
            ended_at=self._now,
        )

    def _max_retry(self) -> int:
        given = self._session.conn_options
        return max(kind.max_retry for kind in (given.stt_conn_options, given.llm_conn_options, given.tts_conn_options))

    def _audio(self, voice: MarkedVoice, deliveries: Sequence[Delivery]) -> tuple[HeardAudio, ...]:
        segments = {
            synthesis_of(delivery.message.frame): delivery.message.segment
            for delivery in deliveries
            if isinstance(delivery.message, SegmentAudio)
        }
        heard: list[HeardAudio] = []
        played: dict[int, int] = {}
        for run in self._room.agent_audio:
            for stretch in stretches(run.pcm):
                if not stretch.synthesis:
                    continue
                number = stretch.synthesis
                before = played.get(number, 0)
                played[number] = total = before + stretch.samples
                spoken = voice.syntheses[number - 1]
                at = run.at - self._zero + stretch.start / run.sample_rate
                heard.append(
                    HeardAudio(
                        at=at,
                        until=at + stretch.samples / run.sample_rate,
                        segment=segments.get(number, ""),
                        synthesis=number,
                        samples=stretch.samples,
                        words=tuple(spoken.words_within(total)),
                        words_nearly=tuple(spoken.words_within(total + round(SAME_MOMENT * run.sample_rate))),
                    )
                )
        return tuple(heard)


async def _awaited(result: Awaitable[object]) -> object:
    return await result


def _name(future: asyncio.Future[object]) -> str:
    return future.get_name() if isinstance(future, asyncio.Task) else repr(future)
