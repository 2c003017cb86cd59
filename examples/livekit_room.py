"""A voice agent in a LiveKit room that you connected yourself: no worker, no dispatch, and no account for voices.

Needs a LiveKit server, such as ``livekit-server --dev`` on this machine, and the extras ``livekit`` and ``offline``:

    export LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
    python examples/livekit_room.py lobby

It prints a token for you; join with it, for instance at https://agents-playground.livekit.io or https://meet.livekit.io.
"""

from __future__ import annotations

import asyncio
import os
import sys

from livekit import api, rtc

from sessionactors import Agent, AgentSession, ConversationItemAddedEvent
from sessionactors.providers import offline


def token(room: str, identity: str) -> str:
    """To join a room with."""
    grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
    made = api.AccessToken(os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"])
    return made.with_identity(identity).with_grants(grants).to_jwt()


class FrontDesk(Agent):
    """Answers at a front desk."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk of a small hotel.")

    async def on_enter(self) -> None:
        """Speak first."""
        await self.session.say(offline.FRONT_DESK.greeting).wait_for_playout()


def show(event: ConversationItemAddedEvent) -> None:
    """Print what was said."""
    if event.item.type == "message":
        print(f"{event.item.role}: {event.item.text_content}", flush=True)


async def main(name: str) -> None:
    """Serve one room until the last participant has hung up."""
    room = rtc.Room()
    await room.connect(os.environ["LIVEKIT_URL"], token(name, "front-desk"))
    print(f"room {name!r} at {os.environ['LIVEKIT_URL']}; your token: {token(name, 'guest')}", flush=True)

    desk = offline.FRONT_DESK
    vad, stt, tts = offline.SileroVAD(), offline.PocketSphinxSTT(desk), offline.default_tts()
    session: AgentSession[None] = AgentSession(
        vad=vad,
        stt=stt,
        llm=offline.RuleBasedLLM(desk),
        tts=tts,
        turn_handling={"turn_detection": offline.GrammarTurnDetector(desk)},
    )
    session.on("conversation_item_added", show)
    try:
        await session.start(FrontDesk(), room=room)  # your room: the session leaves it connected
        await session.wait_closed()
    finally:
        await session.aclose()
        await room.disconnect()
        for provider in (vad, stt, tts):
            await provider.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "lobby"))
