"""The demo's agent: a front desk with two tools."""

from __future__ import annotations

from sessionactors.providers.offline import FRONT_DESK
from sessionactors.session.agent import Agent
from sessionactors.session.function_tool import ToolError, function_tool


class FrontDesk(Agent):
    """Books tables and knows where orders are."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the front desk of a small hotel with a restaurant. Be brief and kind.")
        self._tables = 12

    async def on_enter(self) -> None:
        """Speak first."""
        await self.session.say(FRONT_DESK.greeting).wait_for_playout()

    @function_tool
    async def book_table(self, guests: int, time: str) -> str:
        """Book a table in the restaurant for this evening.

        Args:
            guests: How many people, 1 to 12.
            time: 24-hour clock, HH:MM.
        """
        if guests > self._tables:
            raise ToolError(f"There is no table for {guests}.")
        return f"A table for {guests} at {time} is yours."

    @function_tool
    async def order_status(self, order: int) -> str:
        """Look up where an order is.

        Args:
            order: Order number, 1 to 12.
        """
        return f"Order {order} is on its way to you." if order % 2 else f"Order {order} leaves the kitchen now."
