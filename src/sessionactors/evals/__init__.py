"""Evals: conversations in YAML, held with an agent in virtual or in real time, and judged by what is expected.

Judges of whole conversations have the names that they have in ``livekit.agents.evals``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .judges import (
        CriterionJudge,
        EvaluationResult,
        Evaluator,
        Judge,
        JudgeGroup,
        JudgmentResult,
        Verdict,
        accuracy_judge,
        coherence_judge,
        conciseness_judge,
        handoff_judge,
        relevancy_judge,
        safety_judge,
        task_completion_judge,
        tool_use_judge,
    )
    from .reading import EvalFileError, Evals, read_evals
    from .trial import Failure, How, Trial, hold

__all__ = [
    "CriterionJudge",
    "EvalFileError",
    "Evals",
    "EvaluationResult",
    "Evaluator",
    "Failure",
    "How",
    "Judge",
    "JudgeGroup",
    "JudgmentResult",
    "Trial",
    "Verdict",
    "accuracy_judge",
    "coherence_judge",
    "conciseness_judge",
    "handoff_judge",
    "hold",
    "read_evals",
    "relevancy_judge",
    "safety_judge",
    "task_completion_judge",
    "tool_use_judge",
]

_HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "judges": (
        *("CriterionJudge", "EvaluationResult", "Evaluator", "Judge", "JudgeGroup", "JudgmentResult", "Verdict"),
        *("accuracy_judge", "coherence_judge", "conciseness_judge", "handoff_judge", "relevancy_judge"),
        *("safety_judge", "task_completion_judge", "tool_use_judge"),
    ),
    "reading": ("EvalFileError", "Evals", "read_evals"),
    "trial": ("Failure", "How", "Trial", "hold"),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
