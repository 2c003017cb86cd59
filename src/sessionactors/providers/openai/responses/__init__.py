"""The Responses API: what a model thought is kept, and what it has been told already is not sent again."""

from .llm import LLM

__all__ = ["LLM"]
