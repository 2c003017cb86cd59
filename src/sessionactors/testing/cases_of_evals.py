"""Eval files as tests: each conversation is a case of pytest's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionactors.evals.reading import Evals
    from sessionactors.evals.trial import Trial


@dataclass(frozen=True, slots=True)
class EvalCase:
    """One conversation of an eval file. ``str`` of it is an id for a test."""

    evals: Evals
    name: str

    def __str__(self) -> str:
        return f"{self.evals.path.stem}: {self.name}"

    def check(self, *, seed: int = 0, real_time: bool = False, llm: str | None = None) -> Trial:
        """Hold it. Not on a running loop: in a test that is not ``async``.

        Args:
            seed: 0: as in production; others: another order of what happens at once, and another pace.
            real_time: as ``sessionactors eval --real-time``.
            llm: as ``--llm``.

        Raises:
            AssertionError: something was not as expected; with the transcript, what was expected and what came.
            OptionError: the module or a model is not there.
        """
        from sessionactors.cli.entry_points import find_entry_point  # noqa: PLC0415  only if there are evals
        from sessionactors.evals.report import as_text  # noqa: PLC0415
        from sessionactors.evals.trial import How, hold  # noqa: PLC0415

        trial = hold(self.evals, self.name, find_entry_point, seed=seed, how=How(real_time=real_time, llm=llm))
        if not trial.passed:
            raise AssertionError(as_text(trial, llm))
        return trial


def eval_cases(*paths: Path | str) -> list[EvalCase]:
    """Make tests of the conversations of eval files.

    ``@pytest.mark.parametrize("case", eval_cases("desk.yaml"), ids=str)``, and in the test ``case.check()``.

    Raises:
        EvalFileError: a file is not there, or not as it should be.
    """
    from sessionactors.evals.reading import read_evals  # noqa: PLC0415  the extra ``evals``

    return [
        EvalCase(evals, conversation.name)
        for evals in map(read_evals, paths)
        for conversation in evals.file.conversations
    ]
