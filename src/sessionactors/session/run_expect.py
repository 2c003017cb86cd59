"""Assertions on what a run brought about. A failure shows all events, and where it looked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from sessionactors.model.chat import ChatRole
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr

from .run_events import (
    AgentHandoffEvent,
    ChatMessageEvent,
    FunctionCallEvent,
    FunctionCallOutputEvent,
    RunEvent,
    RunEventType,
)
from .run_judge import judged

if TYPE_CHECKING:
    from sessionactors.interfaces.llm import LLM

    from .agent import Agent

E = TypeVar("E", bound=RunEvent)
A = TypeVar("A")


class Expectation:
    """Some events of a run, and where they are in it."""

    def __init__(self, events: Sequence[RunEvent], at: int) -> None:
        self._events = events
        self._at = at

    def _failure(self, message: str) -> AssertionError:
        lines = [
            f"{'>>>' if index == self._at else '   '} [{index}] {event}" for index, event in enumerate(self._events)
        ]
        return AssertionError("\n".join([message, "events of the run:", *(lines or ["    none"])]))


class EventExpect(Expectation):
    """One event."""

    def event(self) -> RunEvent:
        """The event itself."""
        return self._events[self._at]

    def _of(self, kind: type[E], name: str) -> E:
        event = self._events[self._at]
        if not isinstance(event, kind):
            raise self._failure(f"expected {name}, got {event.type}")
        return event

    def _same(self, what: str, wanted: object, got: object) -> None:
        if wanted is not NOT_GIVEN and wanted != got:
            raise self._failure(f"expected {what} {wanted!r}, got {got!r}")

    def is_message(self, *, role: NotGivenOr[ChatRole] = NOT_GIVEN) -> MessageExpect:
        """It is a message.

        Raises:
            AssertionError: it is not, or of another role.
        """
        event = self._of(ChatMessageEvent, "a message")
        self._same("role", role, event.item.role)
        return MessageExpect(self._events, self._at)

    def is_function_call(
        self, *, name: NotGivenOr[str] = NOT_GIVEN, arguments: NotGivenOr[Mapping[str, object]] = NOT_GIVEN
    ) -> FunctionCallExpect:
        """It is a tool call; of ``arguments``, only the ones named here are compared.

        Raises:
            AssertionError: it is not, or another one.
        """
        event = self._of(FunctionCallEvent, "a function call")
        self._same("name", name, event.item.name)
        if isinstance(arguments, Mapping):
            given = json.loads(event.item.arguments or "{}")
            for key, value in arguments.items():
                if key not in given:
                    raise self._failure(f"expected the argument {key!r}, got {', '.join(given) or 'none'}")
                self._same(f"{key} =", value, given[key])
        return FunctionCallExpect(self._events, self._at)

    def is_function_call_output(
        self, *, output: NotGivenOr[str] = NOT_GIVEN, is_error: NotGivenOr[bool] = NOT_GIVEN
    ) -> FunctionCallOutputExpect:
        """It is what a tool answered.

        Raises:
            AssertionError: it is not, or another output.
        """
        event = self._of(FunctionCallOutputEvent, "a function call output")
        self._same("output", output, event.item.output)
        self._same("is_error", is_error, event.item.is_error)
        return FunctionCallOutputExpect(self._events, self._at)

    def is_agent_handoff(self, *, new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN) -> AgentHandoffExpect:
        """Another agent took over.

        Raises:
            AssertionError: it is not a handoff, or to an agent of another type.
        """
        event = self._of(AgentHandoffEvent, "an agent handoff")
        if isinstance(new_agent_type, type) and not isinstance(event.new_agent, new_agent_type):
            raise self._failure(
                f"expected a handoff to {new_agent_type.__name__}, got {type(event.new_agent).__name__}"
            )
        return AgentHandoffExpect(self._events, self._at)


class MessageExpect(EventExpect):
    """A message."""

    def event(self) -> ChatMessageEvent:
        """The event."""
        return self._of(ChatMessageEvent, "a message")

    async def judge(self, llm: LLM, *, intent: str) -> MessageExpect:
        """Have a model judge whether the message does what ``intent`` says.

        Args:
            llm: a model that can call tools.
            intent: what the message should do, in words.

        Raises:
            AssertionError: the verdict is "fail"; the text gives the model's reason.
            APIError: the model could not be asked.
        """
        verdict = await judged(llm, self.event().item.text_content, intent)
        if verdict.verdict == "fail":
            raise self._failure(f"the message does not do this: {intent!r}. The judge says: {verdict.reason}")
        return self


class FunctionCallExpect(EventExpect):
    """A tool call."""

    def event(self) -> FunctionCallEvent:
        """The event."""
        return self._of(FunctionCallEvent, "a function call")


class FunctionCallOutputExpect(EventExpect):
    """What a tool answered."""

    def event(self) -> FunctionCallOutputEvent:
        """The event."""
        return self._of(FunctionCallOutputEvent, "a function call output")


class AgentHandoffExpect(EventExpect):
    """A handoff."""

    def event(self) -> AgentHandoffEvent:
        """The event."""
        return self._of(AgentHandoffEvent, "an agent handoff")


class RangeExpect(Expectation):
    """Some events in a row, or all."""

    def __init__(self, events: Sequence[RunEvent], inside: range) -> None:
        super().__init__(events, -1)
        self._inside = inside

    def _first(self, what: str, holds: Callable[[EventExpect], A]) -> A:
        for index in self._inside:
            try:
                return holds(EventExpect(self._events, index))
            except AssertionError:
                continue
        raise self._failure(f"there is no {what} in events [{self._inside.start}:{self._inside.stop}]")

    def contains_message(self, *, role: NotGivenOr[ChatRole] = NOT_GIVEN) -> MessageExpect:
        """Some event is such a message.

        Raises:
            AssertionError: none is.
        """
        return self._first("such message", lambda event: event.is_message(role=role))

    def contains_function_call(
        self, *, name: NotGivenOr[str] = NOT_GIVEN, arguments: NotGivenOr[Mapping[str, object]] = NOT_GIVEN
    ) -> FunctionCallExpect:
        """Some event is such a call.

        Raises:
            AssertionError: none is.
        """
        return self._first("such function call", lambda event: event.is_function_call(name=name, arguments=arguments))

    def contains_function_call_output(
        self, *, output: NotGivenOr[str] = NOT_GIVEN, is_error: NotGivenOr[bool] = NOT_GIVEN
    ) -> FunctionCallOutputExpect:
        """Some event is such an output.

        Raises:
            AssertionError: none is.
        """
        return self._first(
            "such function call output", lambda event: event.is_function_call_output(output=output, is_error=is_error)
        )

    def contains_agent_handoff(self, *, new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN) -> AgentHandoffExpect:
        """Some event is such a handoff.

        Raises:
            AssertionError: none is.
        """
        return self._first("such agent handoff", lambda event: event.is_agent_handoff(new_agent_type=new_agent_type))


class RunExpect(RangeExpect):
    """All events of a run: by index, or one after the other from the first."""

    def __init__(self, events: Sequence[RunEvent]) -> None:
        super().__init__(events, range(len(events)))
        self._next = 0

    @overload
    def __getitem__(self, index: int) -> EventExpect: ...
    @overload
    def __getitem__(self, index: slice) -> RangeExpect: ...
    def __getitem__(self, index: int | slice) -> EventExpect | RangeExpect:
        """One event, from the end if negative; or some in a row.

        Raises:
            AssertionError: there is no such event.
            ValueError: a slice with a step.
        """
        if isinstance(index, slice):
            if index.step not in (None, 1):
                raise ValueError(f"events are looked at in a row: a step of {index.step} is not possible")
            start, stop, _ = index.indices(len(self._events))
            return RangeExpect(self._events, range(start, stop))
        at = index if index >= 0 else len(self._events) + index
        if not 0 <= at < len(self._events):
            raise self._failure(f"there is no event [{index}]: the run has {len(self._events)}")
        return EventExpect(self._events, at)

    @overload
    def next_event(self, *, type: None = None) -> EventExpect: ...
    @overload
    def next_event(self, *, type: Literal["message"]) -> MessageExpect: ...
    @overload
    def next_event(self, *, type: Literal["function_call"]) -> FunctionCallExpect: ...
    @overload
    def next_event(self, *, type: Literal["function_call_output"]) -> FunctionCallOutputExpect: ...
    @overload
    def next_event(self, *, type: Literal["agent_handoff"]) -> AgentHandoffExpect: ...
    def next_event(self, *, type: RunEventType | None = None) -> EventExpect:
        """The next event; with a ``type``, the next one of it: those before are skipped.

        Raises:
            AssertionError: there is none.
        """
        for at in range(self._next, len(self._events)):
            if type is None or self._events[at].type == type:
                self._next = at + 1
                return _KINDS[type](self._events, at)
        self._at = self._next
        raise self._failure(
            f"expected another event{f' of type {type}' if type else ''}, there is none after [{self._next - 1}]"
        )

    def skip_next(self, count: int = 1) -> RunExpect:
        """Pass over so many events.

        Raises:
            AssertionError: there are fewer.
        """
        for _ in range(count):
            self.next_event()
        return self

    def skip_next_event_if(
        self,
        *,
        type: RunEventType,
        role: NotGivenOr[ChatRole] = NOT_GIVEN,
        name: NotGivenOr[str] = NOT_GIVEN,
        arguments: NotGivenOr[Mapping[str, object]] = NOT_GIVEN,
        output: NotGivenOr[str] = NOT_GIVEN,
        is_error: NotGivenOr[bool] = NOT_GIVEN,
        new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN,
    ) -> EventExpect | None:
        """Pass over the next event if it is such a one, and give it; None if it is not."""
        if self._next >= len(self._events):
            return None
        event = EventExpect(self._events, self._next)
        try:
            found: EventExpect
            match type:
                case "message":
                    found = event.is_message(role=role)
                case "function_call":
                    found = event.is_function_call(name=name, arguments=arguments)
                case "function_call_output":
                    found = event.is_function_call_output(output=output, is_error=is_error)
                case "agent_handoff":
                    found = event.is_agent_handoff(new_agent_type=new_agent_type)
        except AssertionError:
            return None
        self._next += 1
        return found

    def no_more_events(self) -> None:
        """All events have been looked at.

        Raises:
            AssertionError: there are more.
        """
        if self._next < len(self._events):
            self._at = self._next
            raise self._failure(f"expected no more events, there are {len(self._events) - self._next}")


_KINDS: Mapping[RunEventType | None, Callable[[Sequence[RunEvent], int], EventExpect]] = {
    None: EventExpect,
    "message": MessageExpect,
    "function_call": FunctionCallExpect,
    "function_call_output": FunctionCallOutputExpect,
    "agent_handoff": AgentHandoffExpect,
}
