"""A hundred clients on real sockets, and others that misbehave: what the good ones notice, and what a room costs.

    python benchmarks/websocket_rooms.py --clients 100 --seconds 30 --turns
    python benchmarks/websocket_rooms.py --clients 100 --seconds 30 --bad 5 --telephone

The server is one process (its actor loop in a thread), the clients another. Each client sends its microphone all the
time. With ``--turns`` they talk as people do: the client speaks for two seconds, types what it said (the detector
hears the voice; there is no recogniser), hears the answer of five seconds to its end, or cuts it off each third time.
Without, nobody is ever silent: the agent tells a long story, and every few seconds the client interrupts it by a text
and gets the next one.

An answer that takes more than ten seconds is late; a client is lost whose connection ended, or that was refused.
``--bad N`` adds N clients of each kind that breaks the rules, over and over: one that reads nothing, one that falls
silent, floods of texts and of audio, garbage, messages that are too large, audio before the hello, a wrong version,
who hangs up as soon as the room is open, and connections that speak no WebSocket, or nothing. Each calls from an
address of its own (127.0.1.n: Linux has them all), so that the server can tell them from the good ones; with
``--one-peer`` it cannot. It is the CPU of the server that says what they cost: answers that are late may be the fault
of a machine that others use.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

import numpy as np
import structlog
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sessionactors import (
    Agent,
    AudioFrame,
    RoomSupervisor,
    SessionSpec,
    SipDTMFReceivedEvent,
    TwilioMediaStream,
    WebSocketLimits,
    serve_rooms,
)
from sessionactors.providers import offline
from sessionactors.service.unwelcome import public_address
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.testing.websocket_clients import NativeClient, TwilioCall
from sessionactors.transports.websocket import NativeWire

STORY = "Once upon a time there was a king who counted every word that he was told, and he was told a lot. " * 6
ANSWER = "A king once counted all words that he was told, and there were many. Shall I go on?"
"""Five seconds."""
INTERRUPT_EVERY = 5.0
ANSWER_WITHIN = 10.0
VOICE = AudioFrame(np.random.default_rng(1).integers(-3000, 3000, 480, dtype="<i2").tobytes(), 24000)
"""A frame of what a detector of loudness takes for speech."""
FRAME = AudioFrame(bytes(960), 24000)
LIMITS = WebSocketLimits(silent_after=4.0, slow_after=2.0, hello_within=2.0, close_within=0.5)


class Storyteller(Agent):
    """Goes on with the story at each text, and at each key."""

    def __init__(self) -> None:
        super().__init__(instructions="Tell stories.")

    async def on_enter(self) -> None:
        """Telephones have no texts: a key asks for the story."""
        self.session.on("sip_dtmf_received", self.on_key)

    async def on_key(self, event: SipDTMFReceivedEvent) -> None:
        """Begin anew."""
        await self.session.interrupt()
        await self.session.say(STORY).wait_for_playout()


def session_for(text: str) -> Callable[[str], SessionSpec]:
    """Rooms as calls have them, but for the models: they say this text."""

    def made(_room: str) -> SessionSpec:
        return SessionSpec(
            agent=Storyteller(),
            vad=offline.EnergyVAD(),
            llm=ScriptedLLM(otherwise=ScriptedReply(text, ttft=0.05, duration=0.2)),
            tts=ScriptedTTS(ttfb=0.05),
        )

    return made


# -- the clients' process --------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What the good clients noticed."""

    ready: list[float] = field(default_factory=list)
    """Seconds from hello to ready."""
    began: list[float] = field(default_factory=list)
    """Seconds from a text to the first audio of the answer."""
    cleared: list[float] = field(default_factory=list)
    """Seconds from a text to the clear."""
    gaps: list[float] = field(default_factory=list)
    heard: float = 0.0
    unheard: float = 0.0
    slow: int = 0
    """Answers that took longer than anybody waits."""
    lost: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """How the bad ones ended."""
    late: list[float] = field(default_factory=list)
    """Seconds by which this process itself was late: the share of the figures that is not the server's."""


Client: TypeAlias = NativeClient | TwilioCall


