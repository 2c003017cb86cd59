"""The JSON messages of our own protocol, version 1, as clients write them: docs/websocket.md describes them."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .wire import NAME

VERSION: Final = 1


class Message(BaseModel):
    """A message. What it has besides is ignored: newer clients may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class AudioFormat(Message):
    """How audio goes over the wire."""

    codec: Literal["pcm", "opus"] = "pcm"
    sample_rate: int = 24000
    channels: int = Field(default=1, ge=1, le=2)


class OutputFormat(Message):
    """How the client wants the agent's voice: always mono."""

    codec: Literal["pcm", "opus"] = "pcm"
    sample_rate: int = 24000


class HelloMessage(Message):
    """The first message of a client."""

    type: Literal["hello"]
    version: int
    identity: str = Field(default="caller", pattern=NAME)
    room: str | None = Field(default=None, pattern=NAME)
    token: str | None = Field(default=None, max_length=4096)
    input: AudioFormat = AudioFormat()
    output: OutputFormat = OutputFormat()
    positions: bool = True
    """Whether the client answers ``mark`` and ``clear``."""
    resumable: bool = False
    """Whether the client comes back if the connection is lost."""
    resume: str | None = Field(default=None, max_length=128)
    """It comes back: as its last ``ready`` said."""
    attributes: dict[Annotated[str, Field(max_length=128)], Annotated[str, Field(max_length=1024)]] = Field(
        default={}, max_length=64
    )


class TextMessage(Message):
    """Something typed."""

    type: Literal["text"]
    text: str = Field(max_length=8192)


class MuteMessage(Message):
    """The microphone is off, or on again."""

    type: Literal["mute"]
    muted: bool


class KeyMessage(Message):
    """A key of a telephone."""

    type: Literal["key"]
    digit: str = Field(pattern=r"^[0-9*#A-D]$")


class MarkMessage(Message):
    """Played up to here."""

    type: Literal["mark"]
    stretch: int
    samples: int = Field(ge=0)


class ClearedMessage(Message):
    """Dropped, after so many samples."""

    type: Literal["cleared"]
    stretch: int
    samples: int = Field(ge=0)


class PongMessage(Message):
    """Here I am."""

    type: Literal["pong"]


class ByeMessage(Message):
    """The client hangs up."""

    type: Literal["bye"]


ClientMessage: TypeAlias = Annotated[
    HelloMessage | TextMessage | MuteMessage | KeyMessage | MarkMessage | ClearedMessage | PongMessage | ByeMessage,
    Field(discriminator="type"),
]
CLIENT_MESSAGE: Final[TypeAdapter[ClientMessage]] = TypeAdapter(ClientMessage)
