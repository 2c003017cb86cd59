"""The demo's parts, without a call in real time: what is said, the typed call, the picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sessionactors import OptionError
from sessionactors.cli.demo.call_record import CallRecord, Interruption, Mark, Playout, Recorded, Turn, read_call
from sessionactors.cli.demo.run import DemoFailed, run_demo
from sessionactors.cli.demo.script import script_for
from sessionactors.cli.demo.timeline import LINES, draw
from sessionactors.cli.demo.verify import FILES, verify
from sessionactors.cli.demo.voices import spoken
from sessionactors.providers.offline import FRONT_DESK
from sessionactors.testing import run
from sessionactors.transports.scripted_caller import ScriptedCaller

from tests.cli.terminal import Printed

SVG = "{http://www.w3.org/2000/svg}"


# -- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_every_script_asks_for_a_tool_interrupts_the_menu_and_says_goodbye(seed: int) -> None:
    script = script_for(seed)
    matches = [FRONT_DESK.match(line.text) for line in script]
    intents = [match.intent.name for match in matches if match is not None]
    assert intents == [line.intent for line in script]
    assert intents[0] in {"book_table", "order_status"}
    assert [line.interrupts for line in script] == [False, False, True, False]
    assert (intents[1], intents[3]) == ("menu", "goodbye")
    assert script == script_for(seed)


def test_seeds_differ() -> None:
    assert len({script_for(seed) for seed in range(40)}) > 30


def test_seed_out_of_range() -> None:
    with pytest.raises(OptionError, match="seed must be >= 0, got -1"):
        script_for(-1)


async def test_the_callers_voice_is_audio_of_the_sentence() -> None:
    short, long = await spoken(["goodbye", "book a table for eleven at seven thirty please"])
    assert 0.3 < short.duration < 1.5 < long.duration < 5.0


# -- the typed call, in virtual time ---------------------------------------------------------------------------------


def test_typed_call_has_the_same_conversation_and_all_files_but_the_recording(tmp_path: Path) -> None:
    printed = Printed()
    verification = run(lambda: run_demo(tmp_path, voice=False, seed=7, stdout=printed))
    assert verification.passed
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    transcript = json.loads((tmp_path / "transcript.json").read_text())
    assert [turn["text"] for turn in transcript["turns"]] == [line.text for line in script_for(7)]
    assert transcript["closed"] == "participant_disconnected"
    assert "cut off by what the caller typed" in printed.getvalue()
    ET.parse(tmp_path / "timeline.svg")  # well-formed


def test_json_lines_end_with_what_was_measured(tmp_path: Path) -> None:
    printed = Printed()
    run(lambda: run_demo(tmp_path, voice=False, seed=7, json_lines=True, stdout=printed))
    *events, last = (json.loads(line) for line in printed.lines)
    assert {event["type"] for event in events} >= {"agent_state_changed", "conversation_item_added", "close"}
    assert last["type"] == "demo_finished"
    assert all(finding["passed"] for finding in last["findings"])


def test_older_files_do_not_pass_for_new_ones(tmp_path: Path) -> None:
    (tmp_path / "conversation.wav").write_text("old")
    run(lambda: run_demo(tmp_path, voice=False, seed=7, stdout=Printed()))
    assert not (tmp_path / "conversation.wav").exists()


def test_call_without_an_interruption_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessionactors.cli.demo.run.INTO_TYPED_REPLY", None)
    with pytest.raises(DemoFailed, match=r"seed 7\):[^!]*sequence.md is missing or empty"):
        run(lambda: run_demo(tmp_path, voice=False, seed=7, stdout=Printed()))


def test_call_that_does_not_end_is_a_failure_that_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedCaller, "_hang_up", lambda *_: None)
    with pytest.raises(DemoFailed, match="was not over after 90 s: "):
        run(lambda: run_demo(tmp_path, voice=False, seed=7, stdout=Printed()))


async def test_nothing_is_verified_where_there_is_nothing(tmp_path: Path) -> None:
    verification = await verify(tmp_path)
    assert not verification.passed
    assert "transcript.json is missing or empty" in str(verification)


# -- the picture -----------------------------------------------------------------------------------------------------


def a_call(**changes: object) -> CallRecord:
    parts: dict[str, object] = {
        "duration": 20.0,
        "turns": (Turn("what is for <dinner> & wine", 3.0, 4.0, 4.5), Turn("stop", None, None, 9.0)),
        "playouts": (
            Playout(0.2, 2.0, "Good evening.", interrupted=False),
            Playout(5.0, 8.0, "word " * 200, interrupted=True),
        ),
        "interruptions": (Interruption(7.5, 7.99, 8.0, 5.0, 3.0, "Tonight", "speech-2"),),
        "voice": ((3.0, 4.0), (7.5, 8.4)),
        "states": (Mark(0.0, "listening"), Mark(4.5, "thinking"), Mark(5.0, "speaking"), Mark(8.0, "asleep")),
        "tools": (Mark(4.7, "book_table"),),
        "items": (),
    }
    return CallRecord(**{**parts, **changes})  # type: ignore[arg-type]


def a_recording() -> Recorded:
    rng = np.random.default_rng(1)
    caller, agent = (rng.integers(-9000, 9000, 20 * 8000).astype(np.int16) for _ in range(2))
    return Recorded(caller, agent, 8000)


def bars(svg: str, colour: str) -> list[tuple[float, float]]:
    """Begin and end of the intervals of a colour, as shares of the distance between 0 s and 5 s."""
    root = ET.fromstring(svg)
    labels = {text.text: float(text.attrib["x"]) for text in root.iter(f"{SVG}text")}
    zero, second = labels["0 s"], (labels["5 s"] - labels["0 s"]) / 5
    found = [rect.attrib for rect in root.iter(f"{SVG}rect") if rect.attrib["fill"] == colour and "rx" in rect.attrib]
    return [
        (
            round((float(rect["x"]) - zero) / second, 2),
            round((float(rect["x"]) + float(rect["width"]) - zero) / second, 2),
        )
        for rect in found
    ]


def test_picture_shows_the_intervals_where_they_were() -> None:
    svg = draw(a_call(), a_recording(), title="A <call>")
    assert bars(svg, "#8fc7a3") == [(3.0, 4.0), (7.5, 8.4)]  # voice
    assert bars(svg, "#e0a526")[0] == (4.0, 4.5)  # turn
    assert bars(svg, "#2b6cb0") == [(0.2, 2.0), (5.0, 8.0)]  # playout
    text = "".join(ET.fromstring(svg).itertext())
    assert "barge-in 8.00 s: silent 10.0 ms after the decision, 500 ms after the voice set in" in text
    assert "what is for <dinner> & wine" in " ".join(text.split())
    captions = [line for line in text.splitlines() if line.startswith("word")]
    assert (len(captions), captions[-1][-1]) == (LINES, "\N{HORIZONTAL ELLIPSIS}")


def test_picture_of_a_typed_call_has_no_waves_and_is_wide_enough() -> None:
    svg = draw(a_call(duration=3.0, playouts=(), interruptions=(), voice=()), None, title="typed")
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}polygon"))
    assert float(root.attrib["width"]) > 1000


def test_picture_of_nothing() -> None:
    nothing = a_call(duration=0.0, turns=(), playouts=(), interruptions=(), voice=(), states=(), tools=())
    empty = Recorded(np.zeros(0, np.int16), np.zeros(0, np.int16), 8000)
    ET.fromstring(draw(nothing, empty, title="nothing"))


def test_transcript_is_read_as_it_was_written(tmp_path: Path) -> None:
    run(lambda: run_demo(tmp_path, voice=False, seed=3, stdout=Printed()))
    call = read_call(tmp_path / "transcript.json")
    assert [turn.text for turn in call.turns] == [line.text for line in script_for(3)]
    assert [playout.interrupted for playout in call.playouts].count(True) == 1
    assert call.states[0].what == "listening"
    assert call.duration > call.playouts[-1].ended
