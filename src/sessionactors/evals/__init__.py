"""Evals: conversations in YAML, held with an agent in virtual or in real time, and judged by what is expected.

Judges of whole conversations have the names that they have in ``livekit.agents.evals``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sessionactors.lazy_exports import lazy_exports

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

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
