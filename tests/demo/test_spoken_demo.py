"""The demo's call, for real: audio through detector and recogniser, in real time. The slow one of the suite."""

from __future__ import annotations

import asyncio
import json
import shutil
import wave
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from sessionactors.cli.demo.call_record import read_call, read_recording
from sessionactors.cli.demo.verify import FILES, QUIET, RECORDING, peak, verify

from .conftest import Held

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.slow("one conversation in real time"),
    pytest.mark.waits("one conversation in real time"),
    pytest.mark.usefixtures("call"),
]


def test_words_come_from_the_audio(call: Held) -> None:
    """The caller gives audio only, of sentences that were drawn at random: what was understood is what it said."""
    assert [turn["text"] for turn in call.transcript["turns"]] == [line.text for line in call.script], f"{call.seed=}"


def test_all_that_is_measured_is_as_it_should_be(call: Held) -> None:
    assert call.verification.passed, f"{call.seed=}\n{call.verification}"
    assert sorted(path.name for path in call.out.iterdir()) == sorted((*FILES, RECORDING))
    assert call.seconds < 60


def test_agent_is_silent_from_the_stated_barge_in_to_the_next_reply(call: Held) -> None:
    """Measured here once more, and by hand: the level of the right channel."""
    record = read_call(call.out / "transcript.json")
    (interruption,) = record.interruptions
    with wave.open(str(call.out / RECORDING), "rb") as file:
        rate = file.getframerate()
        right = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 1]
    following = min(playout.began for playout in record.playouts if playout.began > interruption.silent)
    after = right[round(interruption.silent * rate) : round((following - 0.05) * rate)]
    before = right[round((interruption.silent - 0.3) * rate) : round(interruption.silent * rate)]
    assert len(after) > 0.5 * rate
    assert peak(after) < QUIET
    assert peak(before) > -30
    assert interruption.silent - interruption.decided < 0.1
    assert interruption.silent - interruption.voice_began < 1.0


def test_caller_and_agent_are_two_voices_on_two_channels(call: Held) -> None:
    recording = read_recording(call.out / RECORDING)
    record = read_call(call.out / "transcript.json")
    for began, ended in record.voice:
        caller = recording.caller[round((began + 0.1) * recording.sample_rate) : round(ended * recording.sample_rate)]
        assert peak(caller) > -30
    assert not np.array_equal(recording.caller, recording.agent)


def test_people_see_the_conversation(call: Held) -> None:
    shown = "\n".join(call.printed)
    for line in call.script:
        assert line.text in shown
    assert "Front desk, good evening." in shown
    assert "barge-in  agent silent" in shown
    assert "\N{EM DASH} cut off" in shown
    assert "ok     silence after barge-in" in shown


def test_mailboxes_were_read_while_the_agent_spoke(call: Held) -> None:
    snapshot = json.loads((call.out / "mailboxes.json").read_text())
    assert snapshot["actors"]["demo"]["state"]["agent_state"] == "speaking"
    assert snapshot["actors"]["demo/output"]["state"]["playing"]
    assert {"demo/recorder", "demo/transcript-log", "demo/ear-caller/vad", "demo/ear-caller/stt"} <= set(
        snapshot["actors"]
    )
    assert cast("int", snapshot["accounts"]["handled"]) > 1000


# -- what is wrong is found ------------------------------------------------------------------------------------------


@pytest.fixture
def copy(call: Held, tmp_path: Path) -> Path:
    """The files of the call, to be spoilt."""
    return shutil.copytree(call.out, tmp_path / "copy")


def failures(out: Path) -> list[str]:
    return [finding.what for finding in asyncio.run(verify(out)).findings if not finding.passed]


def spoil_sound(out: Path, *, at: float, level: int) -> None:
    """Put a click on the agent's channel."""
    recording = read_recording(out / RECORDING)
    stereo = np.column_stack((recording.caller, recording.agent))
    begin = round(at * recording.sample_rate)
    stereo[begin : begin + 80, 1] = level
    with wave.open(str(out / RECORDING), "wb") as file:
        file.setparams((2, 2, recording.sample_rate, 0, "NONE", ""))
        file.writeframes(stereo.astype("<i2").tobytes())


def test_sound_after_the_barge_in_is_found(copy: Path) -> None:
    (interruption,) = read_call(copy / "transcript.json").interruptions
    spoil_sound(copy, at=interruption.silent + 0.5, level=60)  # -55 dBFS: quiet enough
    assert failures(copy) == []
    spoil_sound(copy, at=interruption.silent + 0.5, level=200)  # -44 dBFS
    assert failures(copy) == ["silence after barge-in"]


def test_agent_that_goes_on_talking_is_found(copy: Path) -> None:
    (interruption,) = read_call(copy / "transcript.json").interruptions
    for number in range(40):
        spoil_sound(copy, at=interruption.silent + number * 0.005, level=2000)
    assert failures(copy) == ["silence after barge-in", "audio of the interrupted item"]


def test_item_that_says_more_than_was_heard_is_found(copy: Path) -> None:
    path = copy / "transcript.json"
    file = json.loads(path.read_text())
    (interruption,) = file["interruptions"]
    whole = f"{interruption['heard']} and a lot more"
    for item in file["items"]:
        if item.get("speech") == interruption["speech"]:
            item["text"] = whole
    path.write_text(json.dumps(file))
    assert failures(copy) == ["interrupted item"]


@pytest.mark.parametrize("name", [*FILES, RECORDING])
def test_file_that_is_missing_or_broken_is_found(name: str, copy: Path) -> None:
    (copy / name).write_bytes(b"")
    assert failures(copy) == ["files"]
    (copy / name).unlink()
    assert failures(copy) == ["files"]


@pytest.mark.parametrize("name", ["transcript.json", "timeline.svg", "mailboxes.json"])
def test_file_that_cannot_be_read_is_found(name: str, copy: Path) -> None:
    (copy / name).write_text("{<")
    assert failures(copy) == ["files"]
