"""``sessionactors eval``: conversations of eval files, held with the agents that they name."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from sessionactors.evals import report
from sessionactors.evals.reading import read_evals
from sessionactors.evals.suite import trials, wanted_of
from sessionactors.evals.trial import AS_USUAL, How, Trial
from sessionactors.model.errors import OptionError

from .entry_points import find_entry_point
from .log_lines import silence


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    files: tuple[Path, ...]
    how: How = AS_USUAL
    repeat: int = 1
    seed: int = 0
    parallel: int = 1
    only: tuple[str, ...] = ()
    junit: Path | None = None
    as_json: bool = False


def evaluate(asked: Asked, out: TextIO | None = None) -> bool:
    """Hold the conversations, and show what came of them; False if one was not as expected.

    Raises:
        OptionError: a file, a conversation, a module or a model is not there or is wrong.
    """
    files = [read_evals(path) for path in asked.files]
    wanted = wanted_of(files, repeat=asked.repeat, first_seed=asked.seed, only=asked.only)
    if asked.junit is not None:
        _write(asked.junit, report.as_junit([]))  # that it cannot be written is known before all is held
    console = Console(file=out, highlight=False, soft_wrap=True)
    quiet = asked.as_json or not console.is_terminal
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=quiet,
    )
    began, done = time.monotonic(), list[Trial]()
    with progress:
        task = progress.add_task("holding", total=len(wanted))
        for trial in trials(wanted, find_entry_point, how=asked.how, parallel=asked.parallel, begin=silence):
            done.append(trial)
            progress.update(task, advance=1, description=f"holding: {trial.conversation}"[:60])
            if asked.as_json:
                console.file.write(report.as_json(trial, asked.how.llm) + "\n")
            elif asked.repeat == 1:
                progress.console.print(_line(trial))
    if asked.junit is not None:
        _write(asked.junit, report.as_junit(done, asked.how.llm))
    tallies = report.tallied(done)
    if not asked.as_json:
        _show(console, tallies, asked, time.monotonic() - began)
    return all(tally.all_passed for tally in tallies)


def _line(trial: Trial) -> Text:
    word, style = ("pass", "green") if trial.passed else ("FAIL", "bold red")
    return Text.assemble((word, style), f"  {trial.conversation}", (f"  {trial.seconds:.1f} s", "dim"))


def _show(console: Console, tallies: Sequence[report.Tally], asked: Asked, took: float) -> None:
    if asked.repeat > 1:
        for tally in tallies:
            style = "green" if tally.all_passed else "bold red"
            failed = [str(trial.seed) for trial in tally.trials if not trial.passed]
            seeds = f"  failed with seed {', '.join(failed)}" if failed else ""
            rate = f"{tally.rate:4.0%}"
            console.print(
                Text.assemble((rate, style), f"  {tally.conversation}  {tally.passed}/{len(tally.trials)}{seeds}")
            )
    for tally in tallies:
        for trial in [trial for trial in tally.trials if not trial.passed][:1]:  # the first of each says enough
            console.print()
            console.print(Text(report.as_text(trial, asked.how.llm)))
    passed = sum(tally.all_passed for tally in tallies)
    held = sum(trial.seconds for tally in tallies for trial in tally.trials)
    many = sum(len(tally.trials) for tally in tallies)
    clock = "real" if asked.how.real_time else "virtual"
    console.print(
        f"\n{passed} of {len(tallies)} conversations passed"
        + (f" in all of {asked.repeat} trials" if asked.repeat > 1 else "")
        + f"; {many} trials, {held:.1f} s of conversation in {clock} time, took {took:.1f} s"
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"--junit {path}: cannot be written: {error.strerror}") from error
