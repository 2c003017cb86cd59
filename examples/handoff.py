"""Two agents and a task: the front desk asks for a name, then hands over to somebody who knows about orders.

Talk to it in the terminal, with OpenAI's API or any endpoint that is compatible with it:

    OPENAI_API_KEY=... python examples/handoff.py console
    OPENAI_BASE_URL=http://localhost:8000/v1 sessionactors console examples/handoff.py
"""

from __future__ import annotations

from sessionactors import (
    Agent,
    AgentSession,
    AgentTask,
    JobContext,
    RoomInputOptions,
    RoomOutputOptions,
    WorkerOptions,
    cli,
    function_tool,
)
from sessionactors.providers import openai


class AskName(AgentTask[str]):
    """Finds out who is there; then whoever awaits it goes on."""

    def __init__(self) -> None:
        super().__init__(instructions="Find out the user's name. Ask for nothing else.")

    async def on_enter(self) -> None:
        """Ask at once."""
        await self.session.say("May I have your name, please?").wait_for_playout()

    @function_tool
    async def take_name(self, name: str) -> None:
        """Call this as soon as the user has said a name."""
        self.complete(name)


class OrderDesk(Agent):
    """Knows about orders."""

    def __init__(self, name: str) -> None:
        super().__init__(instructions=f"You look after orders. You talk to {name}.")
        self.name = name

    async def on_enter(self) -> None:
        """The user hears that somebody else is there."""
        await self.session.say(f"Hello {self.name}, this is the order desk.").wait_for_playout()


class FrontDesk(Agent):
    """Finds out what the user wants, and who can help."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk. Connect users who ask about orders to the order desk.")

    @function_tool
    async def connect_to_order_desk(self) -> Agent:
        """Call this when the user asks about an order."""
        name = await AskName()
        return OrderDesk(name)


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    await ctx.connect()

    session: AgentSession[None] = AgentSession(llm=openai.LLM(model="gpt-4o-mini"))
    await session.start(
        agent=FrontDesk(),
        room=ctx.room,
        room_input_options=RoomInputOptions(text_enabled=True, audio_enabled=False),
        room_output_options=RoomOutputOptions(transcription_enabled=True, audio_enabled=False),
    )


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
