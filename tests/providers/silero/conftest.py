"""The voice that speaks for the rooms."""

from __future__ import annotations

from tests.providers.offline.conftest import voice

__all__ = ["voice"]
