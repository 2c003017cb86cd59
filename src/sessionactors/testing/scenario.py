"""A scripted conversation: what the user says when, what the model answers, what the voice takes.

Times are seconds from the beginning of the scenario. In virtual time a call of minutes takes as long as its work, and
is exact: nothing happens late. A schedule says in which order what could happen at the same time does happen.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.realtime import RealtimeCapabilities
from sessionactors.interfaces.stt import STT, SpeechEvent
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError
from sessionactors.runtime import ActorSystem
from sessionactors.runtime.dispatcher import LoopDispatcher
from sessionactors.session.agent import Agent
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.room_options import RoomOptions
from sessionactors.session.room_options_legacy import RoomInputOptions, RoomOutputOptions
from sessionactors.transports.memory import MemoryTransport

from .choices import Choices, choices_of
from .escapes import refused
from .faults.fault import Fault, parse
from .faults.injection import Injection
from .interventions import Moment
from .lines import STTByLine, VADByLine
from .marked_voice import MarkedVoice, VoiceFault
from .moments import Moments
from .performance import Act, Performance
from .realtime_script import HeardSaying, ScriptedResponse
from .scenario_options import as_given
from .scenario_run import Run
from .schedule import Schedule
from .scripted_ear import Faults, ScriptedSTT, ScriptedVAD
from .scripted_llm import ScriptedLLM, ScriptedReply, scripted_calls, scripted_reply
from .scripted_realtime import RealtimeScript
from .seeded_dispatcher import SeededDispatcher
from .virtual_loop import VirtualLoop

Mode: TypeAlias = Literal["virtual", "running", "own"]
Part: TypeAlias = Literal["stt", "vad", "llm", "tts"]
Command: TypeAlias = Callable[["AgentSession[object]"], object]
"""An API call; if it gives something that can be awaited, the run awaits it."""

PATIENCE = 60.0
"""Seconds after the last scripted moment in which all must come to rest."""
CALLER = "caller"
"""Who is there from the start."""
LINE_RATE = 16000
"""Hertz of the user's line: what the scripted ears want, so that nothing is resampled."""


@dataclass(frozen=True, slots=True)
class Saying:
    """Something the user says."""

    text: str
    at: float
    until: float
    stt_delay: float
    interims: tuple[tuple[float, str], ...]
    line: int = 0
    """Who says it: 0 is the caller."""


