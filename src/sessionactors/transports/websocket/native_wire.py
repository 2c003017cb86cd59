"""Our own protocol: audio in binary messages, all else in JSON. docs/websocket.md is its description."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar, assert_never

from pydantic import ValidationError

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.errors import AudioFormatError, OptionError

from . import control
from .close_code import CloseCode, WireError
from .codec import Decoder, Encoder, OpusDecoder, OpusEncoder, PcmDecoder, PcmEncoder, check_format
from .wire import (
    Alive,
    Begin,
    Bye,
    Clear,
    Cleared,
    Data,
    End,
    Fault,
    Heard,
    Hello,
    Left,
    Mark,
    Muted,
    Ping,
    Played,
    Pressed,
    Ready,
    Sound,
    Spoken,
    State,
    Told,
    Transcript,
    Typed,
    Wire,
)


class NativeWire(Wire):
    """What browsers and programs speak that were written for this server."""

    label: ClassVar[str] = "websocket"
    answers_ping = True

    def __init__(self) -> None:
        self._hello: control.HelloMessage | None = None
        self._decoder: Decoder | None = None
        self._encoder: Encoder | None = None

    @property
    def sample_rate(self) -> int:
        return control.OutputFormat().sample_rate if self._hello is None else self._hello.output.sample_rate

    # -- what clients say --------------------------------------------------------------------------------------------

    def read(self, data: Data) -> Sequence[Heard]:
        if isinstance(data, bytes):
            return self._spoken(data)
        try:
            message = control.CLIENT_MESSAGE.validate_json(data)
        except ValidationError as error:
            raise WireError(CloseCode.MALFORMED, _what_is_wrong(error)) from None
        if isinstance(message, control.HelloMessage):
            return [self._open(message)]
        if self._hello is None:
            raise WireError(CloseCode.OUT_OF_ORDER, f"{message.type} came before hello", fatal=True)
        return [_heard(message)]

    def _spoken(self, data: bytes) -> Sequence[Heard]:
        if self._decoder is None:
            raise WireError(CloseCode.OUT_OF_ORDER, "audio came before hello", fatal=True)
        try:
            frame = self._decoder.decode(data)
        except AudioFormatError as error:
            raise WireError(CloseCode.MALFORMED, str(error)) from error
        return [Spoken(frame)] if frame is not None and frame.data else []

    def _open(self, hello: control.HelloMessage) -> Hello:
        if self._hello is not None:
            raise WireError(CloseCode.OUT_OF_ORDER, "hello came twice", fatal=True)
        if hello.version != control.VERSION:
            raise WireError(
                CloseCode.UNSUPPORTED, f"version {hello.version} is not spoken here, but {control.VERSION}", fatal=True
            )
        heard, spoken = hello.input, hello.output
        try:
            check_format(heard.codec, heard.sample_rate)
            check_format(spoken.codec, spoken.sample_rate)
        except OptionError as error:
            raise WireError(CloseCode.UNSUPPORTED, str(error), fatal=True) from error
        opus_in, opus_out = heard.codec == "opus", spoken.codec == "opus"
        self._decoder = OpusDecoder(heard.channels) if opus_in else PcmDecoder(heard.sample_rate, heard.channels)
        self._encoder = OpusEncoder(spoken.sample_rate) if opus_out else PcmEncoder()
        self._hello = hello
        self.marks = self.answers_clear = hello.positions
        return Hello(
            hello.identity,
            hello.room,
            hello.token,
            attributes=hello.attributes,
            may_return=hello.resumable,
            ticket=hello.resume,
        )

    # -- what they are told ------------------------------------------------------------------------------------------

    def write(self, told: Told) -> Sequence[Data]:
        match told:
            case Sound(_, pcm):
                return [] if self._encoder is None else self._encoder.encode(pcm)
            case End(stretch):
                return [*self._rest(), _json("end", stretch=stretch)]
            case Mark(stretch, samples):
                return [_json("mark", stretch=stretch, samples=samples)]
            case Begin(stretch):
                return [_json("begin", stretch=stretch)]
            case Clear(stretch):
                self._rest()
                return [_json("clear", stretch=stretch)]
            case Transcript():
                return [_transcript(told.segment)]
            case State(who, state):
                return [_json("state", who=who, state=state)]
            case Fault(code, message):
                return [_json("error", code=int(code), name=code.label, message=message)]
            case Ready(room, ticket, within):
                back = {} if ticket is None else {"resume": ticket, "resume_within": within}
                facts = {"output": self._output(), "frame_ms": self.frame_ms, **back}
                return [_json("ready", version=control.VERSION, room=room, **facts)]
            case Ping() | Bye():
                return [_json("ping") if isinstance(told, Ping) else _json("bye", reason=told.reason)]
            case _:
                assert_never(told)

    def _rest(self) -> list[bytes]:
        return [] if self._encoder is None else self._encoder.flush()

    def _output(self) -> Mapping[str, object]:
        return {} if self._hello is None else {**self._hello.output.model_dump(), "channels": 1}


def _heard(
    message: control.TextMessage
    | control.MuteMessage
    | control.KeyMessage
    | control.MarkMessage
    | control.ClearedMessage
    | control.PongMessage
    | control.ByeMessage,
) -> Heard:
    match message:
        case control.TextMessage(text=text):
            return Typed(text)
        case control.MuteMessage(muted=muted):
            return Muted(muted)
        case control.KeyMessage(digit=digit):
            return Pressed(digit)
        case control.MarkMessage(stretch=stretch, samples=samples):
            return Played(stretch, samples)
        case control.ClearedMessage(stretch=stretch, samples=samples):
            return Cleared(stretch, samples)
        case control.PongMessage():
            return Alive()
        case control.ByeMessage():
            return Left("client_initiated")
        case _:
            assert_never(message)


def _transcript(segment: TranscriptSegment) -> str:
    return _json(
        "transcript",
        participant=segment.participant,
        segment=segment.segment,
        text=segment.text,
        final=segment.final,
    )


def _json(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


def _what_is_wrong(error: ValidationError) -> str:
    """The first fault, without what the client sent: it may be a secret."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
