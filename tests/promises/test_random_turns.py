"""Turn-taking keeps every promise in conversations that nobody thought of; draw more by hand with other numbers."""

from __future__ import annotations

import pytest

from sessionactors.testing import PromiseBroken

from tests.promises.random_turns import broken, drawn

FEW = 3


@pytest.mark.parametrize("part", range(4))
def test_p07_people_who_talk_cough_type_and_leave_in_any_conversation(part: int) -> None:
    for seed in range(part * FEW, (part + 1) * FEW):
        run = drawn(seed).play(seed if seed % 2 else None)
        if found := broken(run):
            raise PromiseBroken.of(run, found, again=f"drawn({seed})")
