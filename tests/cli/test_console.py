"""Talking to an agent in the terminal, or through a pipe."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from sessionactors import (
    Agent,
    AgentSession,
    AgentTask,
    FunctionTool,
    JobContext,
    JobProcess,
    OptionError,
    ToolFlag,
    function_tool,
    get_job_context,
)
from sessionactors.cli import end_of_input
from sessionactors.cli.console import NoSession, talk
from sessionactors.cli.entry_points import find_entry_point
from sessionactors.cli.loading import make_drop_in
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.providers.offline import FRONT_DESK, RuleBasedLLM
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply

from .terminal import Printed, held_open, typed


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_of_input, "QUIET", 0.2)


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="")

    @function_tool
    async def order_status(self, order: int) -> str:
        """Look up an order."""
        return f"Order {order} is ready."


async def front_desk(ctx: JobContext) -> None:
    await ctx.connect()
    session: AgentSession[None] = AgentSession(llm=RuleBasedLLM(FRONT_DESK))
    await session.start(Desk(), room=ctx.room)


async def test_what_is_piped_in_is_answered_before_the_end() -> None:
    out = Printed()
    with typed("where is my order number seven") as stdin:
        end = await talk(front_desk, stdin=stdin, stdout=out)
    assert end.reason.value == "participant_disconnected"
    # The tool is told of by an event, the answer by the room: either may be first, and neither is torn.
    assert sorted(out.lines) == ["agent: Order 7 is ready.", 'tool: order_status({"order": 7}) -> Order 7 is ready.']


class AsksName(AgentTask[str]):
    def __init__(self, question: str) -> None:
        super().__init__(instructions="")
        self.question = question

    async def on_enter(self) -> None:
        if self.question:
            _ = self.session.say(self.question)


def one_call(tool: FunctionTool[..., object]) -> Callable[[JobContext], Coroutine[object, object, None]]:
    """An agent that answers the first line by calling this tool."""

    async def serve(ctx: JobContext) -> None:
        reply = ScriptedReply("", tool_calls=(FunctionToolCall("call-1", tool.name, "{}"),))
        session: AgentSession[None] = AgentSession(llm=ScriptedLLM([reply, ScriptedReply("Done.")]))
        await session.start(Agent(instructions="", tools=[tool]), room=ctx.room)

    return serve


@pytest.mark.parametrize("question", ["What is your name?", ""])
async def test_a_task_that_waits_for_a_user_who_has_left_ends_with_a_note(
    question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @function_tool
    async def book() -> str:
        return await AsksName(question)

    monkeypatch.setattr(end_of_input, "FOR_THE_USER", 0.3)
    notes: list[str] = []
    with typed("A table please.") as stdin:
        end = await talk(one_call(book), stdin=stdin, stdout=Printed(), note=notes.append)
    assert (end.reason.value, end.error) == ("participant_disconnected", None)
    (note,) = notes
    assert note == ("The input has ended, and nobody answers: book (call-1) of speech-1 waits for task asks_name.")


async def test_a_call_that_nobody_is_there_to_approve_ends_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    @function_tool(requires_approval=True)
    async def pay() -> str:
        raise AssertionError

    monkeypatch.setattr(end_of_input, "FOR_THE_USER", 0.3)
    notes: list[str] = []
    with typed("Pay.") as stdin:
        await talk(one_call(pay), stdin=stdin, stdout=Printed(), note=notes.append)
    assert notes == ["The input has ended, and nobody answers: pay (call-1) waits for an approval."]


async def test_a_tool_that_hangs_at_the_end_of_the_input_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def ponder() -> str:
        await asyncio.sleep(1000)
        return "never"

    monkeypatch.setattr(end_of_input, "PATIENCE", 0.4)
    with (
        typed("Think.") as stdin,
        pytest.raises(end_of_input.Unanswered, match=r"nothing came of its last line: .*ponder"),
    ):
        await talk(one_call(ponder), stdin=stdin, stdout=Printed())


async def test_json_lines_are_events_and_nothing_else() -> None:
    out = Printed()
    with typed("thank you") as stdin:
        await talk(front_desk, stdin=stdin, stdout=out, json_lines=True)
    events = [json.loads(line) for line in out.lines]
    items = [event["item"] for event in events if event["type"] == "conversation_item_added"]
    assert [item["content"][0] for item in items if item["type"] == "message"] == [
        "thank you",
        "You are welcome. Anything else?",
    ]
    assert events[-1]["type"] == "close"


async def test_session_that_ends_by_itself_ends_the_command() -> None:
    async def brief(ctx: JobContext) -> None:
        session: AgentSession[None] = AgentSession()
        await session.start(Agent(instructions=""), room=ctx.room)
        session.shutdown()

    with held_open() as (stdin, _):
        await talk(brief, stdin=stdin, stdout=Printed())


async def test_a_program_of_a_worker_runs_in_the_terminal_with_what_it_knows_of_jobs() -> None:
    heard: list[object] = []

    async def serve(ctx: JobContext) -> None:
        await ctx.connect()
        ctx.add_shutdown_callback(heard.append)
        heard.extend([get_job_context() is ctx, ctx.is_fake_job(), ctx.proc.userdata["loaded"], ctx.job.room.name])
        session: AgentSession[None] = AgentSession()
        await session.start(Agent(instructions=""), room=ctx.room)
        ctx.shutdown()

    def load(proc: JobProcess) -> None:
        proc.userdata["loaded"] = True

    with held_open() as (stdin, _):
        await talk(serve, stdin=stdin, stdout=Printed(), setup=load)
    assert heard == [True, True, True, "console", "console closed"]


async def test_drop_ins_of_the_command_join_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    transcript = await asyncio.to_thread(make_drop_in, "transcript_log")
    with typed("thank you") as stdin:
        await talk(front_desk, stdin=stdin, stdout=Printed(), actors=[transcript])
    (file,) = tmp_path.glob("transcript-*.json")
    items = json.loads(file.read_text())["items"]
    assert [item["text"] for item in items if item["type"] == "message"][-1] == "You are welcome. Anything else?"


async def test_error_is_shown_and_ends_the_command_when_it_ends_the_session() -> None:
    async def broken(ctx: JobContext) -> None:
        session: AgentSession[None] = AgentSession(llm=ScriptedLLM())
        await session.start(Agent(instructions=""), room=ctx.room)

    out = Printed()
    with typed("hello") as stdin:
        await talk(broken, stdin=stdin, stdout=out)  # one failure does not end it
    assert out.lines == ["error: llm: the script has 0 replies, request 1 has none"]


async def test_entry_point_that_starts_no_session() -> None:
    async def nothing(ctx: JobContext) -> None:
        await ctx.connect()

    with typed() as stdin, pytest.raises(NoSession, match="had started no session"):
        await talk(nothing, stdin=stdin, stdout=Printed())


async def test_entry_point_that_fails_leaves_no_session_behind() -> None:
    sessions: list[AgentSession[None]] = []

    async def fails(ctx: JobContext) -> None:
        session: AgentSession[None] = AgentSession()
        sessions.append(session)
        await session.start(Agent(instructions=""), room=ctx.room)
        raise ValueError("the program is wrong")

    with held_open() as (stdin, _), pytest.raises(ValueError, match="the program is wrong"):
        await talk(fails, stdin=stdin, stdout=Printed())
    assert (await sessions[0].wait_closed()).reason.value == "user_initiated"


async def test_options_that_contradict_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(ctx: JobContext) -> None:
        AgentSession(turn_handling={"endpointing": {"min_delay": 3.0, "max_delay": 1.0}})

    with typed() as stdin, pytest.raises(OptionError, match="is greater than"):
        await talk(wrong, stdin=stdin, stdout=Printed())


async def test_who_gives_up_closes_the_session() -> None:
    sessions: list[AgentSession[None]] = []
    started = asyncio.Event()

    async def stays(ctx: JobContext) -> None:
        session: AgentSession[None] = AgentSession()
        sessions.append(session)
        await session.start(Agent(instructions=""), room=ctx.room)
        started.set()
        await session.wait_closed()

    with held_open() as (stdin, _):
        talking = asyncio.create_task(talk(stays, stdin=stdin, stdout=Printed()))
        await started.wait()
        talking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talking
    assert (await sessions[0].wait_closed()).reason.value == "user_initiated"


FACTORY = """
from sessionactors import Agent, SessionSpec
from sessionactors.providers.offline import FRONT_DESK, RuleBasedLLM

