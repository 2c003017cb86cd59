"""Rigs for the command line, as a user would have them in a module."""

from __future__ import annotations

from tests.conformance.fake_llm import fake_llm_rig
from tests.conformance.fake_stt import fake_stt_rig
from tests.conformance.fake_tts import fake_tts_rig

LLM = fake_llm_rig()
STT = fake_stt_rig()
TTS = fake_tts_rig()
FLAWED = [fake_llm_rig("reports_usage")]
NUMBER = 7
