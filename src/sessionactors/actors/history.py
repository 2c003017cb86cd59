"""``history``: the one writer of the conversation, and of what each agent remembers of it. Versions are immutable.

Told by ``agent`` (what the user said, who takes over, how an agent was changed) and by the speeches (what was heard,
what tools did); asked for a context by whoever needs it for a request. It knows nothing of audio or of who may speak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.history import (
    AgentRevised,
    AgentTakesOver,
    AppendItems,
    CallRuns,
    ContextChanged,
    ContextSnapshot,
    ContextWanted,
    HistoryChanged,
    MergeContext,
    ReplaceContext,
)
from sessionactors.messages.realtime import ContextGrew, ServeAgent
from sessionactors.messages.tools import ToolsRunning
from sessionactors.model.chat import (
    AgentConfigUpdate,
    ChatContext,
    ChatItem,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
)
from sessionactors.model.instructed import instructed
from sessionactors.model.instructions import rendered
from sessionactors.runtime import Actor, Outbox
from sessionactors.runtime.frozen import replace

from .open_calls import RunningCall, still_open, with_open_calls
from .wiring import Wiring

HistoryMessage: TypeAlias = (
    AppendItems
    | CallRuns
    | ToolsRunning
    | ContextWanted
    | AgentTakesOver
    | AgentRevised
    | ReplaceContext
    | MergeContext
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What one agent remembers."""

    agent: UserAgent
    items: tuple[ChatItem, ...]
    opened: bool = False
    """The agent has been in charge."""


@dataclass(frozen=True, slots=True)
class HistoryState:
    """The conversation."""

    in_charge: str
    """Key of the agent to whom belongs what names none."""
    memories: Mapping[str, Memory]
    """By agent; of the one in charge and of those that wait for it."""
    version: int = 0
    items: tuple[ChatItem, ...] = field(default=())
    """All of it, in order of playout."""
    said: tuple[tuple[str, int], ...] = ()
    """What users said last, with nothing of the agent behind it: ids of the items, and when they were added."""
    running: tuple[RunningCall, ...] = ()
    """Tool calls that contexts show as in progress."""


