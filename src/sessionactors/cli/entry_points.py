"""What a module offers to be talked to: an entry point, a factory of session specs, or an agent."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.transport import Transport
from sessionactors.service.worker.job_context import JobContext
from sessionactors.service.worker.options import WorkerOptions
from sessionactors.session.agent import Agent
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.stand_ins import stand_ins

from .loading import NotLoaded, load_module, subclasses_in

if TYPE_CHECKING:
    from sessionactors.service.session_spec import SessionFactory

EntryPoint: TypeAlias = Callable[[JobContext], Awaitable[None]]

LOOKED_FOR: Final = (
    "looked for: `async def entrypoint(ctx: JobContext)`, `def session_for(room) -> SessionSpec`, "
    "or one subclass of sessionactors.Agent"
)
DEFAULT_MODEL: Final = "gpt-4o-mini"


def find_entry_point(name: str, *, audio: bool, note: Callable[[str], object]) -> EntryPoint:
    """The entry point of a module, given by path or dotted name.

    Args:
        name: the module.
        audio: whether an agent that brings no session shall hear and speak.
        note: told what was chosen for such an agent.

    Raises:
        NotLoaded: the module does not import, or offers nothing; says what was looked for.
    """
    module = load_module(name)
    entry = getattr(module, "entrypoint", None)
    if entry is not None:
        if not inspect.iscoroutinefunction(entry):
            raise NotLoaded(f"{name}: entrypoint is not an async function of a JobContext, but {entry!r}")
        return cast("EntryPoint", entry)
    options = next((value for value in vars(module).values() if isinstance(value, WorkerOptions)), None)
    if options is not None:
        return options.entrypoint_fnc
    if hasattr(module, "session_for"):
        return _of_factory(module, name)
    return _of_agent(_only_agent(module, name), audio=audio, note=note)


def session_factory(name: str, *, note: Callable[[str], object]) -> SessionFactory:
    """What makes the sessions of a module's rooms: its ``session_for``, or its one agent with a model.

    Args:
        name: path or dotted name of the module.
        note: told what was chosen for an agent.

    Raises:
        NotLoaded: the module does not import, or offers neither; says what was looked for.
    """
    module = load_module(name)
    if hasattr(module, "session_for"):
        return _factory_of(module, name)
    if hasattr(module, "entrypoint") and not subclasses_in(module, Agent):
        raise NotLoaded(
            f"{name} has an entrypoint, which is for rooms of a LiveKit server (`python {name} start`); rooms over "
            f"HTTP need `def session_for(room) -> SessionSpec`, or one subclass of sessionactors.Agent"
        )
    kind = _only_agent(module, name)
    _made(kind)  # what is wrong with it is said before anybody calls
    from sessionactors.service.session_spec import SessionSpec

    llm = _default_llm(note)

    def session_for(_room: str) -> SessionSpec:
        return SessionSpec(agent=_made(kind), llm=llm)

    return session_for


def _only_agent(module: ModuleType, name: str) -> type[Agent]:
    agents = cast("list[type[Agent]]", subclasses_in(module, Agent))
    if len(agents) == 1:
        return agents[0]
    if not agents:
        raise NotLoaded(f"{name} offers nothing to talk to; {LOOKED_FOR}")
    names = ", ".join(agent.__name__ for agent in agents)
    raise NotLoaded(f"{name} has {len(agents)} agents ({names}): say which one by an entrypoint; {LOOKED_FOR}")


def _of_factory(module: ModuleType, name: str) -> EntryPoint:
    factory = _factory_of(module, name)

    async def run(ctx: JobContext) -> None:
        from sessionactors.service.room_supervisor import RoomSupervisor

        async with RoomSupervisor(factory, max_sessions=1, system=stand_ins.get().system) as rooms:
            await ctx.connect()
            room = await rooms.spawn("console", transport=cast("Transport", ctx.room))
            await room.wait_closed()

    return run


def _factory_of(module: ModuleType, name: str) -> SessionFactory:
    factory = module.session_for
    if not callable(factory):
        raise NotLoaded(f"{name}: session_for is not a function from a room's name to a SessionSpec, but {factory!r}")
    return cast("SessionFactory", factory)


def _made(kind: type[Agent]) -> Agent:
    try:
        return kind()  # type: ignore[call-arg]  # a subclass that fills in its instructions
    except TypeError as error:
        raise NotLoaded(f"{kind.__name__} cannot be made without arguments: {error}; {LOOKED_FOR}") from error


def _of_agent(kind: type[Agent], *, audio: bool, note: Callable[[str], object]) -> EntryPoint:
    agent = _made(kind)

    async def run(ctx: JobContext) -> None:
        await ctx.connect()
        llm = _default_llm(note)
        if not audio:
            session: AgentSession[None] = AgentSession(llm=llm)
            await session.start(agent, room=ctx.room)
            return
        from sessionactors.providers import offline

        vad, stt, tts = offline.SileroVAD(), offline.PocketSphinxSTT(offline.FRONT_DESK), offline.default_tts()
        session = AgentSession(
            llm=llm,
            vad=vad,
            stt=stt,
            tts=tts,
            turn_handling={"turn_detection": offline.GrammarTurnDetector(offline.FRONT_DESK)},
        )
        try:
            await session.start(agent, room=ctx.room)
            await session.wait_closed()
        finally:
            for provider in (vad, stt, tts):
                await provider.aclose()

    return run


def _default_llm(note: Callable[[str], object]) -> LLM:
    """OpenAI's API, or an endpoint compatible with it, if one is set up; else the offline responder."""
    if os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"):
        from sessionactors.providers import openai

        model = os.environ.get("OPENAI_MODEL", DEFAULT_MODEL)
        note(f"model: {model} at {os.environ.get('OPENAI_BASE_URL', 'api.openai.com')}")
        return openai.LLM(model=model)
    from sessionactors.providers import offline

    note("no OPENAI_API_KEY: the offline front desk answers, by rules and not by the agent's instructions")
    return offline.RuleBasedLLM(offline.FRONT_DESK)
