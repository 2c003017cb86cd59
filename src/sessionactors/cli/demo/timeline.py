"""A call as a picture: who was heard when, what the detector heard, when turns were decided, where the agent was cut.

Everything in it is a measured interval of the transcript, or the recording itself. Written by hand as SVG, so that it
can be looked at anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from .call_record import CallRecord, Interruption, Playout, Recorded, Samples, Turn

SECOND: Final = 46.0
"""Pixels a second, at least."""
WIDTH: Final = 1200.0
"""Pixels that a short call is stretched to."""
LEFT: Final = 104.0
TOP: Final = 74.0
CHARACTER: Final = 5.6
"""Pixels that a character of the captions takes, about."""
CAPTION: Final = 13.0
"""Pixels a line of a caption."""
LINES: Final = 5
"""Lines that a caption may have."""

INK, FAINT, GRID = "#1f2933", "#7b8794", "#e4e7eb"
CALLER, VOICE, DECISION, AGENT, CUT = "#2f7d4f", "#8fc7a3", "#e0a526", "#2b6cb0", "#c53030"
STATES: Final = {"listening": "#d9e2ec", "thinking": "#f6d98b", "speaking": "#9cc3e6"}


def draw(call: CallRecord, recording: Recorded | None, *, title: str) -> str:
    """The picture, as the text of an SVG file. Without a recording (a typed call) the waves are left out."""
    duration = max(call.duration, max((playout.ended for playout in call.playouts), default=0.0))
    scale = _Scale(max(SECOND, WIDTH / max(duration, 1.0)))
    captions_above = max((len(_said(turn, scale)) for turn in call.turns), default=1)
    rows = _Rows(TOP + captions_above * CAPTION + 6, waves=recording is not None)
    below = rows.bottom + 14
    captions_below = max((len(_heard(playout, scale)) for playout in call.playouts), default=1)
    height = below + captions_below * CAPTION + 34
    width = scale.x(duration) + 30
    parts = [
        _root(width, height),
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        _text(14, 24, title, size=15, weight="bold"),
        *_axis(duration, rows, scale),
        *(part for interruption in call.interruptions for part in _band(interruption, rows, scale)),
        *_labels(rows),
    ]
    if recording is not None:
        parts += [
            _wave(recording.caller, recording.sample_rate, rows.caller, rows.wave, CALLER, scale),
            _wave(recording.agent, recording.sample_rate, rows.agent, rows.wave, AGENT, scale),
        ]
    parts += _voice_and_turns(call, rows, scale)
    parts += _states(call, duration, rows, scale)
    parts += _playouts(call, rows, below, scale)
    parts += [part for interruption in call.interruptions for part in _cut(interruption, rows, scale)]
    parts += [*_legend(height - 14), "</svg>"]
    return "\n".join(parts) + "\n"


def _root(width: float, height: float) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Helvetica, Arial, sans-serif">'


@dataclass(frozen=True, slots=True)
class _Scale:
    """From seconds to pixels."""

    second: float

    def x(self, seconds: float) -> float:
        """Where a moment is."""
        return LEFT + seconds * self.second

    def bar(
        self, begin: float, end: float, top: float, height: float, colour: str, tip: str, *, least: float = 1.0
    ) -> str:
        """An interval."""
        width = max(least, (end - begin) * self.second)
        return (
            f'<rect x="{self.x(begin):.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" '
            f'fill="{colour}"><title>{escape(tip)}</title></rect>'
        )


class _Rows:
    """Where the rows are, from the top; pixels."""

    def __init__(self, top: float, *, waves: bool) -> None:
        self.wave = 46.0 if waves else 0.0
        self.bar = 15.0
        gap = 9.0
        self.top = top
        self.caller = top
        self.voice = self.caller + self.wave + (gap if waves else 0)
        self.turn = self.voice + self.bar + gap
        self.state = self.turn + self.bar + gap
        self.playout = self.state + self.bar + gap
        self.agent = self.playout + self.bar + gap
        self.bottom = self.agent + self.wave


def _axis(duration: float, rows: _Rows, scale: _Scale) -> Iterator[str]:
    for second in range(int(duration) + 1):
        x = scale.x(second)
        labelled = second % (1 if scale.second > 2 * SECOND else 5) == 0
        yield _line(x, TOP - 16, x, rows.bottom, "#cbd2d9" if labelled else GRID)
        if labelled:
            yield _text(x, TOP - 22, f"{second} s", fill=FAINT, anchor="middle")


def _labels(rows: _Rows) -> Iterator[str]:
    named = [
        ("caller heard", rows.voice + rows.bar / 2),
        ("turn decided", rows.turn + rows.bar / 2),
        ("agent is", rows.state + rows.bar / 2),
        ("agent plays", rows.playout + rows.bar / 2),
    ]
    if rows.wave:
        named += [("caller", rows.caller + rows.wave / 2), ("agent", rows.agent + rows.wave / 2)]
    for label, y in named:
        yield _text(LEFT - 12, y + 4, label, anchor="end", weight="bold")


def _wave(samples: Samples, sample_rate: int, top: float, height: float, colour: str, scale: _Scale) -> str:
    """The loudest sample of each pixel, above and below the middle."""
    middle = top + height / 2
    step = max(1, round(sample_rate / scale.second))
    whole = len(samples) // step * step
    peaks = np.abs(samples[:whole].astype(np.int32)).reshape(-1, step).max(axis=1) if whole else np.zeros(1)
    loudness = (height / 2 - 1) / max(1.0, float(peaks.max()))
    points = [(scale.x(index * step / sample_rate), float(peak) * loudness) for index, peak in enumerate(peaks)]
    upper = " ".join(f"{x:.1f},{middle - max(0.4, size):.1f}" for x, size in points)
    lower = " ".join(f"{x:.1f},{middle + max(0.4, size):.1f}" for x, size in reversed(points))
    return f'<polygon points="{upper} {lower}" fill="{colour}"/>'


def _voice_and_turns(call: CallRecord, rows: _Rows, scale: _Scale) -> Iterator[str]:
    for began, ended in call.voice:
        yield scale.bar(began, ended, rows.voice, rows.bar, VOICE, f"voice {began:.2f} to {ended:.2f} s")
    for turn in call.turns:
        ended = turn.decided if turn.voice_ended is None else turn.voice_ended
        begins = turn.decided if turn.voice_began is None else turn.voice_began
        tip = f"turn decided {(turn.decided - ended) * 1000:.0f} ms after the voice"
        yield scale.bar(ended, turn.decided, rows.turn, rows.bar, DECISION, tip, least=2.0)
        if turn.decided > ended:
            yield _text(
                scale.x(turn.decided) + 4, rows.turn + 11, f"{(turn.decided - ended) * 1000:.0f} ms", fill=FAINT
            )
        lines = _said(turn, scale)
        for number, line in enumerate(lines):
            yield _text(scale.x(begins), rows.top - 8 - (len(lines) - 1 - number) * CAPTION, line, fill=CALLER)


def _states(call: CallRecord, duration: float, rows: _Rows, scale: _Scale) -> Iterator[str]:
    ends = [*(mark.at for mark in call.states[1:]), duration][: len(call.states)]
    for mark, end in zip(call.states, ends, strict=True):
        colour = STATES.get(mark.what, GRID)
        yield scale.bar(mark.at, end, rows.state, rows.bar, colour, f"{mark.what} {mark.at:.2f} to {end:.2f} s")
        if (end - mark.at) * scale.second > len(mark.what) * CHARACTER + 8:
            yield _text(scale.x(mark.at) + 4, rows.state + 11, mark.what)
    for tool in call.tools:
        x, y = scale.x(tool.at), rows.state + rows.bar / 2
        yield f'<path d="M{x:.1f} {y - 7:.1f} l6 7 l-6 7 l-6 -7 z" fill="{INK}"/>'
        yield _text(x + 44, rows.turn + 11, f"tool {tool.what}")


def _playouts(call: CallRecord, rows: _Rows, below: float, scale: _Scale) -> Iterator[str]:
    for playout in call.playouts:
        tip = f"played {playout.began:.2f} to {playout.ended:.2f} s"
        yield scale.bar(playout.began, playout.ended, rows.playout, rows.bar, AGENT, tip, least=2.0)
        for number, line in enumerate(_heard(playout, scale)):
            yield _text(scale.x(playout.began), below + number * CAPTION, line, fill=AGENT)


def _said(turn: Turn, scale: _Scale) -> Sequence[str]:
    seconds = 0.5 if turn.voice_began is None else 3.2  # typed ones follow each other faster
    return _caption(turn.text, seconds * scale.second)


def _heard(playout: Playout, scale: _Scale) -> Sequence[str]:
    text = playout.heard + (" \N{EM DASH} cut off" if playout.interrupted else "")
    return _caption(text, max((playout.ended - playout.began) * scale.second, 70.0))


def _band(interruption: Interruption, rows: _Rows, scale: _Scale) -> Iterator[str]:
    """From the caller's first sound to the agent's last."""
    x, width = scale.x(interruption.voice_began), (interruption.silent - interruption.voice_began) * scale.second
    yield (
        f'<rect x="{x:.1f}" y="{TOP - 6:.1f}" width="{max(width, 1):.1f}" height="{rows.bottom - TOP + 6:.1f}" '
        f'fill="{CUT}" fill-opacity="0.10"/>'
    )


def _cut(interruption: Interruption, rows: _Rows, scale: _Scale) -> Iterator[str]:
    x = scale.x(interruption.silent)
    took = (interruption.silent - interruption.voice_began) * 1000
    after = (interruption.silent - interruption.decided) * 1000
    yield _line(x, TOP - 6, x, rows.bottom + 4, CUT, width=1.6)
    label = f"barge-in {interruption.silent:.2f} s: silent {after:.1f} ms after the decision"
    if took > after:
        label += f", {took:.0f} ms after the voice set in"
    yield _text(x, TOP - 42, label, fill=CUT, anchor="middle", weight="bold")
    yield _line(x, TOP - 38, x, TOP - 6, CUT)


def _legend(y: float) -> Iterator[str]:
    x = 14.0
    entries = (
        (VOICE, "voice found by the detector"),
        (DECISION, "silence until the turn was decided to be over"),
        (STATES["thinking"], "thinking"),
        (AGENT, "playout"),
        (CUT, "from the caller's first sound over the agent to the agent's silence"),
    )
    for colour, text in entries:
        yield f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" fill="{colour}"/>'
        yield _text(x + 15, y, text, fill=FAINT)
        x += 15 + len(text) * CHARACTER + 22


def _caption(text: str, width: float) -> Sequence[str]:
    """The text in lines of this width in pixels, the last one cut."""
    room = max(10, int(width / CHARACTER))
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"{lines[LINES - 1]} \N{HORIZONTAL ELLIPSIS}"]
    return lines or [""]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1.0) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:.1f}"/>'
    )


def _text(
    x: float, y: float, text: str, *, fill: str = INK, anchor: str = "start", size: float = 11, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-size="{size:.0f}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
