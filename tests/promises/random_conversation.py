"""Conversations drawn from a seed: voices, typing, calls and tools across each other, at moments that matter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from sessionactors import SPEECH_PRIORITY_HIGH, Agent, SessionStateError, function_tool
from sessionactors.testing import Scenario

from tests.session.talks import STORY, Session

PROVIDERS = ("input", "vad", "stt", "llm", "tts", "tools", "output")
KEEPERS = ("turn", "floor", "agent", "history", "room")


@function_tool
async def look_up(word: str) -> str:
    """Looks something up."""
    await asyncio.sleep(0.4)
    return f"{word} it is"


def unless_refused(call: Callable[[Session], object]) -> Callable[[Session], None]:
    """What may be refused because a speech is protected or cut already, or because the session has ended."""

    def attempt(session: Session) -> None:
        try:
            call(session)
        except SessionStateError:
            return

    return attempt


def drawn(seed: int) -> Scenario:
    """One conversation; the same for the same seed."""
    dice = random.Random(seed)
    scenario = Scenario(
        Agent(instructions="Be kind.", tools=[look_up]),
        frame_ms=100,
        min_interruption_words=dice.choice([0, 0, 2]),
        allow_interruptions=dice.random() < 0.9,
    )
    at = 0.5
    for _ in range(dice.randint(1, 3)):
        until = at + dice.uniform(0.3, 2.0)
        scenario.user_says(dice.choice(["", "Tell me.", "What now?"]), at=at, until=until)
        at = until + dice.uniform(0.3, 3.0)
    for number in range(dice.randint(0, 8)):
        _command(scenario, dice, round(dice.uniform(0.1, at + 1.0), 3), number)
    for _ in range(4):
        calls = [("look_up", '{"word": "this"}')] if dice.random() < 0.4 else []
        text = dice.choice(["", "Short.", "One moment. " + STORY]) or ("" if calls else "Hm.")
        scenario.llm_replies(text, ttft=dice.choice([0.05, 0.1, 1.0]), duration=1.0 + dice.random(), tool_calls=calls)
    scenario.llm_otherwise("That is all.")
    if dice.random() < 0.3:
        scenario.close(dice.uniform(0.1, at), deadline=dice.choice([1.0, 5.0]))
    return scenario


def _command(scenario: Scenario, dice: random.Random, at: float, number: int) -> None:
    commands: list[Callable[[Session], object]] = [
        lambda session: session.interrupt(),
        lambda session: session.interrupt(force=True),
        lambda session: session.current_speech and session.current_speech.interrupt(),
        _protect_current,
        lambda session: session.say(f"Said as number {number}. And more."),
        lambda session: session.say(f"Protected as number {number}.", allow_interruptions=False),
        lambda session: session.say(f"Urgent as number {number}.", priority=SPEECH_PRIORITY_HIGH),
        lambda session: session.generate_reply(user_input=f"Asked as number {number}."),
    ]
    choice = dice.randrange(len(commands) + 1)
    if choice == len(commands):
        scenario.user_types(f"Typed as number {number}.", at=at)
    else:
        scenario.call(at, unless_refused(commands[choice]))


def _protect_current(session: Session) -> None:
    if session.current_speech is not None:
        session.current_speech.allow_interruptions = False