def session_for(room: str) -> SessionSpec:
    return SessionSpec(agent=Agent(instructions=""), llm=RuleBasedLLM(FRONT_DESK))
"""


async def test_factory_of_session_specs_is_talked_to_as_a_service_would(tmp_path: Path) -> None:
    module = tmp_path / "rooms_for_the_console.py"
    module.write_text(FACTORY)
    entry_point = await asyncio.to_thread(find_entry_point, str(module), audio=False, note=print)
    out = Printed()
    with typed("thank you") as stdin:
        end = await talk(entry_point, stdin=stdin, stdout=out)
    assert (out.lines, end.error) == (["agent: You are welcome. Anything else?"], None)


async def test_agent_alone_is_answered_for_by_the_offline_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    module = tmp_path / "agent_for_the_console.py"
    module.write_text(
        "from sessionactors import Agent\n"
        "class Mine(Agent):\n"
        "    def __init__(self) -> None:\n"
        "        super().__init__(instructions='')\n"
    )
    notes: list[str] = []
    entry_point = await asyncio.to_thread(find_entry_point, str(module), audio=False, note=notes.append)
    out = Printed()
    with typed("thank you") as stdin:
        await talk(entry_point, stdin=stdin, stdout=out)
    assert out.lines == ["agent: You are welcome. Anything else?"]
    assert "the offline front desk answers, by rules" in notes[0]


@pytest.fixture
def heeded_sigint() -> Iterator[None]:
    """A shell starts background jobs with SIGINT ignored, and whom they start inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_sigint")
async def test_interrupted_command_leaves_quietly(tmp_path: Path) -> None:
    module = tmp_path / "rooms.py"
    module.write_text(FACTORY)
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sessionactors.cli", "console", str(module), "--json"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert command.stdout is not None
    assert json.loads(await command.stdout.readline())["type"] == "agent_state_changed"
    command.send_signal(signal.SIGINT)
    printed, complained = await command.communicate()
    assert command.returncode == 130
    assert json.loads(printed.decode().splitlines()[-1])["type"] == "close"
    assert b"Traceback" not in complained
