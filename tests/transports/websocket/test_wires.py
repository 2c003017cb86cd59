"""Formats: what messages say, what is refused and why, and codecs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError
from sessionactors.transports.websocket import CloseCode, NativeWire, TwilioMediaStream, Wire, WireError, mulaw
from sessionactors.transports.websocket.codec import OpusDecoder, OpusEncoder
from sessionactors.transports.websocket.limits import Allowance
from sessionactors.transports.websocket.send_queue import SendQueue
from sessionactors.transports.websocket.wire import (
    Alive,
    Begin,
    Bye,
    Clear,
    Cleared,
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
)

HELLO = {"type": "hello", "version": 1, "identity": "ada"}
START = {
    "event": "start",
    "start": {
        "streamSid": "MZ1",
        "callSid": "CA1",
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "secret", "room": "r", "from": "+1555"},
    },
}


def greeted(wire: Wire, hello: Mapping[str, object]) -> Wire:
    wire.read(json.dumps(hello))
    return wire


def native(**hello: object) -> Wire:
    return greeted(NativeWire(), {**HELLO, **hello})


def twilio() -> Wire:
    return greeted(TwilioMediaStream(), START)


def tone(rate: int, seconds: float = 0.5) -> bytes:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype("<i2").tobytes()


# -- our own ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message, heard",
    [
        ({"type": "text", "text": "hi"}, Typed("hi")),
        ({"type": "mute", "muted": True}, Muted(True)),
        ({"type": "key", "digit": "#"}, Pressed("#")),
        ({"type": "mark", "stretch": 2, "samples": 480}, Played(2, 480)),
        ({"type": "cleared", "stretch": 2, "samples": 0}, Cleared(2, 0)),
        ({"type": "pong"}, Alive()),
        ({"type": "bye", "newer": "field"}, Left("client_initiated")),
    ],
)
def test_what_a_client_says(message: dict[str, object], heard: Heard) -> None:
    assert native().read(json.dumps(message)) == [heard]


def test_a_hello_says_who_calls_and_how_audio_goes() -> None:
    wire = NativeWire()
    said = {**HELLO, "token": "t", "room": "r", "attributes": {"a": "b"}, "output": {"sample_rate": 16000}}
    (hello,) = wire.read(json.dumps({**said, "input": {"sample_rate": 48000, "channels": 2}}))
    assert hello == Hello("ada", "r", "t", attributes={"a": "b"})
    assert "'t'" not in repr(hello)
    assert (wire.sample_rate, wire.marks, wire.answers_clear) == (16000, True, True)
    assert wire.read(bytes(8)) == [Spoken(AudioFrame(bytes(8), 48000, 2))]
    assert not native(positions=False).marks


@pytest.mark.parametrize(
    "data, code",
    [
        ("{", CloseCode.MALFORMED),
        ("[]", CloseCode.MALFORMED),
        ('{"type": "sing"}', CloseCode.MALFORMED),
        ('{"type": "key", "digit": "12"}', CloseCode.MALFORMED),
        ('{"type": "mark", "stretch": 1, "samples": -1}', CloseCode.MALFORMED),
        ('{"type": "text", "text": 7}', CloseCode.MALFORMED),
        ("\ud800", CloseCode.MALFORMED),
        (b"\0", CloseCode.MALFORMED),
        (json.dumps({**HELLO, "room": "a/agent"}), CloseCode.MALFORMED),
        (json.dumps({**HELLO, "identity": "a\nb"}), CloseCode.MALFORMED),
        (json.dumps(HELLO), CloseCode.OUT_OF_ORDER),
    ],
)
def test_what_cannot_be_read_is_a_typed_error(data: str | bytes, code: CloseCode) -> None:
    with pytest.raises(WireError) as caught:
        native().read(data)
    assert caught.value.code is code
    assert caught.value.fatal is (code is CloseCode.OUT_OF_ORDER)


@pytest.mark.parametrize(
    "hello",
    [
        {"version": 2},
        {"input": {"codec": "opus", "sample_rate": 44100}},
        {"output": {"sample_rate": 4000}},
        {"output": {"codec": "opus", "sample_rate": 22050}},
    ],
)
def test_a_hello_that_asks_for_what_there_is_not_is_refused(hello: dict[str, object]) -> None:
    with pytest.raises(WireError) as caught:
        native(**hello)
    assert (caught.value.code, caught.value.fatal) == (CloseCode.UNSUPPORTED, True)


@pytest.mark.parametrize("data", [b"\0\0", '{"type": "text", "text": "hi"}'])
def test_nothing_comes_before_the_hello(data: str | bytes) -> None:
    with pytest.raises(WireError) as caught:
        NativeWire().read(data)
    assert caught.value.code is CloseCode.OUT_OF_ORDER


def test_an_error_does_not_repeat_what_the_client_sent() -> None:
    with pytest.raises(WireError) as caught:
        NativeWire().read(json.dumps({**HELLO, "token": ["swordfish"]}))
    assert "swordfish" not in str(caught.value)
    assert "token" in str(caught.value)


@pytest.mark.parametrize(
    "told, messages",
    [
        (Begin(1), [{"type": "begin", "stretch": 1}]),
        (Mark(1, 480), [{"type": "mark", "stretch": 1, "samples": 480}]),
        (End(1), [{"type": "end", "stretch": 1}]),
        (Clear(1), [{"type": "clear", "stretch": 1}]),
        (State("agent", "thinking"), [{"type": "state", "who": "agent", "state": "thinking"}]),
        (Ping(), [{"type": "ping"}]),
        (Bye("over"), [{"type": "bye", "reason": "over"}]),
        (
            Fault(CloseCode.RATE_LIMITED, "slow down"),
            [{"type": "error", "code": 4429, "name": "rate_limited", "message": "slow down"}],
        ),
        (
            Transcript(TranscriptSegment("agent", "s1", "Hi", final=True)),
            [{"type": "transcript", "participant": "agent", "segment": "s1", "text": "Hi", "final": True}],
        ),
        (
            Ready("r"),
            [
                {
                    "type": "ready",
                    "version": 1,
                    "room": "r",
                    "output": {"codec": "pcm", "sample_rate": 24000, "channels": 1},
                    "frame_ms": 20,
                }
            ],
        ),
    ],
)
def test_what_a_client_is_told(told: Told, messages: Sequence[object]) -> None:
    assert [json.loads(data) for data in native().write(told)] == messages
    assert native().write(Sound(1, b"\1\0")) == [b"\1\0"]


def test_opus_goes_both_ways_and_is_whole() -> None:
    wire = native(input={"codec": "opus"}, output={"codec": "opus", "sample_rate": 24000})
    pcm = tone(24000, 0.49)
    packets = [data for at in range(0, len(pcm), 960) for data in wire.write(Sound(1, pcm[at : at + 960]))]
    packets += [data for data in wire.write(End(1)) if isinstance(data, bytes)]
    assert len(packets) == 25  # the last one filled up
    assert max(map(len, packets)) < 200
    spoken = [heard for packet in packets for heard in wire.read(packet)]
    assert all(isinstance(heard, Spoken) and heard.frame.sample_rate == 48000 for heard in spoken)
    heard = np.concatenate([np.frombuffer(each.frame.data, "<i2") for each in spoken if isinstance(each, Spoken)])
    assert len(heard) == 24000
    spectrum = np.abs(np.fft.rfft(heard[4800:19200]))
    assert abs(np.argmax(spectrum) * 48000 / 14400 - 440) < 5
    with pytest.raises(WireError) as caught:
        wire.read(b"\xff\xff garbage")
    assert (caught.value.code, caught.value.fatal) == (CloseCode.MALFORMED, False)
    assert wire.read(packets[0])  # and it goes on


def test_codecs_of_connections_do_not_share_their_memory() -> None:
    first, second = OpusEncoder(16000), OpusEncoder(16000)
    pcm = tone(16000)
    whole = first.encode(pcm)
    assert second.encode(pcm) == whole
    assert OpusDecoder(1).decode(b"") is None
    with pytest.raises(AudioFormatError):
        OpusDecoder(2).decode(b"\xff\xff garbage")


# -- telephone -------------------------------------------------------------------------------------------------------


def test_a_telephone_call_says_who_and_what() -> None:
    wire = TwilioMediaStream()
    assert wire.read('{"event": "connected", "protocol": "Call", "version": "1.0.0"}') == ()
    (hello,) = wire.read(json.dumps(START))
    attributes = {"from": "+1555", "twilio.callSid": "CA1", "twilio.streamSid": "MZ1"}
    assert hello == Hello("CA1", "r", "secret", kind="sip", attributes=attributes)
    assert (wire.sample_rate, wire.marks, wire.answers_clear, wire.answers_ping) == (8000, True, False, False)
    assert wire.read('{"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "#"}}') == [Pressed("#")]
    assert wire.read('{"event": "mark", "mark": {"name": "3:480"}}') == [Played(3, 480)]
    assert wire.read('{"event": "mark", "mark": {"name": "of another program"}}') == ()
    assert wire.read('{"event": "something new", "x": 1}') == ()
    assert wire.read('{"event": "stop", "stop": {}}') == [Left("client_initiated")]
    payload = base64.b64encode(mulaw.encode(tone(8000, 0.02))).decode()
    (spoken,) = wire.read(json.dumps({"event": "media", "media": {"track": "inbound", "payload": payload}}))
    assert isinstance(spoken, Spoken)
    assert spoken.frame.duration == 0.02
    assert wire.read(json.dumps({"event": "media", "media": {"track": "outbound", "payload": payload}})) == ()


def test_a_telephone_is_told_in_its_words() -> None:
    wire = twilio()
    (media,) = map(json.loads, wire.write(Sound(1, bytes(320))))
    assert (media["event"], media["streamSid"]) == ("media", "MZ1")
    assert base64.b64decode(media["media"]["payload"]) == b"\xff" * 160
    assert [json.loads(data) for data in (*wire.write(Mark(1, 160)), *wire.write(Clear(1)))] == [
        {"event": "mark", "streamSid": "MZ1", "mark": {"name": "1:160"}},
        {"event": "clear", "streamSid": "MZ1"},
    ]
    nothing: list[Told] = [
        Begin(1),
        End(1),
        State("agent", "x"),
        Bye("x"),
        Ping(),
        Ready("r"),
        Fault(CloseCode.TOO_BIG, "x"),
    ]
    assert [data for told in nothing for data in wire.write(told)] == []


@pytest.mark.parametrize(
    "data, code, fatal",
    [
        (b"\0", CloseCode.MALFORMED, False),
        ("}", CloseCode.MALFORMED, False),
        ('{"no": "event"}', CloseCode.MALFORMED, False),
        ('{"event": "media", "media": {"payload": "no base64!"}}', CloseCode.MALFORMED, False),
        ('{"event": "media"}', CloseCode.MALFORMED, False),
        (json.dumps(START), CloseCode.OUT_OF_ORDER, True),
    ],
)
def test_what_a_telephone_may_not_say(data: str | bytes, code: CloseCode, fatal: bool) -> None:
    with pytest.raises(WireError) as caught:
        twilio().read(data)
    assert (caught.value.code, caught.value.fatal) == (code, fatal)


def test_a_call_begins_with_its_start_in_a_format_that_is_spoken_here() -> None:
    with pytest.raises(WireError, match="media came before start"):
        TwilioMediaStream().read('{"event": "media", "media": {"payload": ""}}')
    odd = {"streamSid": "MZ1", "callSid": "CA1", "customParameters": {"room": "a/agent"}}
    with pytest.raises(WireError, match="not the name of a room"):
        TwilioMediaStream().read(json.dumps({"event": "start", "start": odd}))
    other = {
        "streamSid": "MZ1",
        "callSid": "CA1",
        "mediaFormat": {"encoding": "audio/l16", "sampleRate": 16000, "channels": 1},
    }
    with pytest.raises(WireError, match="audio/l16 at 16000 Hz") as caught:
        TwilioMediaStream().read(json.dumps({"event": "start", "start": other}))
    assert caught.value.code is CloseCode.UNSUPPORTED


def test_mulaw_is_that_of_g711() -> None:
    """Values of the recommendation's table; each code survives the way there and back, but for the second zero."""
    assert np.frombuffer(mulaw.decode(bytes([0x00, 0x0F, 0x70, 0x7F, 0x80, 0x8F, 0xF0, 0xFF])), "<i2").tolist() == [
        *(-32124, -16764, -120, 0),
        *(32124, 16764, 120, 0),
    ]
    codes = bytes(range(256))
    assert mulaw.encode(mulaw.decode(codes)) == codes.replace(b"\x7f", b"\xff")
    every = np.arange(-32768, 32768).astype("<i2")
    heard = np.frombuffer(mulaw.decode(mulaw.encode(every.tobytes())), "<i2").astype(int)
    step = np.maximum(8, 2 ** np.ceil(np.log2(np.abs(every.astype(int)) + 133)) / 32)
    assert (np.abs(heard - np.clip(every, -32124, 32124)) <= step / 2 + 1).all()


