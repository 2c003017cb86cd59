"""A schedule is a value: it prints, parses back, and makes the same choices again."""

from __future__ import annotations

import re

import pytest

from sessionactors.testing import Schedule, ScheduleError
from sessionactors.testing.choices import Choices

NAMES = ["a", "b", "c", "d"]
EACH = [
    Schedule(),
    Schedule.first_come({57: 1, 3: 2}),
    Schedule.first_come({1: 1}, seed=4),
    Schedule.random(7),
    Schedule.pct(7, depth=4, expected=900),
    Schedule.delayed(0, delays=3, expected=50),
]


@pytest.mark.parametrize("schedule", EACH, ids=str)
def test_the_text_of_a_schedule_parses_back(schedule: Schedule) -> None:
    assert Schedule.parse(str(schedule)) == schedule
    assert len({schedule, Schedule.parse(str(schedule))}) == 1


def test_a_number_is_the_seed_of_a_random_schedule() -> None:
    assert Schedule.parse("12") == Schedule.parse(12) == Schedule.random(12)


def test_what_the_text_leaves_out_is_as_ever() -> None:
    assert Schedule.parse("pct:seed=3") == Schedule.pct(3)
    assert Schedule.parse("delay:seed=3") == Schedule.delayed(3)


@pytest.mark.parametrize(
    "text, says",
    [
        ("lifo", "begins with no strategy; there are fifo, random, pct, delay"),
        ("fifo:5", "'5' in 'fifo:5' is neither"),
        ("fifo:five=1", "'five=1'"),
        ("fifo:5=x", "'5=x'"),
        ("fifo:5=0", "a pick >= 1"),
        ("random:seed=1:5=1", "picks are for fifo, not for random"),
        ("pct:seed=1:depth=0", "depth >= 1"),
        ("delay:over=0", "expected >= 1"),
    ],
)
def test_what_is_no_schedule_is_said_to_be_none(text: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(says)):
        Schedule.parse(text)


def test_an_unknown_strategy_is_named() -> None:
    with pytest.raises(ScheduleError, match="'lifo' is no strategy"):
        Schedule("lifo")  # type: ignore[arg-type]


def drawn(schedule: Schedule, number: int = 40) -> list[str]:
    choices = Choices(schedule)
    return [choices.next(NAMES) for _ in range(number)]


@pytest.mark.parametrize("schedule", EACH, ids=str)
def test_the_same_schedule_makes_the_same_choices(schedule: Schedule) -> None:
    assert drawn(schedule) == drawn(Schedule.parse(str(schedule)))


@pytest.mark.parametrize("schedule", EACH, ids=str)
def test_what_a_run_chose_is_a_schedule_of_its_own(schedule: Schedule) -> None:
    choices = Choices(schedule)
    order = [choices.next(NAMES) for _ in range(40)]
    again = Choices(choices.follow())
    assert [again.next(NAMES) for _ in range(40)] == order
    assert again.notes == []


def test_who_is_passed_over_waits_until_all_else_is_quiet() -> None:
    choices = Choices(Schedule.first_come({0: 2}))
    assert choices.next(["a", "b", "c"]) == "c"
    assert choices.next(["a", "b", "c"]) == "c"
    assert choices.next(["a", "b", "d"]) == "d"
    assert choices.next(["b", "a"]) == "a"
    assert choices.next(["b"]) == "b"
    assert choices.next(["b", "c"]) == "b", "it has had its turn, and is as any other"


def test_one_who_is_alone_is_no_choice() -> None:
    choices = Choices(Schedule.random(1))
    assert choices.next(["a"]) == "a"
    assert list(choices.made) == []


def test_pct_follows_priorities_and_changes_them() -> None:
    order = drawn(Schedule.pct(3, depth=3, expected=40))
    changes = [number for number in range(1, 40) if order[number] != order[number - 1]]
    assert 1 <= len(changes) <= 2
    assert len(set(drawn(Schedule.pct(3, depth=1)))) == 1


def test_delays_are_as_many_as_asked_for() -> None:
    choices = Choices(Schedule.delayed(5, delays=3, expected=20))
    for _ in range(20):
        choices.next(NAMES)
    assert sum(choices.deviations.values()) == 3


def test_a_schedule_that_does_not_fit_says_where() -> None:
    choices = Choices(Schedule.first_come({0: 3, 9: 1}))
    assert choices.next(["a", "b"]) == "a"
    choices.over()
    assert choices.notes == [
        "choice 0 was between 2: there was no pick 3, the first was taken",
        "the run made 1 choices: there was no choice 9",
    ]


def test_after_the_end_nothing_is_chosen() -> None:
    choices = Choices(Schedule.random(1))
    choices.over()
    assert choices.next(NAMES) == "a"
    assert list(choices.made) == []


def test_deviations_are_told_in_words() -> None:
    choices = Choices(Schedule.first_come({0: 1}))
    choices.explain = repr
    choices.next(["a", "b"])
    assert choices.reasons == ["choice 0: 'b' before 'a'"]
