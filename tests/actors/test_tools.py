"""`tools`: each call gets exactly one terminal record, whatever happens meanwhile (promise P5)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from structlog.testing import capture_logs

from sessionactors.actors.tool_records import INTERNAL_ERROR, ToolResultInvalid
from sessionactors.actors.tools import ToolsActor
from sessionactors.actors.tools_state import REMEMBERED
from sessionactors.interfaces.user_code import ToolResult
from sessionactors.messages.session import Publish
from sessionactors.messages.tools import RunTool, ToolFinished
from sessionactors.model.chat import FunctionCall
from sessionactors.model.errors import APIError
from sessionactors.model.events import ErrorEvent
from sessionactors.runtime import ActorSnapshot, Scope

from tests.actors.service_stage import SEEDS, ScriptedAgent, Stage, virtually


def call(name: str = "weather", call_id: str = "call-1") -> FunctionCall:
    return FunctionCall(call_id, name, "{}")


def order(stage: Stage, scope: Scope, call_id: str = "call-1", name: str = "weather") -> RunTool:
    return RunTool(call(name, call_id), "speech-1", stage.speech_ref, scope, stage.agent)


def ends(stage: Stage) -> list[ToolFinished]:
    return stage.speech.of(ToolFinished)


def errors(stage: Stage) -> list[ErrorEvent]:
    published = [publish.event for publish in stage.supervisor.of(Publish)]
    return [event for event in published if isinstance(event, ErrorEvent)]


def balanced(snapshot: ActorSnapshot) -> bool:
    state: Any = snapshot.state
    outcomes = ("completed", "failed", "cancelled", "abandoned", "duplicates")
    return bool(state["received"] == len(state["running"]) + sum(state[outcome] for outcome in outcomes))


async def sunny(_: FunctionCall) -> ToolResult:
    await asyncio.sleep(1.0)
    return ToolResult("sunny")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_result_comes_back_once_as_completed(seed: int | None) -> None:
    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(sunny), seed=seed) as stage:
            stage.tell(order(stage, stage.scope()))
            await asyncio.sleep(0.5)
            assert stage.inspect().state["running"] == {"call-1": "weather since 0.000 s"}
            await asyncio.sleep(5)
            (end,) = ends(stage)
            assert (end.call_id, end.outcome) == ("call-1", "completed")
            assert (end.output.output, end.output.name, end.output.is_error) == ("sunny", "weather", False)
            assert end.output.created_at == pytest.approx(1_700_000_001.0, abs=0.01)
            assert end.duration == pytest.approx(1.0, abs=0.003)
            assert balanced(stage.inspect())

    virtually(main)


def test_an_error_result_is_failed_and_keeps_what_the_tool_said() -> None:
    async def refuse(_: FunctionCall) -> ToolResult:
        return ToolResult("no such place", is_error=True, reply_required=False)

    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(refuse)) as stage:
            stage.tell(order(stage, stage.scope()))
            await asyncio.sleep(1)
            (end,) = ends(stage)
            assert end.outcome == "failed"
            assert (end.output.output, end.output.reply_required) == ("no such place", False)
            assert errors(stage) == []

    virtually(main)


@pytest.mark.parametrize("error", [ValueError("a bug"), asyncio.CancelledError(), SystemExit(1)])
def test_a_fault_in_the_agents_code_is_failed_and_reported(error: BaseException) -> None:
    async def fail(_: FunctionCall) -> ToolResult:
        raise error

    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(fail)) as stage:
            stage.tell(order(stage, stage.scope()))
            await asyncio.sleep(1)
            (end,) = ends(stage)
            assert (end.outcome, end.output.output) == ("failed", INTERNAL_ERROR)
            (event,) = errors(stage)
            assert event.source == "tool"
            assert event.error is error or isinstance(event.error, APIError)

    virtually(main)


def test_a_result_that_is_none_is_failed_and_reported() -> None:
    async def nonsense(_: FunctionCall) -> Any:
        return "sunny"

    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(nonsense)) as stage:
            stage.tell(order(stage, stage.scope()))
            await asyncio.sleep(1)
            assert [end.outcome for end in ends(stage)] == ["failed"]
            (event,) = errors(stage)
            assert isinstance(event.error, ToolResultInvalid)
            assert stage.inspect().restarts == 0

    virtually(main)


@pytest.mark.parametrize("seed", SEEDS)
def test_p05_a_call_whose_scope_is_closed_never_starts(seed: int | None) -> None:
    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(sunny), seed=seed) as stage:
            scope = stage.scope()
            stage.close_scope(scope)
            await stage.settle()
            stage.tell(order(stage, scope))
            await asyncio.sleep(5)
            assert [(end.outcome, end.duration) for end in ends(stage)] == [("cancelled", 0.0)]
            assert stage.agent.started == []
            assert balanced(stage.inspect())

    virtually(main)


@pytest.mark.parametrize("seed", SEEDS)
def test_p05_a_running_call_outlives_the_interruption(seed: int | None) -> None:
    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(sunny), seed=seed) as stage:
            scope = stage.scope()
            stage.tell(order(stage, scope))
            await asyncio.sleep(0.5)
            stage.close_scope(scope)
            await asyncio.sleep(5)
            assert [end.outcome for end in ends(stage)] == ["completed"]
            assert stage.agent.cancelled == []

    virtually(main)


def test_p05_an_id_that_is_known_is_refused() -> None:
    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(sunny)) as stage:
            scope = stage.scope()
            stage.tell(order(stage, scope), order(stage, scope))
            await asyncio.sleep(5)
            stage.tell(order(stage, scope))
            await asyncio.sleep(5)
            assert [end.outcome for end in ends(stage)] == ["failed", "completed", "failed"]
            assert stage.agent.started == ["call-1"]
            assert stage.inspect().state["duplicates"] == 2
            assert balanced(stage.inspect())

    virtually(main)


def test_the_memory_of_ids_is_bounded() -> None:
    async def at_once(_: FunctionCall) -> ToolResult:
        return ToolResult("")

    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(at_once)) as stage:
            scope = stage.scope()
            for number in range(REMEMBERED + 5):
                stage.tell(order(stage, scope, f"call-{number}"))
                if number % 200 == 0:
                    await stage.settle()
            await asyncio.sleep(1)
            state: Any = stage.under_test.cell.state
            assert len(state.ended) == REMEMBERED
            assert state.completed == REMEMBERED + 5

    virtually(main)


@pytest.mark.parametrize("seed", SEEDS)
def test_p12_a_restart_abandons_what_ran(seed: int | None) -> None:
    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(sunny), seed=seed) as stage:
            stage.tell(order(stage, stage.scope()))
            await asyncio.sleep(0.5)
            with capture_logs() as logs:
                stage.kill()
                await asyncio.sleep(5)
            assert [end.outcome for end in ends(stage)] == ["abandoned"]
            assert ends(stage)[0].output.is_error
            assert stage.agent.cancelled == ["call-1"]
            assert [line["call_id"] for line in logs if line["event"] == "tool_abandoned"] == ["call-1"]
            assert balanced(stage.inspect())

    virtually(main)


@pytest.mark.parametrize("seed", SEEDS)
def test_p05_a_result_that_waits_in_the_mailbox_survives_a_restart(seed: int | None) -> None:
    async def main() -> None:
        async with Stage(ToolsActor, agent=ScriptedAgent(sunny), seed=seed) as stage:
            stage.tell(order(stage, stage.scope()))
            await asyncio.sleep(0.5)
            await stage.under_test.suspend()
            await asyncio.sleep(1.0)
            assert stage.inspect().data_depth == 1
            stage.kill()
            await stage.under_test.resume()
            await asyncio.sleep(5)
            assert [end.outcome for end in ends(stage)] == ["completed"]

    virtually(main)


def test_p05_what_runs_at_the_end_is_abandoned_by_name() -> None:
    async def main() -> None:
        with capture_logs() as logs:
            async with Stage(ToolsActor, agent=ScriptedAgent(sunny)) as stage:
                stage.tell(order(stage, stage.scope()))
                await asyncio.sleep(0.5)
                await stage.under_test.stop(block=False)
                await asyncio.sleep(1)
                assert [end.outcome for end in ends(stage)] == ["abandoned"]
        (line,) = [line for line in logs if line["event"] == "tool_abandoned"]
        assert (line["tool"], line["call_id"], line["running_for"]) == ("weather", "call-1", 0.5)

    virtually(main)


def test_p05_nobody_is_told_who_is_gone() -> None:
    async def main() -> None:
        with capture_logs() as logs:
            async with Stage(ToolsActor, agent=ScriptedAgent(sunny)) as stage:
                stage.tell(order(stage, stage.scope()))
                await asyncio.sleep(0.5)
                await stage.speech_ref.stop(block=False)
                await stage.under_test.stop(block=False)
                assert stage.inspect_room().dead_letters == ()
        assert [line["call_id"] for line in logs if line["event"] == "tool_abandoned"] == ["call-1"]

    virtually(main)


def test_p05_calls_are_conserved_in_any_order_with_kills_and_interruptions() -> None:
    for seed in range(60):
        chosen = random.Random(seed)

        async def run(asked: FunctionCall, chosen: random.Random = chosen) -> ToolResult:
            await asyncio.sleep(chosen.uniform(0, 1))
            if chosen.random() < 0.2:
                raise ValueError("a bug")
            return ToolResult("done", is_error=chosen.random() < 0.2)

        async def main(run: Any = run, seed: int = seed, chosen: random.Random = chosen) -> None:
            async with Stage(ToolsActor, agent=ScriptedAgent(run), seed=seed) as stage:
                scopes = [stage.scope(f"speech-{number}") for number in range(4)]
                asked: list[str] = []
                for number in range(20):
                    call_id = f"call-{number}"
                    asked.append(call_id)
                    stage.tell(order(stage, chosen.choice(scopes), call_id))
                    if chosen.random() < 0.2:
                        stage.close_scope(chosen.choice(scopes))
                    if chosen.random() < 0.1 and stage.inspect().restarts < 3:
                        stage.kill()
                    await asyncio.sleep(chosen.uniform(0, 0.5))
                await asyncio.sleep(10)
                assert sorted(end.call_id for end in ends(stage)) == sorted(asked)
                assert len(set(stage.agent.started)) == len(stage.agent.started)
                never = {end.call_id for end in ends(stage) if end.outcome == "cancelled"}
                assert not never & set(stage.agent.started)
                snapshot = stage.inspect()
                assert snapshot.state["running"] == {}
                assert balanced(snapshot)

        virtually(main)
