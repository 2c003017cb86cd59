"""``background``: what is heard beside the agent's voice. Owns the sounds that play, and their mix.

Told by the user's player what to play and to stop, and what the agent does: while it thinks, the thinking sound plays.
It hands the sink a block at a time, a little ahead of the clock, and nothing while nothing plays. It knows nothing of
speeches and turns, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from sessionactors.interfaces.background_audio import BackgroundSink, Sound, chosen
from sessionactors.messages.background import (
    AgentStateSeen,
    MixDue,
    PlaySound,
    SoundBrought,
    SoundHeard,
    SoundLoaded,
    SoundOver,
    StopSound,
)
from sessionactors.model.audio import BYTES_PER_SAMPLE, AudioFrame
from sessionactors.model.resampling import MonoResampler
from sessionactors.runtime import NS, Actor, EffectPort, Outbox

from .background_mix import Playing, mix

BackgroundMessage: TypeAlias = (
    PlaySound | StopSound | AgentStateSeen | SoundLoaded | SoundBrought | SoundOver | SoundHeard | MixDue
)
Over: TypeAlias = Callable[[str, "BaseException | None"], None]

BLOCK: Final = 0.05
"""Seconds that are mixed together."""
AHEAD: Final = 0.1
"""Seconds handed over ahead of the clock, and up to a block more: how late the loop may be without a gap, and how long
what was stopped is still heard."""
STREAM_AHEAD: Final = 0.4
"""Seconds of a sound that comes frame by frame that are fetched before they are needed."""
LOAD_WITHIN: Final = 30.0
"""Seconds for a whole sound to be read."""


@dataclass(frozen=True, slots=True)
class BackgroundState:
    """What plays."""

    playing: tuple[Playing, ...] = ()
    fetching: frozenset[str] = frozenset()
    """Sounds that were asked for more."""
    began: int | None = None
    """When the sink played the first sample of what it plays without a gap, ns; None: it rests."""
    handed: int = 0
    """Samples it was given since."""
    thinking: str = ""
    """The playing of the thinking sound; empty: none."""
    played: int = 0
    """Sounds that are over."""
    failed: int = 0
    gaps: int = 0
    """Times at which the loop was too late."""


class Background(Actor[BackgroundState, BackgroundMessage]):
    """Mixes what is heard beside the agent.

    Args:
        sink: where it goes.
        ambient: one of these plays from the beginning on; what is whole, again and again.
        thinking: one of these plays while the agent thinks; what is whole, again and again.
        over: told of each playing when it is over, with the error if it failed. Returns at once.
    """

    def __init__(
        self, sink: BackgroundSink, ambient: tuple[Sound, ...], thinking: tuple[Sound, ...], over: Over
    ) -> None:
        self._sink = sink
        self._rate = sink.sample_rate
        self._ambient = ambient
        self._thinking = thinking
        self._over = over

    def initial(self) -> BackgroundState:
        """Silence."""
        return BackgroundState()

    def started(self, state: BackgroundState, out: Outbox[BackgroundMessage]) -> BackgroundState:
        """The ambient sound begins."""
        return self._play(state, out.new_id("sound"), self._ambient, out, loop=True)

    def receive(
        self, state: BackgroundState, message: BackgroundMessage, out: Outbox[BackgroundMessage]
    ) -> BackgroundState:
        """One message."""
        match message:
            case PlaySound(sound, choices, loop):
                return self._play(state, sound, choices, out, loop=loop)
            case StopSound(sound):
                return self._stop(state, sound, out)
            case AgentStateSeen(agent):
                return self._on_agent(state, agent, out)
            case SoundLoaded(sound, pcm):
                return self._go_on(_changed(state, sound, lambda one: replace(one, pcm=pcm, more=False)), out)
            case SoundBrought(sound, pcm):
                state = replace(state, fetching=state.fetching - {sound})
                return self._go_on(_changed(state, sound, lambda one: replace(one, pcm=one.pcm + pcm)), out)
            case SoundOver(sound, error):
                return self._on_over(state, sound, error, out)
            case SoundHeard(sound):
                return self._told(state, sound, None, out)
            case MixDue():
                return self._go_on(state, out)
            case _:
                assert_never(message)

    # -- which sounds ------------------------------------------------------------------------------------------------

    def _on_agent(self, state: BackgroundState, agent: str, out: Outbox[BackgroundMessage]) -> BackgroundState:
        if agent != "thinking":
            thinking = state.thinking
            return self._stop(replace(state, thinking=""), thinking, out) if thinking else state
        if state.thinking or not self._thinking:
            return state
        name = out.new_id("sound")
        return self._play(replace(state, thinking=name), name, self._thinking, out, loop=True)

    def _play(
        self,
        state: BackgroundState,
        name: str,
        choices: tuple[Sound, ...],
        out: Outbox[BackgroundMessage],
        *,
        loop: bool,
    ) -> BackgroundState:
        sound = chosen(choices, out.random())
        if sound is None:
            return self._told(state, name, None, out)
        one = Playing(
            name,
            loop=loop and sound.stream is None,
            streamed=sound.stream is not None,
            more=True,
            volume=sound.volume,
            fade_in=round(sound.fade_in * self._rate),
            fade_out=round(sound.fade_out * self._rate),
        )
        self._fetch(name, sound, out)
        return self._go_on(replace(state, playing=(*state.playing, one)), out)

    def _fetch(self, name: str, sound: Sound, out: Outbox[BackgroundMessage]) -> None:
        rate, load, stream = self._rate, sound.load, sound.stream
        if stream is not None:

            async def read(port: EffectPort[BackgroundMessage]) -> None:
                resampler = MonoResampler(rate)
                async for samples in port.inlet:
                    pcm = b""
                    while len(pcm) // BYTES_PER_SAMPLE < int(str(samples)):
                        frame = await anext(stream, None)
                        whole = resampler.flush() if frame is None else resampler.feed(frame)
                        pcm += b"" if whole is None else whole.data
                        if frame is None:
                            await port.send(SoundBrought(name, pcm))
                            return
                    await port.send(SoundBrought(name, pcm))

            out.effect(
                _fetching(name),
                read,
                done=lambda _: SoundOver(name),
                failed=lambda error: SoundOver(name, error),
                user_loop=True,
            )
        elif load is not None:

            async def whole_of_it(_port: EffectPort[BackgroundMessage]) -> bytes:
                return await load(rate)

            out.effect(
                _fetching(name),
                whole_of_it,
                done=lambda pcm: SoundLoaded(name, pcm),
                failed=lambda error: SoundOver(name, error),
                deadline=LOAD_WITHIN,
            )

    def _stop(self, state: BackgroundState, name: str, out: Outbox[BackgroundMessage]) -> BackgroundState:
        one = next((one for one in state.playing if one.sound == name), None)
        if one is None or one.stopped_at is not None:
            return state
        if one.fade_out and one.waiting:
            return _changed(state, name, lambda one: replace(one, stopped_at=one.at))
        return self._told(_without(state, name), name, None, out)

    def _on_over(
        self, state: BackgroundState, name: str, error: BaseException | None, out: Outbox[BackgroundMessage]
    ) -> BackgroundState:
        """No more of it comes: what there is is played; of one that failed, too."""
        one = next((one for one in state.playing if one.sound == name), None)
        if one is None:
            return state
        if error is not None:
            out.log("sound_failed", level="warning", sound=name, error=repr(error))
            return self._told(_without(state, name), name, error, out)
        one = replace(one, more=False)
        if one.over:
            out.timer(_heard(name), max(0, one.until - out.now) / NS, SoundHeard(name))
            return _without(state, name)
        return self._go_on(_changed(state, name, lambda _: one), out)

    def _told(
        self, state: BackgroundState, name: str, error: BaseException | None, out: Outbox[BackgroundMessage]
    ) -> BackgroundState:
        """A playing is over."""
        out.cancel_effect(_fetching(name))
        out.port(self._over, name, error)
        thinking = "" if state.thinking == name else state.thinking
        failed = error is not None
        return replace(state, thinking=thinking, played=state.played + (not failed), failed=state.failed + failed)

    # -- the mix -----------------------------------------------------------------------------------------------------

    def _go_on(self, state: BackgroundState, out: Outbox[BackgroundMessage]) -> BackgroundState:
        """Hand over what is due, and come again when more is."""
        state = self._fetch_more(state, out)
        now, ahead, block = out.now, round(AHEAD * self._rate), round(BLOCK * self._rate)
        while any(one.waiting for one in state.playing):
            elapsed = self._samples_since(state, now)
            if state.began is None or elapsed > state.handed:  # it rested, or the loop was late: the sink has run dry
                gaps = state.gaps + (state.began is not None)
                state, elapsed = replace(state, began=now, handed=0, gaps=gaps), 0
            if state.handed > elapsed + ahead:
                out.timer("mix", (state.handed - elapsed - ahead) / self._rate, MixDue())
                return state
            state = self._fetch_more(self._hand_over(state, block, elapsed, out), out)
        return self._rest(state, out)

    def _hand_over(
        self, state: BackgroundState, block: int, elapsed: int, out: Outbox[BackgroundMessage]
    ) -> BackgroundState:
        mixed = mix(state.playing, block)
        out.port(self._sink.play, AudioFrame(mixed.pcm, self._rate))
        ahead = {name: (state.handed + at - elapsed) / self._rate for name, at in mixed.reached.items()}
        for name in mixed.ended:
            out.timer(_heard(name), ahead[name], SoundHeard(name))
        playing = tuple(
            replace(one, until=out.now + round(ahead[one.sound] * NS)) if one.sound in ahead else one
            for one in mixed.playing
        )
        return replace(state, playing=playing, handed=state.handed + block)

    def _rest(self, state: BackgroundState, out: Outbox[BackgroundMessage]) -> BackgroundState:
        """Nothing to mix now. What begins while the sink still plays follows that; later, it begins anew."""
        if state.began is None:
            return state
        left = state.handed - self._samples_since(state, out.now)
        if left <= 0:
            out.cancel_timer("mix")
            return replace(state, began=None, handed=0)
        out.timer("mix", left / self._rate, MixDue())
        return state

    def _fetch_more(self, state: BackgroundState, out: Outbox[BackgroundMessage]) -> BackgroundState:
        wanted = round(STREAM_AHEAD * self._rate)
        for one in state.playing:
            if one.streamed and one.more and one.sound not in state.fetching and one.waiting < wanted // 2:
                out.feed(_fetching(one.sound), wanted)
                state = replace(state, fetching=state.fetching | {one.sound})
        return state

    def _samples_since(self, state: BackgroundState, now: int) -> int:
        return 0 if state.began is None else (now - state.began) * self._rate // NS

    def summary(self, state: BackgroundState) -> Mapping[str, object]:
        """What plays, and the sums."""
        return {
            "sink": self._sink.label,
            "playing": [one.sound for one in state.playing],
            "thinking": state.thinking,
            "resting": state.began is None,
            "played": state.played,
            "failed": state.failed,
            "gaps": state.gaps,
        }


def _fetching(name: str) -> str:
    return f"fetch:{name}"


def _heard(name: str) -> str:
    return f"heard:{name}"


def _changed(state: BackgroundState, name: str, change: Callable[[Playing], Playing]) -> BackgroundState:
    return replace(state, playing=tuple(change(one) if one.sound == name else one for one in state.playing))


def _without(state: BackgroundState, name: str) -> BackgroundState:
    return replace(
        state,
        playing=tuple(one for one in state.playing if one.sound != name),
        fetching=state.fetching - {name},
    )
