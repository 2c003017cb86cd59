"""Which pictures a session keeps: the built-in choice, every one, or the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.actors.wiring import UserSampler
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NotGiven, NotGivenOr
from sessionactors.model.video import VideoFrame
from sessionactors.model.video_sampling import VoiceActivityVideoSampler

if TYPE_CHECKING:
    from .agent_session import AgentSession

AnyVideoSampler: TypeAlias = (
    "VoiceActivityVideoSampler | Callable[[VideoFrame, AgentSession[object]], bool | Awaitable[bool]]"
)


def checked_sampler(given: NotGivenOr[AnyVideoSampler | None]) -> NotGivenOr[AnyVideoSampler | None]:
    """What was given.

    Raises:
        OptionError: it cannot be called.
    """
    if given is None or isinstance(given, NotGiven | VoiceActivityVideoSampler) or callable(given):
        return given
    raise OptionError(f"video_sampler takes a callable (frame, session) -> bool, or None, got {given!r}")


def sampler_for(
    given: NotGivenOr[AnyVideoSampler | None], session: AgentSession[object]
) -> VoiceActivityVideoSampler | UserSampler | None:
    """The sampler of a session, as its actors take it."""
    if isinstance(given, NotGiven):
        return VoiceActivityVideoSampler()
    if given is None or isinstance(given, VoiceActivityVideoSampler):
        return given
    sampler = given

    async def ask(frame: VideoFrame) -> bool:
        wanted = sampler(frame, session)
        return bool(await wanted) if inspect.isawaitable(wanted) else bool(wanted)

    return ask
