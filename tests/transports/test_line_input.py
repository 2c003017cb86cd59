from __future__ import annotations

import asyncio
import io
import os
import pty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionactors.model.errors import SessionStateError
from sessionactors.transports.lines import MAX_LINE, LineInput, LineSplitter


class Typist:
    """What was read, with a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.reasons: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def line(self, line: str) -> None:
        self.lines.append(line)
        self._loop.call_soon_threadsafe(self._changed.set)

    def end(self, reason: str) -> None:
        self.reasons.append(reason)
        self._loop.call_soon_threadsafe(self._changed.set)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await self._changed.wait()
                self._changed.clear()


@asynccontextmanager
async def reading(stream: TextIO) -> AsyncIterator[Typist]:
    typist = Typist()
    lines = LineInput(stream, typist.line, typist.end)
    await lines.open()
    try:
        yield typist
    finally:
        await lines.aclose()
        await lines.aclose()


async def test_a_pipe_is_read_to_its_end() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as stream:
        async with reading(stream) as typist:
            os.write(write, b"hello\r\n\n  \nhow are")
            await typist.until(lambda: typist.lines == ["hello"])
            os.write(write, b" you?\nno newline at the end")
            os.close(write)
            await typist.until(lambda: bool(typist.reasons))
            assert typist.lines == ["hello", "how are you?", "no newline at the end"]
            assert typist.reasons == ["end of input"]


async def test_a_pipe_that_others_share_stays_blocking_and_closing_is_no_end() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as stream, os.fdopen(write, "w"):
        async with reading(stream) as typist:
            assert os.get_blocking(read)
        assert typist.reasons == []


async def test_a_regular_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "typed.txt"
    path.write_text("one\ntwo")
    with path.open() as stream:
        async with reading(stream) as typist:
            await typist.until(lambda: bool(typist.reasons))
            assert (typist.lines, typist.reasons) == (["one", "two"], ["end of input"])


async def test_dev_null_ends_at_once() -> None:
    with Path(os.devnull).open() as stream:
        async with reading(stream) as typist:
            await typist.until(lambda: bool(typist.reasons))
            assert typist.lines == []


async def test_a_stream_without_a_descriptor_is_read_too() -> None:
    async with reading(io.StringIO("größer\nzwei\n")) as typist:
        await typist.until(lambda: bool(typist.reasons))
        assert typist.lines == ["größer", "zwei"]


async def test_a_stream_that_fails_ends_the_input_with_its_reason() -> None:
    class Broken(io.StringIO):
        def readline(self, _size: int | None = -1) -> str:  # type: ignore[override]
            raise OSError(5, "Input/output error")

    async with reading(Broken()) as typist:
        await typist.until(lambda: bool(typist.reasons))
        assert typist.reasons == ["input failed: [Errno 5] Input/output error"]


async def test_a_terminal_is_read_without_touching_its_mode_and_left_without_a_key() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave) as stream:
        async with reading(stream) as typist:
            assert os.get_blocking(slave)
            os.write(master, b"hello\n")
            await typist.until(lambda: typist.lines == ["hello"])
        assert typist.reasons == []  # closing did not wait for a line, and is no end of input
    os.close(master)


async def test_a_terminal_that_hangs_up_ends_the_input_with_its_reason() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave) as stream:
        async with reading(stream) as typist:
            os.close(master)
            await typist.until(lambda: bool(typist.reasons))
            assert typist.reasons[0] in {"end of input", "input failed: [Errno 5] Input/output error"}


async def test_it_is_opened_once() -> None:
    typist = Typist()
    lines = LineInput(io.StringIO(""), typist.line, typist.end)
    await lines.open()
    with pytest.raises(SessionStateError):
        await lines.open()
    await lines.aclose()


def test_a_line_without_end_is_cut() -> None:
    splitter = LineSplitter()
    got = (
        splitter.feed(b"a" * (MAX_LINE - 1)) + splitter.feed(b"a" * (MAX_LINE + 2)) + splitter.feed(b"b\n", final=True)
    )
    assert [len(line) for line in got] == [MAX_LINE, MAX_LINE, 2]


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), st.lists(st.integers(1, 7)))
def test_characters_survive_however_the_bytes_are_cut(text: str, cuts: list[int]) -> None:
    data = f"{text}\n{text}".encode()
    splitter = LineSplitter()
    got: list[str] = []
    for cut in cuts:
        got += splitter.feed(data[:cut])
        data = data[cut:]
    got += splitter.feed(data, final=True)
    assert got == [line for line in (text, text) if line]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert LineSplitter().feed(b"\xff\xfeok\n") == ["\ufffd\ufffdok"]
