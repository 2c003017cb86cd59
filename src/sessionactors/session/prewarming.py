"""Providers get their connections ready before they are needed: each at its home, where these connections will live."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.user_code import AgentComponents

log = structlog.get_logger("sessionactors.session")


def prewarm(components: AgentComponents, homes: Mapping[Home, asyncio.AbstractEventLoop]) -> None:
    """Tell model and voice to get ready, without waiting. One that cannot will say so when it is asked.

    Args:
        components: of the agent that is about to speak.
        homes: the loop that each home means.
    """
    for component in (components.llm, components.tts):
        if isinstance(component, LLM | TTS):
            with suppress(RuntimeError):  # its loop is closed: the first request will say so
                homes[component.home].call_soon_threadsafe(_get_ready, component)


def _get_ready(component: LLM | TTS) -> None:
    try:
        component.prewarm()
    except Exception as error:  # noqa: BLE001 - of a provider; the first request shows what is wrong with it
        log.warning("prewarm_failed", component=component.label, error=repr(error))
