"""Many conversations, each as often as is wanted, in this process or in several."""

from __future__ import annotations

import fnmatch
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Final

from sessionactors.model.errors import OptionError

from .reading import Evals, read_evals
from .trial import AS_USUAL, Failure, FindModule, How, Trial, hold

AS_IN_PRODUCTION: Final = 0
"""The seed of the first trial of each conversation."""


class NothingToEvaluate(OptionError):
    """Raised when no conversation is left to be held: nothing that was evaluated is nothing that has passed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One trial that is to be made."""

    evals: Evals
    conversation: str
    seed: int


def wanted_of(
    files: Sequence[Evals], *, repeat: int = 1, first_seed: int = AS_IN_PRODUCTION, only: Sequence[str] = ()
) -> list[Wanted]:
    """The trials of some files, in their order.

    Args:
        files: what was read.
        repeat: trials of each conversation, >= 1, with one seed after the other.
        first_seed: the first of them, >= 0.
        only: names of conversations, or patterns such as ``"asks *"``; none: all.

    Raises:
        NothingToEvaluate: there is none; says which there are.
        OptionError: a number is out of range.
    """
    if repeat < 1 or first_seed < 0:
        raise OptionError(f"repeat must be at least 1 and the seed at least 0, got {repeat} and {first_seed}")
    names = [(evals, conversation.name) for evals in files for conversation in evals.file.conversations]
    for pattern in only:
        if not any(_fits(name, pattern) for _, name in names):
            there = ", ".join(repr(name) for _, name in names) or "none"
            raise NothingToEvaluate(f"there is no conversation {pattern!r}; there are {there}")
    chosen = [(evals, name) for evals, name in names if not only or any(_fits(name, pattern) for pattern in only)]
    if not chosen:
        raise NothingToEvaluate("there is no conversation to hold: give at least one file")
    return [Wanted(evals, name, first_seed + number) for evals, name in chosen for number in range(repeat)]


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatch.fnmatchcase(name, pattern)


def trials(
    wanted: Sequence[Wanted],
    find: FindModule,
    *,
    how: How = AS_USUAL,
    parallel: int = 1,
    begin: Callable[[], object] | None = None,
) -> Iterator[Trial]:
    """Make the trials; each is given when it is over.

    Args:
        wanted: see :func:`wanted_of`.
        find: finds a module; with several processes a function of a module.
        how: in which time, with which model.
        parallel: processes, >= 1.
        begin: called first in each process that is started, such as to set up logging.

    Raises:
        OptionError: ``parallel`` is out of range; a module or a model is not there.
    """
    if parallel < 1:
        raise OptionError(f"parallel must be at least 1, got {parallel}")
    if parallel == 1 or len(wanted) == 1:
        for one in wanted:
            yield hold(one.evals, one.conversation, find, seed=one.seed, how=how)
        return
    context = multiprocessing.get_context("spawn")  # threads of ours, and of providers, do not survive a fork
    with ProcessPoolExecutor(min(parallel, len(wanted)), mp_context=context, initializer=begin) as processes:
        going = {
            processes.submit(_hold_elsewhere, str(one.evals.path), one.conversation, find, one.seed, how): one
            for one in wanted
        }
        for done in as_completed(going):
            yield result_of(done, going[done], how)


def _hold_elsewhere(path: str, conversation: str, find: FindModule, seed: int, how: How) -> Trial:
    return hold(read_evals(path), conversation, find, seed=seed, how=how)


def result_of(done: Future[Trial], one: Wanted, how: How) -> Trial:
    """What another process made; that it ended before is a failure of its trial."""
    try:
        return done.result()
    except OptionError:
        raise
    except Exception as error:  # noqa: BLE001  such as BrokenProcessPool: the trial was not made, so it has not passed
        line = one.evals.line("conversations", one.evals.index(one.conversation))
        failure = Failure(line, 0, 0.0, "process", "that the trial ends", f"{type(error).__name__}: {error}")
        return Trial(str(one.evals.path), one.conversation, line, one.seed, how.real_time, (failure,))
