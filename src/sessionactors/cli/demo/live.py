"""What is shown while the demo's call goes on: lines of transcript, and at the bottom who is doing what right now."""

from __future__ import annotations

import asyncio
import json
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sessionactors.cli.plain_values import plain
from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.chat import ChatMessage
from sessionactors.model.events import (
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    FunctionToolsExecutedEvent,
    MetricsCollectedEvent,
    PublicEvent,
    UserStateChangedEvent,
)
from sessionactors.model.metrics import EOUMetrics, InterruptionMetrics
from sessionactors.session.agent_session import AgentSession

STYLES = {"caller": "bold green", "agent": "bold cyan", "tool": "bold magenta", "barge-in": "bold red"}


class JsonView:
    """For programs: each event as a JSON object on a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def watch(self, session: AgentSession[None]) -> None:
        """Show its events from now on."""
        session.on_any(self.show)

    def on_transcript(self, segment: TranscriptSegment) -> None:
        """Nothing: the events tell it."""

    def show(self, value: PublicEvent | dict[str, object]) -> None:
        """Print an object."""
        self._out.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
        self._out.flush()

    def say(self, text: str) -> None:
        """Nothing: for people."""

    def close(self) -> None:
        """Nothing to end."""


class LiveView:
    """For people. Made on the loop on which the session's events are raised."""

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out, highlight=False)
        self._loop = asyncio.get_running_loop()
        self._began: float | None = None
        self._agent, self._user = "initializing", "listening"
        self._saying: tuple[str, str] = ("", "")
        self._live: Live | None = None

    def watch(self, session: AgentSession[None]) -> None:
        """Show its events from now on."""
        session.on("agent_state_changed", self._on_agent_state)
        session.on("user_state_changed", self._on_user_state)
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)
        session.on_any(self._on_metrics)
        session.on("error", self._on_error)
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, get_renderable=self._bottom, refresh_per_second=12)
            self._live.start()

    def on_transcript(self, segment: TranscriptSegment) -> None:
        """From the actor loop: what is being said."""
        try:
            self._loop.call_soon_threadsafe(self._transcript, segment)
        except RuntimeError:  # the demo is over
            return

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """Leave only the lines."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    # -- the bottom line ---------------------------------------------------------------------------------------------

    def _bottom(self) -> Text:
        who, text = self._saying
        line = Text.assemble(("  agent ", "dim"), (self._agent, "bold"), ("  caller ", "dim"), (self._user, "bold"))
        return line.append(f"\n  {who}: {text}", "italic") if text else line

    def _transcript(self, segment: TranscriptSegment) -> None:
        who, text = self._saying
        if segment.participant != "agent":
            self._saying = (segment.participant, "" if segment.final else segment.text)
        else:
            said = (text if who == "agent" else "") + segment.text
            self._saying = ("agent", "" if segment.final else said)

    # -- lines -------------------------------------------------------------------------------------------------------

    def _line(self, at: float, who: str, text: str) -> None:
        if self._began is None:
            self._began = at
        line = Text.assemble((f"{at - self._began:6.2f} s  ", "dim"), (f"{who:>8}  ", STYLES.get(who, "dim")), text)
        self._console.print(line, soft_wrap=True)

    def _on_agent_state(self, event: AgentStateChangedEvent) -> None:
        self._agent = event.new_state
        self._line(event.created_at, "state", f"agent {event.new_state}")

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        self._user = event.new_state
        self._line(event.created_at, "state", f"caller {event.new_state}")

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        item = event.item
        if isinstance(item, ChatMessage) and item.role in ("user", "assistant"):
            who = "caller" if item.role == "user" else "agent"
            text = item.text_content + (" \N{EM DASH} cut off" if item.interrupted else "")
            self._line(event.created_at, who, text)

    def _on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        for call, output in event.zipped():
            self._line(event.created_at, "tool", f"{call.name}({call.arguments}) -> {output.output}")

    def _on_metrics(self, event: PublicEvent) -> None:
        if not isinstance(event, MetricsCollectedEvent):
            return
        match event.metrics:
            case InterruptionMetrics(heard=0.0):
                self._line(event.created_at, "barge-in", "agent cut off by what the caller typed")
            case InterruptionMetrics(_, detection, silence, heard):
                text = (
                    f"agent silent {(detection + silence) * 1000:.0f} ms after the caller's voice set in "
                    f"(noticed and decided in {detection * 1000:.0f} ms, silent {silence * 1000:.1f} ms later); "
                    f"{heard:.2f} s of the answer were heard"
                )
                self._line(event.created_at, "barge-in", text)
            case EOUMetrics(delay):
                text = f"turn over {delay * 1000:.0f} ms after the caller fell silent"
                if delay:
                    self._line(event.created_at, "state", text)
            case _:
                return

    def _on_error(self, event: ErrorEvent) -> None:
        self._line(event.created_at, "error", f"{event.source}: {event.error}")
