"""``amd``: who answered the call: a person, a menu, a mailbox. There only while a detection runs.

Sees in passing what ``turn`` tells ``supervisor`` of voices, the words that reach ``turn``, the turns that reach
``agent``, and who comes and goes. Asks the model about the words. Tells ``floor`` when speech may be heard again,
``agent`` not to answer a machine, and ``supervisor`` the verdict. What counts when is decided in :mod:`.greeting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM
from sessionactors.messages.answering import (
    AnswerDue,
    AnswerJudged,
    Due,
    JudgeFailed,
    MenuReached,
    PeopleThere,
    PeopleWanted,
    WithholdReplies,
    WithholdSpeech,
)
from sessionactors.messages.ear import FinalTranscript
from sessionactors.messages.floor import InterruptSpeech
from sessionactors.messages.room import ParticipantChanged, ParticipantJoined, ParticipantLeft
from sessionactors.messages.session import ComponentStumbled, Publish
from sessionactors.messages.turn import UserSpeechFact, UserTurnEnded
from sessionactors.model.answering import AMDCategory, AMDOptions, AMDPredictionEvent
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.debug_events import DebugMessageEvent
from sessionactors.runtime import Actor, Delivery, EffectPort, Outbox
from sessionactors.runtime.frozen import replace

from .ear_names import ear_name, without_number
from .greeting import Greeting, Verdict
from .greeting_question import MAX_EXTENSIONS, PROMPT, read_answer, tools_for
from .people import with_attributes
from .retry_policy import retry_delay
from .wiring import Wiring

AmdMessage: TypeAlias = PeopleThere | Delivery | AnswerDue | AnswerJudged | JudgeFailed

SEEN = (ParticipantJoined, ParticipantLeft, ParticipantChanged, UserSpeechFact, FinalTranscript, UserTurnEnded)
"""What it sees in passing."""

PARTICIPANT_WITHIN = 5.0
"""Seconds in which somebody must be there who can be heard."""
FINISH_WITHIN = 60.0
"""Seconds beyond the timeout in which a greeting that is heard to its end must have one."""
CALL_STATUS, ANSWERED = "sip.callStatus", "active"
"""The attribute by which a telephone call says that it was answered."""
JUDGE = "judge"
OBLIGATION = "verdict"


@dataclass(frozen=True, slots=True)
class AmdState:
    """What is known of the call."""

    greeting: Greeting = field(default_factory=Greeting)
    people: Mapping[str, ParticipantJoined] = field(default_factory=dict)
    speaking: frozenset[str] = frozenset()
    who: str | None = None
    """Whose greeting it is; None while nobody can be heard, and where there is no room."""
    listening: bool = False
    """The call was answered: what is heard counts."""
    attempt: int = 0
    """Questions to the model, so far."""
    failures: int = 0
    """Of the newest question."""
    mute: bool = False
    """The model did not answer it, and is not asked again."""
    extensions: int = 0
    """How often the model wanted to hear more."""
    told: AMDPredictionEvent | None = None
    """The verdict."""


class Amd(Actor[AmdState, AmdMessage]):
    """Finds out who answered.

    Args:
        wiring: the session's actors.
        detection: names it, where there are several.
        llm: judges the words.
        options: what it goes by.
    """

    def __init__(self, wiring: Wiring, detection: str, llm: LLM, options: AMDOptions) -> None:
        self._wiring = wiring
        self._detection = detection
        self._llm = llm
        self._options = options

    def initial(self) -> AmdState:
        """Nothing is known."""
        return AmdState()

    def started(self, state: AmdState, out: Outbox[AmdMessage]) -> AmdState:
        """Look first, then ask who is there: nobody who comes in between is missed."""
        out.subscribe(SEEN)
        if self._wiring.room is None or not self._wiring.components.room_audio_input:
            return self._listen(state, None, out)
        out.tell(self._wiring.supervisor, PeopleWanted(out.myself))
        out.timer(Due.PARTICIPANT.value, PARTICIPANT_WITHIN, AnswerDue(Due.PARTICIPANT))
        return state

    def receive(self, state: AmdState, message: AmdMessage, out: Outbox[AmdMessage]) -> AmdState:
        """One message; after the verdict nothing matters any more."""
        return state if state.told is not None else self._tell(self._handle(state, message, out), out)

    def _handle(self, state: AmdState, message: AmdMessage, out: Outbox[AmdMessage]) -> AmdState:
        match message:
            case PeopleThere(people, speaking):
                known = {joined.identity: joined for joined in people} | dict(state.people)
                return self._look(replace(state, people=known, speaking=state.speaking | speaking), out)
            case Delivery():
                return self._on_seen(state, message, out)
            case AnswerDue(due):
                return self._on_due(state, due, out)
            case AnswerJudged():
                return self._on_judged(state, message, out)
            case JudgeFailed():
                return self._on_judge_failed(state, message, out)
            case _:
                assert_never(message)

    # -- who is there ------------------------------------------------------------------------------------------------

    def _on_seen(self, state: AmdState, seen: Delivery, out: Outbox[AmdMessage]) -> AmdState:
        match seen.message:
            case ParticipantJoined() | ParticipantChanged() | ParticipantLeft() as change:
                ours = seen.target == self._wiring.supervisor.path  # what `room` handles may be about other services
                return self._on_people(state, change, out) if ours else state
            case UserSpeechFact() as fact:
                return self._on_voice(state, fact, out)
            case FinalTranscript(text=text) if text and self._is_of(state, seen.target):
                return self._on_words(state, text, out)
            case UserTurnEnded(participant=who, typed=False) if state.listening and state.who in (None, who):
                out.cancel_timer(Due.TURN.value)
                return replace(state, greeting=state.greeting.turn_ended())
            case _:
                return state

    def _on_people(
        self, state: AmdState, change: ParticipantJoined | ParticipantChanged | ParticipantLeft, out: Outbox[AmdMessage]
    ) -> AmdState:
        match change:
            case ParticipantJoined(identity):
                return self._look(replace(state, people={**state.people, identity: change}), out)
            case ParticipantChanged(identity):
                people = with_attributes(state.people, change)
                return self._look(replace(state, people=people), out)
            case ParticipantLeft(identity):
                return self._on_left(state, identity, out) if identity in state.people else state
            case _:
                assert_never(change)

    def _look(self, state: AmdState, out: Outbox[AmdMessage]) -> AmdState:
        """Listen from the moment on in which somebody is there who has answered."""
        if state.listening:
            return state
        wanted = self._options.participant
        heard = [one for one in state.people.values() if one.source is not None and wanted in (None, one.identity)]
        if not heard:
            return state
        out.cancel_timer(Due.PARTICIPANT.value)  # somebody is there: how long it rings is the telephone's affair
        answered = next((one for one in heard if _has_answered(one)), None)
        return state if answered is None else self._listen(state, answered.identity, out)

    def _listen(self, state: AmdState, who: str | None, out: Outbox[AmdMessage]) -> AmdState:
        options = self._options
        out.timer(Due.VERDICT.value, options.timeout, AnswerDue(Due.VERDICT))
        out.oblige(OBLIGATION, "the greeting of who answered the call to end", options.timeout + FINISH_WITHIN + 1.0)
        state = replace(state, who=who, listening=True)
        if who in state.speaking or (who is None and state.speaking):
            return replace(state, greeting=state.greeting.voice(out.now))
        out.timer(Due.NO_SPEECH.value, options.no_speech_threshold, AnswerDue(Due.NO_SPEECH))
        return state

    def _on_left(self, state: AmdState, identity: str, out: Outbox[AmdMessage]) -> AmdState:
        state = replace(state, people={name: one for name, one in state.people.items() if name != identity})
        hung_up = (
            identity == state.who if state.listening else not state.people or identity == self._options.participant
        )
        return self._settle(state, AMDCategory.UNCERTAIN, "participant_missing", out, done=True) if hung_up else state

    def _is_of(self, state: AmdState, target: str) -> bool:
        """Whether words that reach this actor are of whoever is listened to."""
        *_, ear, actor = target.split("/")
        return state.listening and actor == "turn" and (state.who is None or without_number(ear) == ear_name(state.who))

    # -- the greeting ------------------------------------------------------------------------------------------------

    def _on_voice(self, state: AmdState, fact: UserSpeechFact, out: Outbox[AmdMessage]) -> AmdState:
        who = {fact.participant}
        state = replace(state, speaking=state.speaking | who if fact.speaking else state.speaking - who)
        if not state.listening or state.who not in (None, fact.participant):
            return state
        greeting = state.greeting
        if fact.speaking:
            for due in (Due.NO_SPEECH, Due.SHORT, Due.SILENCE, Due.TURN, Due.POSTPONED):
                out.cancel_timer(due.value)
            return replace(state, greeting=greeting.voice(fact.at))
        greeting = greeting.silence(fact.at)
        if greeting.ended_at is None:
            return state
        since = greeting.since(out.now)
        self._expect_turn(out, since)
        self._await_silence(greeting, since, out)
        return replace(state, greeting=greeting)

    def _on_words(self, state: AmdState, text: str, out: Outbox[AmdMessage]) -> AmdState:
        greeting = state.greeting.words(text)
        out.cancel_timer(Due.NO_SPEECH.value)
        if not greeting.speaking:
            self._expect_turn(out)
            if greeting.ended_at is not None and not greeting.silent:
                self._await_silence(greeting, greeting.since(out.now), out)  # with words it is another silence
        return self._ask(replace(state, greeting=greeting, failures=0, mute=False), out)

    def _await_silence(self, greeting: Greeting, since: float, out: Outbox[AmdMessage]) -> None:
        for due in (Due.SHORT, Due.SILENCE):
            out.cancel_timer(due.value)
        due, seconds = greeting.wait(self._options)
        out.timer(due.value, seconds - since, AnswerDue(due))

    def _expect_turn(self, out: Outbox[AmdMessage], since: float = 0.0) -> None:
        """Where nothing ends the turn, silence does."""
        out.timer(Due.TURN.value, self._options.max_endpointing_delay - since, AnswerDue(Due.TURN))

    def _on_due(self, state: AmdState, due: Due, out: Outbox[AmdMessage]) -> AmdState:
        greeting = state.greeting
        match due:
            case Due.PARTICIPANT:
                return self._settle(state, AMDCategory.UNCERTAIN, "participant_missing", out, done=True)
            case Due.NO_SPEECH:
                return self._settle(state, AMDCategory.UNCERTAIN, "no_speech_timeout", out)
            case Due.SHORT:
                return self._settle(state, AMDCategory.HUMAN, "short_greeting", out)
            case Due.SILENCE:
                return self._give_up_if_unjudged(replace(state, greeting=replace(greeting, silent=True)), out)
            case Due.TURN:
                return self._give_up_if_unjudged(replace(state, greeting=greeting.turn_ended()), out)
            case Due.VERDICT:
                out.timer(Due.ENDLESS.value, FINISH_WITHIN, AnswerDue(Due.ENDLESS))
                return self._settle(state, AMDCategory.UNCERTAIN, "detection_timeout", out)
            case Due.ENDLESS:
                greeting = replace(greeting, speaking=False)
                state = replace(state, greeting=greeting)
                return self._settle(state, AMDCategory.UNCERTAIN, "detection_timeout", out, done=True)
            case Due.POSTPONED:
                silent = greeting.silent or not greeting.speaking
                return self._ask(replace(state, greeting=replace(greeting, silent=silent, asking=True)), out)
            case Due.RETRY:
                return self._ask(state, out)
            case _:
                assert_never(due)

    def _settle(
        self, state: AmdState, category: AMDCategory, reason: str, out: Outbox[AmdMessage], *, done: bool = False
    ) -> AmdState:
        if not done:
            for due in (Due.SHORT, Due.SILENCE, Due.RETRY):
                out.cancel_timer(due.value)
        return replace(state, greeting=state.greeting.settled(category, reason, self._options, done=done))

    # -- the model ---------------------------------------------------------------------------------------------------

    def _ask(self, state: AmdState, out: Outbox[AmdMessage]) -> AmdState:
        """Have the model judge all that was understood, in the place of a question about less."""
        llm, attempt, now = self._llm, state.attempt + 1, out.wall()
        out.cancel_timer(Due.RETRY.value)
        context = ChatContext(
            [
                ChatMessage("system", [self._options.prompt or PROMPT], id="amd.instructions", created_at=now),
                ChatMessage("user", [state.greeting.transcript], id="amd.greeting", created_at=now),
            ]
        )
        tools = tools_for(state.extensions)

        async def judge(_: EffectPort[AmdMessage]) -> AnswerJudged:
            async with llm.chat(chat_ctx=context, tools=tools, tool_choice="required") as answer:
                chunks = [chunk async for chunk in answer]
            calls = [call for chunk in chunks for call in chunk.tool_calls]
            return read_answer(attempt, calls, "".join(chunk.content for chunk in chunks))

        out.effect(
            JUDGE,
            judge,
            done=lambda judged: judged,
            failed=lambda error: JudgeFailed(attempt, error),
            deadline=self._wiring.options.llm_conn_options.timeout,
            user_loop=llm.home is Home.USER,
        )
        return replace(state, attempt=attempt)

    def _on_judged(self, state: AmdState, judged: AnswerJudged, out: Outbox[AmdMessage]) -> AmdState:
        if judged.attempt != state.attempt or not state.greeting.asking:
            return state
        greeting = replace(state.greeting, asking=False)
        said = "postponed" if judged.category is None else judged.category.value
        self._debug(state, out, answer=said)
        if judged.category is None and state.extensions < MAX_EXTENSIONS:
            out.cancel_timer(Due.SHORT.value)
            out.cancel_timer(Due.SILENCE.value)
            out.timer(Due.POSTPONED.value, judged.postpone, AnswerDue(Due.POSTPONED))
            return replace(state, greeting=greeting, extensions=state.extensions + 1)
        if judged.category not in (None, AMDCategory.UNCERTAIN):
            greeting = replace(greeting, verdict=Verdict(judged.category, "llm"))
        return replace(state, greeting=greeting)

    def _on_judge_failed(self, state: AmdState, failed: JudgeFailed, out: Outbox[AmdMessage]) -> AmdState:
        if failed.attempt != state.attempt or not state.greeting.asking:
            return state
        out.tell(self._wiring.supervisor, ComponentStumbled("llm", failed.error, self._llm.label))
        self._debug(state, out, answer=f"failed: {type(failed.error).__name__}")
        state = replace(state, failures=state.failures + 1)
        delay = retry_delay(failed.error, state.failures, self._wiring.options.llm_conn_options)
        if delay is not None:
            out.timer(Due.RETRY.value, delay, AnswerDue(Due.RETRY))
            return state
        state = replace(state, greeting=replace(state.greeting, asking=False), mute=True)
        return self._give_up_if_unjudged(state, out)

    def _give_up_if_unjudged(self, state: AmdState, out: Outbox[AmdMessage]) -> AmdState:
        """The model is out of order, and the greeting is over: waiting for the timeout would help nobody."""
        greeting = state.greeting
        if not state.mute or greeting.verdict is not None or not (greeting.silent and greeting.over):
            return state
        return self._settle(state, AMDCategory.UNCERTAIN, "llm_failed", out)

    def _debug(self, state: AmdState, out: Outbox[AmdMessage], **facts: object) -> None:
        payload = {"component": "amd", "detection": self._detection, "attempt": state.attempt, **facts}
        out.tell(self._wiring.supervisor, Publish(DebugMessageEvent(payload, out.wall())))

    # -- the verdict -------------------------------------------------------------------------------------------------

    def _tell(self, state: AmdState, out: Outbox[AmdMessage]) -> AmdState:
        """Once it counts: a machine is not told what was meant for a person; then speech may be heard again."""
        greeting, wiring = state.greeting, self._wiring
        if not greeting.counts or greeting.verdict is None:
            return state
        for due in Due:
            out.cancel_timer(due.value)
        out.cancel_effect(JUDGE)
        out.discharge(OBLIGATION)
        event = AMDPredictionEvent(
            speech_duration=greeting.seconds(out.now),
            category=greeting.verdict.category,
            reason=greeting.verdict.reason,
            transcript=greeting.transcript,
            delay=greeting.since(out.now),
            detection=self._detection,
            created_at=out.wall(),
        )
        if event.is_machine and self._options.interrupt_on_machine:
            out.tell(wiring.agent, WithholdReplies(self._detection, True))
            out.tell(wiring.floor, InterruptSpeech(None, force=True))
        out.tell(wiring.floor, WithholdSpeech(self._detection, False))
        if event.category is AMDCategory.MACHINE_IVR and self._options.ivr_detection:
            out.tell(wiring.supervisor, MenuReached(event.transcript))
        out.tell(wiring.supervisor, Publish(event))
        out.log("call_answered", category=event.category.value, reason=event.reason)
        return replace(state, told=event)

    def summary(self, state: AmdState) -> Mapping[str, object]:
        """What it waits for; no words of whoever answered."""
        greeting = state.greeting
        return {
            "listening": state.listening,
            "participant": state.who,
            "speaking": greeting.speaking,
            "silent": greeting.silent,
            "over": greeting.over,
            "asking": greeting.asking,
            "attempts": state.attempt,
            "verdict": None if greeting.verdict is None else greeting.verdict.category.value,
            "told": state.told is not None,
        }


def _has_answered(participant: ParticipantJoined) -> bool:
    """Whether what is heard of them is theirs: a telephone rings until it is answered."""
    return participant.kind != "sip" or participant.attributes.get(CALL_STATUS) == ANSWERED
