"""What a judge thinks of the agent's words. Nothing that was not judged has passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sessionactors.interfaces.llm import LLM
from sessionactors.session.run_judge import judged


@dataclass(frozen=True, slots=True)
class WordsVerdict:
    """A verdict, or that there is none."""

    verdict: Literal["pass", "maybe", "fail", "not judged"]
    reason: str

    @property
    def passes(self) -> bool:
        """A doubt passes, as in ``session.run().expect...judge()``; what was not judged does not."""
        return self.verdict in {"pass", "maybe"}


async def judged_words(judge: LLM, words: str, intent: str) -> WordsVerdict:
    """What the judge thinks. It does not raise: a judge that fails has not judged."""
    try:
        verdict = await judged(judge, words, intent)
    except Exception as error:  # noqa: BLE001  whatever a judge raises, the words were not judged
        return WordsVerdict("not judged", f"{type(error).__name__}: {error}")
    return WordsVerdict(verdict.verdict, verdict.reason)
