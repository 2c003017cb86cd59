"""Who finds the turns beside a realtime model, as a table; and what a session does with the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import pytest

from sessionactors import NOT_GIVEN, NotGiven, OptionError, RealtimeCapabilities, SessionOptions
from sessionactors.interfaces.turn_detector import StreamingTurnDetector, TurnDetector, TurnDetectorStream
from sessionactors.model.chat import ChatContext
from sessionactors.model.options import InterruptionMode, TurnDetection
from sessionactors.session.realtime_turns import realtime_turns
from sessionactors.testing import CLIENT_TURNS, SPEAKING, Run

from .realtime_talks import one_turn, talk
from .talks import near, played

Wanted: TypeAlias = TurnDetection | NotGiven
Row: TypeAlias = tuple[Wanted, bool, bool, InterruptionMode | None, bool, TurnDetection, bool]


class Reads(TurnDetector):
    label = "reads"

    async def predict_end_of_turn(self, chat_ctx: ChatContext) -> float:
        return 1.0


class Listens(StreamingTurnDetector):
    label = "listens"

    def stream(self) -> TurnDetectorStream:
        raise NotImplementedError


READS, LISTENS = Reads(), Listens()
FIXED = replace(SPEAKING, can_disable_turn_detection=False)

# wanted, vad, stt, interruption mode | by the server, detection, ignored
WITH_SERVER_THAT_CAN_BE_TURNED_OFF: list[Row] = [
    (NOT_GIVEN, False, False, None, True, "realtime_llm", False),
    (NOT_GIVEN, True, False, None, True, "realtime_llm", False),
    (NOT_GIVEN, True, False, "vad", False, "vad", False),
    (NOT_GIVEN, False, False, "vad", True, "realtime_llm", False),
    (None, True, False, None, True, "realtime_llm", False),
    (None, True, False, "adaptive", False, "vad", False),
    ("realtime_llm", True, False, "vad", True, "realtime_llm", False),
    ("manual", False, False, None, False, "manual", False),
    ("vad", True, False, None, False, "vad", False),
    ("vad", False, False, None, True, "realtime_llm", True),
    ("stt", True, True, None, True, "realtime_llm", True),
    (READS, True, True, None, True, "realtime_llm", True),
    (LISTENS, True, False, None, False, LISTENS, False),
    (LISTENS, False, False, None, True, "realtime_llm", True),
]
WITH_SERVER_THAT_CANNOT: list[Row] = [
    (NOT_GIVEN, True, False, "vad", True, "realtime_llm", False),
    ("manual", False, False, None, True, "realtime_llm", True),
    ("vad", True, False, None, True, "realtime_llm", True),
    (LISTENS, True, False, None, True, "realtime_llm", True),
    ("realtime_llm", False, False, None, True, "realtime_llm", False),
]
WITHOUT_SERVER: list[Row] = [
    (NOT_GIVEN, True, False, None, False, "vad", False),
    (NOT_GIVEN, False, False, None, False, None, False),
    (None, True, False, None, False, "vad", False),
    ("realtime_llm", True, False, None, False, "vad", True),
    ("realtime_llm", False, False, None, False, None, True),
    ("stt", True, True, None, False, "vad", True),
    ("vad", False, False, None, False, None, True),
    ("vad", True, False, None, False, "vad", False),
    ("manual", False, False, None, False, "manual", False),
    (LISTENS, False, False, None, False, None, True),
    (LISTENS, True, False, None, False, LISTENS, False),
    (READS, True, False, None, False, "vad", True),
    (READS, True, True, None, False, READS, False),
]
TABLE = [
    (capabilities, row)
    for capabilities, rows in (
        (SPEAKING, WITH_SERVER_THAT_CAN_BE_TURNED_OFF),
        (FIXED, WITH_SERVER_THAT_CANNOT),
        (CLIENT_TURNS, WITHOUT_SERVER),
    )
    for row in rows
]


@pytest.mark.parametrize("capabilities, row", TABLE)
def test_who_finds_the_turns(capabilities: RealtimeCapabilities, row: Row) -> None:
    wanted, vad, stt, mode, server, detection, ignored = row
    given: dict[str, object] = {} if isinstance(wanted, NotGiven) else {"turn_detection": wanted}
    given |= {} if mode is None else {"interruption_mode": mode}
    turns = realtime_turns(SessionOptions.resolve(given), capabilities, vad=vad, stt=stt)
    assert (turns.server, turns.detection, bool(turns.ignored)) == (server, detection, ignored)


def test_a_server_that_interrupts_by_itself_does_not_go_with_a_protected_agent() -> None:
    options = SessionOptions.resolve({"allow_interruptions": False})
    with pytest.raises(OptionError, match="server detects turns"):
        realtime_turns(options, SPEAKING, vad=False, stt=False)
    assert not realtime_turns(options, CLIENT_TURNS, vad=True, stt=False).server


def test_a_session_that_cannot_be_had_does_not_start() -> None:
    scenario = one_turn(SPEAKING, allow_interruptions=False)
    with pytest.raises(OptionError, match="server detects turns"):
        scenario.play()


def test_the_server_is_told_to_detect_no_turns_and_they_are_found_here() -> None:
    run: Run = played(one_turn(SPEAKING, beside=("vad",), turn_detection="vad"))
    assert run.realtime is not None
    assert not run.realtime.last.detects_turns
    assert run.user_became("speaking") == [near(0.55)]
    assert run.agent_became("speaking") == [near(3.3)]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]


def test_a_protected_reply_is_not_possible_beside_a_server_that_interrupts() -> None:
    scenario = talk(SPEAKING)
    scenario.call(0.5, lambda session: session.generate_reply(allow_interruptions=False))
    scenario.realtime_replies("Once upon a time there was a king.", duration=5.0)
    scenario.user_says("Stop!", at=2.0, until=2.5)
    scenario.realtime_replies("All right.")
    run = played(scenario)
    assert run.agent_became("listening")[1] == near(2.05)
