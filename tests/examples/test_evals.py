"""The eval files of the examples: all can be read, and a part of them is held here; ``make evals`` holds all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from sessionactors.testing import EvalCase, eval_cases

FILES: Final = sorted((Path(__file__).parents[2] / "examples" / "evals").glob("*.yaml"))
QUICK: Final = ("asks where an order is", "cuts off the menu")
CASES: Final = eval_cases(*FILES)


def test_there_are_ten_conversations() -> None:
    assert len(CASES) >= 10


@pytest.mark.parametrize("case", [case for case in CASES if case.name in QUICK], ids=str)
def test_the_examples_do_as_their_evals_expect(case: EvalCase) -> None:
    assert case.check().seconds > 1.0


def test_a_case_that_fails_shows_what_came(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    desk = FILES[0].parents[1] / "voice_offline.py"
    file.write_text(f"agent: {desk}\nconversations: [{{name: c, steps: [{{wait: 0.5, expect: {{text: Hello}}}}]}}]\n")
    (case,) = eval_cases(file)
    with pytest.raises(AssertionError, match=r"expected to contain 'Hello'\n *came     the agent said nothing"):
        case.check()
