"""A voice agent with a tool that needs no network and no account: it hears the phrases of an intent table.

Speak with it (which needs ``pip install 'sessionactors[console-audio]'``), or type:

    python examples/voice_offline.py console --audio
    python examples/voice_offline.py console
"""

from __future__ import annotations

from sessionactors import Agent, AgentSession, JobContext, WorkerOptions, cli, function_tool
from sessionactors.providers import offline


class FrontDesk(Agent):
    """Answers at a front desk."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk of a small hotel.")

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


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    await ctx.connect()
    desk = offline.FRONT_DESK
    vad, stt, tts = offline.SileroVAD(), offline.PocketSphinxSTT(desk), offline.default_tts()
    session: AgentSession[None] = AgentSession(
        vad=vad,
        stt=stt,
        llm=offline.RuleBasedLLM(desk),
        tts=tts,
        turn_handling={"turn_detection": offline.GrammarTurnDetector(desk)},
    )
    try:
        await session.start(agent=FrontDesk(), room=ctx.room)
        await session.wait_closed()
    finally:
        for provider in (vad, stt, tts):  # detector, recogniser and voice have threads and a process of their own
            await provider.aclose()


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
