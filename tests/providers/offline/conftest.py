"""What the tests of offline providers share: one warm recogniser, and skips where an engine is not installed."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator

import pytest

from sessionactors.providers.offline.front_desk import FRONT_DESK
from sessionactors.providers.offline.stt import PocketSphinxSTT

from tests.providers.offline.speech import NO_VOICE, voice_installed


@pytest.fixture(scope="session")
def front_desk_stt() -> Iterator[PocketSphinxSTT]:
    """A recogniser whose process runs for all tests, each with a loop of its own."""
    if importlib.util.find_spec("pocketsphinx") is None:
        pytest.skip("pocketsphinx is not installed")
    stt = PocketSphinxSTT(FRONT_DESK)
    asyncio.run(stt.prewarm())
    yield stt
    asyncio.run(stt.aclose())


@pytest.fixture
def voice() -> None:
    """Skips the test when there is nothing that can speak."""
    if not voice_installed():
        pytest.skip(NO_VOICE)
