"""What the user said, and what became of it: P3, P4, P7."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.ear import FinalTranscript
from sessionactors.messages.floor import FloorGranted, PromoteSpeech, ScheduleSpeech, SetAllowInterruptions
from sessionactors.messages.history import AgentTakesOver
from sessionactors.messages.room import TextReceived
from sessionactors.messages.session import SpeakRequested
from sessionactors.messages.turn import TurnRoute, TurnTaken, UserActivity, UserTurnEnded
from sessionactors.model.chat import ChatMessage
from sessionactors.testing.scenario_run import Run

from .broken import Broken


def p03_transcripts_are_conserved(run: Run) -> Iterator[Broken]:
    """Every final and typed text becomes part of one turn; every turn is stored, or discarded by the user's hook."""
    typed = sum(1 for text in run.told(TextReceived) if text.text.strip())
    turns = run.told(UserTurnEnded, "agent")
    if typed != sum(1 for turn in turns if turn.typed):
        yield Broken("P3", f"{typed} texts were typed, {sum(1 for turn in turns if turn.typed)} became turns")
    if not run.settled:
        return
    yield from _finals_end_once(run, turns)
    agent = run.state_of("agent")
    replied, stored, discarded = (int(str(agent[name])) for name in ("replied", "stored", "discarded"))
    kept_at_close = len(turns) - replied - stored - discarded
    flushed = len(run.told(UserTurnEnded, "agent", after_snapshot=True))
    if kept_at_close != flushed:
        yield Broken("P3", f"{len(turns)} turns: {replied} replied to, {stored} stored, {discarded} discarded")
    asked = [request.user_input for request in run.told(SpeakRequested) if request.user_input is not None]
    messages = [item.text_content for item in run.added if isinstance(item, ChatMessage) and item.role == "user"]
    kept = replied + stored + kept_at_close
    # A realtime model keeps a turn's audio itself: the words are its transcript's, which is a turn of its own.
    silent = sum(1 for turn in turns if turn.route is TurnRoute.AUDIO and not _words_are_kept(run, turn))
    if not max(0, silent - discarded) <= kept + len(asked) - len(messages) <= silent:
        yield Broken("P3", f"{kept} turns and {len(asked)} inputs were kept, history has {messages}")


def _words_are_kept(run: Run, turn: UserTurnEnded) -> bool:
    """Of a turn whose audio a realtime model has: it does not say itself what they were."""
    transcribes = run.realtime is not None and run.realtime.capabilities.user_transcription
    return bool(turn.transcript) and not transcribes


def _finals_end_once(run: Run, turns: Sequence[UserTurnEnded]) -> Iterator[Broken]:
    """Each final is part of one turn, or was answered before its turn was over, or was given up with a reason."""
    finals = {final.id: final.text for final in run.told(FinalTranscript, "turn")}
    ended = Counter(name for turn in turns for name in turn.finals)
    ended.update(name for taken in run.told(TurnTaken, "turn") for name in taken.finals)
    for actor in () if run.snapshot is None else run.snapshot.values():
        account = actor.state.get("transcripts") if actor.path.endswith("/turn") else None
        if isinstance(account, Mapping):
            ended.update(str(line).split(":")[0] for line in account["lost"])
    for name, text in finals.items():
        if ended[name] != 1:
            yield Broken(
                "P3", f"{name} {text!r} ended {ended[name]} times; turns were {[turn.transcript for turn in turns]}"
            )
    for turn in turns:
        understood = " ".join(finals.get(name, "") for name in turn.finals)
        if all(name in finals for name in turn.finals) and not turn.typed and understood != turn.transcript:
            yield Broken("P3", f"{turn.turn} says {turn.transcript!r}, understood was {understood!r}")


def p04_one_reply_for_each_turn(run: Run) -> Iterator[Broken]:
    """No user turn has two automatic replies."""
    orders: tuple[ScheduleSpeech | PromoteSpeech, ...] = (*run.told(ScheduleSpeech), *run.told(PromoteSpeech))
    turns = Counter(order.spec.response or order.spec.turn for order in orders if order.spec.automatic)
    for turn, replies in turns.items():
        if turn and replies > 1:  # those that answer no turn tell of background tools
            yield Broken("P4", f"{turn} has {replies} automatic replies")


def p07_the_user_wins(run: Run) -> Iterator[Broken]:
    """No interruptible automatic reply is granted the floor while the user speaks."""
    specs: dict[str, SpeechSpec] = {}
    protected: dict[str, bool] = {}
    speaking: set[str] = set()
    # By the time at which they were told: what is told to floor on its control lane counts at once.
    for delivery in sorted(run.deliveries, key=attrgetter("id")):
        match delivery.message:
            case ScheduleSpeech(spec) | PromoteSpeech(spec):
                specs[spec.id] = spec
            case SetAllowInterruptions(speech, allow):
                protected[speech] = not allow
            case UserActivity(participant, present, hushed=hushed):
                (speaking.add if present and not hushed else speaking.discard)(participant)
            case FloorGranted() if speaking and delivery.outcome == "handled":
                speech = delivery.target.rsplit("/", 1)[-1]
                granted = specs.get(speech)
                if granted is None or not granted.automatic or protected.get(speech, not granted.allow_interruptions):
                    continue
                yield Broken(
                    "P7", f"{speech} was granted the floor while {', '.join(sorted(speaking))} spoke", delivery.id
                )
            case _:
                pass


def p03_turns_of_a_handoff_are_the_next_agents(run: Run) -> Iterator[Broken]:
    """Who has left replies to nothing more: a turn that ends while agents change is the next one's."""
    left: set[str] = set()
    by: dict[str, SpeechSpec] = {}
    for delivery in sorted(run.deliveries, key=attrgetter("id")):
        match delivery.message:
            case AgentTakesOver(agent, gone=gone):
                left = (left | set(gone)) - {agent.key}
            case ScheduleSpeech(spec) | PromoteSpeech(spec):
                by[spec.id] = spec
                if spec.agent.key in left:
                    yield Broken(
                        "P3", f"{spec.id} is scheduled in the name of {spec.agent.id}, who has left", delivery.id
                    )
            case FloorGranted():
                speaks = by.get(delivery.target.rsplit("/", 1)[-1])
                if speaks is not None and speaks.agent.key in left:
                    yield Broken(
                        "P3",
                        f"{speaks.id} is given the floor in the name of {speaks.agent.id}, who has left",
                        delivery.id,
                    )
            case _:
                pass
