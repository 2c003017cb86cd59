"""A model as judge of a message: it must answer by calling one tool, with a verdict and its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import pydantic

from .filled_form import filled_form

if TYPE_CHECKING:
    from sessionactors.interfaces.llm import LLM


class Verdict(pydantic.BaseModel):
    """What the judge says."""

    model_config = pydantic.ConfigDict(frozen=True)

    verdict: Literal["pass", "maybe", "fail"]
    """``maybe``: the message is too unclear to tell; it is let pass."""
    reason: str
    """Why, in one or two sentences."""


SUBMIT: Final = "submit_verdict"

_INSTRUCTIONS: Final = (
    "You check one message of an assistant against an intent. Judge only whether the message does what the intent "
    "describes; do not ask for more than the intent says, and do not judge style. Answer only by calling "
    f"{SUBMIT}: 'pass' if it does, 'fail' if it does not, 'maybe' if the message leaves it open."
)


async def judged(llm: LLM, message: str, intent: str) -> Verdict:
    """The verdict of the model on a message.

    Raises:
        ValueError: no message or no intent was given.
        APIError: the model could not be asked, or did not answer with a verdict.
    """
    if not message.strip():
        return Verdict(verdict="fail", reason="the message is empty")
    if not intent.strip():
        raise ValueError("judge() needs an intent: say in words what the message should do")
    question = f"Intent:\n{intent}\n\nMessage:\n{message}"
    return await filled_form(llm, _INSTRUCTIONS, question, SUBMIT, "Give your verdict on the message.", Verdict)
