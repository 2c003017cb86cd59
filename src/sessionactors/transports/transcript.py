"""Transcripts on a terminal.

The terminal may be slow or stopped (Ctrl-S), so a thread writes and nobody waits for it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from rich.console import Console
from rich.text import Text

from sessionactors.interfaces.transport import TranscriptSegment

AGENT: Final = "agent"
_JOIN_SECONDS: Final = 1.0
_AGENT_STYLE: Final = "bold cyan"
_USER_STYLE: Final = "bold green"

# What a model or a caller says must not move the cursor, set colours or the window's title.
_CONTROL: Final = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)])
_CONTROL.pop(ord("\n"))
_CONTROL.pop(ord("\t"))


class TranscriptLayout:
    """Decides what to print for each piece: the agent's words as they come, a user's when they are final.

    Pure: text in, text out. What it returns ends without a line break while the agent is in the middle of a segment.
    """

    def __init__(self) -> None:
        self._open: str | None = None

    def render(self, segment: TranscriptSegment) -> Text | None:
        """What to print, or None for nothing."""
        text = segment.text.translate(_CONTROL)
        return self._agent(segment, text) if segment.participant == AGENT else self._user(segment, text)

    def finish(self) -> Text | None:
        """What to print at the end."""
        return self._break() if self._open is not None else None

    def _agent(self, segment: TranscriptSegment, text: str) -> Text | None:
        out = Text()
        if text and self._open != segment.segment:
            out.append(self._break())
            out.append(f"{AGENT}: ", _AGENT_STYLE)
            self._open = segment.segment
            text = text.lstrip()
        out.append(text)
        if segment.final and self._open == segment.segment:
            out.append(self._break())
        return out or None

    def _user(self, segment: TranscriptSegment, text: str) -> Text | None:
        if not segment.final or not text.strip():
            return None
        out = self._break()
        out.append(f"{segment.participant.translate(_CONTROL)}: ", _USER_STYLE)
        return out.append(f"{text.strip()}\n")

    def _break(self) -> Text:
        text = Text("\n" if self._open is not None else "")
        self._open = None
        return text


class TranscriptPrinter:
    """Prints transcripts in order, in a thread of its own.

    Args:
        console: where to print.
        on_failure: called once, from the thread, when nothing more can be printed: the other side of the pipe is gone.
        limit: pieces that may wait for a slow terminal; more are dropped and counted.
    """

    def __init__(self, console: Console, on_failure: Callable[[str], None], *, limit: int = 1000) -> None:
        self._console = console
        self._on_failure = on_failure
        self._layout = TranscriptLayout()
        self._waiting: queue.Queue[TranscriptSegment | None] = queue.Queue()
        self._limit = limit
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="sessionactors-console-output", daemon=True)

    @property
    def dropped(self) -> int:
        """Pieces that were not printed because the terminal did not keep up or is gone."""
        return self._dropped

    def start(self) -> None:
        """Begin to print."""
        self._thread.start()

    def show(self, segment: TranscriptSegment) -> None:
        """Print a piece soon. Returns at once."""
        if self._waiting.qsize() >= self._limit:
            self._dropped += 1
        else:
            self._waiting.put(segment)

    def stop(self) -> None:
        """Print what is waiting and end. Blocks, for a second at most if the terminal is stopped."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        try:
            while (segment := self._waiting.get()) is not None:
                self._print(self._layout.render(self._encodable(segment)))
            self._print(self._layout.finish())
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            self._give_up(str(error))
        except SystemExit:  # rich leaves the program this way when a pipe breaks; in a thread nobody would know
            self._give_up("broken pipe")

    def _encodable(self, segment: TranscriptSegment) -> TranscriptSegment:
        # A terminal without UTF-8 shows a question mark; an emoji must not end the output.
        encoding = self._console.encoding
        return replace(segment, text=segment.text.encode(encoding, "replace").decode(encoding))

    def _print(self, text: Text | None) -> None:
        if text is not None:
            self._console.print(text, end="", soft_wrap=True)

    def _give_up(self, reason: str) -> None:
        self._limit = 0
        self._dropped += 1
        self._on_failure(f"terminal output failed: {reason}")
