"""A worker of a LiveKit server that needs no model's account: a hotel's front desk for each room, in one process.

With a server on this machine (``livekit-server --dev``):

    export LIVEKIT_URL=ws://localhost:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=secret
    python examples/livekit_worker.py dev
    python examples/livekit_worker.py start --drain-timeout 60
    python examples/livekit_worker.py connect --room lobby

and without one, typing in the terminal:

    python examples/livekit_worker.py console
"""

from __future__ import annotations

from typing import cast

from sessionactors import (
    VAD,
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    JobRequest,
    cli,
    function_tool,
    get_job_context,
)
from sessionactors.providers import offline

server = AgentServer(max_sessions=50)


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
        room = get_job_context().room.name  # tools find the job that they run in
        return f"Order {order} of {room} is on its way."


def load(proc: JobProcess) -> None:
    """Load once what all jobs share."""
    proc.userdata["vad"] = offline.SileroVAD()


server.setup_fnc = load


async def look(request: JobRequest) -> None:
    """Serve every room but those that are for tests."""
    if request.room.name.startswith("test-"):
        await request.reject(terminate=False)
    else:
        await request.accept(name="Front desk")


@server.rtc_session(on_request=look)
async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    desk = offline.FRONT_DESK
    ctx.log_context_fields = {"room": ctx.job.room.name}
    stt, tts = offline.PocketSphinxSTT(desk), offline.default_tts()
    session: AgentSession[None] = AgentSession(
        vad=cast("VAD", ctx.proc.userdata["vad"]),
        stt=stt,
        llm=offline.RuleBasedLLM(desk),
        tts=tts,
        turn_handling={"turn_detection": offline.GrammarTurnDetector(desk)},
    )

    async def farewell(reason: str) -> None:
        print(f"{ctx.job.room.name} is over: {reason}; {len(session.history.items)} items were said")
        for provider in (stt, tts):  # recogniser and voice have threads and a process of their own
            await provider.aclose()

    ctx.add_shutdown_callback(farewell)
    await session.start(agent=FrontDesk(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
