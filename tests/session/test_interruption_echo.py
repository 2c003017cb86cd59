"""Whose echo canceller has to warm up: not that of a telephone which the agent called; anew for who comes after others.

The story is heard from 3.51 on; where there is a warm-up it lasts three seconds from then on.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessionactors import NOT_GIVEN
from sessionactors.actors.participants import gives_echo
from sessionactors.interfaces.transport import ParticipantKind
from sessionactors.messages.floor import PauseSpeech
from sessionactors.testing import Run, Scenario
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import STORY, keeper, near, played

INBOUND = {"sip.ruleID": "SDR_front-desk"}
NOTICE = "This call is being recorded for training purposes."


def room(*lines: tuple[str, ParticipantKind, dict[str, str]]) -> Callable[[], MemoryTransport]:
    def made() -> MemoryTransport:
        transport = MemoryTransport(participant=None, silence_rate=16000)
        for identity, kind, attributes in lines:
            transport.join(identity, kind=kind, attributes=attributes)
        return transport

    return made


def interrupted(make_room: Callable[[], MemoryTransport], warmup: object = NOT_GIVEN) -> Run:
    """The caller's voice sets in at 4.0, within the warm-up."""
    scenario = Scenario(keeper(), room=make_room, aec_warmup_duration=warmup)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=8.0)
    scenario.user_says("Stop!", at=4.0, until=5.0)
    scenario.llm_otherwise("Fine.")
    return played(scenario)


def pauses(run: Run) -> list[float]:
    return [run.time_of(delivery) for delivery in run.handled(PauseSpeech, "output")]


@pytest.mark.parametrize(
    "kind, attributes, echo",
    [
        ("standard", {}, True),
        ("sip", {}, False),
        ("sip", {"sip.ruleID": ""}, False),
        ("sip", INBOUND, True),
        ("connector", {}, True),
        ("agent", {}, True),
    ],
)
def test_who_gives_an_echo(kind: ParticipantKind, attributes: dict[str, str], echo: bool) -> None:
    assert gives_echo(kind, attributes) is echo


def test_a_telephone_that_was_called_may_interrupt_at_once() -> None:
    run = interrupted(room(("caller", "sip", {})))
    assert pauses(run) == [near(4.5)]
    assert run.state_of("floor")["aec_warmup"] == "over"


@pytest.mark.parametrize(
    "lines", [[("caller", "sip", INBOUND)], [("caller", "sip", {}), ("guest", "standard", {})]], ids=["inbound", "both"]
)
def test_who_may_give_an_echo_is_warmed_up_for(lines: list[tuple[str, ParticipantKind, dict[str, str]]]) -> None:
    assert pauses(interrupted(room(*lines))) == []


def test_what_was_given_holds_for_a_telephone_too() -> None:
    assert pauses(interrupted(room(("caller", "sip", {})), warmup=3.0)) == []


def warmed_up(*, comes: bool, kind: ParticipantKind = "standard", warmup: object = NOT_GIVEN) -> str:
    """A notice of five seconds at 0.5; the caller leaves at 7, and another may come at 8: the state at the end."""
    rooms: list[MemoryTransport] = []

    def made() -> MemoryTransport:
        rooms.append(MemoryTransport(silence_rate=16000))
        return rooms[0]

    scenario = Scenario(keeper(), room=made, aec_warmup_duration=warmup)
    scenario.tts_speaks(duration=5.0, text=NOTICE)
    scenario.call(0.5, lambda session: session.say(NOTICE))
    scenario.leaves(at=7.0, reason="connection_lost")
    if comes:
        scenario.call(8.0, lambda _: rooms[0].join("second", kind=kind))
    scenario.call(9.0, lambda _: None)
    return str(played(scenario).state_of("floor")["aec_warmup"])


def test_who_comes_to_an_empty_room_is_warmed_up_for_anew() -> None:
    assert warmed_up(comes=False) == "over"
    assert warmed_up(comes=True) == "due"
    assert warmed_up(comes=True, kind="sip") == "over"
    assert warmed_up(comes=True, warmup=3.0) == "over"  # one in a session, if it was given


def test_who_joins_others_is_not() -> None:
    scenario = Scenario(keeper(), aec_warmup_duration=NOT_GIVEN)
    scenario.tts_speaks(duration=5.0, text=NOTICE)
    scenario.call(0.5, lambda session: session.say(NOTICE))
    scenario.joins("guest", at=7.0)
    assert played(scenario).state_of("floor")["aec_warmup"] == "over"
