"""Judges whose verdicts are scripted."""

from __future__ import annotations

import json

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.testing import ScriptedLLM, ScriptedReply


def verdict(word: str, reason: str = "so") -> ScriptedReply:
    call = FunctionToolCall("v", "submit_verdict", json.dumps({"verdict": word, "reason": reason}))
    return ScriptedReply(tool_calls=(call,), ttft=0.0, duration=0.0)


def kind() -> ScriptedLLM:
    return ScriptedLLM([verdict("pass", "it is kind")])


def strict() -> ScriptedLLM:
    return ScriptedLLM([verdict("fail", "it is rude")])


def doubtful() -> ScriptedLLM:
    return ScriptedLLM([verdict("maybe")])


def mute_reply() -> ScriptedReply:
    return ScriptedReply("No.", ttft=0.0, duration=0.0)


def mute() -> ScriptedLLM:
    return ScriptedLLM([mute_reply()])


def broken() -> ScriptedLLM:
    return ScriptedLLM()


def of_all() -> ScriptedLLM:
    """Accuracy is fine, safety is not, and about coherence it says nothing."""
    words = [json.dumps({"verdict": word, "reasoning": "so"}) for word in ("pass", "fail")]
    calls = [FunctionToolCall("v", "submit_verdict", arguments) for arguments in words]
    return ScriptedLLM([*(ScriptedReply(tool_calls=(call,), ttft=0.0, duration=0.0) for call in calls), mute_reply()])
