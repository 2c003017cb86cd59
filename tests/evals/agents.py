"""Agents for the tests of the evals, and the files that talk to them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from sessionactors.cli.entry_points import find_entry_point
from sessionactors.evals.reading import Evals, read_evals
from sessionactors.evals.trial import AS_USUAL, How, Trial, hold

AGENT = """
from sessionactors import Agent, AgentSession, JobContext, function_tool


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Help.")

    @function_tool
    async def open_door(self, number: int, slowly: bool = False) -> str:
        \"\"\"Open a door.\"\"\"
        return f"door {number} is open"

    @function_tool
    async def ring(self) -> str:
        \"\"\"Ring.\"\"\"
        return "it rang"


async def entrypoint(ctx: JobContext) -> None:
    await ctx.connect()
    session = AgentSession()
    await session.start(Desk(), room=ctx.room)
"""


def written(folder: Path, steps: str, *, agent: str = AGENT, head: str = "", more: str = "") -> Evals:
    """A file with one conversation ``c``: its steps, and what else there is of it, and of the file."""
    (folder / "desk_agent.py").write_text(textwrap.dedent(agent))
    text = "agent: ./desk_agent.py\n" + textwrap.dedent(head) + "conversations:\n  - name: c\n"
    text += textwrap.indent(textwrap.dedent(more), "    ")
    text += "    steps:\n" + textwrap.indent(textwrap.dedent(steps), "      ")
    path = folder / "desk.yaml"
    path.write_text(text)
    return read_evals(path)


def held(evals: Evals, *, seed: int = 0, how: How = AS_USUAL) -> Trial:
    """The first conversation, held once."""
    return hold(evals, evals.file.conversations[0].name, find_entry_point, seed=seed, how=how)
