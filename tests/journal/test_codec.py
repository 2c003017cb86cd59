"""Values to bytes and back: everything that a message or a state may hold, and nothing else."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import msgspec
import numpy as np
import pytest

from sessionactors.interfaces.stt import STT, SpeechEvent, STTCapabilities
from sessionactors.journal.allowed import find, name_of
from sessionactors.journal.decoding import Decoder
from sessionactors.journal.encoding import Encoder
from sessionactors.journal.errors import JournalDamaged, JournalError, JournalVersionError, NotInJournal, UnknownClass
from sessionactors.journal.recorded import Opaque, UserValue
from sessionactors.journal.stand_ins import StandIn
from sessionactors.journal.tags import Defines, Tag
from sessionactors.messages.ear import FrameCaptured, RecognizerSaid
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIStatusError
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.timed_string import TimedString
from sessionactors.runtime import Scope

from .samples import Samples, classes


def there_and_back(value: object, *, encoder: Encoder | None = None, decoder: Decoder | None = None) -> Any:
    encoder, decoder = encoder or Encoder(), decoder or Decoder()
    data = encoder.encode(value)
    for definition in encoder.new_definitions():
        decoder.define(definition)
    return decoder.decode(data)


def test_a_value_of_every_class_of_messages_and_states_comes_back_as_it_was() -> None:
    samples, encoder, decoder = Samples(), Encoder(), Decoder()
    again = Encoder()
    checked = 0
    for cls in classes():
        value = next(iter(cls)) if issubclass(cls, enum.Enum) else samples.instance(cls)
        back = there_and_back(value, encoder=encoder, decoder=decoder)
        assert type(back) is cls
        assert again.encode(back) == encoder.encode(value), cls
        checked += 1
    assert checked > 500
    list(again.new_definitions())
    assert list(again.all_definitions()) == list(encoder.all_definitions()), "stand-ins keep their facts"


def test_frames_are_bytes_once_and_only_their_length_when_audio_is_not_kept() -> None:
    frame = AudioFrame(b"\1\2" * 160, 16000)
    assert there_and_back(FrameCaptured(frame)) == FrameCaptured(frame)
    data = Encoder().encode(FrameCaptured(frame))
    assert data.count(frame.data) == 1
    assert len(data) < len(frame.data) + 20
    quiet = there_and_back(FrameCaptured(frame), encoder=Encoder(audio=False))
    assert quiet == FrameCaptured(frame.silenced())


class OwnSTT(STT):
    label = "mine"

    @property
    def capabilities(self) -> STTCapabilities:
        return STTCapabilities(keyterms=True)

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        raise AssertionError("a journal calls nothing")


def test_a_provider_comes_back_as_the_same_stand_in_with_its_facts_and_without_its_code() -> None:
    stt = OwnSTT()
    first, second, other = there_and_back((stt, stt, OwnSTT()))
    assert first is second is not other
    assert isinstance(first, STT)
    assert isinstance(first, StandIn)
    assert (first.label, first.sample_rate, first.home) == ("mine", 16000, STT.home)
    assert first.capabilities == STTCapabilities(keyterms=True)
    assert first.type_name.endswith(":OwnSTT")
    with pytest.raises(NotInJournal, match="transcribe"):
        first.transcribe(there_and_back(None))


def test_an_error_keeps_what_handlers_read_and_the_users_own_is_of_the_nearest_known_class() -> None:
    class Refused(APIStatusError):
        pass

    cause = OSError(5, "broken")
    error = Refused("no", status_code=429, retry_after=2.0, body={"a": object()})
    error.__cause__ = cause
    back = there_and_back(error)
    assert isinstance(back, APIStatusError)
    assert type(back).__name__ == "Refused"
    assert (str(back), back.status_code, back.retryable, back.retry_after) == ("no", 429, True, 2.0)
    assert back.body == {"a": Opaque("builtins:object")}
    assert isinstance(back.__cause__, OSError)
    assert back.__cause__.errno == 5


@dataclasses.dataclass(frozen=True)
class Booking:
    table: int


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "value, back",
    [
        ((1, [2], {"a": (3,)}), (1, [2], {"a": (3,)})),
        ({2, 1}, {1, 2}),
        (2**70, 2**70),
        (-(2**70), -(2**70)),
        ("half \ud800", "half \ud800"),
        ([float("inf"), -0.0], [float("inf"), -0.0]),
        (np.float32(0.5), 0.5),
        (bytearray(b"ab"), b"ab"),
        (Booking(4), UserValue(f"{__name__}:Booking", {"table": 4})),
        (Colour.RED, Opaque(f"{__name__}:Colour.RED")),
        (object(), Opaque("builtins:object")),
        (STT, STT),
        (Booking, Opaque(f"{__name__}:Booking")),
    ],
)
def test_what_users_put_into_messages_comes_back_or_says_what_it_was(value: object, back: object) -> None:
    assert there_and_back(value) == back


def test_a_timed_string_keeps_its_times() -> None:
    back = there_and_back(TimedString("hi", 0.5, speaker_id="s"))
    assert isinstance(back, TimedString)
    assert (back, back.start_time, back.speaker_id) == ("hi", 0.5, "s")


def test_a_scope_is_one_scope_wherever_it_stands_and_tells_when_it_was_closed() -> None:
    outer = Scope("speech-1")
    inner = Scope("speech-1/step", outer)
    encoder, decoder = Encoder(), Decoder()
    first = there_and_back(inner, encoder=encoder, decoder=decoder)
    assert isinstance(first, Scope)
    assert first.parent is not None
    assert (first.path, first.closed, first.is_within(first.parent)) == ("speech-1/step", False, True)
    outer.close()
    assert there_and_back((outer,), encoder=encoder, decoder=decoder) == (first.parent,)
    assert first.closed


def test_what_is_gone_is_forgotten_and_its_number_not_used_again() -> None:
    encoder = Encoder()
    numbers = set()
    for _ in range(3):
        encoder.encode(OwnSTT())
        numbers |= {msgspec.msgpack.decode(each)[1] for each in encoder.all_definitions() if each[1] == Defines.LIVE}
    assert not encoder._known
    assert len(encoder._dead) == 3


# -- journals from elsewhere -----------------------------------------------------------------------------------------


def decoded(*parts: object, data: object = None) -> object:
    decoder = Decoder()
    for part in parts:
        decoder.define(msgspec.msgpack.encode(part))
    return decoder.decode(msgspec.msgpack.encode(data))


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "subprocess:Popen",
        "builtins:eval",
        "sessionactors.cli.app:main",
        "sessionactors.model.audio:dataclass",
        "nowhere:X",
        "",
        "sessionactors.model.audio:AudioFrame.__init__",
        "sessionactors.session.agent:Agent",
        "sessionactors.model.errors:APIError",
    ],
)
def test_a_class_that_no_journal_may_name_is_refused_and_not_imported(name: str) -> None:
    with pytest.raises(UnknownClass, match="recorded by another version, or made by hand"):
        decoded([int(Defines.CLASS), 64, name, "x"])


def test_a_class_with_other_fields_says_that_the_version_differs() -> None:
    frame = name_of(AudioFrame)
    with pytest.raises(JournalVersionError, match="has not in this version: \\['loudness'\\]"):
        decoded([int(Defines.CLASS), 64, frame, "data", "sample_rate", "loudness"])
    with pytest.raises(JournalVersionError, match="lacks 'sample_rate'"):
        decoded([int(Defines.CLASS), 64, frame, "data"])
    made = decoded([int(Defines.CLASS), 64, frame, "data", "sample_rate"], data=[64, b"", 8000])
    assert made == AudioFrame(b"", 8000)
    assert find(frame) is AudioFrame


@pytest.mark.parametrize(
    "data",
    [
        [],
        {},
        [[1]],
        ["x"],
        [63],
        [-1],
        [99, 1],
        [int(Tag.LIVE), 1],
        [int(Tag.LIVE), [1]],
        [int(Tag.SCOPE), 3, False],
        [int(Tag.ENUM), 64, 1],
        [int(Tag.DICT), 1],
        [int(Tag.DICT), [int(Tag.LIST)], 1],
        [int(Tag.SILENCED), 2**40],
        [int(Tag.SILENCED), -1],
        [int(Tag.BIG_INT), "z"],
        [int(Tag.LIST), *[[int(Tag.SILENCED), 2**24]] * 5],
        [int(Tag.EXCEPTION)],
        [int(Tag.EXCEPTION), [0, "os:system"], "", [0], [2], None],
        [int(Tag.EXCEPTION), [0, "builtins:ValueError"], "", [0], [2, "__class__", 1], None],
        [int(Tag.SENTINEL), "ELSE"],
        [int(Tag.REF), 5],
    ],
)
def test_parts_that_no_encoder_writes_are_a_damaged_journal(data: object) -> None:
    with pytest.raises(JournalDamaged):
        decoded(data=data)


def test_bytes_that_are_cut_or_flipped_or_boast_raise_nothing_but_journal_errors() -> None:
    encoder, decoder = Encoder(), Decoder()
    data = encoder.encode((RecognizerSaid, Samples().instance(RecognizerSaid), [1, "two", 3.0], {"a": OSError(1, "x")}))
    definitions = list(encoder.new_definitions())
    for definition in definitions:
        decoder.define(definition)
    wrong = 0
    for read, piece in ((decoder.decode, data), (decoder.define, definitions[-1])):
        broken = [piece[:cut] for cut in range(0, len(piece), 5)]
        broken += [piece[:at] + bytes([piece[at] ^ 1 << at % 8]) + piece[at + 1 :] for at in range(0, len(piece), 2)]
        for each in broken:
            try:
                read(each)
            except JournalError:
                wrong += 1
    assert wrong > 50
    for boast in (b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x91" * 100_000):
        with pytest.raises(JournalDamaged):
            Decoder().decode(boast)
