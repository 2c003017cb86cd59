"""An agent that reads and writes: no speech to text, no voice.

Talk to it in the terminal, with OpenAI's API or any endpoint that is compatible with it:

    OPENAI_API_KEY=... python examples/text_only.py console
    OPENAI_BASE_URL=http://localhost:8000/v1 sessionactors console examples/text_only.py
"""

from __future__ import annotations

from sessionactors import (
    Agent,
    AgentSession,
    JobContext,
    RoomInputOptions,
    RoomOutputOptions,
    WorkerOptions,
    cli,
)
from sessionactors.providers import openai


class MyAgent(Agent):
    """A helpful assistant."""

    def __init__(self) -> None:
        super().__init__(instructions="You are a helpful assistant.")


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    await ctx.connect()

    session: AgentSession[None] = AgentSession()
    await session.start(
        agent=MyAgent(),
        llm=openai.LLM(model="gpt-4o-mini"),
        # No TTS and no STT are needed here.
        room=ctx.room,
        room_input_options=RoomInputOptions(text_enabled=True, audio_enabled=False),
        room_output_options=RoomOutputOptions(transcription_enabled=True, audio_enabled=False),
    )


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
