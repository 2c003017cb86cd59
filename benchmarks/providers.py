"""What it costs where a model lives, and what is left of many requests to one that is shared.

Homes: one reply of many tokens, from a model at no distance, through a whole session; the model on the actor loop, on
the user's loop, or behind an `llm_node` of the user's. Each token that comes from another loop than the actors' is
carried over by itself, in order.

Shared: each vendor's providers against local servers, half of the requests cancelled midway. The servers live in the
same process: their ends of the connections count; what they note of requests is forgotten before memory is read.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import logging
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parents[1]))

import structlog

from sessionactors import ActorSystem, Agent, AgentSession, ChatContext
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM, ChatChunk, LLMStream
from sessionactors.model.tools import ModelSettings, ToolChoice, ToolDefinition
from sessionactors.session.agent_nodes import OfferedTool
from sessionactors.testing.conformance.footprint import footprint

Where = Literal["own", "running"]


class Near(LLM):
    """Answers at once: what is left is the way of the tokens."""

    label = "near"

    def __init__(self, tokens: int, home: Home) -> None:
        self._tokens = tokens
        self.home = home

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return LLMStream(self._answer())

    async def _answer(self) -> AsyncGenerator[ChatChunk, None]:
        for _ in range(self._tokens):
            await asyncio.sleep(0)  # a network would give way too
            yield ChatChunk("word ")


class Noding(Agent):
    """Passes on what the model says, in code of the user's."""

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
    ) -> AsyncIterator[ChatChunk]:
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk


async def per_token(where: Where, home: Home, agent: type[Agent], tokens: int, rounds: int) -> tuple[float, float]:
    """Best of the rounds: microseconds of time and of CPU for each token."""
    system = ActorSystem(where)
    session: AgentSession[None] = AgentSession(llm=Near(tokens, home), system=system)
    await session.start(agent(instructions=""))
    took = []
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        await session.generate_reply(user_input="Go on.").wait_for_playout()
        took.append((time.perf_counter() - began, time.process_time() - cpu))
        said = getattr(session.history.items[-1], "text_content", "")
        if said.split() != ["word"] * tokens:
            sys.exit(f"{len(said.split())} words of {tokens} arrived")
    await session.aclose()
    await system.aclose()
    return min(wall for wall, _ in took) / tokens * 1e6, min(cpu for _, cpu in took) / tokens * 1e6


def homes(tokens: int, rounds: int) -> None:
    """Print the table, as a ratio to a model that lives where the actors do."""
    cases: list[tuple[str, Where, Home, type[Agent]]] = [
        ("actor loop of its own, model at home there", "own", Home.ACTOR, Agent),
        ("actor loop of its own, model on the user's loop", "own", Home.USER, Agent),
        ("actor loop of its own, llm_node of the user's", "own", Home.ACTOR, Noding),
        ("actors on the user's loop, model there too", "running", Home.ACTOR, Agent),
        ("actors on the user's loop, llm_node of the user's", "running", Home.ACTOR, Noding),
    ]
    base = (1.0, 1.0)
    print(f"{'microseconds a token':<52} {'time':>7} {'ratio':>6} {'CPU':>7} {'ratio':>6}")
    for number, (name, where, home, agent) in enumerate(cases):
        wall, cpu = asyncio.run(per_token(where, home, agent, tokens, rounds))
        base = (wall, cpu) if number == 0 else base
        print(f"{name:<52} {wall:>7.1f} {wall / base[0]:>6.2f} {cpu:>7.1f} {cpu / base[1]:>6.2f}")


@dataclass(frozen=True)
class Held:
    """What the process holds."""

    sockets: int
    tasks: int
    threads: int
    descriptors: int
    objects: int
    """Of the providers' code."""
    megabytes: int
    """Resident."""


async def held() -> Held:
    """Look, after what the servers have noted is forgotten."""
    from tests.wire.vendor_server import VendorServer

    await asyncio.sleep(1.0)  # what is closed has gone
    gc.collect()
    ours = 0
    for thing in gc.get_objects():
        ours += str(type(thing).__module__).startswith("sessionactors.providers.")
        if issubclass(type(thing), VendorServer):  # isinstance would ask weak proxies, which may be dead
            for received in thing.received:
                received.messages.clear()
                received.audio.clear()
    del thing
    gc.collect()
    with suppress(OSError, AttributeError):  # where there is no such call, free memory counts
        ctypes.CDLL(None).malloc_trim(0)
    here, resident = await footprint(), int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    return Held(sockets(), here.tasks, here.threads, here.descriptors, ours, round(resident / 1e6))


def sockets() -> int:
    """Of this process."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own
            count += str(descriptor.readlink()).startswith("socket:")
    return count


async def shared(requests: int, rooms: int = 10) -> None:
    """Print what many requests to one object leave, for each provider that has connections."""
    from sessionactors.testing.conformance import LLMRig, RealtimeRig, STTRig, TTSRig

    from tests.conformance.our_rigs import AnyRig, vendors
    from tests.providers.sharing import share, warm

    print(f"\n{requests} requests of {rooms} rooms to one object, every second one given up midway; before -> after")
    names = [field.name for field in fields(Held)]
    print(f"{'':<28} {'s':>5} {'new connections':>15} " + " ".join(f"{name:>12}" for name in names))
    kinds: tuple[type[AnyRig], ...] = (LLMRig, TTSRig, STTRig, RealtimeRig)
    for rig in (rig for kind in kinds for rig in vendors(kind)):
        async with rig.opened() as provider:
            await warm(rig, provider, rooms=rooms)
            before, began = await held(), time.perf_counter()
            found = await share(rig, provider, rooms=rooms, each=requests // rooms)
            took, after = time.perf_counter() - began, await held()
        figures = " ".join(f"{f'{getattr(before, name)} -> {getattr(after, name)}':>12}" for name in names)
        print(f"{rig.name:<28} {took:>5.1f} {found.connections:>15} {figures}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=("homes", "shared", "all"), default="all")
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.what != "shared":
        homes(options.tokens, options.rounds)
    if options.what != "homes":
        asyncio.run(shared(options.requests))


if __name__ == "__main__":
    main()
