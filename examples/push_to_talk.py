"""Push to talk: the app says when somebody holds the button, by calls; the agent listens only then.

    LIVEKIT_URL=ws://... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... python examples/push_to_talk.py dev

The app calls methods of the agent's participant (``performRpc`` in LiveKit's SDKs):

| method | when | answer |
|---|---|---|
| ``start_turn`` | the button is pressed: the agent falls silent, and listens to who pressed it | |
| ``end_turn`` | it is released: what was said is a turn, and answered | what was understood |
| ``cancel_turn`` | it is released elsewhere: what was said is forgotten | |

While one person holds the button, another one's ``start_turn`` is refused with :data:`BUSY`. Who leaves has released
it. Ears, model and voice are offline here; needs ``pip install 'sessionactors[livekit-worker,offline]'``.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sessionactors import Agent, AgentSession, JobContext, RoomOptions, RpcError, RpcInvocation, WorkerOptions, cli
from sessionactors.providers import offline

BUSY: Final = 3001
"""Code of a refused ``start_turn``: somebody else is speaking."""
SETTLED: Final = 1.0
"""Seconds after which the session surely knows whether who pressed the button is there."""


class FrontDesk(Agent):
    """Answers when it is asked."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk of a small hotel. Answer in one short spoken sentence.")


class Button:
    """The button that everybody in the room has: one person at a time speaks.

    Args:
        session: runs, in a room that has calls, with ``turn_detection="manual"``.
    """

    def __init__(self, session: AgentSession[None]) -> None:
        self._session = session
        self._holder: str | None = None
        self._since = 0.0
        session.input.set_audio_enabled(False)
        room = session.room_io
        room.register_rpc_method("start_turn", self.start_turn)
        room.register_rpc_method("end_turn", self.end_turn)
        room.register_rpc_method("cancel_turn", self.cancel_turn)

    @property
    def holder(self) -> str | None:
        """Who holds it; nobody any more who has left."""
        present = self._session.room_io.participants
        if self._holder not in present and asyncio.get_running_loop().time() - self._since > SETTLED:
            self._holder = None
        return self._holder

    async def start_turn(self, call: RpcInvocation) -> None:
        """Somebody presses it."""
        if self.holder not in {None, call.caller_identity}:
            raise RpcError(BUSY, f"{self._holder} is speaking")
        self._holder, self._since = call.caller_identity, asyncio.get_running_loop().time()
        cut = self._session.interrupt()
        self._session.clear_user_turn()
        self._session.room_io.set_participant(call.caller_identity)
        self._session.input.set_audio_enabled(True)
        await cut

    async def end_turn(self, call: RpcInvocation) -> str:
        """Who holds it releases it: what they said is answered."""
        self._release(call)
        return await self._session.commit_user_turn()

    async def cancel_turn(self, call: RpcInvocation) -> None:
        """Who holds it releases it: what they said is forgotten."""
        self._release(call)
        self._session.clear_user_turn()

    def _release(self, call: RpcInvocation) -> None:
        if self._holder != call.caller_identity:
            raise RpcError(BUSY, f"{call.caller_identity} does not hold the button")
        self._holder = None
        self._session.input.set_audio_enabled(False)
        self._session.room_io.unset_participant()


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    await ctx.connect()
    vad, stt, tts = offline.SileroVAD(), offline.PocketSphinxSTT(offline.FRONT_DESK), offline.default_tts()
    llm = offline.RuleBasedLLM(offline.FRONT_DESK)
    session: AgentSession[None] = AgentSession(
        vad=vad, stt=stt, llm=llm, tts=tts, turn_handling={"turn_detection": "manual"}
    )
    try:
        # Who holds the button is the only one who is listened to: the others are still there when that one leaves.
        await session.start(agent=FrontDesk(), room=ctx.room, room_options=RoomOptions(close_on_disconnect=False))
        Button(session)
        await session.wait_closed()
    finally:
        for provider in (vad, stt, llm, tts):  # made here, closed here: threads, processes, connections
            await provider.aclose()


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
