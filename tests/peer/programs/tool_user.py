"""A waiter who takes orders with a tool: two tools in one reply, a tool that fails, a tool that needs no reply."""

from __future__ import annotations

from sessionactors import Agent, RunContext, ToolError, function_tool


class Waiter(Agent):
    """Takes orders."""

    def __init__(self) -> None:
        super().__init__(instructions="You take orders in a restaurant.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the guest.")

    @function_tool
    async def order(self, ctx: RunContext[None], dish: str, count: int = 1) -> str:
        """Order a dish.

        Args:
            dish: name of the dish.
            count: how many.
        """
        if dish == "dragon":
            raise ToolError("There is no dragon today.")
        return f"{count} x {dish} ordered"

    @function_tool
    async def ring_bell(self) -> None:
        """Ring the bell in the kitchen."""


def first_agent() -> Agent:
    """Who talks to the user first."""
    return Waiter()


USER = ["Two soups and a bread, please.", "And a dragon.", "Ring the bell!", "Thank you."]

MODEL: list[object] = [
    "Good evening!",
    ["Sure.", ("order", {"dish": "soup", "count": 2}), ("order", {"dish": "bread"})],
    "Two soups and one bread are on their way.",
    [("order", {"dish": "dragon"})],
    "I am sorry, there is no dragon today.",
    [("ring_bell", {})],
    "You are welcome.",
]
"""What the model answers, in order: a text, or a list of texts and tool calls."""
