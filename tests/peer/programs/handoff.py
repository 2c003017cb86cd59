"""A greeter hands the caller over to billing, which hands back; each speaks first, each has its instructions."""

from __future__ import annotations

from sessionactors import Agent, function_tool


class Greeter(Agent):
    """Finds out what the caller wants."""

    def __init__(self) -> None:
        super().__init__(instructions="You greet callers.")

    async def on_enter(self) -> None:
        self.session.generate_reply()

    @function_tool
    async def to_billing(self) -> tuple[Agent, str]:
        """Hand over to billing."""
        return Billing(), "Handing over to billing."


class Billing(Agent):
    """Knows the bills."""

    def __init__(self) -> None:
        super().__init__(instructions="You answer questions on bills.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Say that you are billing.")

    async def on_exit(self) -> None:
        self.session.say("Back to the greeter.")

    @function_tool
    async def amount(self, month: str) -> str:
        """Amount of a bill."""
        return f"20 euros in {month}"

    @function_tool
    async def to_greeter(self) -> Agent:
        """Hand back."""
        return Greeter()


def first_agent() -> Agent:
    """Who talks to the user first."""
    return Greeter()


USER = ["I have a question on my bill.", "How much was it in May?", "That was all.", "Bye."]

MODEL: list[object] = [
    "Welcome!",
    ["One moment.", ("to_billing", {})],
    "You will be in good hands.",
    "Here is billing.",
    [("amount", {"month": "May"})],
    "It was 20 euros.",
    [("to_greeter", {})],
    "Anything else?",
    "Good bye.",
]
"""What the model answers, in order: a text, or a list of texts and tool calls."""
