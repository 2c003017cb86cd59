"""A voice agent of three vendors; each part whose key is not set is the offline one.

    DEEPGRAM_API_KEY=... OPENAI_API_KEY=... ELEVEN_API_KEY=... python examples/voice_agent.py console --audio

| variable | vendor | part | without it |
|---|---|---|---|
| ``DEEPGRAM_API_KEY`` | Deepgram | ears | the phrases of a front desk, by PocketSphinx |
| ``OPENAI_API_KEY`` | OpenAI | model | rules of a front desk |
| ``ELEVEN_API_KEY`` | ElevenLabs | voice | flite, or espeak |

``OPENAI_BASE_URL``, ``DEEPGRAM_BASE_URL`` and ``ELEVEN_BASE_URL`` name other servers of the same protocols. Needs
``pip install 'sessionactors[console-audio,deepgram,elevenlabs,offline,openai]'``; without ``--audio`` it is typed to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sessionactors import LLM, STT, TTS, Agent, AgentSession, JobContext, WorkerOptions, cli, function_tool
from sessionactors.providers import offline


class FrontDesk(Agent):
    """Answers at a front desk."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk of a small hotel. Answer in one short spoken sentence.")

    async def on_enter(self) -> None:
        """Speak first."""
        await self.session.say(offline.FRONT_DESK.greeting).wait_for_playout()

    @function_tool
    async def order_status(self, order: int) -> str:
        """Look up where an order is.

        Args:
            order: its number.
        """
        return f"Order {order} is on its way." if order % 2 else f"Order {order} is still in the kitchen."


def ears(environ: Mapping[str, str]) -> STT:
    """What understands the caller."""
    if key := environ.get("DEEPGRAM_API_KEY"):
        from sessionactors.providers import deepgram  # noqa: PLC0415 - its SDK takes a second: only if it is used

        url = environ.get("DEEPGRAM_BASE_URL", "https://api.deepgram.com")
        return deepgram.STT(model="nova-3", api_key=key, base_url=f"{url}/v1/listen")
    return offline.PocketSphinxSTT(offline.FRONT_DESK)


def mind(environ: Mapping[str, str]) -> LLM:
    """What answers."""
    if key := environ.get("OPENAI_API_KEY"):
        from sessionactors.providers import openai  # noqa: PLC0415

        return openai.LLM(model="gpt-4o-mini", api_key=key, base_url=environ.get("OPENAI_BASE_URL"))
    return offline.RuleBasedLLM(offline.FRONT_DESK)


def voice(environ: Mapping[str, str]) -> TTS:
    """What speaks."""
    if key := environ.get("ELEVEN_API_KEY"):
        from sessionactors.providers import elevenlabs  # noqa: PLC0415

        url = environ.get("ELEVEN_BASE_URL", "https://api.elevenlabs.io")
        return elevenlabs.TTS(api_key=key, base_url=f"{url}/v1")
    return offline.default_tts()


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    await ctx.connect()
    vad, stt, llm, tts = offline.SileroVAD(), ears(os.environ), mind(os.environ), voice(os.environ)
    session: AgentSession[None] = AgentSession(vad=vad, stt=stt, llm=llm, tts=tts)
    try:
        await session.start(agent=FrontDesk(), room=ctx.room)
        await session.wait_closed()
    finally:
        for provider in (vad, stt, llm, tts):  # made here, closed here: threads, processes, connections
            await provider.aclose()


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
