"""Records in words, and whether two of them are of the same thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .records import (
    Discarded,
    Entered,
    Failed,
    Handled,
    Hooked,
    HookFailed,
    NotCarriedOut,
    Obeyed,
    Ordered,
    Record,
    Taken,
)

if TYPE_CHECKING:
    from sessionactors.runtime.envelope import Envelope
    from sessionactors.runtime.operation import Operation


def same_turn(record: Record, now: Handled) -> bool:
    """Whether a record is of the message that is handled now."""
    return isinstance(record, Handled) and about(record) == about(now)


def about(record: Record) -> tuple[object, ...]:
    """By what two records are of the same thing."""
    match record:
        case Handled(target, id, cause, kind):
            return target, id, cause, kind
        case Failed(target, id, error):
            return target, id, _kind(error)
        case Hooked(target, hook):
            return target, hook
        case HookFailed(target, hook, _, error):
            return target, hook, _kind(error)
        case Discarded(target, id, fate):
            return target, id, fate
        case _:
            return (record,)


def _kind(error: object) -> str:
    return type(error).__name__


def operation_in_words(operation: Operation) -> str:
    """What a handler asked for."""
    target, what = operation
    if target is not None:
        return f"tell {target.path} {type(what).__name__}"
    return str(cast("tuple[Any, ...]", what)[0].__name__)


def said(record: Record) -> str:  # noqa: PLR0911  a line for each kind
    """A record in words."""
    match record:
        case Handled(target, id, cause, kind):
            return f"{target} handles {kind} #{id} (caused by #{cause})"
        case Failed(target, id, error):
            return f"{target} fails at #{id}: {error!r}"
        case Hooked(target, hook):
            return f"{target} is {hook.value}"
        case HookFailed(target, hook, _, error):
            return f"{target} fails while it is {hook.value}: {error!r}"
        case Discarded(target, id, fate):
            return f"{target} does not handle #{id}: {fate.value}"
        case Taken(target, id):
            return f"{target} gives #{id} to its thread"
        case Obeyed(target, message):
            return f"{target} obeys {message}"
        case Ordered(target, message):
            return f"{target} is told to {type(message).__name__.lower()}"
        case Entered(target=target, id=id, sender=sender, message=message):
            return f"{type(message).__name__} #{id} from {sender} enters {target}"
        case NotCarriedOut(target, operation, error):
            return f"{target} could not {operation}: {error!r}"
        case _:
            return repr(record)


def served_in_words(record: Record | None, served: Envelope | None) -> str:
    """The message at which two runs part: that of the record, or the one that was handled last."""
    if isinstance(record, Handled) and (served is None or served.id != record.id):
        return f"{record.type} #{record.id}"
    return "-" if served is None else f"{type(served.message).__name__} #{served.id} from {served.sender}"
