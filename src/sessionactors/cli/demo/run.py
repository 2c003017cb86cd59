"""Holds the demo's call and writes its five files."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO, cast

from sessionactors.cli.loading import drop_in_class
from sessionactors.cli.plain_values import plain
from sessionactors.journal.journal import Journal
from sessionactors.model.chat import ChatMessage
from sessionactors.model.errors import OptionError, SessionActorsError
from sessionactors.model.events import AgentStateChangedEvent, CloseEvent, CloseReason, ConversationItemAddedEvent
from sessionactors.providers.offline import (
    FRONT_DESK,
    GrammarTurnDetector,
    PocketSphinxSTT,
    RuleBasedLLM,
    SileroVAD,
    default_tts,
)
from sessionactors.runtime import TreeSnapshot
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.drop_in import AnyDropIn
from sessionactors.transports.scripted_caller import CallerLine, ScriptedCaller

from .call_record import read_call, read_recording
from .front_desk import FrontDesk
from .live import JsonView, LiveView
from .script import INTO_REPLY, INTO_TYPED_REPLY, PAUSE, ScriptLine, script_for
from .timeline import draw
from .verify import FILES, RECORDING, Verification, verify
from .voices import spoken

SAMPLE_RATE: Final = 16000
"""Hertz of line and recording: what the offline voices and the recogniser have."""
MID_SPEECH: Final = 1.0
"""Seconds into a speech at which the mailboxes are read."""
AT_MOST: Final = 90.0
"""Seconds after which something is wrong."""


class DemoFailed(SessionActorsError):
    """Raised when the call was not as it should."""


async def run_demo(
    out: Path,
    *,
    voice: bool = True,
    seed: int = 1,
    json_lines: bool = False,
    stdout: TextIO | None = None,
    journal: Path | None = None,
) -> Verification:
    """Hold the call, write the files, measure them.

    Args:
        out: directory of the files; made if it is not there.
        voice: a caller who speaks, or one who types.
        seed: chooses the caller's sentences, >= 0.
        json_lines: print JSON for programs instead of lines for people.
        stdout: instead of the standard output.
        journal: records the session into this file, in place of one of that name.

    Raises:
        OptionError: ``out`` cannot be a directory, or the seed is negative.
        MissingDependencyError: something that the offline providers need is not installed; says what to install.
        DemoFailed: the call was not as it should; says what was measured.
    """
    script = script_for(seed)
    await asyncio.to_thread(_prepare, out)
    view = JsonView(stdout or sys.stdout) if json_lines else LiveView(stdout or sys.stdout)
    view.say(f"sessionactors demo, seed {seed}: a caller and an agent, {'offline' if voice else 'typed'}")
    call = _Call(out, view, voice=voice, journal=journal)
    try:
        end = await call.hold(await _lines(script, voice=voice))
    finally:
        view.close()
    if end.reason is CloseReason.ERROR:
        raise DemoFailed(f"the session broke: {end.error}") from end.error
    await asyncio.to_thread(call.write)
    verification = await verify(out, voice=voice)
    view.say("")
    view.say(str(verification))
    if isinstance(view, JsonView):
        findings = [cast("dict[str, object]", plain(finding)) for finding in verification.findings]
        view.show({"type": "demo_finished", "out": str(out), "seed": seed, "findings": findings})
    if not verification.passed:
        raise DemoFailed(f"the call was not as it should be (seed {seed}):\n{verification}")
    return verification


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"cannot write to {out}: {error.strerror or error}") from error
    for name in (*FILES, RECORDING):
        (out / name).unlink(missing_ok=True)


async def _lines(script: tuple[ScriptLine, ...], *, voice: bool) -> list[CallerLine]:
    sounds = await spoken([line.text for line in script]) if voice else [None] * len(script)
    into = INTO_REPLY if voice else INTO_TYPED_REPLY
    return [
        CallerLine(line.text, audio, pause=PAUSE, into_reply=into if line.interrupts else None)
        for line, audio in zip(script, sounds, strict=True)
    ]


@dataclass(slots=True)
class _Call:
    """One call, and what is gathered of it."""

    out: Path
    view: JsonView | LiveView
    voice: bool = field(kw_only=True)
    journal: Path | None = None
    interrupted: bool = False
    answered: bool = False
    """The question that interrupted is being answered."""
    snapshot: TreeSnapshot | None = None
    diagram: str = ""
    reading: asyncio.TimerHandle | None = None

    async def hold(self, lines: list[CallerLine]) -> CloseEvent:
        """From the greeting to the hanging up."""
        caller = ScriptedCaller(
            lines, sample_rate=SAMPLE_RATE, line_rate=SAMPLE_RATE, on_transcript=self.view.on_transcript
        )
        drop_ins = await asyncio.to_thread(self._drop_ins)
        stt = PocketSphinxSTT(FRONT_DESK) if self.voice else None
        tts = default_tts("agent") if self.voice else None
        vad = SileroVAD() if self.voice else None
        session: AgentSession[None] = AgentSession(
            vad=vad,
            stt=stt,
            llm=RuleBasedLLM(FRONT_DESK, first_token_delay=0.1, token_delay=0.03),
            tts=tts,
            turn_handling={"turn_detection": GrammarTurnDetector(FRONT_DESK)},
            aec_warmup_duration=None,  # a caller in a script has no echo
            actors=drop_ins,
            journal=None if self.journal is None else Journal(self.journal, overwrite=True),
        )
        self.view.watch(session)
        session.on("agent_state_changed", lambda event: self._on_state(session, event))
        session.on("conversation_item_added", self._on_item)
        try:
            if stt is not None:
                await stt.prewarm()
            await session.start(FrontDesk(), room=caller, room_name="demo")
            async with asyncio.timeout(AT_MOST):
                return await session.wait_closed()
        except TimeoutError:
            raise DemoFailed(f"the call was not over after {AT_MOST:.0f} s: {session.why()}") from None
        finally:
            if self.reading is not None:
                self.reading.cancel()
            await session.aclose()
            for provider in (vad, stt, tts):
                if provider is not None:
                    await provider.aclose()

    def _drop_ins(self) -> list[AnyDropIn]:
        transcript = cast("Callable[[Path], AnyDropIn]", drop_in_class("transcript_log"))
        actors = [transcript(self.out / "transcript.json")]
        if self.voice:
            recorder = cast("Callable[..., AnyDropIn]", drop_in_class("recorder"))
            actors.append(recorder(self.out / RECORDING, sample_rate=SAMPLE_RATE))
        return actors

    def _on_state(self, session: AgentSession[None], event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking" and not self.interrupted:
            self._read_soon(session, MID_SPEECH if self.voice else 0.0)
        elif event.new_state == "speaking":
            self.answered = True
        elif self.answered and not self.diagram:
            self.diagram = session.diagram()

    def _read_soon(self, session: AgentSession[None], delay: float) -> None:
        def read() -> None:
            if session.agent_state == "speaking":
                self.snapshot = session.inspect()

        self.reading = asyncio.get_running_loop().call_later(delay, read)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.interrupted:
            self.interrupted = True

    def write(self) -> None:
        """The files that the drop-ins have not written. Blocks."""
        if self.snapshot is not None:
            text = json.dumps(plain(self.snapshot), ensure_ascii=False, indent=1)
            (self.out / "mailboxes.json").write_text(text + "\n", encoding="utf-8")
        if self.diagram:
            head = "# The turn that interrupted\n\nFrom the caller's voice over the agent's to the end of the answer.\n"
            (self.out / "sequence.md").write_text(f"{head}\n```mermaid\n{self.diagram}```\n", encoding="utf-8")
        recording = read_recording(self.out / RECORDING) if self.voice else None
        title = "A conversation with an interruption"
        svg = draw(read_call(self.out / "transcript.json"), recording, title=title)
        (self.out / "timeline.svg").write_text(svg, encoding="utf-8")