class History(Actor[HistoryState, HistoryMessage]):
    """Keeps the session's history."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def initial(self) -> HistoryState:
        """Nothing has been said; the first agent is awaited."""
        agent = self._wiring.components.agent
        return HistoryState(agent.key, {agent.key: Memory(agent, agent.initial_items)})

    def receive(self, state: HistoryState, message: HistoryMessage, out: Outbox[HistoryMessage]) -> HistoryState:
        """Change it, or answer with the present version."""
        match message:
            case AppendItems(items, add_to_context, agent, had_by_model, in_history, by_time, since):
                if by_time:
                    return self._on_late(state, items, agent, out)
                if self._wiring.realtime is None and (interjections := _said_since(state, since)):
                    return self._on_heard(state, message, interjections, out)
                realtime, heard = self._wiring.realtime, agent in ("", state.in_charge)
                if realtime is not None and add_to_context and heard and not had_by_model:
                    out.tell(realtime, ContextGrew(items))
                if in_history:
                    state = replace(self._added(state, items, out), running=still_open(state.running, items))
                    state = replace(state, said=_said(state, items, had_by_model, out.now))
                return self._remember(state, agent, items, out) if add_to_context else state
            case ContextWanted(request, reply_to, agent):
                memory = _memory(state, agent) or state.memories[state.in_charge]
                shown = with_open_calls(memory.items, state.running, memory.agent.key)
                out.tell(reply_to, ContextSnapshot(request, state.version, shown, memory.agent))
                return state
            case ToolsRunning():  # behind what those that ended have said
                out.tell(self._wiring.supervisor, message)
                return state
            case CallRuns(call, agent):
                return replace(state, running=(*state.running, RunningCall(call, agent)))
            case AgentTakesOver():
                return self._served(self._on_takes_over(state, message, out), out, handoff=True)
            case AgentRevised():
                return self._served(self._on_revised(state, message, out), out, rewritten=False)
            case ReplaceContext():
                return self._served(self._on_replace(state, message, out), out)
            case MergeContext():
                return self._served(self._on_merge(state, message, out), out)
            case _:
                assert_never(message)

    def _served(
        self, state: HistoryState, out: Outbox[HistoryMessage], *, handoff: bool = False, rewritten: bool = True
    ) -> HistoryState:
        """A realtime model keeps the conversation itself: it must know whose and which."""
        if self._wiring.realtime is not None:
            memory = state.memories[state.in_charge]
            out.tell(self._wiring.realtime, ServeAgent(memory.agent, memory.items, handoff, rewritten))
        return state

    def _on_late(
        self, state: HistoryState, items: tuple[ChatItem, ...], agent: str, out: Outbox[HistoryMessage]
    ) -> HistoryState:
        """What was said before other things that are known already: a realtime model has it in its place."""
        memory = _memory(state, agent)
        for item in items:
            state = self._added(state, (item,), out, _place(state.items, item))
            if memory is not None:
                at = _place(memory.items, item)
                memory = replace(memory, items=(*memory.items[:at], item, *memory.items[at:]))
        return state if memory is None else self._replace(state, memory, out)

    def _on_heard(
        self,
        state: HistoryState,
        heard: AppendItems,
        interjections: frozenset[str],
        out: Outbox[HistoryMessage],
    ) -> HistoryState:
        """What the agent said while users said something that did not cut it off: it began first, and stands first."""
        state = self._added(state, heard.items, out, _before(state.items, interjections))
        memory = _memory(state, heard.agent)
        if memory is None or not heard.add_to_context:
            return state
        at = _before(memory.items, interjections)
        kept = (*memory.items[:at], *heard.items, *memory.items[at:])
        return self._replace(state, replace(memory, items=kept), out)

    def _added(
        self, state: HistoryState, items: tuple[ChatItem, ...], out: Outbox[HistoryMessage], at: int | None = None
    ) -> HistoryState:
        if not items:
            return state
        change = HistoryChanged(state.version + 1, items, at)
        out.tell(self._wiring.supervisor, change)
        if self._wiring.keyterms is not None:
            out.tell(self._wiring.keyterms, change)
        place = len(state.items) if at is None else at
        kept = (*state.items[:place], *items, *state.items[place:])
        return replace(state, version=state.version + 1, items=kept)

    def _remember(
        self, state: HistoryState, agent: str, items: tuple[ChatItem, ...], out: Outbox[HistoryMessage]
    ) -> HistoryState:
        memory = _memory(state, agent)
        if not items or memory is None:  # it has left: the history has it
            return state
        out.tell(self._wiring.supervisor, ContextChanged(memory.agent.key, items, replaced=False))
        return _with(state, replace(memory, items=memory.items + items))

    def _replace(
        self, state: HistoryState, memory: Memory, out: Outbox[HistoryMessage], ticket: str = ""
    ) -> HistoryState:
        change = ContextChanged(memory.agent.key, memory.items, replaced=True, ticket=ticket)
        out.tell(self._wiring.supervisor, change)
        return _with(replace(state, version=state.version + 1), memory)

    def _on_takes_over(self, state: HistoryState, change: AgentTakesOver, out: Outbox[HistoryMessage]) -> HistoryState:
        agent = change.agent
        known = state.memories.get(agent.key)
        left = {key: memory for key, memory in state.memories.items() if key not in change.gone or key == agent.key}
        state = _with(replace(state, memories=left, in_charge=agent.key), known or Memory(agent, agent.initial_items))
        state = self._added(state, (change.handoff,), out)
        if known is not None and known.opened:
            return state
        text = rendered(agent.instructions)
        tools = [tool.name for tool in agent.tools]
        state = self._replace(state, Memory(agent, instructed(agent.initial_items, text, out.wall()), opened=True), out)
        if not text and not tools:
            return state
        began = AgentConfigUpdate(text or None, tools or None, id=out.new_id("item"), created_at=out.wall())
        return self._remember(self._added(state, (began,), out), agent.key, (began,), out)

    def _on_revised(self, state: HistoryState, change: AgentRevised, out: Outbox[HistoryMessage]) -> HistoryState:
        agent = change.agent
        memory = state.memories.get(agent.key)
        if memory is None:
            return self._too_late(state, agent.key, change.ticket, out)
        state = self._added(state, change.items, out)
        gone = {
            name for item in change.items if isinstance(item, AgentConfigUpdate) for name in item.tools_removed or ()
        }
        kept = tuple(
            item
            for item in memory.items
            if not (isinstance(item, FunctionCall | FunctionCallOutput) and item.name in gone)
        )
        kept = (*instructed(kept, rendered(agent.instructions), out.wall()), *change.items)
        return self._replace(state, replace(memory, agent=agent, items=kept), out, change.ticket)

    def _on_replace(self, state: HistoryState, change: ReplaceContext, out: Outbox[HistoryMessage]) -> HistoryState:
        memory = state.memories.get(change.agent)
        if memory is None:
            return self._too_late(state, change.agent, change.ticket, out)
        kept = instructed(change.items, rendered(memory.agent.instructions), out.wall())
        return self._replace(state, replace(memory, items=kept), out, change.ticket)

    def _too_late(self, state: HistoryState, agent: str, ticket: str, out: Outbox[HistoryMessage]) -> HistoryState:
        """The agent has left: what it remembers is its own affair."""
        out.tell(self._wiring.supervisor, ContextChanged(agent, (), replaced=False, ticket=ticket))
        return state

    def _on_merge(self, state: HistoryState, merge: MergeContext, out: Outbox[HistoryMessage]) -> HistoryState:
        into, source = state.memories.get(merge.agent), state.memories.get(merge.source)
        if into is None or source is None:
            return self._too_late(state, merge.agent, merge.ticket, out)
        context = ChatContext(into.items).merge(
            ChatContext(source.items), exclude_function_call=not merge.with_calls, exclude_instructions=True
        )
        return self._replace(state, replace(into, items=tuple(context.items)), out, merge.ticket)

    def summary(self, state: HistoryState) -> Mapping[str, object]:
        """Size and version."""
        return {
            "version": state.version,
            "items": len(state.items),
            "in_charge": state.in_charge,
            "in_progress": [running.call.call_id for running in state.running],
            "contexts": {key: len(memory.items) for key, memory in state.memories.items()},
        }


def _memory(state: HistoryState, agent: str) -> Memory | None:
    """The context of that agent; of the one in charge if none is named."""
    return state.memories.get(agent or state.in_charge)


def _said(
    state: HistoryState, added: tuple[ChatItem, ...], had_by_model: bool, now: int
) -> tuple[tuple[str, int], ...]:
    """What users said last, with these items behind it. What a realtime model has, it has in its own order."""
    said = state.said
    for item in added:
        by_user = isinstance(item, ChatMessage) and item.role == "user" and not had_by_model
        said = (*said, (item.id, now)) if by_user else ()
    return said


def _said_since(state: HistoryState, since: int | None) -> frozenset[str]:
    """Which of that came behind this moment."""
    return frozenset() if since is None else frozenset(item for item, at in state.said if at > since)


def _before(items: tuple[ChatItem, ...], interjections: frozenset[str]) -> int:
    """The place before the interjections at the end."""
    place = len(items)
    while place and items[place - 1].id in interjections:
        place -= 1
    return place


def _with(state: HistoryState, memory: Memory) -> HistoryState:
    return replace(state, memories={**state.memories, memory.agent.key: memory})


def _place(items: tuple[ChatItem, ...], late: ChatItem) -> int:
    """Behind what is older. What is as old was begun because of it: a server may end a turn by replying to it."""
    older = (place for place in range(len(items), 0, -1) if items[place - 1].created_at < late.created_at)
    return next(older, 0)
