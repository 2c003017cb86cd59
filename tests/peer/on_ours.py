"""Runs one program on sessionactors and prints what was seen as JSON: the same file, read as it stands.

Run by `test_peer.py`: ``python on_ours.py <directory> <program>``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from sessionactors import LLM, ChatChunk, ChatContext, FunctionToolCall, LLMStream


class ScriptedLLM(LLM):
    """Answers the n-th request with the n-th line of the script."""

    def __init__(self, script: list[Any]) -> None:
        self.script = script
        self.asked: list[str] = []

    def chat(self, *, chat_ctx: ChatContext, tools: Sequence[Any] = (), tool_choice: Any = "auto") -> LLMStream:
        """The next line."""
        return LLMStream(self._answer(chat_ctx, tools))

    async def _answer(self, chat_ctx: ChatContext, tools: Sequence[Any]) -> AsyncGenerator[ChatChunk, None]:
        number = len(self.asked)
        self.asked.append(asked(chat_ctx.items, [tool.name for tool in tools]))
        line = self.script[number]
        for index, part in enumerate(line if isinstance(line, list) else [line]):
            await asyncio.sleep(0.01)
            if isinstance(part, str):
                yield ChatChunk(content=part, request_id=f"request-{number}")
            else:
                name, arguments = part
                call = FunctionToolCall(f"call_{number}_{index}", name, json.dumps(arguments))
                yield ChatChunk(tool_calls=(call,), request_id=f"request-{number}")


def asked(items: Any, tools: list[str]) -> str:
    """A request in one line."""
    parts = []
    for item in items:
        if item.type == "message":
            parts.append(f"{item.role}: {item.text_content}")
        elif item.type == "function_call":
            parts.append(f"call {item.name}")
        elif item.type == "function_call_output":
            parts.append(f"output {item.output}")
    return " | ".join([*parts, f"tools {', '.join(sorted(tools))}"])


def load(path: Path) -> dict[str, Any]:
    """The globals of a program."""
    scope: dict[str, Any] = {"__name__": path.stem}
    exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), scope)
    return scope


async def main(directory: Path, name: str) -> dict[str, list[str]]:
    """What was seen."""
    program = load(directory / "programs" / f"{name}.py")
    conversation = load(directory / "conversation.py")
    result: dict[str, list[str]] = await conversation["converse"](program, ScriptedLLM(program["MODEL"]))
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))))
