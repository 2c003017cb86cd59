"""Each check passes a provider that conforms, and fails one that has the flaw it is there for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from sessionactors.cli.app import app
from sessionactors.model.errors import OptionError
from sessionactors.testing import conformance

from tests.conformance.fake_llm import fake_llm_rig
from tests.conformance.fake_realtime import fake_realtime_rig
from tests.conformance.fake_stt import fake_stt_rig
from tests.conformance.fake_transport import fake_transport_rig
from tests.conformance.fake_tts import fake_tts_rig
from tests.conformance.fake_vad import fake_vad_rig

FAKES: Mapping[str, Callable[[str], conformance.Rig[Any]]] = {
    "llm": fake_llm_rig,
    "stt": fake_stt_rig,
    "tts": fake_tts_rig,
    "vad": fake_vad_rig,
    "realtime": fake_realtime_rig,
    "transport": fake_transport_rig,
}
FLAWS = [(kind, check.name) for kind, checks in conformance.CHECKS.items() for check in checks.all]


def test_there_is_a_fake_of_every_kind() -> None:
    assert set(FAKES) == set(conformance.CHECKS)


@pytest.mark.parametrize("check", conformance.checks(*(fake("") for fake in FAKES.values())), ids=str)
def test_a_conforming_provider_passes(check: conformance.CheckOfRig) -> None:
    check()


@pytest.mark.parametrize("kind, name", FLAWS)
@pytest.mark.leaves_behind("the flaw of some is that they leave tasks")
def test_each_check_can_fail(kind: str, name: str) -> None:
    (check,) = [check for check in conformance.checks(FAKES[kind](name)) if check.check.name == name]
    outcome = check.outcome()
    assert outcome.result == "failed", outcome
    assert outcome.why


def test_each_check_says_what_it_wants() -> None:
    for checks in conformance.CHECKS.values():
        assert all(check.summary.endswith(".") for check in checks.all)


def test_what_the_rig_cannot_bring_on_is_not_applicable() -> None:
    rig = replace(fake_llm_rig(), faults=frozenset({conformance.Fault.SILENCE}), tools=False)
    outcomes = {outcome.check: outcome for row in conformance.run([rig]) for outcome in row.outcomes}
    assert outcomes["silence_can_be_cancelled"].result == "ok"
    assert outcomes["drip_is_passed_on"].result == "not applicable"
    assert outcomes["drip_is_passed_on"].why == "the rig cannot bring on: drip"
    assert outcomes["calls_a_tool"].why == "it calls no tools"


def test_a_waived_check_gives_its_reason_and_must_exist() -> None:
    rig = replace(fake_llm_rig(), waived={"reports_usage": "the endpoint counts no tokens"})
    (check,) = [check for check in conformance.checks(rig) if check.check.name == "reports_usage"]
    with pytest.raises(conformance.NotApplicable, match="counts no tokens"):
        check()
    with pytest.raises(OptionError, match="waives report_usage: no check of llm has that name"):
        conformance.checks(replace(rig, waived={"report_usage": "misspelt"}))


def test_the_table_has_a_column_for_each_provider_and_says_why() -> None:
    told: list[str] = []
    good, bad = fake_llm_rig(), replace(fake_llm_rig("reports_usage"), name="bad.LLM", faults=frozenset())
    rows = conformance.run([good, bad], lambda rig, outcome: told.append(f"{rig} {outcome.check}"))
    text = conformance.as_text(rows)
    assert "fake.LLM  bad.LLM" in text
    assert re.search(r"^reports_usage +ok +FAILED$", text, re.MULTILINE)
    assert re.search(r"^drip_is_passed_on +ok +-$", text, re.MULTILINE)
    assert "bad.LLM: reports_usage FAILED: usage was told 0 times" in text
    assert len(told) == 2 * len(conformance.LLM_CHECKS.all)
    assert [row["provider"] for row in json.loads(conformance.as_json(rows))] == ["fake.LLM", "bad.LLM"]


def test_the_command_prints_the_table_and_fails_when_a_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    command = CliRunner()
    good = command.invoke(app, ["conformance", "tests.conformance.fake_rigs:LLM"])
    assert (good.exit_code, "fake.LLM: 29 ok, 0 failed" in good.output) == (0, True), good.output
    bad = command.invoke(app, ["conformance", "--json", "tests.conformance.fake_rigs:FLAWED"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)[0]["provider"] == "fake.LLM"


@pytest.mark.parametrize(
    "name, says",
    [
        ("tests.conformance.fake_rigs:NONE", "has no NONE; its rigs are FLAWED, LLM, STT, TTS"),
        ("tests.conformance.fake_llm", "has no rigs"),
        ("tests.conformance.fake_rigs:NUMBER", "is no rig"),
    ],
)
def test_a_name_that_stands_for_no_rig_is_told(name: str, says: str) -> None:
    result = CliRunner().invoke(app, ["conformance", name])
    assert result.exit_code == 1
    assert says in result.output
