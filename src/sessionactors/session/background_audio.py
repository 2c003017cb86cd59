"""``BackgroundAudioPlayer``: what is heard in the room beside the agent's voice.

It is the user's handle of the actor ``background``, which owns the sounds and their mix. It runs in a tree of its own
beside the session's, and is told what the agent does by the session's public events.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

import structlog

from sessionactors.actors.background import Background, BackgroundMessage
from sessionactors.interfaces.background_audio import BackgroundSink, Sound
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.transport import Transport
from sessionactors.messages.background import AgentStateSeen, PlaySound, StopSound
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import AgentStateChangedEvent, CloseEvent
from sessionactors.model.resampling import MonoResampler
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven, NotGivenOr
from sessionactors.runtime import ActorSystem, Ref, awaited
from sessionactors.transports.adopted import ForeignRoom, background_in
from sessionactors.transports.wav import read_wav

from . import shared_system
from .across_loops import called
from .agent_session import AgentSession
from .builtin_clips import BuiltinAudioClip

Userdata_T = TypeVar("Userdata_T")
SoundSource: TypeAlias = "AsyncIterator[AudioFrame] | str | Path | BuiltinAudioClip"
"""Frames (played once), the path of a WAV file, or a sound of the package."""

log = structlog.get_logger("sessionactors.background_audio")

_numbers = count(1)
CLOSE_WITHIN: Final = 2.0
"""Seconds for the actor to end."""


class AudioConfig(NamedTuple):
    """A sound, and how it is played."""

    source: SoundSource
    volume: float = 1.0
    """>= 0; 1.0 leaves it as it is."""
    probability: float = 1.0
    """Of being chosen, 0..1, in a list of several. Where they add up to less than 1, there may be silence instead."""
    fade_in: float = 0.0
    """Seconds >= 0 from silence to its volume."""
    fade_out: float = 0.0
    """Seconds >= 0 to silence, when it is stopped."""


AnySound: TypeAlias = "SoundSource | AudioConfig | list[AudioConfig]"


class PlayHandle:
    """One playing of a sound. Awaiting it waits until it is over."""

    def __init__(self, player: BackgroundAudioPlayer, name: str) -> None:
        self._player = player
        self._name = name
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._error: BaseException | None = None

    @property
    def error(self) -> BaseException | None:
        """Why it could not be played, or not to its end; None: it could."""
        return self._error

    def done(self) -> bool:
        """Whether it is over: heard to its end, stopped, or failed."""
        return self._over.done()

    def stop(self) -> None:
        """Play it no more (it is silent within 0.2 s), or fade it out. Does nothing when it is over."""
        if not self.done():
            self._player._stop(self._name)

    async def wait_for_playout(self) -> None:
        """Wait until it is over."""
        await asyncio.shield(self._over)

    def __await__(self) -> Generator[object, None, PlayHandle]:
        async def over() -> PlayHandle:
            await self.wait_for_playout()
            return self

        return over().__await__()

    def _end(self, error: BaseException | None) -> None:
        if not self._over.done():
            self._error = error
            self._over.set_result(None)


class BackgroundAudioPlayer:
    """Plays sounds in the room, beside the agent's voice: in LiveKit on a second track, elsewhere mixed into the one.

    Sounds are WAV files (other formats: convert them, or give their frames), frames of your own, or
    :class:`BuiltinAudioClip`, which are synthetic. What is whole is read once and may be played again and again.

    Args:
        ambient_sound: plays from the start to the end, again and again; of a list, one.
        thinking_sound: plays while the agent thinks, again and again, and stops when it speaks; of a list, one each
            time. Frames can be played once only.

    Raises:
        OptionError: a sound is none, or its volume, probability or fades are out of range.
    """

    def __init__(
        self,
        *,
        ambient_sound: NotGivenOr[AnySound | None] = NOT_GIVEN,
        thinking_sound: NotGivenOr[AnySound | None] = NOT_GIVEN,
    ) -> None:
        self._ambient = _sounds("ambient_sound", ambient_sound)
        self._thinking = _sounds("thinking_sound", thinking_sound)
        self._lock = asyncio.Lock()
        self._ref: Ref[BackgroundMessage] | None = None
        self._session: AgentSession[object] | None = None
        self._shared: ActorSystem | None = None
        self._system: ActorSystem | None = None
        self._sink: BackgroundSink | None = None
        self._sink_home: asyncio.AbstractEventLoop | None = None
        self._handles: dict[str, PlayHandle] = {}
        self._plays = count(1)
        self._tree_over = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None

    async def start(
        self,
        *,
        room: Transport | ForeignRoom | None = None,
        agent_session: NotGivenOr[AgentSession[Userdata_T]] = NOT_GIVEN,
        track_publish_options: object | None = None,
    ) -> None:
        """Be heard in a room, and play the ambient sound. It ends with the session, or with :meth:`aclose`.

        Args:
            room: where; the session's, if not given.
            agent_session: whose agent it accompanies, started before; needed for a ``thinking_sound``.
            track_publish_options: how LiveKit publishes the track: ``rtc.TrackPublishOptions``.

        Raises:
            SessionStateError: it was started before, or the session was not.
            OptionError: there is neither a room nor a session; there is a thinking sound and no session; the room has
                no place for background audio.
            APIConnectionError: the track could not be published.
        """
        async with self._lock:
            if self._ref is not None:
                raise SessionStateError("this BackgroundAudioPlayer plays already: aclose() it first, or make another")
            loop = asyncio.get_running_loop()
            session: AgentSession[object] | None = None if isinstance(agent_session, NotGiven) else agent_session  # type: ignore[assignment]
            if session is None and self._thinking:
                raise OptionError("thinking_sound needs start(agent_session=...): it plays while that agent thinks")
            place = room if session is None else _room_of(session)
            if place is None:
                raise OptionError("BackgroundAudioPlayer needs start(room=...), or agent_session=... with a room")
            given = None if session is None else session._given_system
            system = given or await shared_system.acquire(loop)
            self._system, self._shared = system, None if given is system else system
            actors = isinstance(place, Transport) and place.home is Home.ACTOR
            self._sink_home = system.loop if actors else loop
            try:
                sink = await called(self._sink_home, lambda: background_in(place, track_publish_options))
                if sink is None:
                    raise OptionError(f"room={place!r} has no place for background audio")
                self._sink = sink
                self._ref = await self._spawned(system, sink, loop)
            except BaseException:
                await self._let_go()
                raise
            self._tree_over = asyncio.Event()
            system.when_tree_ended(self._ref.path, lambda: _soon(loop, self._fell_silent))
            if session is not None:
                self._session = session
                session.on("agent_state_changed", self._on_state)
                session.on("close", self._on_close)
                self._ref.tell(AgentStateSeen(session.agent_state))

    async def _spawned(
        self, system: ActorSystem, sink: BackgroundSink, loop: asyncio.AbstractEventLoop
    ) -> Ref[BackgroundMessage]:
        def over(name: str, error: BaseException | None) -> None:
            _soon(loop, lambda: self._over(name, error))

        return await awaited.spawn(
            system,
            f"background-audio-{next(_numbers)}",
            lambda: Background(sink, self._ambient, self._thinking, over),
            user_loop=loop,
            user_context=contextvars.copy_context(),
        )

    def play(self, audio: AnySound, *, loop: bool = False) -> PlayHandle:
        """Play a sound over what plays already. Called on the loop on which it was started.

        Args:
            audio: the sound; of a list, one.
            loop: again and again, until it is stopped.

        Raises:
            SessionStateError: it is not started.
            OptionError: it is no sound; frames are to be played again and again.
        """
        if self._ref is None or not self._ref.is_alive():
            raise SessionStateError("this BackgroundAudioPlayer does not play: start() it first")
        choices = _sounds("audio", audio)
        if loop and any(sound.stream is not None for sound in choices):
            raise OptionError("loop=True needs a file or a clip: frames come once. Let your iterator go on for ever")
        handle = PlayHandle(self, f"play-{next(self._plays)}")
        self._handles[handle._name] = handle
        self._ref.tell(PlaySound(handle._name, choices, loop))
        return handle

    async def aclose(self) -> None:
        """Be silent, and leave the room. Safe to call twice."""
        async with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.off("agent_state_changed", self._on_state)
                session.off("close", self._on_close)
            ref, self._ref = self._ref, None
            if ref is not None and self._system is not None and self._system.running:
                _ = self._system.stop_tree(ref.path, CLOSE_WITHIN)
                await self._tree_over.wait()
            await self._let_go()
            self._fell_silent()

    async def _let_go(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None and self._sink_home is not None:
            try:
                await called(self._sink_home, sink.aclose)
            except Exception as error:  # noqa: BLE001  the room may be gone before the track
                log.warning("background_sink_not_closed", room="", actor="", message_id=0, error=repr(error))
        shared, self._shared = self._shared, None
        if shared is not None:
            await shared_system.release(shared)

    def _stop(self, name: str) -> None:
        if self._ref is not None and self._ref.is_alive():
            self._ref.tell(StopSound(name))

    def _over(self, name: str, error: BaseException | None) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle._end(error)

    def _fell_silent(self) -> None:
        """The actor has ended, also by a fault of the sink: nothing more is heard of what played."""
        self._tree_over.set()
        for name in list(self._handles):
            self._over(name, None)

    def _on_state(self, event: AgentStateChangedEvent) -> None:
        if self._ref is not None and self._ref.is_alive():
            self._ref.tell(AgentStateSeen(event.new_state))

    def _on_close(self, _: CloseEvent) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.aclose(), name="background-audio-close")


def _room_of(session: AgentSession[object]) -> Transport | None:
    if session._wiring is None:
        raise SessionStateError("the session does not run: start it before its background audio")
    return session._wiring.components.transport


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # it is closed: nobody is left to be told
        loop.call_soon_threadsafe(call)


def _sounds(name: str, given: object) -> tuple[Sound, ...]:
    """What was given, checked."""
    if isinstance(given, NotGiven) or given is None:
        return ()
    configs: Sequence[object] = given if isinstance(given, list) else [given]
    return tuple(_sound(name, config if isinstance(config, AudioConfig) else AudioConfig(config)) for config in configs)  # type: ignore[arg-type]


def _sound(name: str, config: AudioConfig) -> Sound:
    for field in ("volume", "fade_in", "fade_out"):
        value = getattr(config, field)
        if not 0 <= value < float("inf"):
            raise OptionError(f"{name}: {field} must be >= 0, got {value!r}")
    if not 0 <= config.probability <= 1:
        raise OptionError(f"{name}: probability must be within 0 and 1, got {config.probability!r}")
    how = (config.volume, config.probability, config.fade_in, config.fade_out)
    source = config.source
    if isinstance(source, BuiltinAudioClip):
        return Sound(source.value, lambda rate: asyncio.to_thread(source.pcm, rate), None, *how)
    if isinstance(source, str | Path):
        path = Path(source)
        return Sound(str(source), lambda rate: asyncio.to_thread(_file, path, rate), None, *how)
    if isinstance(source, AsyncIterator):
        return Sound(repr(source), None, source, *how)
    raise OptionError(f"{name}={source!r} is no sound: give a path, a BuiltinAudioClip or an async iterator of frames")


def _file(path: Path, rate: int) -> bytes:
    """A WAV file in a rate. Blocks."""
    audio = read_wav(path)
    resampler = MonoResampler(rate)
    parts = (resampler.feed(AudioFrame(audio.pcm, audio.sample_rate, audio.num_channels)), resampler.flush())
    return b"".join(part.data for part in parts if part is not None)
