"""Keys of a telephone that participants press: told to the program in order; whoever presses one is there."""

from __future__ import annotations

from sessionactors import SipDTMFReceivedEvent
from sessionactors.testing import Run, Scenario
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import keeper, near, played


def pressed(run: Run) -> list[tuple[str, int, str]]:
    return [(event.digit, event.code, event.participant) for event in run.of(SipDTMFReceivedEvent)]


def press(scenario: Scenario, digit: str, *, at: float, who: str = "caller") -> None:
    def presses(session: object) -> None:
        room = session.room_io.room  # type: ignore[attr-defined]
        assert isinstance(room, MemoryTransport)
        room.press(digit, who)

    scenario.call(at, presses)


def test_keys_of_the_caller_are_events_in_order_and_start_no_turn() -> None:
    scenario = Scenario(keeper())
    for number, digit in enumerate("1*#D"):
        press(scenario, digit, at=0.5 + 0.1 * number)
    scenario.close(at=2.0)
    run = played(scenario)
    assert pressed(run) == [("1", 1, "caller"), ("*", 10, "caller"), ("#", 11, "caller"), ("D", 15, "caller")]
    assert run.said() == []


def test_what_is_no_key_is_not_passed_on() -> None:
    scenario = Scenario(keeper())
    press(scenario, "Z", at=0.5)
    press(scenario, "", at=0.6)
    press(scenario, "7", at=0.7)
    scenario.close(at=1.0)
    assert pressed(played(scenario)) == [("7", 7, "caller")]


def test_only_keys_of_whom_the_session_listens_to_count() -> None:
    scenario = Scenario(keeper())
    scenario.joins("other")
    scenario.call(0.2, lambda session: session.room_io.set_participant("other"))
    press(scenario, "1", at=0.5)
    press(scenario, "2", at=0.6, who="other")
    scenario.close(at=1.0)
    assert pressed(played(scenario)) == [("2", 2, "other")]


def test_who_presses_a_key_is_not_away() -> None:
    scenario = Scenario(keeper(), user_away_timeout=3.0)
    press(scenario, "1", at=2.0)
    press(scenario, "2", at=6.0)
    scenario.close(at=7.0)
    run = played(scenario)
    assert run.user_states == ["listening", "away", "listening"]
    assert run.user_became("away") == [near(5.0)]
    assert run.user_became("listening") == [near(6.0)]
