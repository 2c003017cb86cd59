"""Calls that may reach a telephone menu: the tool that presses keys, and the actor that keeps such a call going."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, cast

from sessionactors.actors.phone_menu import EVENTS, PhoneMenu
from sessionactors.actors.wiring import DropInPart, Wiring
from sessionactors.interfaces.transport import Transport
from sessionactors.model.options import SessionOptions
from sessionactors.runtime import Actor

from .function_tool import ToolError, function_tool
from .run_context import RunContext
from .tool import AnyTool, flattened

DtmfKey: TypeAlias = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "*", "#", "A", "B", "C", "D"]
"""A key of a telephone."""

BETWEEN_KEYS = 0.3
"""Seconds from one key to the next: menus miss faster ones."""


@function_tool
async def send_dtmf_events(ctx: RunContext[object], events: list[DtmfKey]) -> str:
    """Press keys of the telephone, one after the other, as the caller of an automated menu does.

    Args:
        ctx: of the call.
        events: the keys, in order.
    """
    room = ctx.session.room_io
    for number, key in enumerate(events):
        if number:
            await asyncio.sleep(BETWEEN_KEYS)
        try:
            await room.publish_dtmf(key)
        except Exception as error:
            pressed = ", ".join(events[:number]) or "none"
            raise ToolError(f"key {key} could not be pressed: {error}. Pressed before it: {pressed}") from error
    return f"pressed: {', '.join(events)}"


def telephone_tools(
    tools: Sequence[AnyTool], transport: Transport | None, options: SessionOptions
) -> tuple[AnyTool, ...]:
    """The session's tools, with the one that presses keys where that is wanted and possible; a user's own one stays."""
    return with_keys(tools, transport) if options.ivr_detection else tuple(tools)


def with_keys(tools: Sequence[AnyTool], transport: Transport | None) -> tuple[AnyTool, ...]:
    """The same, with the tool that presses keys where there are telephones; a user's own one stays."""
    if transport is None or not transport.may_have_telephones:
        return tuple(tools)
    name = send_dtmf_events.id
    if any(offered.tool.id == name for offered in flattened(tools)):
        return tuple(tools)
    return (*tools, send_dtmf_events)


def with_phone_menu(wiring: Wiring) -> Wiring:
    """The same, with the actor that keeps calls going, if it is wanted."""
    components = wiring.components
    if components.options.ivr_detection:
        part = DropInPart("ivr", lambda: cast("Actor[object, object]", PhoneMenu(wiring)), EVENTS)
        wiring.components = replace(components, drop_ins=(*components.drop_ins, part))
    return wiring
