"""What a program tells its ``AgentServer`` before it runs: options, functions, callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, TypeVar, overload

from typing_extensions import Unpack

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.session.callbacks import Callbacks

from .options import ServerOptionsGiven, ServerSettings, WorkerType, agent_name_for
from .user_functions import EntryPoint, LoadFunction, RequestFunction, SessionEndFunction, SetupFunction

ServerEvent: TypeAlias = Literal["worker_started", "worker_registered"]
SERVER_EVENTS: Final[tuple[str, ...]] = ("worker_started", "worker_registered")

CallbackT = TypeVar("CallbackT", bound=Callable[..., object])
EntryPointT = TypeVar("EntryPointT", bound=EntryPoint)


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Where a worker can be asked how it is."""

    http_port: int
    """Of the health endpoint; 0: it does not run."""
    cloud_agents: bool
    """LiveKit hosts it."""


class ServerProgram:
    """The part of :class:`.AgentServer` that is told things.

    Args:
        settings: the options.
        setup_fnc: called once before the first job.
        load_fnc: measures the load.
    """

    def __init__(
        self, settings: ServerSettings, setup_fnc: SetupFunction | None, load_fnc: LoadFunction | None
    ) -> None:
        _check("setup_fnc", setup_fnc)
        _check("load_fnc", load_fnc)
        self._settings = settings
        self._setup_fnc = setup_fnc
        self._load_fnc = load_fnc
        self._entrypoint_fnc: EntryPoint | None = None
        self._request_fnc: RequestFunction | None = None
        self._session_end_fnc: SessionEndFunction | None = None
        self._agent_name = ""
        self._kind = WorkerType.ROOM
        self._listeners: dict[str, list[Callable[..., object]]] = {}
        self._callbacks = Callbacks()

    @overload
    def rtc_session(
        self,
        func: EntryPointT,
        *,
        agent_name: str = ...,
        type: WorkerType = ...,
        on_request: RequestFunction | None = ...,
        on_session_end: SessionEndFunction | None = ...,
    ) -> EntryPointT: ...
    @overload
    def rtc_session(
        self,
        *,
        agent_name: str = ...,
        type: WorkerType = ...,
        on_request: RequestFunction | None = ...,
        on_session_end: SessionEndFunction | None = ...,
    ) -> Callable[[EntryPointT], EntryPointT]: ...
    def rtc_session(
        self,
        func: EntryPointT | None = None,
        *,
        agent_name: str = "",
        type: WorkerType = WorkerType.ROOM,
        on_request: RequestFunction | None = None,
        on_session_end: SessionEndFunction | None = None,
    ) -> EntryPointT | Callable[[EntryPointT], EntryPointT]:
        """Name the entry point; usable as a decorator. There is exactly one.

        Args:
            func: an async function of a :class:`.JobContext`, called for each job.
            agent_name: only jobs that ask for this name; ``LIVEKIT_AGENT_NAME_OVERRIDE`` overrides it.
            type: a job for each room, or for each publisher.
            on_request: accepts or rejects each job that is offered; None accepts all.
            on_session_end: called with the context when the sessions of a job are over.

        Raises:
            SessionStateError: there is one already.
            OptionError: it cannot be called.
        """

        def register(entry_point: EntryPointT) -> EntryPointT:
            if self._entrypoint_fnc is not None:
                raise SessionStateError("an AgentServer has one rtc_session, and this one has it already")
            if not callable(entry_point):
                raise OptionError(f"rtc_session needs an async function of a JobContext, got {entry_point!r}")
            self._entrypoint_fnc = entry_point
            self._request_fnc = on_request
            self._session_end_fnc = on_session_end
            self._agent_name = agent_name_for(agent_name)
            self._kind = type
            return entry_point

        return register if func is None else register(func)

    @property
    def entrypoint_fnc(self) -> EntryPoint:
        """The entry point.

        Raises:
            SessionStateError: none was named.
        """
        if self._entrypoint_fnc is None:
            raise SessionStateError(
                "this AgentServer has no entry point: name one with @server.rtc_session(), an async function of a "
                "JobContext"
            )
        return self._entrypoint_fnc

    @property
    def settings(self) -> ServerSettings:
        """The options."""
        return self._settings

    @property
    def setup_fnc(self) -> SetupFunction | None:
        """Called once with the :class:`.JobProcess` before the first job; plain ones in a thread."""
        return self._setup_fnc

    @setup_fnc.setter
    def setup_fnc(self, function: SetupFunction | None) -> None:
        _check("setup_fnc", function)
        self._setup_fnc = function

    @property
    def load_fnc(self) -> LoadFunction | None:
        """Measures the load, 0 to 1, in a thread; takes the server or nothing."""
        return self._load_fnc

    @load_fnc.setter
    def load_fnc(self, function: LoadFunction | None) -> None:
        _check("load_fnc", function)
        self._load_fnc = function

    def update_options(self, **options: Unpack[ServerOptionsGiven]) -> None:
        """Change options before :meth:`run`.

        Raises:
            SessionStateError: it runs.
            OptionError: an option is out of range.
        """
        if self._runs():
            raise SessionStateError("the options of an AgentServer cannot be changed while it runs")
        self._settings = replace(self._settings, **options)

    def _runs(self) -> bool:
        raise NotImplementedError

    # -- events ------------------------------------------------------------------------------------------------------

    @overload
    def on(self, event: ServerEvent) -> Callable[[CallbackT], CallbackT]: ...
    @overload
    def on(self, event: ServerEvent, callback: CallbackT) -> CallbackT: ...
    def on(self, event: ServerEvent, callback: CallbackT | None = None) -> CallbackT | Callable[[CallbackT], CallbackT]:
        """Call back at ``worker_started()`` or ``worker_registered(worker_id, server_info)``; also as a decorator.

        Raises:
            OptionError: there is no such event.
        """
        if event not in SERVER_EVENTS:
            raise OptionError(f"no event named {event!r}; there are: {', '.join(SERVER_EVENTS)}")
        if callback is None:
            return lambda made: self.on(event, made)
        self._listeners.setdefault(event, []).append(callback)
        return callback

    def once(self, event: ServerEvent, callback: Callable[..., object]) -> None:
        """Call back at the next event of this name only."""

        def first(*arguments: object) -> object:
            self.off(event, first)
            return callback(*arguments)

        self.on(event, first)

    def off(self, event: ServerEvent, callback: Callable[..., object]) -> None:
        """Forget a callback."""
        self._listeners[event] = [other for other in self._listeners.get(event, ()) if other != callback]

    def _emit(self, event: ServerEvent, *arguments: object) -> None:
        for callback in tuple(self._listeners.get(event, ())):
            self._callbacks.call(event, lambda given, called=callback: called(*given), arguments)


def _check(name: str, function: object) -> None:
    if function is not None and not callable(function):
        raise OptionError(f"{name} must be a function or None, got {function!r}")
