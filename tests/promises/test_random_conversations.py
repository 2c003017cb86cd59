"""Every promise of a session that can be checked on a run, over conversations that nobody thought of."""

from __future__ import annotations

import random

import pytest

from sessionactors.testing import PromiseBroken, invariants

from tests.promises.random_conversation import KEEPERS, PROVIDERS, drawn

FEW = 4
"""Conversations for each test: enough in every run of the suite; draw more by hand with other numbers."""


@pytest.mark.parametrize("part", range(6))
def test_p02_history_and_every_other_promise_hold_in_any_conversation(part: int) -> None:
    for seed in range(part * FEW, (part + 1) * FEW):
        for schedule in (None, seed):
            run = drawn(seed).play(schedule)
            if found := invariants.broken(run):
                raise PromiseBroken.of(run, found, again=f"drawn({seed})")


@pytest.mark.parametrize("part", range(4))
def test_p12_any_conversation_survives_the_death_of_a_provider(part: int) -> None:
    for seed in range(1000 + part * FEW, 1000 + (part + 1) * FEW):
        dice = random.Random(seed)
        scenario = drawn(seed)
        for _ in range(2):
            scenario.kill(dice.choice(PROVIDERS), message=dice.randint(1, 80))
        run = scenario.play(seed)
        assert run.close_event.error is None
        if found := invariants.broken(run):
            raise PromiseBroken.of(run, found, again=f"drawn({seed})")


@pytest.mark.parametrize("part", range(4))
def test_p12_any_conversation_survives_one_death_of_an_actor_that_holds_it_together(part: int) -> None:
    for seed in range(2000 + part * FEW, 2000 + (part + 1) * FEW):
        dice = random.Random(seed)
        scenario = drawn(seed)
        scenario.kill(dice.choice(KEEPERS), message=dice.randint(1, 25))
        run = scenario.play(seed)
        assert run.close_event.error is None
        if found := invariants.broken(run):
            raise PromiseBroken.of(run, found, again=f"drawn({seed})")