class Scenario(Moments):
    """A conversation with one agent. Script it, run it, look at the :class:`.Run`.

    Args:
        agent: what talks to the user.
        without: parts that the session does not have.
        audio: False: a room for text only.
        frame_ms: length of the user's frames, 10 to 100 ms. Coarse ones are cheaper, and the detector as coarse.
        min_silence: seconds of silence before the detector reports the end of speech.
        word_timings: whether the voice tells when each word has been spoken.
        ttfb: seconds from the first text to the first audio of the voice.
        realtime: a realtime model takes the place of recogniser, model and voice; if its server detects no turns, the
            detector stays. What it replies is scripted by :meth:`realtime_replies`.
        beside: parts that the session has all the same.
        room: makes the room, instead of one in memory with one participant.
        room_input_options, room_output_options, room_options: as for :meth:`AgentSession.start`.
        session_options: as for :class:`AgentSession`, and any field of :class:`.SessionOptions` by its name; a
            component given here takes the place of the scripted one. There is no echo on a scripted line:
            ``aec_warmup_duration`` is None unless it is given, and ``preemptive_generation`` is off: scripts count
            requests.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        without: Sequence[Part] = (),
        audio: bool = True,
        frame_ms: int = 20,
        min_silence: float = 0.5,
        word_timings: bool = True,
        ttfb: float = 0.2,
        realtime: RealtimeScript | RealtimeCapabilities | None = None,
        beside: Sequence[Part] = (),
        room: Callable[[], MemoryTransport] | None = None,
        room_input_options: RoomInputOptions | None = None,
        room_output_options: RoomOutputOptions | None = None,
        room_options: RoomOptions | None = None,
        **session_options: object,
    ) -> None:
        self.agent = agent
        self._without = frozenset(without) | (frozenset(("stt", "vad", "tts")) if not audio else frozenset())
        self._realtime = RealtimeScript(realtime) if isinstance(realtime, RealtimeCapabilities) else realtime
        if self._realtime is not None:
            own_ears = {"vad"} if self._realtime.capabilities.turn_detection else set()
            self._without |= {"stt", "tts", *own_ears} - set(beside)
        self._responses: list[ScriptedResponse] = []
        self._frame_ms = frame_ms
        self._min_silence = min_silence
        self._word_timings = word_timings
        self._ttfb = ttfb
        self._make_room = room or (
            lambda: MemoryTransport(audio=audio, frame_ms=frame_ms, silence_rate=LINE_RATE if audio else None)
        )
        self._room_options = room_input_options, room_output_options, room_options
        self._lines = [CALLER]
        # Who interrupts in the first seconds of a script means it; a script about the warm-up says so.
        self._session_options: dict[str, object] = {"aec_warmup_duration": None, **session_options}
        self._sayings: list[Saying] = []
        self._reports: list[tuple[float, SpeechEvent]] = []
        self._acts: list[Act] = []
        self._guests: list[str] = []
        self._commands: list[tuple[float, Command]] = []
        self._kills: list[tuple[Moment, BaseException]] = []
        self._calls: list[tuple[Moment, Command]] = []
        self._replies: list[ScriptedReply] = []
        self._otherwise: ScriptedReply | None = None
        self._durations: dict[str, float] = {}
        self._voice_faults: dict[int, VoiceFault] = {}
        self._ear_faults: dict[str, Faults] = {}
        self._injected: list[Fault] | None = None
        self._close_at: float | None = None
        self._deadline = 5.0
        self._last = 0.0

    # -- the user ----------------------------------------------------------------------------------------------------

    def user_says(
        self,
        text: str,
        *,
        at: float,
        until: float,
        stt_delay: float = 0.2,
        interims: Sequence[tuple[float, str]] = (),
        participant: str = CALLER,
    ) -> None:
        """Let the user speak from ``at`` to ``until``.

        Args:
            text: what the recogniser makes of it; "" for a noise without words.
            at: seconds, >= 0.
            until: seconds, > ``at``.
            stt_delay: seconds from the end of the words to their final transcript.
            interims: (seconds, words so far) that come before.
            participant: who says it; others than the caller must be there.
        """
        if not 0 <= at < until:
            raise OptionError(f"{text!r} must be said from some moment >= 0 to a later one, got {at} to {until}")
        if participant not in self._lines:
            raise OptionError(f"{participant!r} is not in the room: let them join first")
        self._sayings.append(Saying(text, at, until, stt_delay, tuple(interims), self._lines.index(participant)))
        self._reach(until + stt_delay)

    def stt_reports(self, event: SpeechEvent, *, at: float) -> None:
        """Let the caller's recogniser report something besides transcripts: a preflight, an edge of speech, usage."""
        self._reports.append((at, event))
        self._reach(at)

    def user_types(self, text: str, *, at: float, participant: str = CALLER) -> None:
        """Let the user type."""
        self._act(at, lambda room: room.type(text, participant))

    def joins(self, participant: str, *, at: float = 0.0) -> None:
        """Let somebody else come in; at 0 they are there when the session starts."""
        again = participant in self._lines
        if not again:
            self._lines.append(participant)
        level = self._lines.index(participant)
        if at == 0.0 and not again:
            self._guests.append(participant)
        else:
            self._act(at, lambda room: room.join(participant, silence_level=level))

    def leaves(self, participant: str = CALLER, *, at: float, reason: str = "left") -> None:
        """Let somebody go."""
        self._act(at, lambda room: room.leave(participant, reason))

    def _act(self, at: float, act: Callable[[MemoryTransport], object]) -> None:
        self._acts.append((at, act))
        self._reach(at)

    # -- model and voice ---------------------------------------------------------------------------------------------

    def llm_replies(
        self,
        text: str = "",
        *,
        ttft: float = 0.1,
        duration: float = 0.3,
        tool_calls: Sequence[FunctionToolCall | tuple[str, str]] = (),
        error: BaseException | None = None,
        hang: bool = False,
    ) -> None:
        """Script the answer to the model's next request.

        Args:
            text: what it says, a word for each chunk.
            ttft: seconds to the first chunk.
            duration: seconds to the end of all, >= ``ttft``.
            tool_calls: complete calls, or (tool, arguments as JSON), that follow the text.
            error: raised behind the text.
            hang: nothing more comes behind the text.
        """
        self._replies.append(scripted_reply(len(self._replies), text, ttft, duration, tool_calls, error, hang=hang))

    def llm_otherwise(self, text: str, *, ttft: float = 0.1, duration: float = 0.3) -> None:
        """Script the answer to all requests beyond; without, they fail for good and say so."""
        self._otherwise = scripted_reply(0, text, ttft, duration, (), None, hang=False)

    def realtime_replies(
        self,
        text: str = "",
        *,
        ttft: float = 0.3,
        duration: float | None = None,
        tool_calls: Sequence[FunctionToolCall | tuple[str, str]] = (),
        error: Exception | None = None,
        hang: bool = False,
        after: float | None = None,
    ) -> None:
        """Script the next reply of the realtime model, whoever asks for it.

        Args:
            text: what it says.
            ttft: seconds from the request, or from the end of the user's turn, to the first sound.
            duration: seconds that it takes to say; 0.06 s a character if not given.
            tool_calls: complete calls, or (tool, arguments as JSON), that follow the sound.
            error: it fails with this.
            hang: it never ends.
            after: seconds of its audio that come before it fails or hangs; None: all.
        """
        calls = scripted_calls(len(self._responses), tool_calls)
        self._responses.append(ScriptedResponse(text, ttft, calls, error, hang, after))
        if duration is not None:
            self._durations[text] = duration

    def tts_speaks(self, *, duration: float, text: str | None = None) -> None:
        """Script how long a text takes to say: the model's last reply, or the one given. Others: 0.06 s a character."""
        if text is None:
            if not self._replies:
                raise OptionError("tts_speaks() is about the last llm_replies(), and there is none: pass text=")
            text = self._replies[-1].text
        self._durations[text] = duration

    def tts_fails(self, synthesis: int, *, after: float = 0.0, error: BaseException | None = None) -> None:
        """Let the n-th synthesis (from 1) break off after so many seconds of audio; without an error it hangs."""
        self._voice_faults[synthesis] = VoiceFault(after, error)

    def ear_fails(self, part: Literal["stt", "vad"], faults: Faults) -> None:
        """Let the streams of recogniser or detector fail or hang."""
        self._ear_faults[part] = faults

    # -- the session's user, and fate --------------------------------------------------------------------------------

    def call(self, at: float, function: Command) -> None:
        """Call ``function(session)`` at that time; what it raises, the run raises."""
        self._commands.append((at, function))
        self._reach(at)

    def call_behind(self, actor: str, kind: type, number: int, function: Command) -> None:
        """Call ``function(session)`` when an actor has handled its n-th message (from 1) of a type.

        So a call hits the same point of what the actors do, whatever the schedule and its times.
        """
        self._calls.append((Moment(actor, kind, number), function))

    def kill(self, actor: str, *, message: int, error: BaseException | None = None) -> None:
        """Kill an actor when it has handled so many messages (>= 1), as if a handler had failed."""
        moment = Moment(actor, object, message)
        self._kills.append((moment, error or RuntimeError(f"the script kills {actor}")))

    def inject(self, *faults: Fault | str) -> None:
        """Let faults strike: see :mod:`.faults`. Without any, signals are counted, so that it is known which can.

        Args:
            faults: values, or their texts such as ``"drop playout.finished#1"`` and ``"kill tts@5"``.
        """
        given = (parse(fault) if isinstance(fault, str) else fault for fault in faults)
        self._injected = [*(self._injected or ()), *given]

    def close(self, at: float, *, deadline: float = 5.0) -> None:
        """Close the session at that time; without, when all is quiet."""
        self._close_at, self._deadline = at, deadline

    def _reach(self, at: float) -> None:
        self._last = max(self._last, at)

    async def run(self, schedule: Schedule | int | None = None, mode: Mode = "virtual") -> Run:
        """Run it.

        Args:
            schedule: the order; a number is the seed of a random one. None: as in production.
            mode: ``"virtual"``: in virtual time, on a loop of its own unless this one is virtual. ``"running"``,
                ``"own"``: in real time, the actors on this loop or on one of their own.
        """
        if mode == "virtual" and not isinstance(asyncio.get_running_loop(), VirtualLoop):
            return await asyncio.to_thread(self.play, schedule)
        return await self._perform(choices_of(schedule), mode)

    def play(self, schedule: Schedule | int | Choices | None = None) -> Run:
        """Run it in virtual time and return when it is over: for code that is not on a loop. As :meth:`run`."""
        with refused(schedule is not None), asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(self._perform(choices_of(schedule), "virtual"))

    async def _perform(self, choices: Choices | None, mode: Mode) -> Run:
        system = ActorSystem(
            "own" if mode == "own" else "running",
            seed=0 if choices is None else choices.schedule.seed,
            dispatcher=LoopDispatcher if choices is None else SeededDispatcher.by(choices),
        )
        system.observers += self._observers
        voice, llm = self._voice(), ScriptedLLM(self._replies, otherwise=self._otherwise)
        realtime = None if self._realtime is None else self._realtime.model(self._responses, voice, self._heard())
        options: dict[str, object] = {
            "stt": self._stt(),
            "vad": self._vad(),
            "llm": llm,
            "tts": voice,
            **({} if realtime is None else {"llm": realtime}),
            **dict.fromkeys(self._without),
            **as_given(self._session_options),
        }
        injection = None if self._injected is None else Injection(self._injected)
        if injection is not None:
            options = injection.of_components(options)
        session = cast("AgentSession[object]", AgentSession(system=system, **options))  # type: ignore[arg-type]
        room = self._make_room()
        for guest in self._guests:
            room.join(guest, silence_level=self._lines.index(guest))
        performance = Performance(session, system, room, self.agent, choices=choices, mode=mode, injection=injection)
        try:
            await performance.begin(*self._room_options, self._kills, self._calls)
            performance.schedule(self._commands, self._acts)
            await performance.until_over(self._close_at, self._last, PATIENCE, self._deadline)
        finally:
            await system.aclose()
            performance.end_injection()
        return performance.run(voice, llm, realtime)

    def _heard(self) -> list[HeardSaying]:
        return [HeardSaying(saying.text, saying.at, saying.until, saying.line) for saying in self._sayings]

    def _voice(self) -> MarkedVoice:
        return MarkedVoice(self._durations, ttfb=self._ttfb, word_timings=self._word_timings, faults=self._voice_faults)

    def _vad(self) -> VAD:
        lines = [
            ScriptedVAD(
                [(saying.at, saying.until) for saying in self._sayings if saying.line == line],
                min_silence=self._min_silence,
                faults=self._faults("vad"),
            )
            for line in range(len(self._lines))
        ]
        return lines[0] if len(lines) == 1 else VADByLine(lines)

    def _stt(self) -> STT:
        delays = {saying.stt_delay for saying in self._sayings} or {0.2}
        if len(delays) > 1:
            raise OptionError(f"all sayings of a scenario have one stt_delay, got {sorted(delays)}")
        latency = delays.pop()
        lines = [
            ScriptedSTT(
                [(saying.until + saying.stt_delay, saying.text) for saying in self._sayings if saying.line == line],
                [interim for saying in self._sayings if saying.line == line for interim in saying.interims],
                latency=latency,
                faults=self._faults("stt"),
                events=self._reports if line == 0 else (),
            )
            for line in range(len(self._lines))
        ]
        return lines[0] if len(lines) == 1 else STTByLine(lines)

    def _faults(self, part: str) -> Faults | None:
        """Fresh ones for each run: a fault is used up."""
        scripted = self._ear_faults.get(part)
        return None if scripted is None else copy.deepcopy(scripted)
