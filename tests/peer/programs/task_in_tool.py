"""A booking needs the guest's name: a tool awaits a task that asks for it, and goes on with the result."""

from __future__ import annotations

from sessionactors import Agent, AgentTask, function_tool


class AskName(AgentTask[str]):
    """Asks for a name until it is told one."""

    def __init__(self) -> None:
        super().__init__(instructions="You ask for the guest's name.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Ask for the name.")

    @function_tool
    async def name_given(self, name: str) -> None:
        """The guest has said the name."""
        self.complete(name)


class Desk(Agent):
    """Books rooms."""

    def __init__(self) -> None:
        super().__init__(instructions="You book rooms.")

    @function_tool
    async def book(self, nights: int) -> str:
        """Book a room."""
        name = await AskName()
        return f"booked {nights} nights for {name}"


def first_agent() -> Agent:
    """Who talks to the user first."""
    return Desk()


USER = ["A room for two nights.", "My name is Ada.", "Thanks."]

MODEL: list[object] = [
    [("book", {"nights": 2})],
    "What is your name?",
    [("name_given", {"name": "Ada"})],
    "Two nights are booked for Ada.",
    "See you.",
]
"""What the model answers, in order: a text, or a list of texts and tool calls."""
