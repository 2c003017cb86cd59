"""Models behind OpenAI's API, and behind every endpoint that is compatible with it (``base_url``).

Importing this package does not import the SDK; the first use of a name does. Needs the extra ``openai``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .llm import LLM

__all__ = ["LLM"]


def __getattr__(name: str) -> object:
    # Imported on first use: the SDK takes longer to import than all of sessionactors.
    if name != "LLM":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .llm import LLM

    globals()[name] = LLM
    return LLM


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
