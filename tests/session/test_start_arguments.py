"""What ``start`` and ``shutdown`` take, and what is seen of the end."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import (
    ActorSystem,
    Agent,
    AgentSession,
    CloseEvent,
    CloseReason,
    MCPServerHTTP,
    MCPToolset,
    OptionError,
    SessionStateError,
    function_tool,
)
from sessionactors.session import session_life
from sessionactors.session.start_options import RecordingOptions
from sessionactors.testing import Scenario, ScriptedLLM, ScriptedSTT, ScriptedTTS, ScriptedVAD
from sessionactors.testing import run as in_virtual_time
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import Session, barge_in, keeper, near, played

# -- start -------------------------------------------------------------------------------------------------------------


class Greeter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    async def on_enter(self) -> None:
        await asyncio.sleep(0.5)
        self.session.say("Welcome.")
        _ = self.session.generate_reply(instructions="Ask how they are.")


def test_a_start_can_wait_for_all_that_is_said_on_entering() -> None:
    async def test() -> None:
        system = ActorSystem("running")
        session: Session = AgentSession(llm=ScriptedLLM(["How are you?", "Good."]), system=system)
        result = await session.start(Greeter(), capture_run=True)
        assert result is not None
        assert [event.item.text_content for event in result.events] == ["Welcome.", "How are you?"]  # type: ignore[union-attr]
        result.expect.next_event().is_message(role="assistant")
        assert await session.start(session.current_agent, capture_run=True) is None, "it runs already"
        assert (await session.run(user_input="Fine.")).done(), "that run is over"
        await session.aclose()
        await system.aclose()

    in_virtual_time(test)


def test_a_start_that_waits_ends_also_when_nothing_is_said() -> None:
    async def test() -> None:
        system = ActorSystem("running")
        session: Session = AgentSession(system=system)
        result = await session.start(keeper(), capture_run=True)
        assert result is not None
        assert result.events == []
        result.expect.no_more_events()
        await session.aclose()
        await system.aclose()

    in_virtual_time(test)


@pytest.mark.parametrize(
    "record, wanted",
    [(True, "audio, traces, logs, transcript"), ({"audio": True, "traces": False}, "audio, logs, transcript")],
)
async def test_recording_in_a_cloud_is_refused_and_the_text_says_what_records_here(
    record: bool | RecordingOptions, wanted: str
) -> None:
    with pytest.raises(OptionError, match=rf"asks for {wanted} in LiveKit's cloud. .*Recorder\(directory\)"):
        await AgentSession[object]().start(keeper(), record=record)


async def test_a_session_host_is_refused() -> None:
    with pytest.raises(OptionError, match=r"session.inspect\(\) and session.tap\(\)"):
        await AgentSession[object]().start(keeper(), session_host=True)


def test_what_is_not_asked_for_is_not_refused() -> None:
    async def test() -> None:
        system = ActorSystem("running")
        session: Session = AgentSession(system=system)
        nothing: RecordingOptions = {"audio": False, "traces": False, "logs": False, "transcript": False}
        await session.start(keeper(), record=nothing, session_host=False)
        await session.aclose()
        await session.start(keeper(), record=False)
        await session.aclose()
        await system.aclose()

    in_virtual_time(test)


async def test_model_strings_are_refused_as_only_a_cloud_resolves_them() -> None:
    with pytest.raises(OptionError, match="llm='openai/gpt-4o' names a model of LiveKit's cloud; give an object"):
        AgentSession(llm="openai/gpt-4o")
    with pytest.raises(OptionError, match="stt='deepgram/nova-3' names a model"):
        await AgentSession[object]().start(keeper(), stt="deepgram/nova-3")


class Counted(ScriptedVAD):
    """Counts how often it was closed."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    "options, provided",
    [({}, True), ({"vad": None}, False), ({"vad": Counted([])}, False), ({"stt": None}, False)],
    ids=["absent", "None", "given", "nothing to recognise"],
)
def test_voice_activity_detection_is_provided_only_where_it_is_absent(
    options: dict[str, object], provided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    vad = Counted([])
    monkeypatch.setattr(session_life, "default_vad", lambda: vad)

    async def test() -> None:
        system = ActorSystem("running")
        session: Session = AgentSession(system=system, **{"stt": ScriptedSTT([]), **options})  # type: ignore[arg-type]
        await session.start(keeper(), room=MemoryTransport())
        wiring = session._wiring
        assert wiring is not None
        assert (wiring.components.vad is vad, wiring.components.vad_is_default) == (provided, provided)
        await session.aclose()
        assert vad.closed == provided, "it is the session's to close"
        await system.aclose()

    in_virtual_time(test)


def test_the_components_of_a_session_can_be_read() -> None:
    stt, llm, tts, vad = ScriptedSTT([]), ScriptedLLM(), ScriptedTTS(), ScriptedVAD([])

    @function_tool
    async def look() -> str:
        return "there"

    session: Session = AgentSession(stt=stt, llm=llm, tts=tts, vad=vad, tools=[look])
    assert (session.stt, session.llm, session.tts, session.vad) == (stt, llm, tts, vad)
    assert session.tools == [look]
    nothing: Session = AgentSession()
    assert (nothing.stt, nothing.llm, nothing.tts, nothing.vad, nothing.tools) == (None, None, None, None, [])


def test_servers_of_tools_given_in_the_older_way_warn_and_become_sets() -> None:
    server = MCPServerHTTP("http://127.0.0.1:1/mcp")
    with pytest.warns(
        DeprecationWarning, match=r"AgentSession\(mcp_servers=...\) is deprecated: use tools=\[MCPToolset"
    ):
        session: Session = AgentSession(mcp_servers=[server])
    assert session.mcp_servers == [server]
    assert isinstance(session.tools[0], MCPToolset)
    with pytest.warns(DeprecationWarning, match=r"Agent\(mcp_servers=...\) is deprecated"):
        agent = Agent(instructions="", mcp_servers=[server])
    assert isinstance(agent.tools[0], MCPToolset)
    assert AgentSession[object]().mcp_servers == []


# -- shutdown and the end ----------------------------------------------------------------------------------------------


def spoken_until(at: float, drain: bool) -> Scenario:
    """A speech of 15 s from 3.5 s on, and a shutdown in it."""
    scenario = barge_in(allow_interruptions=False)
    scenario.call(at, lambda session: session.shutdown(drain=drain))
    return scenario


def test_a_shutdown_lets_what_is_being_said_be_said() -> None:
    run = played(spoken_until(4.0, drain=True))
    assert run.said()[0].endswith("a very old horse.")
    assert run.close_event.reason is CloseReason.USER_INITIATED
    assert run.ended_at == near(18.5)


def test_a_shutdown_without_drain_cuts_it() -> None:
    run = played(spoken_until(4.5, drain=False))
    assert not run.said()[0].endswith("horse.")
    assert run.ended_at == near(4.5)


def test_p10_a_shutdown_does_not_wait_for_ever_for_what_hangs_and_says_for_what() -> None:
    async def hangs() -> str:
        """Never returns."""
        await asyncio.sleep(1000.0)
        return ""

    scenario = Scenario(Agent(instructions="", tools=[function_tool(hangs)]), audio=False)
    scenario.user_types("Hello?", at=0.5)
    scenario.llm_replies("One moment.", tool_calls=[("hangs", "{}")])
    scenario.call(2.0, lambda session: session.shutdown(drain_deadline=10.0, deadline=1.0))
    run = scenario.play()
    assert 12.0 < run.ended_at < 13.1  # 10 s for the drain, then the close within its own second
    (late,) = [event.error for event in run.errors if isinstance(event.error, SessionStateError)]
    assert "waited 10.0 s for speech-1" in str(late)
    assert [event.reason for event in run.of(CloseEvent)] == [CloseReason.USER_INITIATED]


def test_a_negative_drain_deadline_is_refused() -> None:
    with pytest.raises(OptionError, match="drain_deadline"):
        AgentSession[object]().shutdown(drain_deadline=-1.0)


def test_f02_a_session_that_was_shut_down_is_as_new_when_it_is_started_again() -> None:
    async def test() -> None:
        system = ActorSystem("running")
        session: Session = AgentSession(llm=ScriptedLLM(["One.", "Two.", "Three."]), system=system)
        closes: list[CloseEvent] = []
        session.on("close", closes.append)
        for _ in range(3):
            await session.start(keeper())
            await session.generate_reply(user_input="Hello.")
            session.shutdown()
            await session.wait_closed()
        assert [event.reason for event in closes] == [CloseReason.USER_INITIATED] * 3
        assert session.options == AgentSession[object]().options
        await system.aclose()

    in_virtual_time(test)


def test_the_close_event_comes_before_states_return_to_their_beginning_and_a_run_fails_last() -> None:
    seen: list[object] = []

    async def use(session: Session) -> None:
        run = session.run(user_input="Hello?")
        session.on("close", lambda _: seen.append((session.agent_state, run.done())))
        session.on("agent_state_changed", lambda event: seen.append(event.new_state))
        await asyncio.sleep(0.05)
        await session.aclose()
        assert session.agent_state == "initializing"
        with pytest.raises(SessionStateError, match="closed before the run was complete"):
            await run

    scenario = Scenario(keeper(), audio=False)
    scenario.llm_replies("Yes.", ttft=5.0, duration=5.0)
    scenario.call(1.0, use)
    scenario.play()
    assert seen[0] == "thinking"
    assert seen[-1] in {("listening", False), ("thinking", False)}


async def test_a_session_closes_at_the_end_of_its_block() -> None:
    async with AgentSession[object]() as session:
        await session.start(keeper())
        assert session.agent_state == "listening"
    assert (await session.wait_closed()).reason is CloseReason.USER_INITIATED
