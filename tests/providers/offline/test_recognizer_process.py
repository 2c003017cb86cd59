"""The recogniser's side of the pipe, with a real decoder, in this process."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from collections.abc import Sequence

import pytest

from sessionactors.providers.offline import recognizer_process, recognizer_worker
from sessionactors.providers.offline.front_desk import FRONT_DESK
from sessionactors.providers.offline.grammar import cmudict_path, jsgf_grammar, trimmed_dictionary
from sessionactors.providers.offline.recognizer_process import GrammarDecoder, serve
from sessionactors.providers.offline.recognizer_wire import (
    DictationConfig,
    GrammarConfig,
    Heard,
    Kind,
    Message,
    decode_heard,
    encode_json,
    read_message,
)
from sessionactors.providers.offline.utterance import SAMPLE_RATE

from tests.providers.offline.speech import silence, spoken

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="pocketsphinx is not installed"),
    pytest.mark.usefixtures("voice"),
]


def config(*, return_rejected_audio: bool = False) -> GrammarConfig:
    with cmudict_path().open(encoding="utf-8") as cmudict:
        dictionary = trimmed_dictionary(FRONT_DESK, cmudict)
    return GrammarConfig(jsgf_grammar(FRONT_DESK), dictionary, -36.0, 20.0, return_rejected_audio)


def answers(configured: GrammarConfig | DictationConfig, messages: Sequence[Message]) -> list[Message]:
    source = io.BytesIO(encode_json(Kind.CONFIGURE, 0, configured) + b"".join(message.encode() for message in messages))
    sent = io.BytesIO()
    serve(source, sent)
    sent.seek(0)
    found: list[Message] = []
    while (message := read_message(sent)) is not None:
        found.append(message)
    return found


def utterance(stream: int, sentence: str) -> list[Message]:
    pcm = silence(0.5) + spoken(sentence) + silence(0.5)
    audio = [Message(Kind.AUDIO, stream, pcm[start : start + 640]) for start in range(0, len(pcm), 640)]
    return [*audio, Message(Kind.FLUSH, stream)]


def finals(found: Sequence[Message]) -> list[tuple[int, Heard]]:
    return [(message.stream, decode_heard(message.payload)) for message in found if message.kind is Kind.FINAL]


def test_streams_are_recognised_side_by_side() -> None:
    first, second = utterance(1, "when do you close"), utterance(2, "tell me about the menu")
    mixed = [message for pair in zip(first, second, strict=False) for message in pair]
    rest = first[len(second) :] + second[len(first) :]
    found = answers(config(), [Message(Kind.OPEN, 1), Message(Kind.OPEN, 2), *mixed, *rest])
    assert found[0] == Message(Kind.READY, 0)
    assert {stream: heard.text for stream, heard in finals(found)} == {
        1: "when do you close",
        2: "tell me about the menu",
    }


def test_a_decoder_used_again_hears_what_a_new_one_hears() -> None:
    def call(stream: int) -> list[Message]:
        sentences = ("book a table for two at seven thirty", "what is for dinner")
        said = [message for sentence in sentences for message in utterance(stream, sentence)]
        return [
            Message(Kind.OPEN, stream),
            *said,
            Message(Kind.AUDIO, stream, spoken("bye bye")),
            Message(Kind.CLOSE, stream),
        ]

    found = answers(config(), [*call(1), *call(2)])
    new, used = ([heard for owner, heard in finals(found) if owner == stream] for stream in (1, 2))
    assert [heard.text for heard in used] == [heard.text for heard in new] != ["", ""]
    # The acoustic model remembers the best codewords of its last frame, of no consequence.
    assert [heard.score for heard in used] == pytest.approx([heard.score for heard in new], abs=1.0)


def test_rejected_audio_is_sent_back_when_asked_for() -> None:
    messages = [Message(Kind.OPEN, 1), *utterance(1, "my dog likes the weather very well")]
    found = answers(config(return_rejected_audio=True), messages)
    assert [message.kind for message in found][-2:] == [Kind.REJECTED_AUDIO, Kind.FINAL]
    assert 1.0 < len(found[-2].payload) / (2 * SAMPLE_RATE) < 4.0
    assert finals(found)[-1][1].text == ""
    assert Kind.REJECTED_AUDIO not in {message.kind for message in answers(config(), messages)}


def test_messages_for_streams_that_are_gone_are_passed_over() -> None:
    found = answers(config(), [Message(Kind.AUDIO, 9, bytes(640)), Message(Kind.FLUSH, 9), Message(Kind.CLOSE, 9)])
    assert [message.kind for message in found] == [Kind.READY]


@pytest.mark.parametrize("configured", [DictationConfig(), None], ids=["dictation", "grammar"])
def test_a_message_for_the_other_kind_of_process_fails_its_stream_only(configured: DictationConfig | None) -> None:
    wrong = Kind.AUDIO if configured else Kind.DICTATE
    found = answers(configured or config(), [Message(Kind.OPEN, 1), Message(wrong, 1), Message(Kind.CLOSE, 1)])
    assert [(message.kind, message.stream) for message in found] == [(Kind.READY, 0), (Kind.FAILED, 1)]
    assert b"does not take" in found[1].payload


def test_an_exception_in_one_stream_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = GrammarDecoder.feed

    def fragile(decoder: GrammarDecoder, pcm: bytes) -> None:
        if b"crash!" in pcm:
            raise MemoryError("no more")
        feed(decoder, pcm)

    monkeypatch.setattr(recognizer_process.GrammarDecoder, "feed", fragile)
    speech = utterance(1, "when do you close")
    found = answers(
        config(),
        [
            *(Message(Kind.OPEN, stream) for stream in (1, 2)),
            *speech[:-1],
            *(Message(Kind.AUDIO, 2, message.payload) for message in speech[:-1]),
            Message(Kind.AUDIO, 2, b"crash!" * 400),
            Message(Kind.FLUSH, 2),
            speech[-1],
        ],
    )
    failed = [(message.stream, message.payload) for message in found if message.kind is Kind.FAILED]
    assert failed == [(2, b"MemoryError: no more")]
    assert [(stream, heard.text) for stream, heard in finals(found)] == [(1, "when do you close")]


def test_dictation_hears_free_text_and_learns_the_channel_of_each_stream() -> None:
    pcm = silence(0.3) + spoken("what is the weather like") + silence(0.3)
    messages = [
        *(Message(Kind.OPEN, stream) for stream in (1, 2)),
        *(Message(Kind.DICTATE, stream, pcm) for stream in (1, 2, 1)),
        *(Message(Kind.CLOSE, stream) for stream in (1, 2)),
    ]
    heard = finals(answers(DictationConfig(), messages))
    assert [stream for stream, _ in heard] == [1, 2, 1]
    assert heard[0][1] == Heard(heard[1][1].text, flushed=True)  # the second stream does not hear with the first's ear
    assert "weather" in heard[0][1].text


def test_a_source_that_ends_before_it_began_is_no_error() -> None:
    sent = io.BytesIO()
    serve(io.BytesIO(), sent)
    assert sent.getvalue() == b""


def test_as_a_program_it_ends_with_its_input_and_says_why_it_can_not_start() -> None:
    program = [sys.executable, "-P", "-c", recognizer_worker._PROGRAM, str(recognizer_worker._PACKAGE)]
    ended = subprocess.run(program, input=b"", capture_output=True, check=True)
    assert ended.stdout == ended.stderr == b""
    broken = encode_json(Kind.CONFIGURE, 0, GrammarConfig("no grammar", "tea T IY", -36.0, 20.0, False))
    failed = subprocess.run(program, input=broken, capture_output=True, check=False)
    assert failed.returncode == 1
    message = read_message(io.BytesIO(failed.stdout))
    assert message is not None
    assert message.kind is Kind.FAILED
    assert b"ValueError" in message.payload
