"""Tool calls: P5."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from sessionactors.messages.floor import SpeechInterrupted
from sessionactors.messages.llm import ToolCallsRequested
from sessionactors.messages.tools import CallBegan, RunTool, ToolFinished
from sessionactors.model.chat import FunctionCall, FunctionCallOutput
from sessionactors.testing.scenario_run import Run

from .broken import Broken


def p05_tool_calls_are_conserved(run: Run) -> Iterator[Broken]:
    """Each call that was started or refused has one terminal record; each one in the history has its output."""
    wanted = [call.call_id for order in run.told(ToolCallsRequested) for call in order.calls]
    begun = [order.call.call_id for order in run.told(RunTool)]
    ended = Counter(end.call_id for end in run.told(ToolFinished))
    for call in begun:
        if run.settled and ended[call] != 1:
            yield Broken("P5", f"{call} was begun and has {ended[call]} terminal records")
    if set(begun) - set(wanted):
        yield Broken("P5", f"begun without having been asked for: {sorted(set(begun) - set(wanted))}")
    calls = [item.call_id for item in run.added if isinstance(item, FunctionCall)]
    outputs = [item.call_id for item in run.added if isinstance(item, FunctionCallOutput)]
    if sorted(calls) != sorted(outputs):
        yield Broken("P5", f"history has calls {calls} and outputs {outputs}")
    if not run.settled:
        return
    finished = [end.call_id for end in run.told(ToolFinished) if end.stored]
    calls = [call for call in calls if not _of_background(call)]
    if sorted(finished) != sorted(calls):
        yield Broken("P5", f"ended were {finished}, the history has {calls}")


def _of_background(call_id: str) -> bool:
    """Whether it is a pair of its own, for what a tool told after it had answered its call."""
    return call_id.endswith("_final") or re.fullmatch(r".*_update_\d+", call_id) is not None


def p05_no_superseded_call_starts(run: Run) -> Iterator[Broken]:
    """A call whose reply was cut off before the tool's own code ran never runs it."""
    cut = {
        delivery.target.rsplit("/", 1)[-1]: delivery.id
        for delivery in run.deliveries
        if isinstance(delivery.message, SpeechInterrupted)
    }
    made_by = {order.call.call_id: order.speech for order in run.told(RunTool)}
    for delivery in run.handled(CallBegan):
        call = delivery.message.call_id if isinstance(delivery.message, CallBegan) else ""
        speech = made_by.get(call, "")
        if delivery.id > cut.get(speech, delivery.id):
            yield Broken("P5", f"{call} began though {speech} had been cut off", delivery.id)
