"""A session into a file: what came from outside, what was handled, and nothing twice."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TypeVar

import pytest

from sessionactors import Agent, function_tool
from sessionactors.journal.errors import JournalDamaged, JournalError, JournalVersionError
from sessionactors.journal.file import Packer, frames
from sessionactors.journal.journal import Journal
from sessionactors.journal.reading import JournalReader
from sessionactors.journal.recorder import Recorder
from sessionactors.journal.records import (
    Captured,
    Closed,
    Entered,
    Finished,
    Given,
    Handled,
    Header,
    Hooked,
    Lost,
    Noted,
    Record,
)
from sessionactors.journal.replay import Replay
from sessionactors.journal.stand_ins import StandIn
from sessionactors.journal.writer import JournalFile
from sessionactors.messages.ear import FrameCaptured
from sessionactors.testing import Scenario

from tests.session.talks import barge_in, played, typed

R = TypeVar("R", bound=Record)


def recorded(path: Path) -> list[Record]:
    with JournalReader(path) as reader:
        records = list(reader)
    assert reader.closed
    return records


def of(kind: type[R], records: list[Record]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]


def kept(journal: Journal) -> list[Record]:
    assert journal.wait_closed()
    assert journal.path is not None
    return recorded(journal.path)


def test_a_session_is_in_its_journal_from_its_start_to_the_end_of_its_last_actor(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "{room}.journal", notes={"call": "7"})
    played(barge_in(journal=journal, frame_ms=50))
    records = kept(journal)
    header, given, *rest = records
    assert isinstance(header, Header)
    assert isinstance(given, Given)
    assert (header.room, header.notes, header.captured.audio) == ("scenario", {"call": "7"}, True)
    assert isinstance(given.root, dict)
    assert isinstance(given.root["components"].agent, StandIn)
    assert isinstance(given.root["guarded"], bool)
    assert isinstance(rest[-1], Closed)
    assert isinstance(rest[-2], Finished)
    assert rest[-2].target == header.room
    handled = of(Handled, records)
    ids = Counter(record.id for record in handled)
    assert set(ids.values()) == {1}, "each message is handled once"
    entered = {record.id: record for record in of(Entered, records)}
    assert len(entered) < len(handled), "what handlers tell each other is not kept"
    assert sum(isinstance(record.message, FrameCaptured) for record in entered.values()) > 150
    assert {record.target for record in of(Hooked, records)} >= {header.room, f"{header.room}/floor"}
    assert all(record.state is not None for record in of(Hooked, records))


def test_a_file_that_was_cut_anywhere_reads_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    packer = Packer()
    whole = [b"".join(packer.pack([bytes([number]) * 40, b"x"])) for number in range(3)]
    data = b"".join(whole)
    for cut in range(1, len(data)):
        read = io.BytesIO(data[:cut])
        expected = sum(len(b"".join(whole[: count + 1])) <= cut for count in range(3))
        if cut < 28:
            with pytest.raises(JournalDamaged):
                list(frames(read))
            continue
        found = list(frames(read))
        assert len([frame for frame in found if frame is not None]) == expected
        assert (found[-1] is None) == (cut != len(b"".join(whole[:expected])))


def test_a_file_with_flipped_bits_or_boasts_raises_journal_errors_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", audio=False)
    played(typed(None, "Hello?", journal=journal))
    kept(journal)
    data = (tmp_path / "a.journal").read_bytes()
    wrong = 0
    for at in range(0, len(data), len(data) // 60):
        broken = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        try:
            list(JournalReader(io.BytesIO(broken)))
        except JournalError:
            wrong += 1
    assert wrong > 30
    other = data[:24] + b"\x09\0" + data[26:]
    with pytest.raises(JournalVersionError, match="format 9"):
        list(JournalReader(io.BytesIO(other)))
    for boast in (b"\xff\xff\xff\xff", b"\0\0\0\x04"):
        with pytest.raises(JournalDamaged):
            list(JournalReader(io.BytesIO(data[:12] + boast + data[16:])))


def test_a_journal_overwrites_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "a.journal").write_bytes(b"old")
    journal = Journal(tmp_path / "a.journal")
    played(typed(None, "Hello?", journal=journal))
    assert journal.wait_closed()
    assert "overwrite=True" in str(journal.error)
    assert (tmp_path / "a.journal").read_bytes() == b"old"
    journal = Journal(tmp_path / "a.journal", overwrite=True)
    played(typed(None, "Hello?", journal=journal))
    assert kept(journal)
    assert (tmp_path / "a.journal").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("how", ["masked", "own", "own raises"])
def test_what_people_say_is_not_in_a_redacted_journal(tmp_path: Path, how: str) -> None:
    def own(text: str) -> str:
        if how == "own raises":
            raise ValueError(text)
        return text.replace("Wonderland", "[place]").replace("Answer", "[reply]")

    journal = Journal(tmp_path / "a.journal", transcripts=how != "masked", redact=None if how == "masked" else own)
    played(typed(None, "Is Wonderland open?", journal=journal))
    records = kept(journal)
    told = repr(records)
    assert "Wonderland" not in told
    assert "Answer" not in told
    assert ("Xx" in told or "xx xxxxxxxxxx xxxx?" in told) == (how != "own")
    header = records[0]
    assert isinstance(header, Header)
    assert not header.captured.faithful


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Zanzibar is what you know about.")

    @function_tool
    async def price(self, place: str) -> str:
        """What a journey costs."""
        return f"{place} Zanzibar costs 500"


def test_nothing_of_a_spoken_talk_with_tools_is_in_a_journal_without_transcripts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", audio=False, transcripts=False)
    scenario = Scenario(Clerk(), journal=journal, frame_ms=50)
    scenario.user_says("Take me to Zanzibar please.", at=0.5, until=2.5)
    scenario.llm_replies("Zanzibar, well.", tool_calls=[("price", '{"place": "Zanzibar"}')])
    scenario.llm_replies("Zanzibar is dear.")
    scenario.user_types("Zanzibar it is.", at=9.0)
    scenario.llm_replies("Zanzibar then.")
    played(scenario)
    assert journal.wait_closed()
    with (tmp_path / "a.journal").open("rb") as file:
        written = b"".join(frame for frame in frames(file) if frame is not None)
    leaks = [written[max(0, at - 150) : at + 20] for at in range(len(written)) if written.startswith(b"Zanzibar", at)]
    assert not leaks
    assert b"Xxxxxxxx".lower() in written.lower()


def test_what_was_flushed_before_a_kill_9_is_there(tmp_path: Path) -> None:
    path = tmp_path / "killed.journal"
    program = [sys.executable, str(Path(__file__).with_name("killed.py")), str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        while not (path.exists() and path.stat().st_size > 20_000):
            assert next(lines), "the program has ended by itself"
        process.kill()
        process.wait()
    with JournalReader(path) as reader:
        records = list(reader)
    assert isinstance(records[0], Header)
    assert not reader.closed
    assert Replay(path).cut
    typed_in = [record.message for record in of(Entered, records) if "Number 3?" in repr(record.message)]
    assert typed_in, "what was said seconds before is there"


def test_what_a_slow_disk_loses_is_counted_and_said_and_what_follows_can_be_read(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "a.journal", "room", most_bytes=200_000)
    recorder = Recorder(file, Captured())
    file.when_resumed(recorder.again)
    header = Header("0", "3", "room", 0, 0, 0.0, Captured(), {})
    recorder.begin(header, {"components": None})
    for number in range(20_000):
        file.put(recorder.remark(number, f"remark {number}"))
    assert file.lost
    file.write()
    file.put(recorder.remark(1000, "there again"))
    file.close()
    file.write()
    with JournalReader(tmp_path / "a.journal") as reader:
        records = list(reader)
    assert [record.records for record in of(Lost, records)] == [file.lost]
    assert records[-1] == Noted(1000, "there again")
    assert isinstance(records[0], Header)
