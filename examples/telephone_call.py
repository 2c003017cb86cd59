"""A telephone call over a media stream: keys, barge-in, hang-up. Runs without a telephone, a network or an account.

A scripted caller speaks Twilio's format to the agent, over a real WebSocket on this machine:

    python examples/telephone_call.py

A real one: give a number at Twilio the TwiML that this prints, and put a TLS proxy before the port:

    python examples/telephone_call.py --listen 8765 --token SECRET --public-host agent.example.com

Needs ``pip install 'sessionactors[websocket,offline]'``.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from sessionactors import (
    STT,
    TTS,
    VAD,
    Agent,
    AgentSession,
    AudioFrame,
    ConversationItemAddedEvent,
    RoomServer,
    RoomSupervisor,
    SessionSpec,
    SipDTMFReceivedEvent,
    TwilioMediaStream,
    function_tool,
    serve_rooms,
)
from sessionactors.model.resampling import MonoResampler
from sessionactors.providers import offline
from sessionactors.testing.websocket_clients import TwilioCall

MENU = "Welcome to the hotel. Ask me about an order, press one for our opening hours, or press star to hang up."
HOURS = (
    "We are open from Monday to Friday from eight in the morning until six in the evening, on Saturdays from nine "
    "until one, and on Sundays we are closed, except in August, when we are open every day from ten until four."
)
QUESTION = "where is my order number seven"
LISTENS = 2.0
"""Seconds that the scripted caller listens before it cuts in."""
QUIET = 4.0
"""Seconds that the scripted caller listens to the answer."""


class Reception(Agent):
    """Answers the telephone. Keys are events of the session: what follows from them is the program's affair."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the reception of a small hotel, on the telephone.")

    async def on_enter(self) -> None:
        """Speak first, and listen for keys."""
        self.session.on("sip_dtmf_received", self.on_key)
        await self.session.say(MENU).wait_for_playout()

    async def on_key(self, event: SipDTMFReceivedEvent) -> None:
        """A key cuts off what is being said, as callers expect who know the menu."""
        await self.session.interrupt()
        match event.digit:
            case "1":
                await self.session.say(HOURS).wait_for_playout()
            case "*":
                await self.session.say("Good bye.", allow_interruptions=False).wait_for_playout()
                self.session.shutdown()
            case _:
                await self.session.say("There is nothing on that key.").wait_for_playout()

    @function_tool
    async def order_status(self, order: int) -> str:
        """Look up where an order is.

        Args:
            order: its number.
        """
        return f"Order {order} is on its way." if order % 2 else f"Order {order} is still in the kitchen."


@dataclass(frozen=True)
class Ears:
    """What hears and speaks; shared by all calls."""

    vad: VAD
    stt: STT | None
    tts: TTS

    @classmethod
    def offline(cls) -> Ears:
        """Those that need no account."""
        return cls(offline.SileroVAD(), offline.PocketSphinxSTT(offline.FRONT_DESK), offline.default_tts())

    async def aclose(self) -> None:
        """They have threads and a process of their own."""
        for provider in (self.vad, self.stt, self.tts):
            if provider is not None:
                await provider.aclose()


def answering(ears: Ears, shown: Callable[[str], object]) -> Callable[[str], SessionSpec]:
    """Makes the session of each call."""

    def session_for(room: str) -> SessionSpec:
        def prepare(session: AgentSession[object]) -> None:
            @session.on("conversation_item_added")
            def _(event: ConversationItemAddedEvent) -> None:
                role, text = getattr(event.item, "role", ""), getattr(event.item, "text_content", None)
                if text:
                    cut = " [cut off here]" if getattr(event.item, "interrupted", False) else ""
                    shown(f"{role}: {text}{cut}")

            @session.on("sip_dtmf_received")
            def _(event: SipDTMFReceivedEvent) -> None:
                shown(f"key: {event.digit}")

        return SessionSpec(
            agent=Reception(),
            vad=ears.vad,
            stt=ears.stt,
            llm=offline.RuleBasedLLM(offline.FRONT_DESK),
            tts=ears.tts,
            aec_warmup_duration=None,  # a telephone gives no echo back
            prepare=prepare,
        )

    return session_for


def twiml(host: str, token: str) -> str:
    """What Twilio is to do with a call: connect it, both ways. The token comes with the call, not with the address."""
    return (
        f"<Response><Connect><Stream url={quoteattr(f'wss://{host}/')}>"
        f'<Parameter name="token" value={quoteattr(token)}/></Stream></Connect></Response>'
    )


async def scripted_caller(server: RoomServer, token: str, question: AudioFrame, shown: Callable[[str], object]) -> None:
    """Presses a key during the greeting, talks into the opening hours, waits for the answer, and hangs up by key."""
    async with TwilioCall(server.url, token=token) as call:

        async def has_heard(seconds: float) -> None:
            enough = call.player.played + seconds
            await call.until(lambda: call.player.played > enough, within=20.0)

        await has_heard(LISTENS)
        await call.press("1")
        await call.until(lambda: call.clears == 1)
        shown(f"caller: I pressed 1, and the greeting stopped; {call.player.cleared:.1f} s of it were not played")
        await has_heard(LISTENS)
        await call.say(question)
        await call.until(lambda: call.clears == 2)
        shown("caller: I spoke, and the opening hours stopped")
        await has_heard(LISTENS / 2)
        await asyncio.sleep(QUIET)
        await call.press("*")
        await call.closed(within=20.0)
        shown(f"caller: the line is dead (code {call.close_code}); I gave back {len(call.marks)} marks")


async def recorded(voice: TTS, text: str) -> AudioFrame:
    """A sentence at the rate of a telephone."""

    async def words() -> AsyncIterator[str]:
        yield text

    resampler, pcm = MonoResampler(8000), b""
    async for piece in voice.synthesize(words()):
        frame = resampler.feed(piece.frame)
        pcm += b"" if frame is None else frame.data
    return AudioFrame(pcm, 8000)


async def rehearse(ears: Ears, question: AudioFrame, shown: Callable[[str], object] = print) -> None:
    """One scripted call, from the greeting to the hang-up."""
    token = secrets.token_urlsafe()
    async with (
        RoomSupervisor(answering(ears, shown), max_sessions=1) as rooms,
        serve_rooms(rooms, token=token, port=0, wire=TwilioMediaStream) as server,
    ):
        await scripted_caller(server, token, question, shown)


async def listen(ears: Ears, port: int, token: str, public_host: str) -> None:
    """Take real calls until it is interrupted."""
    async with (
        RoomSupervisor(answering(ears, print)) as rooms,
        serve_rooms(rooms, token=token, port=port, wire=TwilioMediaStream) as server,
    ):
        print(f"listening at {server.url}; the TwiML of the number:\n{twiml(public_host, token)}")
        await asyncio.Event().wait()


async def main() -> None:
    """Rehearse, or take calls."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=int, metavar="PORT", help="take real calls at this port of this machine")
    parser.add_argument("--token", default=secrets.token_urlsafe(), help="what a call must bring; made up if not given")
    parser.add_argument("--public-host", default="agent.example.com", help="of the TLS proxy before the port")
    options = parser.parse_args()
    ears = Ears.offline()
    try:
        if options.listen is None:
            await rehearse(ears, await recorded(offline.default_tts("caller"), QUESTION))
        else:
            await listen(ears, options.listen, options.token, options.public_host)
    finally:
        await ears.aclose()


if __name__ == "__main__":
    asyncio.run(main())
