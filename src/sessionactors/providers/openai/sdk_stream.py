"""The end of the SDK's streams: connections freed, generators closed, at once and not by the garbage collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

import openai

T = TypeVar("T")

GENERATOR_TURNS = 12
"""Turns of the loop in which abandoned generators of the SDK are closed; seven were needed when it was measured."""


async def end(stream: openai.AsyncStream[T]) -> None:
    """Close the response, and let the SDK's generators end now.

    The SDK leaves generators inside generators behind, also after a good end. asyncio closes each in a task of its own,
    one after the other: tasks that a test, or the end of a loop, would find running.
    """
    await stream.close()
    chunks: object = getattr(stream, "_iterator", None)
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()
    for _ in range(GENERATOR_TURNS):
        await asyncio.sleep(0)
