"""Turn-taking drawn from a seed: people who talk, cough, type, are muted and leave, under options of all kinds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from sessionactors import InterruptionDetector, Overlap, OverlapVerdict, SpeechEvent, SpeechEventType
from sessionactors.model.events import ErrorEvent
from sessionactors.testing import Broken, Run, Scenario, ScriptedStreamingTurnDetector, ScriptedTurnDetector, invariants
from sessionactors.transports.memory import MemoryTransport

from tests.promises.random_conversation import unless_refused
from tests.session.talks import STORY, Session, keeper

GUEST = "guest"
LONG = "One moment. " + STORY
WORDS = ("Stop.", "Yes, please go on.", "And then what happened?", "mm-hm", "你好。")


class Judge(InterruptionDetector):
    """Takes a while; short words are listening noises."""

    label = "judge"
    sample_rate = 16000

    async def judge(self, overlap: Overlap) -> OverlapVerdict | None:
        await asyncio.sleep(0.05)
        if overlap.duration > 0.8:
            return OverlapVerdict(is_interruption=True, probability=0.9)
        return OverlapVerdict(is_interruption=False, probability=0.1) if overlap.ended and overlap.final else None


def plain_room() -> MemoryTransport:
    room = MemoryTransport(silence_rate=16000, frame_ms=100)
    room.sink.can_pause = False
    return room


def drawn(seed: int) -> Scenario:
    """One conversation; the same for the same seed."""
    dice = random.Random(seed)
    options = _options(dice)
    silence, ttfb = dice.choice([0.3, 0.5, 0.5]), dice.choice([0.05, 0.2, 0.7])
    scenario = Scenario(keeper(), frame_ms=100, min_silence=silence, ttfb=ttfb, **options)  # type: ignore[arg-type]
    scenario.tts_speaks(text=LONG, duration=dice.choice([4.0, 9.0]))
    if dice.random() < 0.6:
        scenario.call(dice.choice([0.1, 0.6]), unless_refused(lambda session: session.say(LONG)))
    two = dice.random() < 0.3
    if two:
        scenario.joins(GUEST)
    delay = dice.choice([0.05, 0.2, 0.9])
    ends = [_talks(scenario, dice, delay, "caller", by_stt=options["turn_detection"] == "stt")]
    if two:
        ends.append(_talks(scenario, dice, delay, GUEST, by_stt=False))
    last = max(ends)
    leaves = two and dice.random() < 0.3
    if leaves:
        scenario.leaves(GUEST, at=round(dice.uniform(0.5, last), 3))
    for number in range(dice.randint(0, 5)):
        # The account of who has left is gone with their ear: what was cleared there cannot be looked up.
        _acts(scenario, dice, round(dice.uniform(0.2, last + 1.0), 3), number, clears=not leaves)
    for _ in range(3):
        scenario.llm_replies(dice.choice(["Short.", LONG, LONG]), ttft=dice.choice([0.05, 0.4]), duration=0.8)
    scenario.llm_otherwise("That is all.")
    if dice.random() < 0.15:
        scenario.close(round(dice.uniform(0.3, last), 3), deadline=dice.choice([1.0, 5.0]))
    return scenario


def _options(dice: random.Random) -> dict[str, object]:
    detectors: list[object] = [
        *(None, None, None, "vad", "stt", "manual"),
        ScriptedTurnDetector(dict.fromkeys(WORDS[:2], 0.1)),
        ScriptedStreamingTurnDetector(),
    ]
    return {
        "turn_detection": dice.choice(detectors),
        "min_endpointing_delay": dice.choice([0.0, 0.3, 0.5]),
        "max_endpointing_delay": dice.choice([0.6, 3.0]),
        "endpointing_mode": dice.choice(["fixed", "dynamic"]),
        "min_interruption_words": dice.choice([0, 0, 2]),
        "min_interruption_duration": dice.choice([0.0, 0.5]),
        "resume_false_interruption": dice.random() < 0.8,
        "false_interruption_timeout": dice.choice([0.0, 0.6, 2.0, 2.0, None]),
        "interruption_mode": Judge() if dice.random() < 0.2 else None,
        "allow_interruptions": dice.random() < 0.9,
        "discard_audio_if_uninterruptible": dice.random() < 0.5,
        "aec_warmup_duration": dice.choice([None, None, 1.0]),
        "preemptive_generation": dice.random() < 0.5,
        "preemptive_tts": dice.random() < 0.5,
        "min_consecutive_speech_delay": dice.choice([0.0, 0.4]),
        **({"room": plain_room} if dice.random() < 0.2 else {}),
    }


def _talks(scenario: Scenario, dice: random.Random, delay: float, who: str, *, by_stt: bool) -> float:
    at = dice.uniform(0.2, 1.5)
    for _ in range(dice.randint(2, 6)):
        until = at + dice.choice([0.2, 0.4, 0.8, 1.5])
        text = dice.choice(["", "", *WORDS])
        interims = [(at + 0.15, text.split()[0])] if text and dice.random() < 0.5 else []
        if not text and dice.random() < 0.2:
            interims = [(at + 0.15, "hm")]  # words that turn out to be none
        scenario.user_says(text, at=at, until=until, stt_delay=delay, interims=interims, participant=who)
        if by_stt and dice.random() < 0.8:
            scenario.stt_reports(
                SpeechEvent(SpeechEventType.END_OF_SPEECH), at=until + dice.choice([0.1, delay + 0.05])
            )
        at = until + dice.choice([0.1, 0.3, 0.45, 0.6, 1.2, 2.6, 4.0])
    return at


def _acts(scenario: Scenario, dice: random.Random, at: float, number: int, *, clears: bool) -> None:
    later = round(at + dice.uniform(0.2, 1.5), 3)
    commands: dict[str, Callable[[Session], object]] = {
        "say": lambda session: session.say(f"Said as number {number}. And more."),
        "protect": lambda session: session.say(f"Protected as number {number}.", allow_interruptions=False),
        "interrupt": lambda session: session.interrupt(),
        "force": lambda session: session.interrupt(force=True),
        "commit": lambda session: session.commit_user_turn(transcript_timeout=0.5),
        "keep": lambda session: session.commit_user_turn(skip_reply=True, transcript_timeout=0.0),
        "mode": lambda session: session.update_options(turn_detection=dice.choice([None, "vad", "manual"])),
        "reply": lambda session: session.generate_reply(user_input=f"Asked as number {number}."),
    }
    if clears:
        commands["clear"] = lambda session: session.clear_user_turn()
    match dice.choice([*commands, "type", "mute", "silent"]):
        case "type":
            scenario.user_types(f"Typed as number {number}.", at=at)
        case "mute":
            scenario.call(at, unless_refused(lambda session: session.input.set_audio_enabled(False)))
            scenario.call(later, unless_refused(lambda session: session.input.set_audio_enabled(True)))
        case "silent":
            scenario.call(at, unless_refused(lambda session: session.output.set_audio_enabled(False)))
            scenario.call(later, unless_refused(lambda session: session.output.set_audio_enabled(True)))
        case name:
            scenario.call(at, unless_refused(commands[name]))


def broken(run: Run) -> list[Broken]:
    """What is broken of the promises, and of what turn-taking owes besides when all is quiet."""
    return [*invariants.broken(run), *_left_over(run)]


def _left_over(run: Run) -> list[Broken]:
    found = [Broken("P9", f"error: {event.error!r}") for event in run.of(ErrorEvent)]
    if run.closed_by_script or run.snapshot is None:
        return found
    floor = run.state_of("floor")
    still = [name for name in ("pause", "user_speaking", "recognisers_get_silence", "current") if floor[name]]
    found += [Broken("P9", f"floor: {name} is {floor[name]} at the end") for name in still]
    if run.user_states[-1] == "speaking":
        found.append(Broken("P6", "the user speaks at the end"))
    for path, actor in run.snapshot.items():
        if path.endswith("/turn") and actor.state["phase"] in ("speaking", "deciding"):
            found.append(Broken("P9", f"{path} is {actor.state['phase']} at the end"))
    return found
