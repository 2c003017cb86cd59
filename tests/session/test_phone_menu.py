"""Calls that reach a telephone menu: what is said again and again, silence on both sides, and keys that are pressed."""

from __future__ import annotations

import pytest

from sessionactors import AgentSession, FunctionCallOutput, send_dtmf_events
from sessionactors.actors.menu_loop import MenuLoop, similarities
from sessionactors.messages.llm import GenerateText
from sessionactors.testing import Run, Scenario
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import keeper, near, played

MENU = "For sales press one, for support press two."


def call(**options: object) -> Scenario:
    """Somebody is on the phone."""
    rooms: list[MemoryTransport] = []

    def room() -> MemoryTransport:
        rooms.append(MemoryTransport(frame_ms=50, silence_rate=16000, telephone=True))
        return rooms[-1]

    scenario = Scenario(keeper(), ivr_detection=True, room=room, frame_ms=50, **options)  # type: ignore[arg-type]
    scenario.rooms = rooms  # type: ignore[attr-defined]
    return scenario


def menu(times: int, *, text: str = MENU, every: float = 2.0) -> Scenario:
    """A menu speaks for a second, again and again; nothing is answered by itself."""
    scenario = call(turn_detection="manual")
    for number in range(times):
        scenario.user_says(text, at=1.0 + every * number, until=2.0 + every * number)
    scenario.llm_otherwise("One.")
    scenario.close(at=1.0 + every * times + 1.5)
    return scenario


def asked_at(run: Run) -> list[float]:
    return [run.time_of(delivery) for delivery in run.handled(GenerateText, "llm")]


def test_a_menu_that_says_the_same_again_and_again_is_answered_and_not_interrupted() -> None:
    run = played(menu(4))
    assert asked_at(run) == [near(1.0 + 3 * 2.0 + 1.0 + 0.2)]  # with the words of the third repetition
    assert run.said() == ["One."]


def test_a_menu_that_says_something_else_each_time_is_not_a_loop() -> None:
    scenario = call(turn_detection="manual")
    for number, text in enumerate([MENU, "Press three for billing.", MENU, "Please hold the line.", MENU]):
        scenario.user_says(text, at=1.0 + 2.0 * number, until=2.0 + 2.0 * number)
    scenario.close(at=12.0)
    assert asked_at(played(scenario)) == []


def test_silence_on_both_sides_is_answered_after_five_seconds_and_again() -> None:
    scenario = call(turn_detection="manual")
    scenario.user_says("Hello.", at=1.0, until=2.0)
    scenario.llm_otherwise("Yes?")
    scenario.tts_speaks(duration=1.0, text="Yes?")
    scenario.close(at=16.0)
    run = played(scenario)
    silent = run.user_became("listening")[0]
    first, second = asked_at(run)
    assert first == near(silent + 5.0)
    assert second == near(run.agent_became("listening")[1] + 5.0)


def test_while_the_telephone_rings_nobody_is_asked_to_speak() -> None:
    scenario = call()
    scenario.close(at=12.0)
    assert asked_at(played(scenario)) == []


def test_without_the_option_silence_is_silence_and_there_is_no_tool() -> None:
    scenario = Scenario(keeper(), turn_detection="manual", frame_ms=50, room=lambda: MemoryTransport(telephone=True))
    scenario.user_says("Hello.", at=1.0, until=2.0)
    scenario.close(at=9.0)
    assert asked_at(scenario.play()) == []


def test_the_model_presses_keys_of_the_telephone() -> None:
    scenario = call()
    scenario.user_says(MENU, at=0.5, until=1.5)
    scenario.llm_replies("", tool_calls=[("send_dtmf_events", '{"events": ["1", "#"]}')])
    scenario.llm_replies("Pressed.")
    scenario.close(at=5.0)
    run = played(scenario)
    (room,) = scenario.rooms  # type: ignore[attr-defined]
    assert room.pressed == ["1", "#"]
    assert [item.output for item in run.history if isinstance(item, FunctionCallOutput)] == ["pressed: 1, #"]
    assert [tool.name for tool in run.requests[0].tools] == ["send_dtmf_events"]


def test_a_key_that_cannot_be_pressed_is_told_to_the_model() -> None:
    scenario = call()

    async def broken(*, code: int, digit: str) -> None:
        raise ConnectionError("no line")

    scenario.call(0.1, lambda session: setattr(session.room_io.room, "publish_dtmf", broken))
    scenario.user_says(MENU, at=0.5, until=1.5)
    scenario.llm_replies("", tool_calls=[("send_dtmf_events", '{"events": ["1"]}')])
    scenario.llm_replies("Well.")
    scenario.close(at=5.0)
    (output,) = [item for item in played(scenario).history if isinstance(item, FunctionCallOutput)]
    assert output.is_error
    assert "key 1 could not be pressed: no line" in output.output


async def test_where_no_key_can_be_pressed_there_is_no_tool_and_the_users_own_one_stays() -> None:
    session = AgentSession[object](ivr_detection=True)
    await session.start(keeper(), room=MemoryTransport(audio=False))
    assert session.tools == []
    await session.aclose()
    own = AgentSession[object](ivr_detection=True, tools=[send_dtmf_events])
    await own.start(keeper(), room=MemoryTransport(audio=False, telephone=True))
    assert own.tools == [send_dtmf_events]
    await own.aclose()


@pytest.mark.parametrize(
    "utterances, repeated",
    [
        ((), 0),
        (("", "", ""), 0),
        ((MENU,), 0),
        ((MENU, MENU), 1),
        ((MENU, MENU, "Please hold.", MENU), 1),
        ((MENU, MENU.upper(), MENU, MENU), 3),
        ((MENU, "Thank you for calling.", MENU, "Thank you for calling.", MENU), 3),
    ],
)
def test_repetitions_are_counted(utterances: tuple[str, ...], repeated: int) -> None:
    loop = MenuLoop()
    for utterance in utterances:
        loop = loop.heard(utterance)
    assert (loop.repeated, loop.found) == (repeated, repeated >= 3)


def test_similarity_is_about_the_words_that_tell_utterances_apart() -> None:
    same, other = similarities((MENU, "Please hold the line.", MENU))
    assert same == pytest.approx(1.0)
    assert other == 0.0
    (nearly,) = similarities(("Your position in the queue is four.", "Your position in the queue is five."))
    assert 0.5 < nearly < 0.85
