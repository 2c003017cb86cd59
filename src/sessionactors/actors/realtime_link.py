"""The effect that holds a session with a realtime model: orders in, events out. Runs at the model's home.

The ``realtime`` actor feeds orders through one inlet. Those that cannot wait are carried out as they are read; those
that are coroutines, and requests for replies behind them, go through one queue in the order in which they were fed,
each coroutine with a deadline. So a server that hangs in ``update_chat_ctx`` hears an interruption all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias, assert_never, cast, get_args

import structlog

from sessionactors.interfaces.realtime import Modality, RealtimeEvent, RealtimeModel, RealtimeSession, ResponseAudio
from sessionactors.messages.realtime import RealtimeOpened, RealtimeRefused, RealtimeSaid
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatItem
from sessionactors.model.errors import APIError, APITimeoutError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.model.video import VideoFrame
from sessionactors.runtime import Scope

from .retry_policy import reportable

LINK = "session"
"""The effect."""
CLOSE_WITHIN = 1.0
"""Seconds for a session to end itself."""

log = structlog.get_logger("sessionactors.realtime")


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is given first."""

    instructions: str
    items: tuple[ChatItem, ...]
    tools: tuple[ToolDefinition, ...]
    turn_detection_disabled: bool
    timeout: float
    """Seconds for each call."""
    scope: Scope


@dataclass(frozen=True, slots=True)
class Commit:
    """The user's turn is complete."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget the user's audio."""


@dataclass(frozen=True, slots=True)
class UserIsActive:
    """The client hears the user."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Cancel a reply: the one being generated, or one that has not been asked for yet."""

    request: str


@dataclass(frozen=True, slots=True)
class Truncate:
    """Shorten a message to what was heard."""

    message_id: str
    modalities: tuple[Modality, ...]
    audio_end_ms: int
    audio_transcript: str


@dataclass(frozen=True, slots=True)
class AddItems:
    """Add items to the server's conversation."""

    items: tuple[ChatItem, ...]


@dataclass(frozen=True, slots=True)
class ReplaceItems:
    """Make the server's conversation this one."""

    items: tuple[ChatItem, ...]


@dataclass(frozen=True, slots=True)
class ChangeInstructions:
    """Set the system prompt."""

    instructions: str


@dataclass(frozen=True, slots=True)
class ChangeTools:
    """Set the tools."""

    tools: tuple[ToolDefinition, ...]


@dataclass(frozen=True, slots=True)
class SetToolChoice:
    """Set the tool choice of the replies to come."""

    tool_choice: ToolChoice


@dataclass(frozen=True, slots=True)
class AskReply:
    """Ask for a reply."""

    request: str
    instructions: str | None
    tool_choice: ToolChoice | None
    tools: tuple[ToolDefinition, ...] | None
    aside: tuple[ChatItem, ...] = ()
    """Items of the conversation while this reply is made; :class:`ForgetItems` follows."""


