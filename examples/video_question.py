"""An agent that is asked about what a camera shows.

A sampler keeps a few pictures a second of what the participant shows; when they ask something, the last one goes to the
model with the question. In a LiveKit room, with a model that sees:

    OPENAI_API_KEY=... python examples/video_question.py dev

Without a key, from the repository, in about two seconds: a painted camera, and a model that looks at the picture it is
given and names its colour. Both need the extra ``images``.

    python -m examples.video_question
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from sessionactors import (
    LLM,
    Agent,
    AgentSession,
    ChatChunk,
    ChatContext,
    ChatMessage,
    ImageContent,
    JobContext,
    LLMStream,
    RoomOptions,
    VideoFrame,
    VideoInputOptions,
    VideoSource,
    VoiceActivityVideoSampler,
    WorkerOptions,
    cli,
)
from sessionactors.interfaces.video_io import VideoCallback
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.providers import openai
from sessionactors.transports import MemoryTransport

SAMPLER = VoiceActivityVideoSampler(speaking_fps=1.0, silent_fps=5.0)


class Onlooker(Agent):
    """Answers with the last picture before it."""

    def __init__(self) -> None:
        super().__init__(instructions="You see what the user shows you. Answer briefly.")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """Put the picture beside the question: it stays in the conversation."""
        frame = self.session.input.last_frame
        if frame is not None:
            new_message.content.append(frame.as_image(detail="low"))


async def entrypoint(ctx: JobContext) -> None:
    """Serve one room."""
    await ctx.connect()
    model = openai.LLM(model="gpt-4o-mini")
    session: AgentSession[None] = AgentSession(llm=model, video_sampler=SAMPLER)
    try:
        options = RoomOptions(video_input=VideoInputOptions())
        await session.start(agent=Onlooker(), room=ctx.room, room_options=options)
        await session.wait_closed()
    finally:
        await model.aclose()


# -- without a key ---------------------------------------------------------------------------------------------------

Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (20, 40, 200)}


class PaintedCamera(VideoSource):
    """Thirty pictures a second in one colour, until it is painted over."""

    label = "painted-camera"

    def __init__(self, colour: str) -> None:
        self.colour = colour
        self.taken = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, on_frame: VideoCallback, on_end: Callable[[], None]) -> None:
        """Begin to take pictures."""
        self._task = asyncio.get_running_loop().create_task(self._take(on_frame))

    def stop(self) -> None:
        """Take no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _take(self, on_frame: VideoCallback) -> None:
        while True:
            self.taken += 1
            on_frame(VideoFrame(bytes(COLOURS[self.colour]) * 32 * 24, 32, 24, "rgb24"))
            await asyncio.sleep(1 / 30)


class ColourNamer(LLM):
    """A model that can do one thing: name the colour of the last picture it was shown."""

    label = "colour-namer"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """Look, and answer."""
        return LLMStream(self._answer(chat_ctx))

    async def _answer(self, chat_ctx: ChatContext) -> AsyncGenerator[ChatChunk | FlushSentinel, None]:
        pictures = [
            part
            for item in chat_ctx.items
            if isinstance(item, ChatMessage)
            for part in item.content
            if isinstance(part, ImageContent)
        ]
        yield ChatChunk(f"It is {colour_of(pictures[-1])}." if pictures else "I see nothing.")


def colour_of(picture: ImageContent) -> str:
    """The colour that the picture (a JPEG in a ``data:`` URL) is nearest to as a whole."""
    with Image.open(BytesIO(base64.b64decode(picture.image.partition(",")[2]))) as image:
        mean = image.convert("RGB").resize((1, 1)).tobytes()

    def distance(name: str) -> int:
        return sum((one - other) ** 2 for one, other in zip(mean, COLOURS[name], strict=True))

    return min(COLOURS, key=distance)


@dataclass
class Outcome:
    """What came of it."""

    answers: list[str] = field(default_factory=list)
    taken: int = 0
    """Pictures that the camera took."""
    asked_with: list[int] = field(default_factory=list)
    """Pictures in the conversation at each question."""


async def scripted_call(show: Callable[[str], object]) -> Outcome:
    """Somebody shows a painted card and asks about it, turns it round and asks again."""
    outcome, camera, room = Outcome(), PaintedCamera("red"), MemoryTransport(audio=False)
    room.show(camera)
    session: AgentSession[None] = AgentSession(llm=ColourNamer(), video_sampler=SAMPLER)
    answered = asyncio.Event()

    @session.on("conversation_item_added")
    def _(event: object) -> None:
        item = getattr(event, "item", None)
        if isinstance(item, ChatMessage) and item.role in ("user", "assistant"):
            show(f"{item.role}: {item.text_content}")
            if item.role == "assistant":
                outcome.answers.append(item.text_content)
                answered.set()

    await session.start(
        agent=Onlooker(), room=room, room_options=RoomOptions(video_input=VideoInputOptions(), audio_output=False)
    )
    for colour in ("red", "green", "blue"):
        camera.colour = colour
        await asyncio.sleep(0.5)  # a picture of it is kept within a fifth of a second
        answered.clear()
        room.type("What colour is it?")
        await asyncio.wait_for(answered.wait(), 10.0)
        pictures = (part for item in session.history.items for part in getattr(item, "content", ()))
        outcome.asked_with.append(sum(isinstance(part, ImageContent) for part in pictures))
    await session.aclose()
    outcome.taken = camera.taken
    show(f"{camera.taken} pictures taken, {outcome.asked_with[-1]} shown to the model")
    return outcome


if __name__ == "__main__":
    if len(sys.argv) > 1:
        cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
    else:
        asyncio.run(scripted_call(print))
