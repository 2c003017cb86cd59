"""Every promise of a session that can be checked on a run, with agents and tools that nobody would write."""

from __future__ import annotations

import random

import pytest

from sessionactors.testing import PromiseBroken, invariants

from tests.promises.random_agents import drawn
from tests.promises.random_conversation import KEEPERS

FEW = 2
"""Conversations for each test: enough in every run of the suite; draw more by hand with other numbers."""


@pytest.mark.parametrize("part", range(3))
def test_p05_calls_and_all_else_are_conserved_whatever_the_users_code_does(part: int) -> None:
    for seed in range(part * FEW, (part + 1) * FEW):
        run = drawn(seed, audio=seed % 3 == 0).play(seed)
        if found := invariants.broken(run):
            raise PromiseBroken.of(run, found, again=f"drawn({seed})")


@pytest.mark.parametrize("part", range(2))
def test_p12_whatever_the_users_code_does_one_death_ends_no_session(part: int) -> None:
    for seed in range(5000 + part * FEW, 5000 + (part + 1) * FEW):
        dice = random.Random(seed)
        scenario = drawn(seed, audio=False)
        scenario.kill(dice.choice(("tools", "llm", *KEEPERS)), message=dice.randint(1, 40))
        run = scenario.play(seed)
        assert run.close_event.error is None
        if found := invariants.broken(run):
            raise PromiseBroken.of(run, found, again=f"drawn({seed})")