@dataclass
class Caller:
    """A good client, and whether it speaks."""

    client: Client
    speaks: bool = False


async def good(url: str, number: int, until: float, seen: Seen, options: argparse.Namespace) -> None:
    """Talks in turns, or listens and cuts in."""
    loop = asyncio.get_running_loop()
    client: Client = TwilioCall(url) if options.telephone else NativeClient(url, identity=f"caller-{number}")
    caller = Caller(client)
    async with client:
        began = loop.time()
        if isinstance(client, NativeClient):
            await client.until(lambda: client.of("ready"), within=30.0)
            seen.ready.append(loop.time() - began)
        talking = asyncio.create_task(microphone(caller))
        try:
            await asyncio.sleep(random.uniform(0.5, INTERRUPT_EVERY))
            turn = 0
            while loop.time() < until:
                turn += 1
                if options.turns:
                    caller.speaks = True
                    await asyncio.sleep(2.0)
                    caller.speaks = False
                try:
                    await ask(client, seen)
                except TimeoutError:
                    seen.slow += 1
                if not options.turns:
                    await asyncio.sleep(INTERRUPT_EVERY)
                elif turn % 3:
                    await asyncio.sleep(5.0)
                else:
                    await asyncio.sleep(1.0)
        except ConnectionClosed as error:
            seen.lost += 1
            print(f"client {number} lost: {error!r} {client.close_code} {client.close_reason}", file=sys.stderr)
        finally:
            talking.cancel()
        seen.gaps += client.player.gaps
        seen.heard += client.player.played
        seen.unheard += client.player.cleared


def stretches(client: Client) -> int:
    """Pieces of speech that have begun."""
    if isinstance(client, NativeClient):
        return len(client.of("begin"))
    marks = [event["mark"]["name"] for event in client.events if event["event"] == "mark"]
    return max((int(mark.split(":")[0]) for mark in marks), default=0)


async def ask(client: Client, seen: Seen) -> None:
    """Ask for the next story, and take the times. What is heard of it next is behind the next stretch's beginning."""
    loop = asyncio.get_running_loop()

    def clears() -> int:
        return client.clears if isinstance(client, TwilioCall) else len(client.of("clear"))

    asked, cleared, begun = loop.time(), clears(), stretches(client)
    await (client.press("1") if isinstance(client, TwilioCall) else client.send(type="text", text="Go on."))
    async with asyncio.timeout(ANSWER_WITHIN):
        # No clear comes, where the last of what the agent said was played before the text had arrived.
        await client.until(lambda: clears() > cleared or stretches(client) > begun, within=ANSWER_WITHIN)
        if clears() > cleared:
            seen.cleared.append(loop.time() - asked)
        await client.until(lambda: stretches(client) > begun, within=ANSWER_WITHIN)
        pieces = len(client.player.heard)
        await client.until(lambda: isinstance(client, TwilioCall) or len(client.player.heard) > pieces, within=10.0)
    seen.began.append(loop.time() - asked)


async def microphone(caller: Caller) -> None:
    """What the microphone hears, as it comes; a telephone has its own silence."""
    loop, client = asyncio.get_running_loop(), caller.client
    begin, number = loop.time(), 0
    while isinstance(client, NativeClient):
        await client.speak(VOICE if caller.speaks else FRAME)
        number += 1
        await asyncio.sleep(max(0.0, begin + number * 0.02 - loop.time()))


class Rude(NativeClient):
    """Answers nothing, and says no hello."""

    receive_buffer = 4096

    async def _greet(self) -> None:
        return

    def _on_message(self, data: str | bytes) -> None:
        return


HELLO = json.dumps({"type": "hello", "version": 1, "positions": False})


async def reads_nothing(client: Rude) -> None:
    """Has the agent speak, and does not listen."""
    await client.connection.send(HELLO)
    await client.send(type="text", text="Go on.")
    await asyncio.sleep(0.5)
    client.stop_reading()
    for _ in range(200):
        await client.speak(FRAME)
        await asyncio.sleep(0.1)


