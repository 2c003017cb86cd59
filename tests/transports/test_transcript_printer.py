from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.transports.transcript import TranscriptLayout, TranscriptPrinter


def agent(text: str, segment: str = "1", *, final: bool = False) -> TranscriptSegment:
    return TranscriptSegment("agent", segment, text, final)


def user(text: str, segment: str = "u", *, final: bool = True) -> TranscriptSegment:
    return TranscriptSegment("ann", segment, text, final)


def printed(*pieces: TranscriptSegment) -> str:
    layout = TranscriptLayout()
    return "".join(str(text) for text in [*map(layout.render, pieces), layout.finish()] if text is not None)


@pytest.mark.parametrize(
    "pieces, expected",
    [
        ([agent("Hel"), agent("lo."), agent("", final=True)], "agent: Hello.\n"),
        ([agent("One.", final=True), agent("Two.", "2", final=True)], "agent: One.\nagent: Two.\n"),
        ([agent("One"), agent(" Two", "2", final=True)], "agent: One\nagent: Two\n"),
        ([user("I", final=False), user("I am", final=False), user("I am here")], "ann: I am here\n"),
        ([agent("Once upon"), user("Stop!"), agent(" a time", final=True)], "agent: Once upon\nann: Stop!\nagent: a time\n"),  # noqa: E501
        ([agent("Once upon"), user("Stop!"), agent("", final=True)], "agent: Once upon\nann: Stop!\n"),
        ([agent("unfinished")], "agent: unfinished\n"),
        ([user("  ")], ""),
        ([agent("\x1b]0;owned\x07[red]x[/red]\u009b2J\r", final=True)], "agent: ]0;owned[red]x[/red]2J\n"),
    ],
)  # fmt: skip
def test_what_is_shown(pieces: list[TranscriptSegment], expected: str) -> None:
    assert printed(*pieces) == expected


def test_the_printer_prints_in_order_and_ends_with_a_line() -> None:
    out = io.StringIO()
    failures: list[str] = []
    printer = TranscriptPrinter(Console(file=out, width=20), failures.append)
    printer.start()
    printer.show(agent("This is longer than the terminal is wide "))
    printer.show(agent("[bold]and no markup"))
    printer.stop()
    printer.stop()
    assert out.getvalue() == "agent: This is longer than the terminal is wide [bold]and no markup\n"
    assert failures == []
    assert printer.dropped == 0


class StoppedTerminal(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.go_on.wait(5)
        return super().write(text)


def test_a_stopped_terminal_holds_nobody_up_and_what_it_missed_is_counted() -> None:
    out = StoppedTerminal()
    printer = TranscriptPrinter(Console(file=out), lambda _: None, limit=3)
    printer.start()
    printer.show(user("first"))
    assert out.reached.wait(5)
    for number in range(5):
        printer.show(user(str(number)))
    assert printer.dropped == 2
    out.go_on.set()
    printer.stop()
    assert out.getvalue() == "ann: first\nann: 0\nann: 1\nann: 2\n"


class BrokenTerminal(io.StringIO):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("closed"), SystemExit(1)])
def test_a_terminal_that_is_gone_is_reported_once(error: BaseException) -> None:
    failures: list[str] = []
    printer = TranscriptPrinter(Console(file=BrokenTerminal(error)), failures.append)
    printer.start()
    printer.show(user("hello"))
    printer.stop()
    printer.show(user("anybody?"))
    assert len(failures) == 1
    assert failures[0].startswith("terminal output failed: ")
    assert printer.dropped == 2


def test_a_terminal_without_the_letters_shows_a_question_mark() -> None:
    raw = io.BytesIO()
    failures: list[str] = []
    out = io.TextIOWrapper(raw, "ascii", write_through=True)
    printer = TranscriptPrinter(Console(file=out), failures.append)
    printer.start()
    printer.show(user("grüß dich 🎉"))
    printer.stop()
    assert failures == []
    assert raw.getvalue() == b"ann: gr?? dich ?\n"
