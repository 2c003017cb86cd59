"""A judge's verdict on what the agent said. What was not judged has not passed (F24)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionactors.evals.reading import EvalFileError

from tests.evals.agents import held, written

STEPS = "- {type: hello, answers: Hello to you., expect: {judge: greets the caller}}"


@pytest.mark.parametrize("judge, verdict", [("kind", "pass: it is kind"), ("doubtful", "maybe: so")])
def test_words_that_a_judge_lets_pass_pass_and_the_reason_is_noted(tmp_path: Path, judge: str, verdict: str) -> None:
    trial = held(written(tmp_path, STEPS, head=f"judge: {{llm: tests.evals.judges:{judge}}}\n"))
    assert trial.passed
    assert trial.notes == (f"step 1: the judge says {verdict}",)


@pytest.mark.parametrize(
    "judge, came",
    [
        ("strict", "fail: it is rude; the agent said 'Hello to you.'"),
        ("mute", "not judged: APIError: scripted.LLM did not call submit_verdict"),
        ("broken", "not judged: APIError: the script has 0 replies"),
    ],
)
def test_f24_no_verdict_is_no_pass(tmp_path: Path, judge: str, came: str) -> None:
    trial = held(written(tmp_path, STEPS, head=f"judge: {{llm: tests.evals.judges:{judge}}}\n"))
    (failure,) = trial.failures
    assert (failure.key, failure.expected) == ("judge", "greets the caller")
    assert failure.came.startswith(came)


def test_f24_silence_is_judged_as_failed_without_asking(tmp_path: Path) -> None:
    steps = "- {wait: 1, expect: {judge: greets the caller}}"
    trial = held(written(tmp_path, steps, head="judge: {llm: 'tests.evals.judges:kind'}\n"))
    assert trial.failures[0].came.startswith("fail: the message is empty")


def test_the_agents_own_model_judges_only_where_it_is_used(tmp_path: Path) -> None:
    trial = held(written(tmp_path, STEPS, head="judge: {llm: own}\n"))
    assert "the agent's own model is not used here" in trial.failures[0].came


def test_judges_look_at_the_whole_conversation(tmp_path: Path) -> None:
    steps = "- {type: hello, answers: Hello to you.}"
    more = "judges: [accuracy, safety, coherence]\n"
    trial = held(written(tmp_path, steps, head="judge: {llm: 'tests.evals.judges:of_all'}\n", more=more))
    assert [(failure.line, failure.expected, failure.came[:10]) for failure in trial.failures] == [
        (5, "safety to pass", "fail: so"),
        (5, "coherence to pass", "not judged"),
    ]
    assert trial.notes[0] == "accuracy: the judge says pass: so"


def test_a_judge_that_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvalFileError, match="there is no judge 'kindness'; there are accuracy, coherence, concise"):
        written(tmp_path, "- {type: a, answers: b}", more="judges: kindness\n")


def test_a_judge_may_stand_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "judges_beside.py").write_text("from tests.evals.judges import kind as chosen\n")
    trial = held(written(tmp_path, STEPS, head="judge: {llm: 'judges_beside:chosen'}\n"))
    assert trial.notes == ("step 1: the judge says pass: it is kind",)
