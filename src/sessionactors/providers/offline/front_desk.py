"""A front desk of a small hotel with a restaurant: the intent table of the demo and of the tests.

Every word is in the CMU dictionary, and phrases differ early, which is what a grammar recogniser needs most.
"""

from __future__ import annotations

from typing import Final

from sessionactors.model.tools import JsonValue, ToolDefinition

from .intents import Intent, IntentTable, IntentTool, Slot

_NUMBERS: Final = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_EVENING: Final = {"five": 17, "six": 18, "seven": 19, "eight": 20, "nine": 21}


def _times() -> Slot:
    spoken: dict[str, JsonValue] = {"noon": "12:00"}
    typed: dict[str, JsonValue] = {}
    for hour, clock in _EVENING.items():
        digit = clock - 12
        for minutes, words in (("00", hour), ("30", f"{hour} thirty")):
            spoken[words] = f"{clock}:{minutes}"
            typed[f"{clock}:{minutes}"] = typed[f"{digit}:{minutes}"] = f"{clock}:{minutes}"
        typed[str(digit)] = f"{clock}:00"
    return Slot(spoken, typed)


FRONT_DESK: Final = IntentTable(
    intents=(
        Intent(
            name="opening_hours",
            examples=("what are your opening hours", "when do you open", "when do you close", "when is breakfast"),
            reply=(
                "The front desk is open day and night. Breakfast is from seven to ten, "
                "and the restaurant is open from noon to eleven in the evening."
            ),
        ),
        Intent(
            name="book_table",
            examples=(
                "book a table for {number} at {time} [please]",
                "i would like a table for {number} at {time} [please]",
            ),
            reply="I can not reach the reservation book right now. Please call again in a few minutes.",
            tool=IntentTool(
                name="book_table",
                arguments={"guests": "{number}", "time": "{time}"},
                reply="Done. {output}",
                error_reply="I am sorry, I could not book that table.",
            ),
        ),
        Intent(
            name="order_status",
            examples=("where is my order number {number}", "check the status of order number {number}"),
            reply="I can not look up orders right now. The kitchen will call you back.",
            tool=IntentTool(
                name="order_status",
                arguments={"order": "{number}"},
                reply="{output}",
                error_reply="I am sorry, I could not find order {order}.",
            ),
        ),
        Intent(
            name="directions",
            examples=("how do i get there", "how do i find you", "give me directions"),
            reply="We are on Market Street, next to the station. It is five minutes on foot from the main exit.",
        ),
        Intent(
            name="menu",
            examples=("tell me about the menu", "what is for dinner"),
            reply=(
                "Tonight we start with a tomato soup or a green salad with warm goat cheese. "
                "For the main course there is grilled salmon with lemon potatoes, "
                "roast chicken with garden vegetables, or a mushroom risotto for guests who do not eat meat. "
                "For dessert we have apple pie, chocolate cake, and three kinds of ice cream. "
                "Coffee and tea are on the house until ten in the evening."
            ),
        ),
        Intent(
            name="thanks",
            examples=("thank you", "thank you very much", "many thanks"),
            reply="You are welcome. Anything else?",
        ),
        Intent(
            name="goodbye",
            examples=("goodbye", "goodbye then", "bye bye", "see you later"),
            reply="Goodbye. See you soon.",
        ),
    ),
    slots={
        "number": Slot(
            values={word: value for value, word in enumerate(_NUMBERS, start=1)},
            typed={str(value): value for value in range(1, len(_NUMBERS) + 1)},
        ),
        "time": _times(),
    },
    fallback="I am sorry, I did not get that. You can ask about opening hours, the menu, a table, or an order.",
    greeting="Front desk, good evening. How can I help you?",
)
"""Opening hours, tables (tool ``book_table``), orders (tool ``order_status``), directions, menu, thanks, goodbye."""

BOOK_TABLE: Final = ToolDefinition(
    name="book_table",
    description="Book a table in the restaurant for this evening.",
    parameters={
        "type": "object",
        "properties": {
            "guests": {"type": "integer", "description": "How many people, 1 to 12."},
            "time": {"type": "string", "description": "24-hour clock, HH:MM."},
        },
        "required": ["guests", "time"],
    },
)
"""What a model is told about the table booking tool that :data:`FRONT_DESK` calls."""

ORDER_STATUS: Final = ToolDefinition(
    name="order_status",
    description="Look up where an order is.",
    parameters={
        "type": "object",
        "properties": {"order": {"type": "integer", "description": "Order number, 1 to 12."}},
        "required": ["order"],
    },
)
"""What a model is told about the order look-up tool that :data:`FRONT_DESK` calls."""
