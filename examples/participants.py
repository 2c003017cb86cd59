"""Several people in one room: the agent hears them all, knows who said what, and can listen to one of them only.

    LIVEKIT_URL=ws://... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... python examples/participants.py dev

Everybody is listened to by an ear of their own, so two who speak at once are kept apart, and each reads the words of
the others under their names. The model is told who speaks, and has tools: who is here, give somebody the floor, open
the floor again. An app asks for the minutes with a call (``performRpc``) of ``minutes``: JSON, one ``[name, text]`` for
each turn. The session ends when the last one has left.

The model is OpenAI's (``OPENAI_API_KEY``): rules cannot chair a meeting. Ears and voice are offline here; needs
``pip install 'sessionactors[livekit-worker,offline,openai]'``.
"""

from __future__ import annotations

import json

from sessionactors import (
    Agent,
    AgentSession,
    ChatContext,
    ChatMessage,
    JobContext,
    RpcInvocation,
    RunContext,
    ToolError,
    UserInputTranscribedEvent,
    WorkerOptions,
    cli,
    function_tool,
)
from sessionactors.providers import offline


class Chair(Agent):
    """Chairs a meeting."""

    def __init__(self) -> None:
        super().__init__(
            instructions="You chair a meeting. Before each message you are told who says it. Be brief, and fair."
        )
        self.minutes: list[tuple[str, str]] = []
        """Who said what, in order."""

    def note(self, event: UserInputTranscribedEvent) -> None:
        """Somebody said something."""
        if event.is_final:
            self.minutes.append((event.speaker_id or "somebody", event.transcript))

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """Tell the model who speaks."""
        said = new_message.text_content or ""
        who = [name for name, text in self.minutes if text in said]
        if who:
            turn_ctx.add_message(role="system", content=f"{who[-1]} says:")

    @function_tool
    async def who_is_here(self, ctx: RunContext[None]) -> str:
        """Look who is in the room."""
        return ", ".join(ctx.session.room_io.participants)

    @function_tool
    async def give_the_floor_to(self, ctx: RunContext[None], name: str) -> str:
        """Listen to one person only, until the floor is opened again.

        Args:
            ctx: of the call.
            name: as who_is_here says it.
        """
        here = ctx.session.room_io.participants
        if name not in here:
            raise ToolError(f"{name} is not here. Here are: {', '.join(here)}")
        ctx.session.room_io.set_participant(name)
        return f"only {name} is heard now"

    @function_tool
    async def open_the_floor(self, ctx: RunContext[None]) -> str:
        """Listen to everybody again."""
        ctx.session.room_io.unset_participant()
        return "everybody is heard"


def keep_minutes(session: AgentSession[None], chair: Chair) -> None:
    """Note who says what, and let participants ask for it."""
    session.on("user_input_transcribed", chair.note)

    def minutes(_call: RpcInvocation) -> str:
        return json.dumps(chair.minutes)

    session.room_io.register_rpc_method("minutes", minutes)


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    from sessionactors.providers import openai  # noqa: PLC0415 - its SDK takes a second: only if it is used

    await ctx.connect()
    vad, stt, tts = offline.SileroVAD(), offline.PocketSphinxSTT(offline.FRONT_DESK), offline.default_tts()
    llm = openai.LLM(model="gpt-4o-mini")
    session: AgentSession[None] = AgentSession(vad=vad, stt=stt, llm=llm, tts=tts)
    chair = Chair()
    try:
        await session.start(agent=chair, room=ctx.room)
        keep_minutes(session, chair)
        await session.wait_closed()
    finally:
        for provider in (vad, stt, llm, tts):  # made here, closed here: threads, processes, connections
            await provider.aclose()


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
