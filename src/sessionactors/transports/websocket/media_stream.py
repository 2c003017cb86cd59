"""Calls of a telephone provider that come as a WebSocket: JSON messages with mu-law audio in base64.

:class:`TwilioMediaStream` speaks Twilio's format (https://www.twilio.com/docs/voice/media-streams/websocket-messages).
Other providers have much the same: derive from :class:`MediaStream`, say how a message is read and written.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sessionactors.model.audio import AudioFrame

from . import mulaw
from .close_code import CloseCode, WireError
from .wire import NAME, Clear, Data, Heard, Hello, Left, Mark, Played, Pressed, Sound, Spoken, Told, Wire

RATE: Final = 8000
"""Hertz of a telephone line."""
_MARK: Final = re.compile(r"([0-9]{1,12}):([0-9]{1,12})")
"""A mark's name: stretch and samples."""


class MediaStream(Wire):
    """A call as JSON messages. Marks come back when they were played; a clear is not answered.

    A provider gives back all marks at once when its buffer is cleared. Those are of a stretch that is over, and are
    not taken for played.
    """

    marks = True

    @property
    def sample_rate(self) -> int:
        return RATE

    def read(self, data: Data) -> Sequence[Heard]:
        if isinstance(data, bytes):
            raise WireError(CloseCode.MALFORMED, "a media stream is JSON: there are no binary messages")
        return self._read(data)

    @abstractmethod
    def _read(self, text: str) -> Sequence[Heard]:
        """What a message says."""

    def write(self, told: Told) -> Sequence[Data]:
        match told:
            case Sound(_, pcm):
                return [self._media(base64.b64encode(mulaw.encode(pcm)).decode())]
            case Mark(stretch, samples):
                return [self._mark(f"{stretch}:{samples}")]
            case Clear():
                return [self._clear()]
            case _:  # a telephone shows nothing, and its call ends with the connection
                return ()

    @abstractmethod
    def _media(self, payload: str) -> str:
        """Audio: base64 of mu-law."""

    @abstractmethod
    def _mark(self, name: str) -> str:
        """A mark."""

    @abstractmethod
    def _clear(self) -> str:
        """Drop what is buffered."""

    @staticmethod
    def audio(payload: str) -> Spoken:
        """Audio of the caller, from base64 of mu-law.

        Raises:
            WireError: it is no base64.
        """
        try:
            sound = base64.b64decode(payload, validate=True)
        except (binascii.Error, ValueError) as error:
            raise WireError(CloseCode.MALFORMED, f"media.payload is no base64: {error}") from error
        return Spoken(AudioFrame(mulaw.decode(sound), RATE))

    @staticmethod
    def played(name: str) -> Sequence[Heard]:
        """A mark that came back; nothing for one that is not of ours."""
        ours = _MARK.fullmatch(name)
        return () if ours is None else [Played(int(ours[1]), int(ours[2]))]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Format(_Part):
    encoding: str = "audio/x-mulaw"
    sampleRate: int = RATE  # noqa: N815  as Twilio spells it
    channels: int = 1


class _Start(_Part):
    streamSid: str = Field(pattern=NAME)  # noqa: N815
    callSid: str = Field(pattern=NAME)  # noqa: N815
    accountSid: str = Field(default="", max_length=128)  # noqa: N815
    mediaFormat: _Format = _Format()  # noqa: N815
    customParameters: dict[str, str] = {}  # noqa: N815


class _Media(_Part):
    payload: str
    track: str = "inbound"


class _Name(_Part):
    name: str = ""


class _Digit(_Part):
    digit: str = Field(min_length=1, max_length=1)


class _Started(_Part):
    event: Literal["start"]
    start: _Start


class _Heard(_Part):
    event: Literal["media"]
    media: _Media


class _Marked(_Part):
    event: Literal["mark"]
    mark: _Name


class _Pressed(_Part):
    event: Literal["dtmf"]
    dtmf: _Digit


class _Stopped(_Part):
    event: Literal["stop"]


_Known: TypeAlias = Annotated[_Started | _Heard | _Marked | _Pressed | _Stopped, Field(discriminator="event")]
_EVENT: Final[TypeAdapter[_Known]] = TypeAdapter(_Known)
_UNKNOWN: Final = "union_tag_invalid"


class TwilioMediaStream(MediaStream):
    """Twilio's Media Streams, both ways (``<Connect><Stream>``).

    The caller's identity is the call's SID. The stream's custom parameters are attributes of the caller, but for two:
    ``token`` proves that the call may come in (Twilio strips the query of the stream's URL), and ``room`` names its
    room.
    """

    label: ClassVar[str] = "twilio"

    def __init__(self) -> None:
        self._stream = ""

    def _read(self, text: str) -> Sequence[Heard]:
        try:
            message = _EVENT.validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
            if fault["type"] == _UNKNOWN:
                return ()  # connected, and whatever comes to be
            where = ".".join(str(part) for part in fault["loc"])
            raise WireError(CloseCode.MALFORMED, f"{where}: {fault['msg']}") from None
        if isinstance(message, _Started):
            return [self._open(message.start)]
        if not self._stream:
            raise WireError(CloseCode.OUT_OF_ORDER, f"{message.event} came before start", fatal=True)
        match message:
            case _Heard(media=media):
                return [self.audio(media.payload)] if media.track == "inbound" and media.payload else ()
            case _Marked(mark=mark):
                return self.played(mark.name)
            case _Pressed(dtmf=dtmf):
                return [Pressed(dtmf.digit)]
            case _:
                return [Left("client_initiated")]

    def _open(self, start: _Start) -> Hello:
        if self._stream:
            raise WireError(CloseCode.OUT_OF_ORDER, "start came twice", fatal=True)
        given = start.mediaFormat
        if (given.encoding, given.sampleRate, given.channels) != ("audio/x-mulaw", RATE, 1):
            raise WireError(
                CloseCode.UNSUPPORTED, f"{given.encoding} at {given.sampleRate} Hz is not spoken here", fatal=True
            )
        room = start.customParameters.get("room")
        if room is not None and not re.fullmatch(NAME, room):
            raise WireError(CloseCode.MALFORMED, "room: not the name of a room", fatal=True)
        self._stream = start.streamSid
        sids = {"twilio.callSid": start.callSid, "twilio.streamSid": start.streamSid}
        own = {name: value for name, value in start.customParameters.items() if name not in ("token", "room")}
        return Hello(
            identity=start.callSid,
            room=room,
            token=start.customParameters.get("token"),
            kind="sip",
            attributes={**own, **sids},
        )

    def _media(self, payload: str) -> str:
        return json.dumps({"event": "media", "streamSid": self._stream, "media": {"payload": payload}})

    def _mark(self, name: str) -> str:
        return json.dumps({"event": "mark", "streamSid": self._stream, "mark": {"name": name}})

    def _clear(self) -> str:
        return json.dumps({"event": "clear", "streamSid": self._stream})
