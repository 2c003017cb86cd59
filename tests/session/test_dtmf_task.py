"""``GetDtmfTask``: digits that are pressed or spoken, until there are enough of them."""

from __future__ import annotations

import pytest

from sessionactors import Agent, FunctionCallOutput, GetDtmfTask, OptionError, function_tool
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import near, played
from tests.session.test_keys_pressed import press


class Bank(Agent):
    """Asks for a number in a tool."""

    def __init__(self, **options: object) -> None:
        super().__init__(instructions="You are a bank.")
        self.options = {"num_digits": 4, **options}
        self.task: GetDtmfTask | None = None

    @function_tool
    async def ask_number(self) -> str:
        """Ask for the number."""
        self.task = GetDtmfTask(**self.options)  # type: ignore[arg-type]
        return (await self.task).user_input


def asked(*, audio: bool = False, **options: object) -> Scenario:
    """The user wants something at 0.5; the agent asks for a number, aloud for two seconds, until about 3.4."""
    scenario = Scenario(Bank(**options), audio=audio)
    scenario.user_types("My balance.", at=0.5)
    scenario.llm_replies(tool_calls=[("ask_number", "{}")])
    scenario.llm_replies("Your number?")
    if audio:
        scenario.tts_speaks(duration=2.0)
    return scenario


def keys(scenario: Scenario, digits: str, *, at: float) -> None:
    for number, digit in enumerate(digits):
        press(scenario, digit, at=at + 0.1 * number)


def outputs(run: Run) -> list[tuple[str, str, float]]:
    """What tools gave, and when the history had it."""
    return [(item.name, item.output, item.created_at) for item in run.history if isinstance(item, FunctionCallOutput)]


def answered(scenario: Scenario, *, at: float = 12.0) -> Run:
    scenario.llm_replies("Thank you.")
    scenario.close(at=at)
    return played(scenario)


def test_digits_count_when_the_stop_key_is_pressed() -> None:
    scenario = asked()
    keys(scenario, "1234#", at=5.0)
    run = answered(scenario)
    assert [(name, output) for name, output, _ in outputs(run)] == [("ask_number", "1 2 3 4")]
    assert run.said() == ["Your number?", "Thank you."]


@pytest.mark.parametrize("patience", [4.0, 1.5])
def test_or_when_no_key_is_pressed_for_a_while(patience: float) -> None:
    scenario = asked(dtmf_input_timeout=patience)
    keys(scenario, "1234", at=5.0)
    run = answered(scenario)
    ((_, output, at),) = outputs(run)
    assert output == "1 2 3 4"
    keyed = asked()
    keys(keyed, "1234#", at=5.0)
    ((_, _, keyed_at),) = outputs(answered(keyed))
    assert at - keyed_at == near(patience - 0.1)


@pytest.mark.parametrize("digits", ["123#", "12345#", "#"])
def test_too_few_or_too_many_are_an_error_of_the_tool(digits: str) -> None:
    scenario = asked()
    keys(scenario, digits, at=5.0)
    ((_, output, _),) = outputs(answered(scenario))
    assert output == f"{len(digits) - 1} digits were pressed, and 4 are needed"


def test_who_knows_the_question_need_not_hear_it_out() -> None:
    scenario = asked(audio=True)
    keys(scenario, "1234#", at=1.6)
    run = answered(scenario, at=4.0)
    assert [output for _, output, _ in outputs(run)] == ["1 2 3 4"]
    assert run.said()[0] != "Your number?"


def test_time_does_not_run_while_the_user_speaks() -> None:
    scenario = asked(audio=True, dtmf_input_timeout=0.7)
    keys(scenario, "12", at=3.6)
    scenario.user_says("Let me look.", at=4.0, until=5.5)
    keys(scenario, "34#", at=5.6)
    run = answered(scenario, at=8.0)
    assert [output for _, output, _ in outputs(run)] == ["1 2 3 4"]


def test_digits_that_are_spoken_are_taken_by_the_model() -> None:
    scenario = asked()
    scenario.user_types("One two three four.", at=5.0)
    scenario.llm_replies(tool_calls=[("record_inputs", '{"inputs": ["1", "2", "3", "4"]}')])
    run = answered(scenario)
    assert [(name, output) for name, output, _ in outputs(run)] == [("record_inputs", ""), ("ask_number", "1 2 3 4")]


def confirmed() -> Scenario:
    scenario = asked(audio=True, ask_for_confirmation=True, dtmf_input_timeout=0.3)
    keys(scenario, "1234#", at=3.6)
    scenario.llm_replies("One, two, three, four?")
    scenario.tts_speaks(duration=2.0)
    press(scenario, "9", at=4.8)  # while they are read out: no digit
    scenario.user_types("Yes.", at=7.0)
    scenario.llm_replies(tool_calls=[("confirm_inputs", '{"inputs": ["1", "2", "3", "4"]}')])
    return scenario


def test_digits_are_read_out_and_confirmed_where_that_is_wanted() -> None:
    run = answered(confirmed())
    assert [(name, output) for name, output, _ in outputs(run)] == [("confirm_inputs", ""), ("ask_number", "1 2 3 4")]
    assert run.said() == ["Your number?", "One, two, three, four?", "Thank you."]
    assert any("<dtmf_inputs>1 2 3 4</dtmf_inputs>" in text for role, text in run.conversation if role == "user")


def test_a_task_that_is_over_counts_no_keys_and_leaves_no_callback_behind() -> None:
    scenario = asked()
    keys(scenario, "1234#", at=5.0)
    keys(scenario, "77", at=9.0)
    listening: list[int] = []
    for at in (4.0, 9.5):
        scenario.call(at, lambda session: listening.append(len(session._callbacks.get("sip_dtmf_received", ()))))
    run = answered(scenario)
    assert [output for _, output, _ in outputs(run)] == ["1 2 3 4"]
    assert listening == [1, 0]


def test_digits_are_taken_once_in_any_order() -> None:
    def scenario() -> Scenario:
        made = asked()
        keys(made, "1234#", at=5.0)
        made.llm_replies("Thank you.")
        made.close(at=8.0)
        return made

    def right(run: Run) -> None:
        assert [output for _, output, _ in outputs(run)] == ["1 2 3 4"]

    explore(scenario, schedules=4, expect=right)


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"num_digits": 0}, "num_digits must be >= 1, got 0"),
        ({"num_digits": 4, "dtmf_input_timeout": 0.0}, "dtmf_input_timeout must be > 0 seconds, got 0.0"),
        ({"num_digits": 4, "dtmf_stop_event": "x"}, "dtmf_stop_event='x' is no key"),
    ],
)
def test_its_options_are_checked(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        GetDtmfTask(**wrong)  # type: ignore[arg-type]