# -- what waits, what is allowed -------------------------------------------------------------------------------------


def test_old_audio_is_dropped_and_control_never() -> None:
    queue = SendQueue(max_audio_age=2.0)
    waiting: list[Told] = [Begin(1), Sound(1, bytes(4)), Mark(1, 2), Sound(1, bytes(6)), End(1)]
    for number, told in enumerate(waiting):
        queue.put(told, float(number))
    assert (len(queue), queue.oldest(4.0)) == (5, 4.0)
    taken = [queue.take(4.0) for _ in range(5)]
    assert taken == [Begin(1), Mark(1, 2), Sound(1, bytes(6)), End(1), None]
    assert (queue.dropped_bytes, queue.oldest(4.0)) == (4, 0.0)
    queue.put(Sound(1, b"\0\0"), 5.0)
    queue.put(Ping(), 5.0)
    queue.drop_audio()
    assert (queue.take(5.0), queue.dropped_bytes) == (Ping(), 4)
    queue.put(Sound(1, b"\0\0"), 6.0)
    queue.forgive(1.0)
    assert queue.oldest(7.5) == 0.5
    queue.give_up()
    assert (len(queue), queue.dropped_bytes) == (0, 6)


def test_an_allowance_is_a_burst_and_then_a_rate() -> None:
    allowed = Allowance(per_second=2.0, burst=3.0, now=0.0)
    assert [allowed.take(1, 0.0) for _ in range(4)] == [True, True, True, False]
    assert [allowed.take(1, 0.5), allowed.take(1, 0.5)] == [True, False]
    assert [allowed.take(1, 100.0) for _ in range(4)] == [True, True, True, False]
