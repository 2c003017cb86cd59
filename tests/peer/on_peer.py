"""Runs one program on livekit-agents, in the environment of that package, and prints what was seen as JSON.

Run by `test_peer.py`: ``python on_peer.py <directory> <program>``. Only import lines are changed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from livekit.agents import APIConnectOptions, llm  # type: ignore[import-not-found,unused-ignore]


class ScriptedLLM(llm.LLM):  # type: ignore[misc,type-arg,unused-ignore]
    """Answers the n-th request with the n-th line of the script."""

    def __init__(self, script: list[Any], in_one_line: Callable[[Any, list[str]], str]) -> None:
        super().__init__()
        self.script = script
        self.in_one_line = in_one_line
        self.asked: list[str] = []

    def chat(self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = None, **more: Any) -> Any:
        """The next line."""
        return _Stream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options or APIConnectOptions())


class _Stream(llm.LLMStream):  # type: ignore[misc,unused-ignore]
    async def _run(self) -> None:
        model: Any = self._llm
        number = len(model.asked)
        model.asked.append(model.in_one_line(self._chat_ctx.items, [tool_name(tool) for tool in self._tools]))
        line = model.script[number]
        for index, part in enumerate(line if isinstance(line, list) else [line]):
            await asyncio.sleep(0.01)
            delta = llm.ChoiceDelta(role="assistant")
            if isinstance(part, str):
                delta.content = part
            else:
                name, arguments = part
                call_id = f"call_{number}_{index}"
                delta.tool_calls = [llm.FunctionToolCall(name=name, arguments=json.dumps(arguments), call_id=call_id)]
            self._event_ch.send_nowait(llm.ChatChunk(id=f"request-{number}", delta=delta))


def tool_name(tool: Any) -> str:
    """What the model calls it."""
    return str(tool.info.name if hasattr(tool, "info") else tool.id)


def load(path: Path) -> dict[str, Any]:
    """The globals of a program whose import lines name this side."""
    source = path.read_text().replace("from sessionactors import", "from livekit.agents import")
    scope: dict[str, Any] = {"__name__": path.stem}
    exec(compile(source, str(path), "exec", dont_inherit=True), scope)
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
