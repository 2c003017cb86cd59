"""The account of one session: from its deliveries to turns, speeches, calls of providers and tools, and barge-ins.

Pure: it reads deliveries and knows no clock, no exporter and no screen. Metrics, traces, reports and inspectors all
read what it has made out, so that they show the same numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.floor import (
    PrepareSpeech,
    PromoteSpeech,
    ScheduleSpeech,
    SilenceSpeech,
    SpeechFinished,
    SpeechWasted,
)
from sessionactors.messages.llm import (
    CancelGeneration,
    ChunkArrived,
    GenerateText,
    GenerationDone,
    GenerationFailed,
    ReplyBegan,
)
from sessionactors.messages.output import PlayoutStarted
from sessionactors.messages.session import Publish, SpeechAudible, SpeechQuiet
from sessionactors.messages.tools import CallBegan, RunTool, ToolFinished
from sessionactors.messages.tts import AudioSynthesized, SegmentAudio, SpeakText, SynthesisFailed
from sessionactors.messages.turn import UserTurnEnded
from sessionactors.model.chat import ChatMessage
from sessionactors.model.events import MetricsCollectedEvent, SpeechItemNote
from sessionactors.model.metrics import (
    InterruptionMetrics,
    LLMMetrics,
    RealtimeModelMetrics,
    SessionMetrics,
    TTSMetrics,
)
from sessionactors.runtime import Delivery
from sessionactors.session.turn_latency import turn_latency

from .asked import as_json
from .records import BargeIn, Call, CallOutcome, Ended, Key, News, Opened, Speech, ToolRun, Turn

RING: Final = 768
"""Deliveries through which causes are followed: some turns."""
LONGEST_CHAIN: Final = 96
KEPT: Final = 5_000
"""Turns and speeches of a session that are remembered; older ones are only counted."""


class Account:
    """What has been made out so far.

    Args:
        texts: keep what was said, asked and answered too.
    """

    def __init__(self, *, texts: bool = False) -> None:
        self._texts = texts
        self.turns: deque[Turn] = deque(maxlen=KEPT)
        self.speeches: deque[Speech] = deque(maxlen=KEPT)
        self.barge_ins: deque[BargeIn] = deque(maxlen=KEPT)
        self.left_out = 0
        """Turns and speeches that are remembered no more."""
        self._ring: dict[int, Delivery] = {}
        self._open_turns: dict[str, Turn] = {}
        self._open_speeches: dict[str, Speech] = {}
        self._open: dict[Key, Call | ToolRun] = {}

    @property
    def tools(self) -> Iterator[ToolRun]:
        """All calls of tools, by speech."""
        return (tool for speech in self.speeches for tool in speech.tools)

    # -- reading -----------------------------------------------------------------------------------------------------

    def take(self, deliveries: Iterable[Delivery]) -> list[News]:
        """Read on.

        Args:
            deliveries: the next ones of the session, in their order.

        Returns:
            What is new, in its order.
        """
        news: list[News] = []
        for delivery in deliveries:
            if delivery.outcome != "handled":
                continue
            self._ring[delivery.id] = delivery
            if len(self._ring) > RING:
                del self._ring[next(iter(self._ring))]
            news.extend(self._read(delivery))
        return news

    def close(self, at: int) -> list[News]:
        """The session is over: what was open has ended then."""
        news: list[News] = []
        for work in list(self._open.values()):
            news.extend(self._work_ends(work, at, "cancelled" if isinstance(work, Call) else "abandoned"))
        for speech in list(self._open_speeches.values()):
            speech.interrupted = True
            news.extend(self._speech_ends(speech, at))
        for turn in list(self._open_turns.values()):
            news.extend(self._turn_ends(turn, at))
        return news

    def _read(self, delivery: Delivery) -> Iterator[News]:  # noqa: C901, PLR0912  one match, some lines for each message
        message, at = delivery.message, delivery.sent_at
        match message:
            case UserTurnEnded():
                yield from self._turn_begins(delivery, message)
            case ScheduleSpeech(spec):
                yield from self._speech_begins(delivery, spec, scheduled=True)
            case PrepareSpeech(spec):
                yield from self._speech_begins(delivery, spec, scheduled=False)
            case PromoteSpeech(spec):
                yield from self._speech_is_wanted(delivery, spec)
            case SpeechWasted(name) if (speech := self._open_speeches.get(name)) is not None and not speech.scheduled:
                yield from self._shown(speech)
                yield from self._speech_ends(speech, at)
            case SpeechAudible(name, since) if (speech := self._open_speeches.get(name)) is not None:
                speech.audible_at = since if speech.audible_at is None else speech.audible_at
            case SpeechQuiet(name, since) if (speech := self._open_speeches.get(name)) is not None:
                speech.quiet_at = since
            case SilenceSpeech(name, wanted_at=wanted_at):
                self.barge_ins.append(BargeIn(name, wanted_at))
            case SpeechFinished(name, interrupted, error) if (speech := self._open_speeches.get(name)) is not None:
                speech.interrupted, speech.error = interrupted, "" if error is None else type(error).__name__
                yield from self._speech_ends(speech, at)
            case SegmentAudio(segment) | PlayoutStarted(segment):
                yield from self._first_sound(segment)
            case Publish(event):
                match event:
                    case MetricsCollectedEvent(metrics):
                        yield from self._measured(metrics, delivery)
                    case SpeechItemNote(name, ChatMessage() as item) if self._texts:
                        if (speech := self._open_speeches.get(name)) is not None:
                            speech.text = f"{speech.text} {item.text_content or ''}".strip()
                    case _:
                        pass
            case _:
                yield from self._read_work(delivery)

    def _read_work(self, delivery: Delivery) -> Iterator[News]:  # noqa: C901  as above
        """What calls of providers and tools are told."""
        message, at = delivery.message, delivery.sent_at
        match message:
            case GenerateText(request, speech=speech):
                kind = "realtime" if delivery.target.endswith("/realtime") else "llm"
                asked = as_json(message.chat_items) if self._texts else ""
                yield from self._work_begins(
                    Call(kind, request, speech, delivery.id, at, input=asked), delivery  # type: ignore[arg-type]
                )  # fmt: skip
            case SpeakText(segment, speech) if ("tts", segment) not in self._open:
                if message.offset == 0:
                    yield from self._work_begins(Call("tts", segment, speech, delivery.id, at), delivery)
            case ChunkArrived(request) | ReplyBegan(request) if (call := self._model_call(request)) is not None:
                call.first_at = at if call.first_at is None else call.first_at
            case AudioSynthesized(segment) if (call := self._segment(segment)) is not None:
                call.first_at = at if call.first_at is None else call.first_at
            case GenerationDone(request) if (call := self._model_call(request)) is not None:
                yield from self._answered(call, at, "done")
            case GenerationFailed(request, error) if (call := self._model_call(request)) is not None:
                call.error = type(error).__name__
                yield from self._answered(call, at, "failed")
            case CancelGeneration(request) if (call := self._model_call(request)) is not None and call.ended_at is None:
                yield from self._answered(call, at, "cancelled")
            case SynthesisFailed(segment, error) if (call := self._segment(segment)) is not None:
                call.error = type(error).__name__
                yield from self._work_ends(call, at, "failed")
            case RunTool(call=called, speech=speech):
                tool = ToolRun(called.call_id, called.name, speech, delivery.id, at)
                tool.arguments = called.arguments if self._texts else ""
                yield from self._work_begins(tool, delivery)
            case CallBegan(call_id) if (run := self._tool(call_id)) is not None:
                run.began_at = at
            case ToolFinished(call_id, outcome, output) if (run := self._tool(call_id)) is not None:
                run.output = output.output if self._texts else ""
                yield from self._work_ends(run, at, outcome)
            case _:
                pass

    # -- turns and speeches ------------------------------------------------------------------------------------------

    def _turn_begins(self, delivery: Delivery, ended: UserTurnEnded) -> Iterator[News]:
        if ended.turn in self._open_turns:
            return
        began = delivery.sent_at if ended.started_speaking_at is None else ended.started_speaking_at
        cut = next((cut for cut in reversed(self.barge_ins) if began <= cut.wanted_at <= delivery.sent_at), None)
        turn = Turn(
            ended.turn,
            delivery.id,
            ended.typed,
            ended.participant,
            began,
            delivery.sent_at,
            ended.stopped_speaking_at,
            ended.last_final_at,
            ended.recogniser,
            ended.transcript if self._texts else "",
            ended.reply,
            interrupts="" if cut is None else cut.speech,
        )
        self.left_out += len(self.turns) == KEPT
        self.turns.append(turn)
        self._open_turns[turn.id] = turn
        yield Opened(turn)
        if not turn.reply:
            yield from self._turn_ends(turn, turn.committed_at)

    def _turn_ends(self, turn: Turn, at: int) -> Iterator[News]:
        if self._open_turns.pop(turn.id, None) is not None:
            turn.ended_at = at
            yield Ended(turn)

    def _speech_begins(self, delivery: Delivery, spec: SpeechSpec, *, scheduled: bool) -> Iterator[News]:
        if spec.id in self._open_speeches:
            return
        source, at = spec.source.value, delivery.sent_at
        speech = Speech(spec.id, delivery.id, spec.turn, source, spec.agent.key, at, scheduled=scheduled)
        self.left_out += len(self.speeches) == KEPT
        self.speeches.append(speech)
        self._open_speeches[speech.id] = speech
        if scheduled:
            yield from self._shown(speech)

    def _speech_is_wanted(self, delivery: Delivery, spec: SpeechSpec) -> Iterator[News]:
        """What was prepared answers a turn; if it is there no more, a new speech does."""
        speech = self._open_speeches.get(spec.id)
        if speech is None:
            yield from self._speech_begins(delivery, spec, scheduled=True)
        elif not speech.scheduled:
            speech.scheduled, speech.turn = True, spec.turn
            yield from self._shown(speech)

    def _shown(self, speech: Speech) -> Iterator[News]:
        """It is known to what it belongs, and so are the calls that were made for it until now."""
        turn = self._open_turns.get(speech.turn)
        if turn is not None and not turn.speech:
            turn.speech = speech.id
        yield Opened(speech)
        made: list[Call | ToolRun] = [*speech.calls, *speech.tools]
        for work in made:
            yield Opened(work)
            if self._open.get(work.key) is not work:
                yield Ended(work)

    def _speech_ends(self, speech: Speech, at: int) -> Iterator[News]:
        if self._open_speeches.pop(speech.id, None) is None:
            return
        speech.ended_at = at
        for call in speech.calls:
            if self._open.get(call.key) is call:  # its figures have not come, and may never
                outcome = "cancelled" if speech.interrupted else "done"
                yield from self._work_ends(call, at if call.ended_at is None else call.ended_at, outcome, speech)
        yield Ended(speech)
        turn = self._open_turns.get(speech.turn)
        if turn is not None and turn.speech == speech.id:
            yield from self._turn_ends(turn, at)

    def _first_sound(self, segment: str) -> Iterator[News]:
        speech = self._open_speeches.get(segment.split("/", 1)[0])
        turn = None if speech is None else self._open_turns.get(speech.turn)
        if turn is None or turn.latency is not None or speech is None or turn.speech != speech.id:
            return
        turn.latency = turn_latency(self._ring.values(), turn.id)
        if turn.latency is not None:
            yield turn.latency

    # -- calls of providers and tools --------------------------------------------------------------------------------

    def _model_call(self, request: str) -> Call | None:
        call = self._open.get(("llm", request)) or self._open.get(("realtime", request))
        return call if isinstance(call, Call) else None

    def _segment(self, name: str) -> Call | None:
        call = self._open.get(("tts", name))
        return call if isinstance(call, Call) else None

    def _tool(self, call_id: str) -> ToolRun | None:
        run = self._open.get(("tool", call_id))
        return run if isinstance(run, ToolRun) else None

    def _work_begins(self, work: Call | ToolRun, delivery: Delivery) -> Iterator[News]:
        speech = self._open_speeches.get(work.speech)
        if speech is None or work.key in self._open:
            return
        work.causes = self._causes(work, delivery, speech)
        self._open[work.key] = work
        if isinstance(work, Call):
            speech.calls.append(work)
        else:
            speech.tools.append(work)
        if speech.scheduled:
            yield Opened(work)

    def _answered(self, call: Call, at: int, outcome: CallOutcome) -> Iterator[News]:
        """The model has answered; its figures come next, or have come."""
        call.ended_at, call.outcome = at, outcome
        if call.metrics is not None or outcome == "failed":
            yield from self._work_ends(call, at, outcome)

    def _work_ends(self, work: Call | ToolRun, at: int, outcome: str, speech: Speech | None = None) -> Iterator[News]:
        if self._open.pop(work.key, None) is None:
            return
        if isinstance(work, ToolRun) or work.outcome == "open":
            work.ended_at, work.outcome = at, outcome
        speech = speech or self._open_speeches.get(work.speech)
        if speech is None or speech.scheduled:
            yield Ended(work)

    def _measured(self, metrics: SessionMetrics, delivery: Delivery) -> Iterator[News]:
        match metrics:
            case LLMMetrics() | RealtimeModelMetrics():
                call = self._call_behind(delivery, metrics.speech_id)
                if call is not None:
                    call.metrics = metrics
                    if call.ended_at is not None:
                        yield from self._work_ends(call, call.ended_at, call.outcome)
            case TTSMetrics(segment_id=segment):
                spoken = self._segment(segment)
                if spoken is not None:
                    spoken.metrics = metrics
                    yield from self._work_ends(spoken, delivery.sent_at, "cancelled" if metrics.cancelled else "done")
            case InterruptionMetrics(speech_id=name, num_interruptions=1):
                cut = next((cut for cut in reversed(self.barge_ins) if cut.speech == name), None)
                if cut is not None and cut.detection is None:
                    cut.detection, cut.silence = metrics.detection_delay, metrics.silence_delay
                    cut.heard = metrics.heard
                    yield cut
            case _:
                pass

    def _call_behind(self, delivery: Delivery, speech: str) -> Call | None:
        """The request that figures are about: its name stands in what caused them; else the speech's last one."""
        for cause in self._chain(delivery):
            call = self._model_call(getattr(cause.message, "request", ""))
            if call is not None:
                return call
        open_ones = [call for call in self._open.values() if isinstance(call, Call) and call.kind != "tts"]
        return next((call for call in reversed(open_ones) if call.speech == speech and call.metrics is None), None)

    # -- causes ------------------------------------------------------------------------------------------------------

    def _chain(self, delivery: Delivery) -> Iterator[Delivery]:
        """What led to it, the nearest first."""
        for _ in range(LONGEST_CHAIN):
            cause = self._ring.get(delivery.cause)
            if cause is None:
                return
            yield cause
            delivery = cause

    def _causes(self, work: Call | ToolRun, delivery: Delivery, speech: Speech) -> tuple[Key, ...]:
        """What led to it, found by the causes of messages; the speech that it belongs to is no answer."""
        for cause in self._chain(delivery):
            owner = self._owner(cause.message)
            if owner is None or owner == work.key:
                continue
            if owner[0] not in ("turn", "speech"):
                return (owner,)
            break
        if (
            isinstance(work, Call) and work.kind != "tts"
        ):  # callbacks saw the tools' results first: the chain ends there
            before = max((call.began_at for call in speech.calls if call.kind != "tts"), default=work.began_at)
            return tuple(tool.key for tool in speech.tools if before <= tool.asked_at <= work.began_at)
        return ()

    def _owner(self, message: object) -> Key | None:
        match message:
            case UserTurnEnded(turn):
                return "turn", turn
            case ScheduleSpeech(spec) | PromoteSpeech(spec) | PrepareSpeech(spec):
                return "speech", spec.id
            case _:
                pass
        call_id = getattr(message, "call_id", None)
        if isinstance(call_id, str):
            return "tool", call_id
        if isinstance(message, RunTool):
            return "tool", message.call.call_id
        for kind, name in (("llm", "request"), ("realtime", "request"), ("tts", "segment")):
            key = kind, getattr(message, name, "")
            if key in self._open:
                return key
        return None
