"""The values and policies of ``realtime``: what was heard of a reply, who speaks, when a server's word interrupts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sessionactors import SessionOptions
from sessionactors.actors.realtime_figures import metrics_of
from sessionactors.actors.realtime_reply import JOINED, Reply, fresh
from sessionactors.actors.realtime_state import REMEMBERED, RealtimeState
from sessionactors.actors.voice import Voice, is_aligned, voice_of
from sessionactors.actors.wiring import Components
from sessionactors.interfaces.realtime import ResponseDone
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.tts import WordTiming
from sessionactors.interfaces.user_code import AgentComponents
from sessionactors.model.audio import AudioFrame
from sessionactors.model.speech import SpeechSource
from sessionactors.testing import SPEAKING, MarkedVoice, ScriptedRealtime
from sessionactors.testing.realtime_script import USAGE

RATE = 1000
SAY, REPLY = SpeechSource.SAY, SpeechSource.GENERATE_REPLY


def silence(seconds: float) -> AudioFrame:
    return AudioFrame(bytes(2 * round(seconds * RATE)), RATE)


def two_messages() -> Reply:
    """ "One two " for two seconds, then "three four" for two."""
    reply = fresh("request", 0, RATE).part("a", "audio")
    reply = replace(reply.with_audio(silence(2.0), ()), text="One two ")
    reply = replace(reply.part("b", "audio").part("b", "text"), text="One two three four")
    return reply.with_audio(silence(2.0), ())


@pytest.mark.parametrize(
    "heard, position, cuts",
    [
        ("", 0.0, [("a", 0, ""), ("b", 0, "")]),
        ("One", 0.8, [("a", 800, "One"), ("b", 0, "")]),
        ("One two", 2.0, [("b", 0, "")]),
        ("One two three", 3.1, [("b", 1100, "three")]),
        ("One two three four", 4.0, [("b", 2000, "three four")]),
    ],
)
def test_messages_are_cut_to_what_was_heard_of_them(
    heard: str, position: float, cuts: list[tuple[str, int, str]]
) -> None:
    found = two_messages().truncations(heard, position)
    assert [(cut.message_id, cut.audio_end_ms, cut.audio_transcript) for cut in found] == cuts


def test_what_was_dealt_with_is_not_cut_again() -> None:
    reply = replace(two_messages(), cut=frozenset({"a"}))
    assert [cut.message_id for cut in reply.truncations("", 0.0)] == ["b"]


def test_a_reply_of_nothing_has_nothing_to_cut() -> None:
    assert fresh("request", 0, RATE).truncations("", 0.0) == ()


def test_audio_that_waits_is_joined_and_handed_over_to_the_sample() -> None:
    reply = fresh("request", 0, RATE)
    for _ in range(100):
        reply = reply.with_audio(silence(0.05), (WordTiming(1, 0.05),))
    assert len(reply.audio.frames) == pytest.approx(5.0 / JOINED, abs=1)
    reply = replace(reply, audio=reply.audio.granted(2.125))
    reply, handed = reply.handed_over()
    assert sum(piece.frame.samples_per_channel for piece in handed) == 2125
    assert sum(frame.samples_per_channel for frame in reply.audio.frames) == 2875


def test_a_reply_is_kept_until_the_server_is_done_and_it_is_known_what_was_heard() -> None:
    state = RealtimeState()
    reply = replace(two_messages(), asked=True, ended=True)
    state = state.with_reply(reply)
    state = state.with_reply(replace(reply, settled=True))
    assert list(state.replies) == ["request"]  # the server may still be at it
    state = state.with_reply(replace(reply, settled=True, done=ResponseDone("r")))
    assert not state.replies


def test_memory_of_replies_callers_and_ends_is_bounded() -> None:
    state = RealtimeState()
    for number in range(3 * REMEMBERED):
        name = str(number)
        state = state.with_reply(replace(fresh(name, 0, RATE), asked=True)).with_ended(name).with_caller(name, name)
    assert len(state.replies) == len(state.ended) == len(state.callers) == REMEMBERED


def test_figures_of_a_reply() -> None:
    reply = replace(two_messages(), since=1_000_000_000, first_at=1_250_000_000, response="r-1")
    figures = metrics_of(reply, USAGE, ScriptedRealtime(), 3_000_000_000, 7.0, cancelled=False)
    assert (figures.request_id, figures.ttft, figures.duration) == ("r-1", 0.25, 2.0)
    assert (figures.total_tokens, figures.tokens_per_second) == (30, 10.0)
    unheard = metrics_of(fresh("q", 0, RATE), USAGE, ScriptedRealtime(), 0, 7.0, cancelled=True)
    assert (unheard.request_id, unheard.ttft, unheard.tokens_per_second) == ("q", -1.0, 0.0)


class Speaker:
    """As much of an agent as decides who speaks."""

    def __init__(self, *, tts: bool) -> None:
        self.components = AgentComponents(tts=MarkedVoice() if tts else None)


def spec(source: SpeechSource, *, tts: bool = False, with_audio: bool = True) -> SpeechSpec:
    return SpeechSpec("speech-1", source, Speaker(tts=tts), with_audio=with_audio)  # type: ignore[arg-type]


def components(*, model: bool = True, audio: bool = True, say: bool = True) -> Components:
    capabilities = replace(SPEAKING, audio_output=audio, supports_say=say)
    return Components(
        options=SessionOptions(),
        agent=None,  # type: ignore[arg-type]
        emit=lambda _: None,
        llm=ScriptedRealtime(capabilities=capabilities) if model else None,
    )


@pytest.mark.parametrize(
    "source, tts, parts, voice",
    [
        (REPLY, False, components(), Voice.MODEL),
        (REPLY, True, components(), Voice.MODEL),
        (REPLY, True, components(audio=False, say=False), Voice.TTS),
        (REPLY, False, components(audio=False, say=False), Voice.NONE),
        (REPLY, True, components(model=False), Voice.TTS),
        (REPLY, False, components(model=False), Voice.NONE),
        (SAY, False, components(), Voice.MODEL),
        (SAY, True, components(), Voice.TTS),
        (SAY, False, components(say=False), Voice.NONE),
        (SAY, True, components(say=False), Voice.TTS),
    ],
)
def test_who_speaks(source: SpeechSource, tts: bool, parts: Components, voice: Voice) -> None:
    assert voice_of(spec(source, tts=tts), parts) is voice
    assert voice_of(spec(source, tts=tts, with_audio=False), parts) is Voice.NONE
    assert voice_of(spec(source, tts=tts), replace(parts, audio_output=False)) is Voice.NONE


async def _frames() -> AsyncIterator[AudioFrame]:
    yield silence(1.0)


def test_a_speech_that_brings_its_audio_needs_nobody() -> None:
    assert voice_of(replace(spec(SAY), audio=_frames()), components(model=False)) is Voice.RECORDING


def test_a_voice_says_itself_whether_it_is_aligned() -> None:
    assert is_aligned(Voice.MODEL, None, ScriptedRealtime())
    assert is_aligned(Voice.TTS, MarkedVoice(), None)
    assert not is_aligned(Voice.TTS, None, ScriptedRealtime())
    assert not is_aligned(Voice.RECORDING, MarkedVoice(), None)
