"""What a speech-to-speech model must do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

from sessionactors.interfaces.realtime import (
    GenerationCreated,
    InputAudioTranscriptionCompleted,
    RealtimeEvent,
    RealtimeModel,
    RealtimeSession,
    RealtimeSessionError,
    ResponseAudio,
    ResponseDone,
    ResponseText,
    ResponseToolCall,
)
from sessionactors.model.chat import ChatContext
from sessionactors.model.chat_items import FunctionCallOutput

from .check import Checks
from .llm_checks import WEATHER, said
from .outcome import Nonconforming, NotApplicable
from .reading import within
from .request_checks import REQUEST_CHECKS
from .rig import RequestRig
from .spoken import Utterance, heard

REALTIME_CHECKS = Checks(REQUEST_CHECKS)
needs = REALTIME_CHECKS.needs
T = TypeVar("T", bound=RealtimeEvent)

REQUEST: Final = "request-1"


@dataclass(frozen=True, kw_only=True)
class RealtimeRig(RequestRig[RealtimeModel]):
    """A speech-to-speech model. Asked for a reply, its backend answers in several pieces.

    Args:
        prompt: a user's message in the conversation before it is asked for a reply.
        utterance: something that it understands, mono at its input rate; None: what it hears is not checked.
        tools: it calls tools: with ``tool_choice="required"`` it must.
        usage: it reports tokens.
    """

    kind: ClassVar[str] = "realtime"
    prompt: str = "Count from one to thirty, in words."
    utterance: Utterance | None = None
    tools: bool = True
    usage: bool = True

    async def ask(self, provider: RealtimeModel) -> AsyncGenerator[object, None]:
        """A session in which a reply is asked for, up to the end of the reply."""
        session = provider.session()
        events = session.events()
        try:
            session.generate_reply(request_id=REQUEST)
            async for event in events:
                yield event
                if isinstance(event, ResponseDone):
                    return
        finally:
            await session.aclose()
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    def is_answer(self, item: object) -> bool:
        """Words or sound."""
        return isinstance(item, ResponseText | ResponseAudio)

    def is_whole(self, items: list[object]) -> str:
        """One response, announced as asked for, with words or sound, done."""
        responses = [item for item in items if isinstance(item, GenerationCreated)]
        if [response.request_id for response in responses] != [REQUEST]:
            return f"announced: {responses}, not one response to {REQUEST!r}"
        pieces = [item for item in items if isinstance(item, ResponseText | ResponseAudio)]
        if not pieces:
            return "a response without words and sound"
        if strange := [piece for piece in pieces if piece.response_id != responses[0].response_id]:
            return f"a piece of {strange[0].response_id}, which was not announced"
        if items.index(responses[0]) > items.index(pieces[0]):
            return "a piece came before the response was announced"
        done = [item for item in items if isinstance(item, ResponseDone)]
        return "" if [end.status for end in done] == ["completed"] else f"it ended as {done}"


class Conversation:
    """A session whose events are read in a task of their own.

    Args:
        rig: its rig.
        session: which.
    """

    def __init__(self, rig: RealtimeRig, session: RealtimeSession) -> None:
        self.session = session
        self.events: list[RealtimeEvent] = []
        self._rig = rig
        self._changed = asyncio.Event()
        self.task = asyncio.create_task(self._read(), name=f"events of {rig.name}")

    async def _read(self) -> None:
        events = self.session.events()
        try:
            async for event in events:
                self.events.append(event)
                self._changed.set()
        finally:
            self._changed.set()
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    async def until(self, kind: type[T], which: Callable[[T], bool] = lambda _: True) -> T:
        """Wait for an event of a kind.

        Raises:
            Nonconforming: it did not come in time, or the events ended before.
        """

        def wanted(event: RealtimeEvent) -> T | None:
            return event if isinstance(event, kind) and which(event) else None

        return await self._first(kind.__name__, wanted)

    async def piece(self) -> ResponseText | ResponseAudio:
        """Wait for words or sound of a response that has not ended."""

        def wanted(event: RealtimeEvent) -> ResponseText | ResponseAudio | None:
            ended = {end.response_id for end in self.events if isinstance(end, ResponseDone)}
            if isinstance(event, ResponseText | ResponseAudio) and event.response_id not in ended:
                return event
            return None

        return await self._first("words or sound", wanted)

    async def reply(self, request: str = REQUEST) -> ResponseDone:
        """The end of the response to a request."""
        created = await self.until(GenerationCreated, lambda event: event.request_id == request)
        return await self.until(ResponseDone, lambda event: event.response_id == created.response_id)

    async def close(self) -> None:
        """End the session, and with it the events."""
        await within(self._rig.patience, "closing a session", self.session.aclose())
        await asyncio.wait({self.task}, timeout=self._rig.patience)
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task}, timeout=self._rig.patience)
            raise Nonconforming("the session is closed, and its events go on")

    async def _first(self, what: str, wanted: Callable[[RealtimeEvent], T | None]) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._rig.patience
        while True:
            for event in self.events:
                if (found := wanted(event)) is not None:
                    return found
            if self.task.done() or loop.time() >= deadline:
                told = [type(event).__name__ for event in self.events]
                raise Nonconforming(f"no {what}: {self._ended()} after {told}")
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            await asyncio.wait(
                {changed, self.task}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED
            )
            changed.cancel()

    def _ended(self) -> str:
        if not self.task.done():
            return f"nothing more for {self._rig.patience:g} s"
        return "cancelled" if self.task.cancelled() else f"the events ended with {self.task.exception()!r}"


@asynccontextmanager
async def _conversation(rig: RealtimeRig, **options: bool) -> AsyncIterator[Conversation]:
    async with rig.opened() as model:
        conversation = Conversation(rig, model.session(**options))
        try:
            yield conversation
        finally:
            await conversation.close()


async def _capable(rig: RealtimeRig, capability: str) -> None:
    async with rig.opened() as model:
        if not getattr(model.capabilities, capability):
            raise NotApplicable(f"it cannot: {capability}")


@needs()
async def answers_in_pieces(rig: RealtimeRig) -> None:
    """A reply comes in pieces; if it speaks, in mono at its rate."""
    async with _conversation(rig) as conversation:
        conversation.session.generate_reply(request_id=REQUEST)
        await conversation.reply()
        pieces = [event for event in conversation.events if isinstance(event, ResponseText | ResponseAudio)]
    if len(pieces) < 2:
        raise Nonconforming(f"{len(pieces)} piece(s)")
    async with rig.opened() as model:
        for piece in pieces:
            if isinstance(piece, ResponseAudio) and (
                piece.frame.num_channels != 1 or piece.frame.sample_rate != model.sample_rate
            ):
                raise Nonconforming(f"{piece.frame}, not mono at {model.sample_rate} Hz")
        if model.capabilities.audio_output and not any(isinstance(piece, ResponseAudio) for piece in pieces):
            raise Nonconforming("no sound, though audio_output is true")


@needs()
async def stops_when_interrupted(rig: RealtimeRig) -> None:
    """An interrupted response ends at once as cancelled; without a response interrupting does nothing; it goes on."""
    async with _conversation(rig) as conversation:
        session = conversation.session
        session.interrupt()
        session.generate_reply(request_id=REQUEST)
        created = await conversation.until(GenerationCreated)
        await conversation.piece()
        session.interrupt()
        done = await conversation.until(ResponseDone, lambda event: event.response_id == created.response_id)
        if done.status == "failed":
            raise Nonconforming(f"interrupted, and ended as {done}")
        session.generate_reply(request_id="request-2")
        if (again := await conversation.reply("request-2")).status != "completed":
            raise Nonconforming(f"the reply after an interruption ended as {again}")
        ends = [event for event in conversation.events if isinstance(event, ResponseDone)]
        if len({end.response_id for end in ends}) < len(ends):
            raise Nonconforming("a response ended twice")


@needs()
async def knows_what_it_was_told(rig: RealtimeRig) -> None:
    """Instructions, tools and conversation are taken, and the conversation and tools can be read back."""
    async with _conversation(rig) as conversation:
        session, context = conversation.session, said(rig.prompt)
        await _told(rig, session, context)
        if [item.id for item in context.items] != [item.id for item in session.chat_ctx.items]:
            raise Nonconforming(f"told {context.items}, it has {session.chat_ctx.items}")
        if [tool.name for tool in session.tools] != [WEATHER.name]:
            raise Nonconforming(f"told {WEATHER.name}, it has {session.tools}")
        session.generate_reply(request_id=REQUEST)
        await conversation.reply()


async def _told(rig: RealtimeRig, session: RealtimeSession, context: ChatContext) -> None:
    await within(rig.patience, "update_instructions", session.update_instructions("Be brief."))
    await within(rig.patience, "update_tools", session.update_tools([WEATHER]))
    await within(rig.patience, "update_chat_ctx", session.update_chat_ctx(context))


@needs()
async def calls_a_tool(rig: RealtimeRig) -> None:
    """A required tool is called whole; its output is taken, and answered with words or sound."""
    if not rig.tools:
        raise NotApplicable("it calls no tools")
    async with _conversation(rig) as conversation:
        session = conversation.session
        await _told(rig, session, said("What is the weather in Oslo?"))
        session.update_options(tool_choice="required")
        session.generate_reply(request_id=REQUEST, tool_choice="required")
        call = (await conversation.until(ResponseToolCall)).call
        try:
            arguments = json.loads(call.arguments)
        except ValueError as error:
            raise Nonconforming(f"arguments that are no JSON: {call.arguments!r}") from error
        if not call.call_id or call.name != WEATHER.name or not isinstance(arguments, dict):
            raise Nonconforming(f"not a call of {WEATHER.name}: {call}")
        await conversation.reply()
        session.update_options(tool_choice="auto")
        await _answer(rig, conversation, call.call_id)


async def _answer(rig: RealtimeRig, conversation: Conversation, call_id: str) -> None:
    session = conversation.session
    context = session.chat_ctx
    context.insert(FunctionCallOutput(call_id, WEATHER.name, "sunny"))
    await within(rig.patience, "update_chat_ctx with an output", session.update_chat_ctx(context))
    async with rig.opened() as model:
        by_itself = model.capabilities.auto_tool_reply_generation
    if not by_itself:
        session.generate_reply(request_id="request-2", tool_choice="none")
    answer = await conversation.piece()
    if isinstance(answer, ResponseText) and not answer.text:
        raise Nonconforming("the output of a tool was answered with no words")


@needs()
async def reports_usage(rig: RealtimeRig) -> None:
    """The end of a response tells its tokens."""
    if not rig.usage:
        raise NotApplicable("it reports no tokens")
    async with _conversation(rig) as conversation:
        conversation.session.generate_reply(request_id=REQUEST)
        usage = (await conversation.reply()).usage
    if usage is None or usage.output_tokens <= 0:
        raise Nonconforming(f"usage: {usage}")


@needs()
async def shortens_what_was_not_heard(rig: RealtimeRig) -> None:
    """With ``message_truncation`` a message that was cut off is shortened, and the session goes on."""
    await _capable(rig, "message_truncation")
    async with _conversation(rig) as conversation:
        session = conversation.session
        session.generate_reply(request_id=REQUEST)
        piece = await conversation.until(ResponseAudio)
        session.interrupt()
        await conversation.reply()
        session.truncate(message_id=piece.message_id, modalities=["audio"], audio_end_ms=10, audio_transcript="")
        session.generate_reply(request_id="request-2")
        await conversation.reply("request-2")
        _no_errors(conversation.events)


@needs()
async def says_what_it_is_told(rig: RealtimeRig) -> None:
    """With ``supports_say`` a text is spoken as it is."""
    await _capable(rig, "supports_say")
    async with _conversation(rig) as conversation:
        conversation.session.say("Good morning.", request_id=REQUEST)
        if (done := await conversation.reply()).status != "completed":
            raise Nonconforming(f"it ended as {done}")


@needs()
async def hears_the_user(rig: RealtimeRig) -> None:
    """Audio that is pushed and committed is the user's turn: its transcript comes, if it transcribes."""
    utterance = rig.utterance
    if utterance is None:
        raise NotApplicable("the rig has no utterance")
    await _capable(rig, "user_transcription")
    await _capable(rig, "can_disable_turn_detection")
    async with _conversation(rig, turn_detection_disabled=True) as conversation:
        async for frame in heard([utterance], 1.0).frames():
            conversation.session.push_audio(frame)
        conversation.session.commit_audio()
        told = await conversation.until(InputAudioTranscriptionCompleted, lambda event: event.is_final)
    if utterance.text is not None and told.transcript.strip() != utterance.text:
        raise Nonconforming(f"it heard {told.transcript!r}, {utterance.text!r} was said")


@needs()
async def ends_its_events_when_closed(rig: RealtimeRig) -> None:
    """A session that is closed, also in the middle of a response, ends its events; it may be closed again."""
    async with rig.opened() as model:
        for asks in (False, True):
            conversation = Conversation(rig, model.session())
            if asks:
                conversation.session.generate_reply(request_id=REQUEST)
                await conversation.until(GenerationCreated)
            await conversation.close()
            await within(rig.patience, "closing it again", conversation.session.aclose())


def _no_errors(events: Sequence[RealtimeEvent]) -> None:
    if errors := [event.error for event in events if isinstance(event, RealtimeSessionError)]:
        raise Nonconforming(f"the server complained: {errors[0]!r}")
