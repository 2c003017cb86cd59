"""Runs one program on sessionactors and prints what was seen as JSON: the same file, read as it stands.

Run by `test_peer.py`: ``python on_ours.py <directory> <program>``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

from sessionactors import LLM, ChatChunk, ChatContext, FunctionToolCall, LLMStream


class ScriptedLLM(LLM):
    """Answers the n-th request with the n-th line of the script."""

    def __init__(self, script: list[Any], in_one_line: Callable[[Any, list[str]], str]) -> None:
        self.script = script
        self.in_one_line = in_one_line
        self.asked: list[str] = []

    def chat(self, *, chat_ctx: ChatContext, tools: Sequence[Any] = (), tool_choice: Any = "auto") -> LLMStream:
        """The next line."""
        return LLMStream(self._answer(chat_ctx, tools))

    async def _answer(self, chat_ctx: ChatContext, tools: Sequence[Any]) -> AsyncGenerator[ChatChunk, None]:
        number = len(self.asked)
        self.asked.append(self.in_one_line(chat_ctx.items, [tool.name for tool in tools]))
        line = self.script[number]
        for index, part in enumerate(line if isinstance(line, list) else [line]):
            await asyncio.sleep(0.01)
            if isinstance(part, str):
                yield ChatChunk(content=part, request_id=f"request-{number}")
            else:
                name, arguments = part
                call = FunctionToolCall(f"call_{number}_{index}", name, json.dumps(arguments))
                yield ChatChunk(tool_calls=(call,), request_id=f"request-{number}")


def load(path: Path) -> dict[str, Any]:
    """The globals of a program."""
    scope: dict[str, Any] = {"__name__": path.stem}
    exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), scope)
    return scope


async def main(directory: Path, name: str) -> dict[str, list[str]]:
    """What was seen."""
    program = load(directory / "programs" / f"{name}.py")
    conversation = load(directory / "conversation.py")
    model = ScriptedLLM(program["MODEL"], conversation["asked"])
    result: dict[str, list[str]] = await conversation["converse"](program, model)
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))))
