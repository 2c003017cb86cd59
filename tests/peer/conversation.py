"""One program's conversation by text, and what a user of the session sees of it: states, items, events, requests.

Runs on both sides: nothing but the import lines differs.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sessionactors import AgentSession

QUIET = 0.15
"""Seconds without an event after which the next thing is typed."""


class Notes:
    """What was seen, in order."""

    def __init__(self, session: Any) -> None:
        self.states: list[str] = []
        self.events: list[str] = []
        self._session = session
        self._heard = asyncio.Event()
        session.on("agent_state_changed", self._state)
        session.on("conversation_item_added", lambda event: self._note(f"item {_shown(event.item)}"))
        session.on("function_tools_executed", self._tools)
        session.on("speech_created", lambda event: self._note(f"speech {event.source} {event.user_initiated}"))
        session.on("error", lambda event: self._note(f"error {event.error}"))
        session.on("close", lambda event: self._note(f"close {getattr(event.reason, 'value', event.reason)}"))

    def _state(self, event: Any) -> None:
        self.states.append(f"{event.old_state} -> {event.new_state}")
        self._heard.set()

    def _tools(self, event: Any) -> None:
        calls = ", ".join(f"{call.name} -> {output.output}" for call, output in event.zipped())
        self._note(f"tools {calls}")

    def _note(self, line: str) -> None:
        self.events.append(line)
        self._heard.set()

    async def quiet(self) -> None:
        """Until nothing has happened for a while and the agent listens."""
        while True:
            self._heard.clear()
            try:
                await asyncio.wait_for(self._heard.wait(), QUIET)
            except TimeoutError:
                if self._session.agent_state == "listening":
                    return


def _shown(item: Any) -> str:
    if item.type == "message":
        return f"{item.role}: {item.text_content}" + (" (interrupted)" if item.interrupted else "")
    if item.type == "function_call":
        return f"call {item.name} {json.dumps(json.loads(item.arguments), sort_keys=True)}"
    if item.type == "function_call_output":
        return f"output {item.name}: {item.output}" + (" (error)" if item.is_error else "")
    if item.type == "agent_handoff":
        return f"handoff {item.old_agent_id} -> {item.new_agent_id}"
    return str(item.type)


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


async def converse(program: dict[str, Any], llm: Any) -> dict[str, list[str]]:
    """Let the user of the program type its lines, each when all is quiet.

    Args:
        program: the globals of a program of `programs/`.
        llm: answers as the program's script says, and keeps its requests in ``asked``.
    """
    session: Any = AgentSession(llm=llm, vad=None, turn_detection=None)
    notes = Notes(session)
    await session.start(program["first_agent"]())
    await notes.quiet()
    for line in program["USER"]:
        session.generate_reply(user_input=line)
        await notes.quiet()
    agent = session.current_agent.id
    await session.aclose()
    return {
        "states": notes.states,
        "events": notes.events,
        "history": [_shown(item) for item in session.history.items],
        "asked": llm.asked,
        "agent": [agent],
    }