async def falls_silent(client: Rude) -> None:
    """Half open: it is there, and says nothing, not even pong."""
    await client.connection.send(HELLO)


async def floods_texts(client: Rude) -> None:
    """Types like nobody."""
    await client.connection.send(HELLO)
    for number in range(500):
        await client.send(type="text", text=f"text {number}")


async def floods_audio(client: Rude) -> None:
    """Speaks a hundred times as fast as anybody."""
    await client.connection.send(HELLO)
    for _ in range(5000):
        await client.connection.send(bytes(9600))
        await asyncio.sleep(0.002)


async def garbage(client: Rude) -> None:
    """Says what nobody understands."""
    await client.connection.send(HELLO)
    for _ in range(50):
        await client.connection.send('{"type": "garbage"')
        await client.connection.send(bytes(1))


async def too_large(client: Rude) -> None:
    """A message of a megabyte."""
    await client.connection.send(HELLO)
    await client.connection.send(bytes(1_000_000))


async def no_hello(client: Rude) -> None:
    """Audio at once."""
    await client.connection.send(bytes(960))


async def wrong_version(client: Rude) -> None:
    """Of another time."""
    await client.connection.send('{"type": "hello", "version": 9}')


async def hangs_up(client: Rude) -> None:
    """Has a room opened, and is gone."""
    await client.connection.send(HELLO)
    await asyncio.sleep(0.1)
    client.connection.transport.abort()


async def no_websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks another protocol."""
    writer.write(b"EHLO example.com\r\n\r\n")
    await reader.read()


async def connects_only(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A scan of ports."""
    writer.transport.abort()


RUDE: tuple[Callable[[Rude], Awaitable[None]], ...] = (
    *(reads_nothing, falls_silent, floods_texts, floods_audio, garbage, too_large, no_hello, wrong_version, hangs_up),
)
RAW = (no_websocket, connects_only)


KINDS = [kind.__name__ for kind in (*RUDE, *RAW)]


async def bad(url: str, kind: Callable[[Rude], Awaitable[None]], source: str, until: float, seen: Seen) -> None:
    """One after the other."""
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        client = Rude(url)
        client.source = source
        try:
            async with client:
                with suppress(ConnectionClosed):
                    await kind(client)
                if kind is reads_nothing:
                    client.connection.transport.resume_reading()
                await client.closed(within=10.0)
            seen.ends[f"{kind.__name__}: {client.close_code}"] += 1
        except InvalidStatus as refused:
            seen.ends[f"{kind.__name__}: HTTP {refused.response.status_code}"] += 1
        except (TimeoutError, OSError) as error:
            seen.ends[f"{kind.__name__}: {error!r}"] += 1
        await asyncio.sleep(0.2)


async def raw(
    url: str,
    kind: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    source: str,
    until: float,
    seen: Seen,
) -> None:
    """One after the other, below WebSockets."""
    where = urlsplit(url)
    while asyncio.get_running_loop().time() < until:
        try:
            reader, writer = await asyncio.open_connection(where.hostname, where.port, local_addr=(source, 0))
            await kind(reader, writer)
            writer.close()
        except OSError as error:
            seen.ends[f"{kind.__name__}: {error!r}"] += 1
        else:
            seen.ends[f"{kind.__name__}: closed"] += 1
        await asyncio.sleep(0.2)


async def clients(options: argparse.Namespace) -> None:
    """All of them, and what they saw, as JSON."""
    seen, loop = Seen(), asyncio.get_running_loop()
    until = loop.time() + options.seconds
    tasks = [asyncio.create_task(good(options.url, number, until, seen, options)) for number in range(options.clients)]
    rude = [kind for kind in RUDE if options.only in ("", kind.__name__)]
    source = itertools.count(1)
    for _ in range(options.bad):
        tasks += [asyncio.create_task(bad(options.url, kind, f"127.0.1.{next(source)}", until, seen)) for kind in rude]
        tasks += [
            asyncio.create_task(raw(options.url, kind, f"127.0.1.{next(source)}", until, seen))
            for kind in RAW
            if options.only in ("", kind.__name__)
        ]
    while loop.time() < until:
        due = loop.time() + 0.05
        await asyncio.sleep(0.05)
        seen.late.append(loop.time() - due)
    await asyncio.gather(*tasks)
    print(json.dumps(vars(seen)))


