"""``on(event, callback)``: callbacks on the user's loop. A callback that raises is logged and hurts nobody."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias, TypeVar, get_args, overload

from sessionactors.model.errors import OptionError
from sessionactors.model.events import PublicEvent

from .callbacks import Callbacks

EventTypes: TypeAlias = Literal[
    "agent_state_changed",
    "user_state_changed",
    "user_input_transcribed",
    "user_transcription_timeout",
    "conversation_item_added",
    "function_tools_executed",
    "tool_execution_updated",
    "speech_created",
    "agent_false_interruption",
    "overlapping_speech",
    "session_reconnected",
    "sip_dtmf_received",
    "participant_attributes_changed",
    "participant_metadata_changed",
    "metrics_collected",
    "session_usage_updated",
    "amd_prediction",
    "debug_message",
    "error",
    "close",
]
EVENT_TYPES: tuple[str, ...] = get_args(EventTypes)

DEPRECATED_METRICS = (
    "metrics_collected is deprecated: listen to session_usage_updated for what was used, and read the metrics of each "
    "message (conversation_item_added) for how long things took"
)

Callback: TypeAlias = Callable[..., object]
CallbackT = TypeVar("CallbackT", bound=Callback)


class EventEmitter:
    """Keeps callbacks by event name."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callback]] = {}
        self._user_callbacks = Callbacks()
        self._on_any: list[Callable[[PublicEvent], object]] = []
        self._warned = False

    @overload
    def on(self, event: EventTypes) -> Callable[[CallbackT], CallbackT]: ...
    @overload
    def on(self, event: EventTypes, callback: CallbackT) -> CallbackT: ...
    def on(self, event: EventTypes, callback: CallbackT | None = None) -> CallbackT | Callable[[CallbackT], CallbackT]:
        """Call ``callback(event)`` at each event of this name; also usable as a decorator. It may be ``async``.

        ``metrics_collected`` is deprecated and warns once: sums come with ``session_usage_updated``, delays with the
        ``metrics`` of each message.

        Raises:
            OptionError: there is no such event.
        """
        if event == "metrics_collected" and not self._warned:
            self._warned = True
            warnings.warn(DEPRECATED_METRICS, DeprecationWarning, stacklevel=2)
        if event not in EVENT_TYPES:
            raise OptionError(f"no event named {event!r}; there are: {', '.join(EVENT_TYPES)}")
        if callback is None:
            return lambda given: self.on(event, given)
        self._callbacks.setdefault(event, []).append(callback)
        return callback

    def on_any(self, callback: Callable[[PublicEvent], object]) -> None:
        """Call ``callback(event)`` at each public event, of whatever name, in their order. It may be ``async``."""
        self._on_any.append(callback)

    def once(self, event: EventTypes, callback: Callback) -> None:
        """Call ``callback`` at the next event of this name only."""

        def first(payload: object) -> object:
            self.off(event, first)
            return callback(payload)

        self.on(event, first)

    def off(self, event: EventTypes, callback: Callback) -> None:
        """Forget a callback."""
        self._callbacks[event] = [other for other in self._callbacks.get(event, ()) if other != callback]

    def off_any(self, callback: Callable[[PublicEvent], object]) -> None:
        """Forget a callback of :meth:`on_any`."""
        self._on_any = [other for other in self._on_any if other != callback]

    def emit(self, event: EventTypes, arg: PublicEvent) -> None:
        """Raise an event of one's own: who listens is called before this returns, on the loop that one is on.

        For programs and tests that tell those who listen something in the session's words, such as a
        :class:`.DebugMessageEvent`, or an ``error`` of their own. It is told, and nothing else: no state, history or
        speech of the session changes by it, and drop-in actors hear only what actors raise. A callback that raises is
        logged, and hurts neither the caller nor the others.

        Args:
            event: its name, one of those that :meth:`on` takes.
            arg: the event; its ``type`` is that name.

        Raises:
            OptionError: there is no such event, or ``arg`` is another one.
        """
        if event not in EVENT_TYPES:
            raise OptionError(f"no event named {event!r}; there are: {', '.join(EVENT_TYPES)}")
        if getattr(arg, "type", None) != event:
            raise OptionError(f"emit({event!r}) was given {arg!r}: it takes the event of that name")
        self._raise_event(arg)

    def _raise_event(self, event: PublicEvent) -> None:
        for callback in tuple(self._callbacks.get(event.type, ())):
            self._user_callbacks.call(event.type, callback, event)
        for observer in tuple(self._on_any):
            self._user_callbacks.call(event.type, observer, event)

    def _run(self, name: str, awaitable: Awaitable[object], then: Callable[[], object] | None = None) -> None:
        self._user_callbacks.run(name, awaitable, then)
