"""Every cell of the failover matrix ends in its typed outcome, within its deadline, with nothing said twice (P13)."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.failover_table import cell_of
from sessionactors.model.component_errors import LLMError, RealtimeModelError, STTError, TTSError
from sessionactors.testing import invariants

from tests.failover.faulty import ANSWER
from tests.failover.matrix import ATTEMPT, CELLS, QUESTION, Cell, play

PAGE = Path(__file__).parents[2] / "docs" / "failover.md"
ERRORS = {"llm": LLMError, "realtime": RealtimeModelError, "stt": STTError, "tts": TTSError}


def deadline_of(cell: Cell) -> float:
    """Seconds in which one provider has answered or failed in this way."""
    match cell.fault:
        case "hung":
            return ATTEMPT + 0.5
        case "slow drip":
            return {"llm": 3 * ATTEMPT + 1.0, "stt": 4 * ATTEMPT + 2.0}.get(cell.kind, ATTEMPT + 0.5)
        case "reconnect storm":
            return 1.5
        case _:
            return 0.7


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_p13_a_fault_behind_an_adapter_ends_as_its_cell_says(cell: Cell) -> None:
    outcome = play(cell)
    invariants.check(outcome.run)
    broke_off = cell.fault == "error mid-stream"
    if cell.kind == "llm" and broke_off:  # words were given out: nobody else may begin anew
        assert [type(failure) for failure in outcome.failures] == [LLMError]
        assert ANSWER.startswith(outcome.answer[0])
        assert outcome.asked == (1, 0)
    elif cell.kind == "realtime" and broke_off:  # what was heard is not said again; the session goes on
        assert [type(event.error) for event in outcome.run.errors] == [RealtimeModelError]
        assert ANSWER.startswith(outcome.answer[0])
        assert outcome.asked == (1, 0)
    elif cell.broken == "first" or (cell.kind == "tts" and broke_off):
        assert outcome.answer == [ANSWER]
        assert outcome.spoke_after is not None
        assert outcome.spoke_after <= deadline_of(cell) + (2.0 if cell.kind == "stt" and broke_off else 0.7)
        assert not outcome.failures
    elif cell.kind == "realtime":  # a line to both may be back soon: the budget is the session's, and one is free
        assert not outcome.answer
        assert {type(event.error) for event in outcome.run.errors} == {RealtimeModelError}
        assert outcome.failed_after is None or outcome.failed_after <= 5 * deadline_of(cell) + 4.5
        assert sum(outcome.asked) <= 5
    else:
        assert not outcome.answer
        assert {type(failure) for failure in outcome.failures} == {ERRORS[cell.kind]}
        assert outcome.failed_after is not None
        assert outcome.failed_after <= 2 * deadline_of(cell) + 2.0
    if cell.kind == "stt":
        assert outcome.question in ([QUESTION], []) or cell.fault == "slow drip"
    elif not (cell.kind == "tts" and broke_off) and (cell.kind, cell.broken) != (
        "realtime",
        "both",
    ):  # the budget is one
        assert outcome.asked in ((1, 1), (1, 0))
    assert str(outcome) == cell_of(PAGE.read_text(), cell), "run: python docs/failover_table.py --write"


@pytest.mark.parametrize("kind", ["llm", "realtime", "stt", "tts"])
@pytest.mark.parametrize("seed", range(2))
def test_p13_failover_ends_the_same_in_any_order(kind: str, seed: int) -> None:
    (cell,) = [cell for cell in CELLS if (cell.kind, cell.fault, cell.broken) == (kind, "hung", "first")]
    outcome = play(cell, seed)
    invariants.check(outcome.run)
    assert outcome.answer == [ANSWER]