@dataclass(frozen=True, slots=True)
class ForgetItems:
    """Take items out of the server's conversation."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class AskSay:
    """Have a text spoken."""

    request: str
    text: str


Urgent: TypeAlias = AudioFrame | VideoFrame | Commit | Clear | UserIsActive | Interrupt | Truncate
Ordered: TypeAlias = (
    AddItems | ForgetItems | ReplaceItems | ChangeInstructions | ChangeTools | SetToolChoice | AskReply | AskSay
)
Order: TypeAlias = Urgent | Ordered

Answer: TypeAlias = RealtimeSaid | RealtimeOpened | RealtimeRefused
Send: TypeAlias = Callable[[Answer], Awaitable[None]]


async def hold(send: Send, inlet: AsyncIterator[object], model: RealtimeModel, opening: Opening) -> None:
    """Hold one session until it ends; its errors are the effect's.

    Args:
        send: passes a message to the actor, within the effect's window.
        inlet: what the actor feeds (:data:`Order`).
        model: makes the session.
        opening: what it is given first.

    Raises:
        APIError: the session could not be made, was lost, or said something that is no event.
    """
    session = model.session(turn_detection_disabled=opening.turn_detection_disabled)
    link = _Link(send, session, opening)
    # Three tasks: a call waits for an answer that comes as an event, and orders are read meanwhile.
    tasks = [
        asyncio.create_task(work, name=f"{name} of the realtime session")
        for name, work in (("events", link.relay(model)), ("calls", link.call_in_order()), ("orders", link.read(inlet)))
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _end(session, model)


async def _end(session: RealtimeSession, model: RealtimeModel) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await session.aclose()
    except Exception as error:  # noqa: BLE001  it is over for us; whoever wrote the model wants to know
        log.warning("realtime_session_not_closed", model=model.label, error=repr(error))


class _Link:
    """One session and its queue of calls."""

    def __init__(self, send: Send, session: RealtimeSession, opening: Opening) -> None:
        self._send = send
        self._session = session
        self._opening = opening
        self._opened = asyncio.Event()
        self._calls: asyncio.Queue[Ordered] = asyncio.Queue()
        """As much as the conversation brings while one call hangs: until its deadline at most."""
        self._waiting: set[str] = set()
        """Requests in the queue."""

    async def relay(self, model: RealtimeModel) -> None:
        """Pass on what the server says."""
        scope = self._opening.scope
        events = self._session.events()
        try:
            async for event in events:
                await self._send(RealtimeSaid(_checked(event, model), scope))
        finally:
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    async def read(self, inlet: AsyncIterator[object]) -> None:
        """Once the session is open, do at once what cannot wait; the rest goes into the queue."""
        await self._opened.wait()
        async for order in inlet:
            if isinstance(order, Urgent):
                self._do(order)
                continue
            if isinstance(order, AskReply | AskSay):
                self._waiting.add(order.request)
            self._calls.put_nowait(order)  # type: ignore[arg-type]  # the actor feeds nothing else

    async def _open(self) -> None:
        session, opening = self._session, self._opening
        await self._within(session.update_instructions(opening.instructions), "update_instructions")
        if opening.items:
            await self._within(session.update_chat_ctx(ChatContext(opening.items)), "update_chat_ctx")
        if opening.tools:
            await self._within(session.update_tools(opening.tools), "update_tools")
        await self._send(RealtimeOpened(session, opening.scope))
        self._opened.set()

    async def _within(self, call: Awaitable[None], name: str) -> None:
        seconds = self._opening.timeout
        try:
            async with asyncio.timeout(seconds):
                await call
        except TimeoutError as error:
            raise APITimeoutError(f"{name}() of the realtime session did not return within {seconds:g} s") from error

    def _do(self, order: Urgent) -> None:
        session = self._session
        match order:
            case AudioFrame():
                session.push_audio(order)
            case VideoFrame():
                session.push_video(order)
            case Commit():
                session.commit_audio()
            case Clear():
                session.clear_audio()
            case UserIsActive():
                session.start_user_activity()
            case Interrupt(request):
                if request in self._waiting:
                    self._waiting.discard(request)
                else:
                    session.interrupt()
            case Truncate(message_id, modalities, audio_end_ms, transcript):
                session.truncate(
                    message_id=message_id,
                    modalities=modalities,
                    audio_end_ms=audio_end_ms,
                    audio_transcript=transcript,
                )
            case _:
                assert_never(order)

    async def call_in_order(self) -> None:
        """Open the session, then make the calls of the queue."""
        await self._open()
        while True:
            order = await self._calls.get()
            request = order.request if isinstance(order, AskReply | AskSay) else None
            try:
                await self._call(order)
            except APITimeoutError:
                raise  # a server that does not answer is lost
            except Exception as error:  # noqa: BLE001  of the provider; what it is becomes a message
                name = type(order).__name__
                told = reportable(error, f"the realtime session's {name}")
                await self._send(RealtimeRefused(name, told, request, self._opening.scope))

    async def _call(self, order: Ordered) -> None:
        session = self._session
        match order:
            case AddItems(items):
                await self._add(items)
            case ForgetItems(ids):
                await self._forget(ids)
            case ReplaceItems(items):
                await self._within(session.update_chat_ctx(ChatContext(items)), "update_chat_ctx")
            case ChangeInstructions(instructions):
                await self._within(session.update_instructions(instructions), "update_instructions")
            case ChangeTools(tools):
                await self._within(session.update_tools(tools), "update_tools")
            case SetToolChoice(tool_choice):
                session.update_options(tool_choice=tool_choice)
            case AskReply(request, instructions, tool_choice, tools, aside):
                told = bool(aside) and request in self._waiting
                if told:
                    await self._add(aside)
                if self._begin(request):
                    session.generate_reply(
                        request_id=request, instructions=instructions, tool_choice=tool_choice, tools=tools
                    )
                elif told:
                    await self._forget({item.id for item in aside})
            case AskSay(request, text):
                if self._begin(request):
                    session.say(text, request_id=request)
            case _:
                assert_never(order)

    async def _add(self, items: tuple[ChatItem, ...]) -> None:
        context = self._session.chat_ctx
        known = {item.id for item in context}
        wanted = ChatContext([*context, *(item for item in items if item.id not in known)])
        await self._within(self._session.update_chat_ctx(wanted), "update_chat_ctx")

    async def _forget(self, ids: AbstractSet[str]) -> None:
        wanted = ChatContext([item for item in self._session.chat_ctx if item.id not in ids])
        await self._within(self._session.update_chat_ctx(wanted), "update_chat_ctx")

    def _begin(self, request: str) -> bool:
        """Whether the request is still wanted."""
        wanted = request in self._waiting
        self._waiting.discard(request)
        return wanted


def _checked(event: object, model: RealtimeModel) -> RealtimeEvent:
    """A provider is not ours to trust: what is no event must not reach a handler."""
    if not isinstance(event, get_args(RealtimeEvent)):
        raise APIError(f"{model.label} said {type(event).__name__}, which is no RealtimeEvent", retryable=False)
    if isinstance(event, ResponseAudio):
        frame: object = event.frame
        mono = isinstance(frame, AudioFrame) and (frame.num_channels, frame.sample_rate) == (1, model.sample_rate)
        if not mono:
            raise APIError(f"{model.label} gave {frame!r}, not mono at its {model.sample_rate} Hz", retryable=False)
    return cast("RealtimeEvent", event)
