"""Messages to and from the recogniser process."""

from __future__ import annotations

import io

import pytest

from sessionactors.providers.offline.recognizer_wire import (
    MAX_PAYLOAD,
    BrokenStream,
    DictationConfig,
    GrammarConfig,
    Heard,
    Kind,
    Message,
    decode_config,
    decode_heard,
    encode_json,
    read_message,
)


def test_messages_come_out_as_they_went_in() -> None:
    sent = [Message(Kind.AUDIO, 7, b"\x00\x01" * 160), Message(Kind.FLUSH, 2**32 - 1), Message(Kind.READY, 0)]
    source = io.BytesIO(b"".join(message.encode() for message in sent))
    assert [read_message(source) for _ in range(4)] == [*sent, None]


@pytest.mark.parametrize(
    "config", [GrammarConfig("#JSGF", "tea T IY", -36.0, 20.0, return_rejected_audio=True), DictationConfig()]
)
def test_configurations_come_out_as_they_went_in(config: GrammarConfig | DictationConfig) -> None:
    message = read_message(io.BytesIO(encode_json(Kind.CONFIGURE, 0, config)))
    assert message is not None
    assert decode_config(message.payload) == config


def test_what_was_heard_comes_out_as_it_went_in() -> None:
    heard = Heard("for two", -12.5, "book a table", flushed=True, silence=1.5)
    message = read_message(io.BytesIO(encode_json(Kind.FINAL, 3, heard)))
    assert message is not None
    assert decode_heard(message.payload) == heard


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x03\x00",
        Message(Kind.AUDIO, 1, b"four").encode()[:-1],
        b"\xff" + Message(Kind.AUDIO, 1).encode()[1:],
        Message(Kind.AUDIO, 1).encode()[:5] + (MAX_PAYLOAD + 1).to_bytes(4, "little"),
    ],
    ids=["half a header", "half a payload", "unknown kind", "absurd length"],
)
def test_bytes_that_are_no_message_are_told_from_an_end(garbage: bytes) -> None:
    with pytest.raises(BrokenStream):
        read_message(io.BytesIO(garbage))
