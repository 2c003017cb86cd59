"""Several sounds as one: sums, fades, loops and ends, to the sample."""

from __future__ import annotations

import numpy as np
import pytest

from sessionactors.actors.background_mix import Playing, mix
from sessionactors.interfaces.background_audio import Sound, chosen


def pcm(*samples: int) -> bytes:
    return np.array(samples, dtype="<i2").tobytes()


def heard(block: bytes) -> list[int]:
    return [int(sample) for sample in np.frombuffer(block, "<i2")]


def test_sounds_add_up_and_one_that_is_over_is_told_with_its_last_sample() -> None:
    mixed = mix((Playing("a", pcm(1, 2, 3, 4)), Playing("b", pcm(10, 20))), 3)
    assert heard(mixed.pcm) == [11, 22, 3]
    assert (mixed.ended, mixed.reached) == (("b",), {"a": 3, "b": 2})
    assert [(one.sound, one.at) for one in mixed.playing] == [("a", 3)]
    last = mix(mixed.playing, 3)
    assert (last.ended, last.reached) == (("a",), {"a": 1})


def test_what_is_too_loud_is_cut_off_and_not_wrapped_round() -> None:
    loud = (Playing("a", pcm(30000, -30000)), Playing("b", pcm(30000, -30000)))
    assert heard(mix(loud, 2).pcm) == [32767, -32768]


def test_a_volume_scales_and_rounds() -> None:
    assert heard(mix((Playing("a", pcm(100, -101, 3), volume=0.5),), 3).pcm) == [50, -50, 2]


def test_a_loop_goes_on_at_its_beginning() -> None:
    mixed = mix((Playing("a", pcm(1, 2, 3), loop=True),), 5)
    assert heard(mixed.pcm) == [1, 2, 3, 1, 2]
    assert heard(mix(mixed.playing, 3).pcm) == [3, 1, 2]


def test_what_comes_piece_by_piece_waits_for_more_and_ends_when_none_comes() -> None:
    some = Playing("a", pcm(1, 2), streamed=True, more=True)
    mixed = mix((some,), 3)
    assert heard(mixed.pcm) == [1, 2, 0]
    assert mixed.ended == ()
    (waiting,) = mixed.playing
    assert (waiting.waiting, waiting.over) == (0, False)
    assert mix((waiting,), 2).playing == (waiting,)


def test_fades_are_of_equal_power_and_end_the_sound() -> None:
    one = Playing("a", pcm(*[1000] * 100), loop=True, fade_in=10, fade_out=10)
    risen = mix((one,), 20)
    assert heard(risen.pcm)[:11] == [round(1000 * np.sin(n / 10 * np.pi / 2)) for n in range(11)]
    (playing,) = risen.playing
    fading = Playing("a", playing.pcm, loop=True, fade_out=10, at=20, stopped_at=20)
    fallen = mix((fading,), 20)
    assert heard(fallen.pcm) == [round(1000 * np.cos(n / 10 * np.pi / 2)) for n in range(10)] + [0] * 10
    assert (fallen.ended, fallen.reached) == (("a",), {"a": 10})


@pytest.mark.parametrize(
    "probabilities, draw, which",
    [
        ((1.0,), 0.99, 0),
        ((0.5, 0.5), 0.49, 0),
        ((0.5, 0.5), 0.5, 1),
        ((0.2, 0.2), 0.39, 1),
        ((0.2, 0.2), 0.41, None),  # silence
        ((1.0, 1.0), 0.6, 1),  # as a share of all
        ((-1.0, 1.0), 0.1, 1),
        ((), 0.0, None),
    ],
)
def test_one_of_several_is_chosen_by_its_probability(
    probabilities: tuple[float, ...], draw: float, which: int | None
) -> None:
    sounds = tuple(Sound(str(number), probability=given) for number, given in enumerate(probabilities))
    assert chosen(sounds, draw) is (None if which is None else sounds[which])
