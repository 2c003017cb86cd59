"""The commands and their options. What a command does is imported when it runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from sessionactors.model.errors import SessionActorsError
from sessionactors.service.signal_wakeup import woken_by_signals

from .intervening_commands import intervening
from .looking_commands import looking
from .recording_commands import recording
from .serve_command import serving

if TYPE_CHECKING:
    from sessionactors.service.worker.agent_server import AgentServer
    from sessionactors.service.worker.options import WorkerOptions

T = TypeVar("T")

FAILED = 1
"""Exit code when something went wrong; 2 is for options that are not understood, 130 for Ctrl-C; docs/cli.md."""

app = typer.Typer(help="Real-time voice agents as actors.", no_args_is_help=True, pretty_exceptions_enable=False)

app.add_typer(serving)
app.add_typer(looking)
app.add_typer(intervening)
app.add_typer(recording)

Audio = Annotated[bool, typer.Option("--audio", help="Use microphone and speakers.")]
Text = Annotated[bool, typer.Option("--text", help="Type and read, as without --audio.")]
Actor = Annotated[list[str] | None, typer.Option("--actor", help="Drop-in actor: a file, or a name such as recorder.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object per event and line, for programs.")]
JournalFile = Annotated[
    Path | None, typer.Option("--journal", help="Record the session into this file, in place of one of that name.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all log lines, on standard error.")]


@app.callback()
def options(verbose: Verbose = False) -> None:  # noqa: FBT002
    """What all commands have."""
    from .log_lines import configure

    configure(verbose=verbose)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the files go; made if it is not there.")] = Path("demo-out"),
    voice: Annotated[bool, typer.Option("--voice/--text", help="A caller who speaks, or one who types.")] = True,  # noqa: FBT002
    seed: Annotated[int, typer.Option(help="Chooses what the caller says.")] = 1,
    json_lines: JsonLines = False,  # noqa: FBT002
    journal: JournalFile = None,
) -> None:
    """A spoken conversation, offline: a caller asks, uses a tool, interrupts, says goodbye."""
    from .demo.run import run_demo

    run(run_demo(out, voice=voice, seed=seed, json_lines=json_lines, journal=journal))


@app.command()
def console(
    module: Annotated[str, typer.Argument(help="Path or dotted name of a module with an agent.")],
    audio: Audio = False,  # noqa: FBT002
    actor: Actor = None,
    json_lines: JsonLines = False,  # noqa: FBT002
    journal: JournalFile = None,
) -> None:
    """Talk to an agent in the terminal. Ctrl-D ends the conversation."""
    talk_in_terminal(module, audio=audio, actor=actor, json_lines=json_lines, journal=journal)


def talk_in_terminal(
    module: str,
    *,
    audio: bool,
    actor: list[str] | None,
    json_lines: bool,
    journal: Path | None,
    sound: bool = True,
    texts: bool = True,
) -> None:
    """Talk to an agent in the terminal; what went wrong is one line, and the exit code."""
    from .console import talk
    from .entry_points import find_entry_point
    from .loading import make_drop_in

    try:
        entry_point = find_entry_point(module, audio=audio, note=note)
        actors = [make_drop_in(name) for name in actor or ()]
    except SessionActorsError as error:
        fail(error)
    kept = None
    if journal is not None:
        from sessionactors.journal.journal import Journal

        kept = Journal(journal, audio=sound, transcripts=texts, overwrite=True)
    run(talk(entry_point, audio=audio, actors=actors, json_lines=json_lines, note=note, journal=kept))
    if kept is not None and not kept.wait_closed():
        note(f"the journal {journal} is not complete")
    if kept is not None and kept.error is not None:
        fail(kept.error)


@app.command(name="journal")
def show_journal(
    file: Annotated[Path, typer.Argument(help="A journal, also one that was cut off.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per record and line.")] = False,  # noqa: FBT002
    whole: Annotated[bool, typer.Option("--whole", help="Also each message that was handled.")] = False,  # noqa: FBT002
) -> None:
    """Print a journal: what came to a session from outside, what failed, and remarks."""
    from .journal_lines import lines

    try:
        for line in lines(file, as_json=as_json, whole=whole):
            typer.echo(line)
    except SessionActorsError as error:
        fail(error)


@app.command()
def conformance(
    rigs: Annotated[
        list[str], typer.Argument(help="Modules with rigs: a path or dotted name, or one rig: MODULE:NAME.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON, for programs.")] = False,  # noqa: FBT002
) -> None:
    """Which checks of the conformance kit providers pass: the table provider x check. Exits with 1 if one fails."""
    from sessionactors.testing import conformance as kit

    from .conformance import find_rigs

    try:
        found = [rig for name in rigs for rig in find_rigs(name)]
        rows = kit.run(found, lambda name, outcome: note(f"{name}: {outcome.check}: {outcome.result}"))
    except SessionActorsError as error:
        fail(error)
    typer.echo(kit.as_json(rows) if as_json else kit.as_text(rows))
    if any(row.failed for row in rows):
        raise typer.Exit(FAILED)


@app.command()
def explore(
    target: Annotated[str, typer.Argument(help="MODULE or MODULE:NAME: a path or a dotted name.")],
    schedules: Annotated[int, typer.Option(help="Orders to try for each scenario.")] = 200,
    first: Annotated[int, typer.Option(help="The first seed.")] = 1,
    strategy: Annotated[str, typer.Option(help="How orders are drawn: mixed, random, pct or delay.")] = "mixed",
    faults: Annotated[int, typer.Option(help="Faults to inject into each run.")] = 0,
    jobs: Annotated[int, typer.Option(help="Processes.")] = 1,
    schedule: Annotated[str | None, typer.Option(help="Run this one order, as a report names it.")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="Run once, with this fault.")] = None,
    leave_out: Annotated[str, typer.Option(help="Moments of the script to leave out, as a report names them.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per scenario.")] = False,  # noqa: FBT002
) -> None:
    """Run scenarios in many orders and check every promise. Exits with 1 if one is broken, with a command to see it."""
    from .explore import Wanted, attempt_of, draw_of, explore_many, explore_one
    from .log_lines import silence

    try:
        if schedule is not None or fault or leave_out:
            kept = explore_one(target, attempt_of(schedule, fault or (), leave_out), typer.echo)
        else:
            silence()
            wanted = Wanted(target, schedules, first, draw_of(strategy), faults, jobs)
            kept = explore_many(wanted, typer.echo, as_json=as_json)
    except SessionActorsError as error:
        fail(error)
    if not kept:
        raise typer.Exit(FAILED)


@app.command(name="eval")
def evaluate(
    files: Annotated[list[Path], typer.Argument(help="Eval files: conversations in YAML.")],
    real_time: Annotated[bool, typer.Option("--real-time", help="Spoken aloud, to the agent's own ears.")] = False,  # noqa: FBT002
    llm: Annotated[
        str | None, typer.Option(help="Who answers, whatever the files say: own, offline or MODULE:NAME.")
    ] = None,
    repeat: Annotated[int, typer.Option(help="Trials of each conversation, with one seed after the other.")] = 1,
    seed: Annotated[int, typer.Option(help="The first seed; 0: as in production.")] = 0,
    parallel: Annotated[int, typer.Option(help="Processes.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="Only conversations of this name or pattern.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit's XML into this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per trial and line.")] = False,  # noqa: FBT002
) -> None:
    """Hold the conversations of eval files with the agents they name. Exits with 1 if one is not as expected."""
    from .log_lines import silence

    silence()
    try:
        from sessionactors.evals.trial import How

        from .eval import Asked, evaluate

        how = How(real_time=real_time, llm=llm)
        passed = evaluate(Asked(tuple(files), how, repeat, seed, parallel, tuple(only or ()), junit, as_json))
    except (SessionActorsError, ImportError) as error:
        fail(error)
    if not passed:
        raise typer.Exit(FAILED)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="The journal of a session.")],
    until: Annotated[int | None, typer.Option(help="Stop at this message, and show every actor.")] = None,
    step: Annotated[bool, typer.Option("--step", help="Show each message, and what it changed.")] = False,  # noqa: FBT002
    diff: Annotated[
        int | None, typer.Option(help="Show what differs between this message and --until (or the end).")
    ] = None,
    first: Annotated[
        str | None, typer.Option(help="Stop at the first message after which ACTOR.FACT=VALUE holds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,  # noqa: FBT002
) -> None:
    """Run a recorded session again, message by message. Exits with 1 where it parts from the journal."""
    from .replay import Showing, Watch, opened

    try:
        again = opened(file)
        showing = Showing(again, as_json=as_json)
        last = again.messages if until is None else until
        if first is not None:
            lines = showing.first(Watch(first))
        elif diff is not None:
            lines = showing.between(diff, last)
        elif step:
            lines = showing.steps(last, _wait_for_enter)
        elif until is not None:
            lines = showing.at(until)
        else:
            lines = showing.all()
        for line in lines:
            typer.echo(line)
    except SessionActorsError as error:
        fail(error)
    if again.divergence is not None:
        raise typer.Exit(FAILED)


def app_for(program: WorkerOptions | AgentServer) -> typer.Typer:
    """The commands of a program that brings its entry point."""
    from .worker_program import add_worker_commands

    commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    commands.callback()(options)

    @commands.command(name="console")
    def talk_to(
        audio: Audio = False,  # noqa: FBT002
        text: Text = False,  # noqa: FBT002
        actor: Actor = None,
        json_lines: JsonLines = False,  # noqa: FBT002
    ) -> None:
        """Talk to the agent in the terminal. Ctrl-D ends the conversation."""
        from .console import talk
        from .loading import make_drop_in
        from .worker_program import parts_of

        try:
            entry_point, setup = parts_of(program)
            actors = [make_drop_in(name) for name in actor or ()]
        except SessionActorsError as error:
            fail(error)
        with_audio = audio and not text
        run(talk(entry_point, audio=with_audio, actors=actors, json_lines=json_lines, note=note, setup=setup))

    add_worker_commands(commands, program)
    return commands


def run(command: Coroutine[object, object, T]) -> T:
    """Run a command; what went wrong is one line, and the exit code."""
    try:
        with asyncio.Runner() as runner, woken_by_signals(runner.get_loop()):
            return runner.run(command)
    except SessionActorsError as error:
        fail(error)


def fail(error: Exception) -> NoReturn:
    """Say what went wrong, and exit."""
    typer.echo(f"{type(error).__name__}: {error}", err=True)
    raise typer.Exit(FAILED) from error


def note(text: str) -> None:
    """Tell people something that is not the command's output."""
    typer.echo(text, err=True)


def _wait_for_enter() -> bool:
    """After each step, if somebody sits there; False: they have had enough (Ctrl-D)."""
    if not sys.stdin.isatty():
        return True
    try:
        input()
    except EOFError:
        return False
    return True
