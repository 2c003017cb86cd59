from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.rtc._proto.track_pb2 import AudioTrackFeature

from sessionactors.interfaces.room_wants import AudioInWants, RoomWants
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError
from sessionactors.transports.livekit import LiveKitTransport, NoiseCancellationParams
from sessionactors.transports.livekit.noise import GainControl

from .loopback import Loopback, Mic, house
from tests.transports.fakes import RoomLog
from tests.transports.virtual import in_virtual_time

__all__ = ["house"]

OPTIONS = rtc.NoiseCancellationOptions("module", {})


async def chosen_for(house: Loopback, given: object, *mics: Mic) -> list[Any]:
    transport, log = LiveKitTransport(url="ws://server", token="t"), RoomLog()
    transport.configure(RoomWants(audio_input=AudioInWants(noise_cancellation=given)))
    await transport.connect(log)
    house.come("ann", *mics)
    voice: Any = log.sources["ann"]
    plugged = voice.plugged
    await transport.aclose()
    return [plugged, plugged.noise_cancellation]


@in_virtual_time
async def test_options_are_used_for_each_track(house: Loopback) -> None:
    assert (await chosen_for(house, OPTIONS, Mic("TR_1")))[1] is OPTIONS


@in_virtual_time
async def test_a_selector_is_asked_for_each_track(house: Loopback) -> None:
    asked: list[NoiseCancellationParams] = []

    def select(params: NoiseCancellationParams) -> rtc.NoiseCancellationOptions | None:
        asked.append(params)
        return OPTIONS if params.track.sid == "TR_2" else None

    assert (await chosen_for(house, select, Mic("TR_1"), Mic("TR_2")))[1] is OPTIONS
    assert [params.participant.identity for params in asked] == ["ann", "ann"]


@pytest.mark.parametrize("raised", [RuntimeError("a bug"), SystemExit(1)])
@in_virtual_time
async def test_a_selector_that_fails_costs_the_cancellation_not_the_track(
    house: Loopback, raised: BaseException
) -> None:
    def select(params: NoiseCancellationParams) -> None:
        raise raised

    plugged, noise = await chosen_for(house, select, Mic("TR_1", features=(AudioTrackFeature.TF_STEREO,)))
    assert plugged.sid == "TR_1"
    assert noise is None


@in_virtual_time
async def test_a_selector_that_chooses_nonsense_costs_the_cancellation(house: Loopback) -> None:
    assert (await chosen_for(house, lambda params: "loud", Mic("TR_1")))[1] is None


@in_virtual_time
async def test_a_client_that_cancels_noise_itself_is_named(house: Loopback) -> None:
    mic = Mic("TR_1", features=(AudioTrackFeature.TF_ENHANCED_NOISE_CANCELLATION,))
    assert (await chosen_for(house, OPTIONS, mic))[1] is OPTIONS


def test_what_cannot_cancel_noise_is_refused_at_the_start() -> None:
    wants = RoomWants(audio_input=AudioInWants(noise_cancellation="strong"))
    with pytest.raises(OptionError, match=r"noise_cancellation='strong': give rtc\.NoiseCancellationOptions"):
        LiveKitTransport(url="ws://server", token="t").configure(wants)


def test_gain_control_makes_a_soft_voice_louder() -> None:
    gain = GainControl()
    time_of = np.arange(24000) / 24000
    voice = np.sin(2 * np.pi * 200 * time_of) * (np.sin(2 * np.pi * 3 * time_of) > 0)
    soft = (voice * 300 + np.random.default_rng(1).normal(0, 5, 24000)).astype("<i2").tobytes()
    made = [gain.feed(AudioFrame(soft[at : at + 2400], 24000)).data for at in range(0, len(soft), 2400)]
    assert np.abs(np.frombuffer(b"".join(made), "<i2")).max() > 1000
    odd = AudioFrame(soft[:100], 24000)
    assert gain.feed(odd) is odd
