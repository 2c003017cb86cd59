"""What a service answers, drawn for people: rooms as a table, snapshots as a tree. Reads JSON, knows no session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Body: TypeAlias = "Mapping[str, Any]"

COLUMNS: Final = ("ROOM", "PHASE", "AGENT", "AGENT IS", "USER IS", "SPEECH", "ITEMS")
LONGEST: Final = 160
"""Characters of a line in a stream."""


def rooms(body: Body) -> str:
    """``ps``: the rooms, and what the service has seen."""
    rows = [
        tuple(
            "-" if room[key] is None else str(room[key])
            for key in ("room", "phase", "agent", "agent_state", "user_state", "current_speech", "messages")
        )
        for room in body["rooms"]
    ]
    stats = body["stats"]
    taken = stats["starting"] + stats["open"] + stats["closing"]
    refused = stats["refused_full"] + stats["refused_draining"] + stats["refused_closed"]
    counts = (
        f"{taken} of {stats['max_sessions']} rooms; since the start {stats['admitted']} taken in, {refused} refused, "
        f"{stats['closed']} closed, {stats['crashed']} crashed"
    )
    return "\n".join([*(_table(COLUMNS, rows) if rows else ()), counts])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def tree(body: Body) -> str:
    """``tree``: each actor in a line: status, what waits, what it is at."""
    lines = [f"{body['room']}  {len(body['actors'])} actors{_blocked(body)}"]
    for path, actor in body["actors"].items():
        depth = path.count("/")
        at = _at(actor)
        waits = actor["control_depth"] + actor["data_depth"]
        waiting = f"  {waits} wait, the oldest {_oldest(actor):.2f} s" if waits else ""
        lines.append(
            f"{'  ' * depth}{'' if depth == 0 else '- '}{path.rsplit('/', 1)[-1]}  {actor['status']}{waiting}{at}"
        )
    return "\n".join(lines)


def _blocked(body: Body) -> str:
    return f"; THE ACTOR LOOP HAS NOT RUN FOR {body['loop_blocked']:.2f} s" if body["loop_blocked"] else ""


def _oldest(actor: Body) -> float:
    return max((waiting["age"] for lane in ("control", "data") for waiting in actor[lane][:1]), default=0.0)


def _at(actor: Body) -> str:
    hand = actor["in_hand"]
    if hand is not None:
        return f"  handles {hand['type']} #{hand['id']} for {hand['running']:.2f} s"
    effects = ", ".join(f"{effect['key']} {effect['running']:.1f} s" for effect in actor["effects"])
    return f"  runs {effects}" if effects else ""


def snapshot(body: Body) -> str:
    """``inspect ROOM``: everything that is known of every actor, and what is owed."""
    total = body["accounts"]
    lines = [
        (
            f"room {body['room']}: {len(body['actors'])} actors, {total['received']} messages received, "
            f"{total['handled']} handled, {total['fenced']} fenced, {total['dropped']} dropped, "
            f"{total['failed']} failed, {len(body['dead_letters'])} dead letters{_blocked(body)}"
        )
    ]
    for one in body["actors"].values():
        lines.extend(f"  {line}" for line in _actor(one))
    for owed in body["obligations"]:
        due = (owed["deadline"] - body["now"]) / 1e9
        lines.append(f"  open: {owed['key']} of {owed['owner']} waits for {owed['waits_for']} (due in {due:.2f} s)")
    return "\n".join(lines)


def actor(body: Body) -> str:
    """``inspect ROOM ACTOR``: one actor, with the last messages that it handled."""
    lines = list(_actor(body))
    for done in body["recent"]:
        took = "raised" if done["took"] < 0 else f"took {done['took'] / 1e6:.2f} ms"
        lines.append(f"  handled {done['type']} #{done['id']}: waited {done['waited'] / 1e6:.2f} ms, {took}")
    return "\n".join(lines)


def _actor(body: Body) -> Iterator[str]:
    facts = " ".join(f"{key}={value}" for key, value in body["state"].items())
    head = f"{body['path']} [{body['status']}] control {body['control_depth']}, data {body['data_depth']}"
    head += f", handled {body['accounts']['handled']}"
    head += f", restarts {body['restarts']}" if body["restarts"] else ""
    yield f"{head}  {facts}".rstrip()
    hand = body["in_hand"]
    if hand is not None:
        yield f"  in hand: {hand['type']} #{hand['id']} from {hand['sender']} for {hand['running']:.3f} s"
    for lane in ("control", "data"):
        for waiting in body[lane]:
            yield f"  {lane}: {waiting['type']} #{waiting['id']} from {waiting['sender']}, {waiting['age']:.3f} s old"
    for timer in body["timers"]:
        yield f"  timer {timer['key']} in {timer['due_in']:.3f} s"
    for effect in body["effects"]:
        until = "" if effect["deadline_in"] is None else f", deadline in {effect['deadline_in']:.2f} s"
        ending = ", cancelled" if effect["ending"] else ""
        yield f"  effect {effect['key']} for {effect['running']:.2f} s{until}{ending}"
    if body["last_error"]:
        yield f"  last error: {body['last_error']}"


def event(line: Body) -> str:
    """``tail``: an event, or a message that an actor has handled."""
    if line["type"] == "delivery":
        told = f"{line['sender'] or 'outside'} -> {line['target']}  {line['summary']}"
        late = f"  waited {line['waited'] * 1e3:.1f} ms" if line["waited"] > 0.001 else ""
        return _short(f"#{line['id']}  {told}  {line['outcome']} in {line['took'] * 1e3:.2f} ms{late}")
    facts = "  ".join(f"{key}={_value(value)}" for key, value in line.items() if key not in {"type", "created_at"})
    return _short(f"{line['type']}  {facts}".rstrip())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        kept = {key: each for key, each in value.items() if each not in (None, "", [], {})}
        return "{" + ", ".join(f"{key}: {_value(each)}" for key, each in kept.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _short(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
