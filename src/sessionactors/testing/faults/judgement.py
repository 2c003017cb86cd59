"""What a run under faults still owes: the promises, less what nobody can keep who does not know of the fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sessionactors.testing import invariants

from .fault import ActorFault, Fault, SignalFault

if TYPE_CHECKING:
    from sessionactors.testing.invariants import Broken
    from sessionactors.testing.scenario_run import Run

UNKNOWABLE_SOUND = frozenset({"drop", "double", "swap", "end", "garbage"})
"""Of audio that a voice has lost, doubled or mixed up without a word, nobody knows which words were heard."""
OWED_ALWAYS = frozenset({"P1", "P6", "P7", "P10", "P12", "P17", "P18"})
"""What is owed even when messages between actors are refused; what is not done then is named (P9)."""


def broken(run: Run) -> list[Broken]:
    """The promises that the run did not keep although it could. ``invariants.broken`` if nothing has struck.

    A report of the sink that never came is not known: then less may be kept than was heard (P2), never more. Of a full
    mailbox the senders are told; what is lost by it is named by the obligation that expires.
    """
    found = invariants.broken(run)
    for fault in run.struck:
        found = [one for one in found if _is_owed(one, fault, run)]
    if any(_hides_sound(fault) for fault in run.struck):
        found += _more_than_was_heard(run)
    return found


def _is_owed(found: Broken, fault: Fault, run: Run) -> bool:
    if isinstance(fault, ActorFault) and fault.does == "fill":
        return found.promise in OWED_ALWAYS
    if isinstance(fault, ActorFault) and fault.does == "block" and not fault.seconds:
        return found.promise in OWED_ALWAYS
    if isinstance(fault, ActorFault) and fault.does == "kill" and fault.actor == "supervisor":  # the session ends
        return found.promise in OWED_ALWAYS
    if not isinstance(fault, SignalFault):
        return True
    if found.promise == "P2":
        return not (_hides_sound(fault) or _loses_sound(fault))
    # What ignores that it was cancelled is given up at the end, and named.
    return not (fault.does == "stuck" and found.what.startswith(("abandoned", "left behind")) and _is_named(run))


def _hides_sound(fault: Fault) -> bool:
    return isinstance(fault, SignalFault) and (fault.signal.startswith("playout.") or fault.does == "lose")


def _loses_sound(fault: Fault) -> bool:
    return isinstance(fault, SignalFault) and fault.signal == "tts.audio" and fault.does in UNKNOWABLE_SOUND


def _is_named(run: Run) -> bool:
    """What is left behind is what the close report gives up."""
    abandoned = {} if run.report is None else run.report.abandoned
    return all(leak.split(" ", 1)[-1].split("#")[0] in abandoned for leak in run.leaks)


def _more_than_was_heard(run: Run) -> Iterator[Broken]:
    if any(_loses_sound(fault) for fault in run.struck):
        return
    heard_of = {piece.segment for piece in run.audio}
    kept: dict[str, str] = {}
    for piece in run.transcripts:
        if piece.participant == "agent" and piece.segment in heard_of:  # the others were shown only
            kept[piece.segment] = kept.get(piece.segment, "") + piece.text
    for segment, text in kept.items():
        _, heard = run.heard_of(segment)
        words = text.split()
        if run.word_timings and words != heard[: len(words)]:
            yield invariants.Broken("P2", f"{segment}: heard was {' '.join(heard)!r}, kept is {text!r}")