# -- the server's process --------------------------------------------------------------------------------------------


def cpu() -> float:
    """Seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def spread(seconds: list[float]) -> str:
    """Median and p99 in milliseconds."""
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    return (
        f"p50 {statistics.median(ordered) * 1000:.0f} ms, p99 {ordered[int(len(ordered) * 0.99)] * 1000:.0f} ms, "
        f"most {ordered[-1] * 1000:.0f} ms ({len(ordered)})"
    )


def every_address(address: str | None, _headers: Mapping[str, str]) -> str | None:
    """Each address of this machine stands for one of the internet."""
    return None if address == "127.0.0.1" else address


async def measure(options: argparse.Namespace) -> None:
    """Serve the clients of another process, and print what both saw."""
    rooms_at_once = options.clients + len(KINDS) * options.bad + 20
    peer_of = public_address if options.one_peer else every_address
    wire = TwilioMediaStream if options.telephone else NativeWire
    rooms_that_say = session_for(ANSWER if options.turns else STORY)
    async with (
        RoomSupervisor(rooms_that_say, max_sessions=rooms_at_once, close_deadline=2.0) as rooms,
        serve_rooms(rooms, token=None, port=0, wire=wire, limits=LIMITS, max_waiting=500, peer_of=peer_of) as server,
    ):
        flags = [flag for flag, set_ in (("--telephone", options.telephone), ("--turns", options.turns)) if set_]
        began, used = time.perf_counter(), cpu()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            *("--url", server.url, "--clients", str(options.clients), "--seconds", str(options.seconds)),
            *("--bad", str(options.bad), "--only", options.only, *flags),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        took, used = time.perf_counter() - began, cpu() - used
        peak, stats = rooms.stats.peak, server.stats
    seen = json.loads(out)
    kind = "telephone calls" if options.telephone else "clients"
    print(f"{options.clients} {kind}, {options.seconds:.0f} s each, {peak} rooms at once")
    each = f", {used / took / options.clients * 1000:.1f} ms a second and client" if options.clients else ""
    print(f"server CPU: {used / took:.2f} cores{each}")
    if options.bad and (hostile := sum(seen["ends"].values())):
        print(f"server CPU, all of it, by hostile connection: {used / hostile * 1000:.1f} ms ({hostile})")
    print(f"hello to ready:                  {spread(seen['ready'])}")
    print(f"text or key to clear (barge-in): {spread(seen['cleared'])}")
    print(f"text or key to first audio:      {spread(seen['began'])}")
    print(f"gaps in what was heard:          {spread(seen['gaps'])}")
    print(
        f"heard {seen['heard']:.0f} s, taken back unheard {seen['unheard']:.0f} s, "
        f"answers later than {ANSWER_WITHIN:.0f} s: {seen['slow']}, good clients lost: {seen['lost']}"
    )
    print(f"the clients' own process was late: {spread(seen['late'])}")
    if options.bad:
        print("bad clients, and the code that each was closed with:")
        for end, count in sorted(seen["ends"].items()):
            print(f"  {end}  x{count}")
    print(f"server: {stats}")
    if seen["lost"]:
        sys.exit("good clients were lost")


def main() -> None:
    """Measure, or be the clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--bad", type=int, default=0, metavar="N", help="N clients of each kind that misbehaves")
    parser.add_argument("--turns", action="store_true", help="one speaks, then the other; else both all the time")
    parser.add_argument("--telephone", action="store_true", help="good clients are calls in Twilio's format")
    parser.add_argument("--only", default="", metavar="KIND", help="of those that misbehave: " + ", ".join(KINDS))
    parser.add_argument(
        "--one-peer", action="store_true", help="the server cannot tell who misbehaves from who does not"
    )
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turns and options.telephone:
        parser.error("--turns is for clients of our own protocol: a telephone has no texts")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(measure(options) if options.url is None else clients(options))


if __name__ == "__main__":
    main()
