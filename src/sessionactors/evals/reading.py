"""From the text of an eval file to its values. What is wrong is told with file, line, key, and what there is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import pydantic

from sessionactors.model.errors import OptionError

from .scenario_file import Conversation, EvalFile, Part, plain_key

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

LARGEST: Final = 1_000_000
"""Characters of a file: more than anybody writes."""
MOST_PARTS: Final = 50_000
"""Keys and values of a file, each as often as it is referred to: a few lines of aliases can mean millions."""
DEEPEST: Final = 20
"""Levels of a file: nothing of ours has half of them, and a part that contains itself has no end."""


class EvalFileError(OptionError):
    """Raised when an eval file cannot be read: each line names the file's line, the key, and what there is instead."""


@dataclass(frozen=True, slots=True)
class Evals:
    """A file that was read."""

    path: Path
    file: EvalFile
    lines: Mapping[tuple[str | int, ...], int]
    """Line of each part, from 1, by its way from the top: ``("conversations", 0, "steps", 2)``."""

    @property
    def agent(self) -> str:
        """The module: a path from here, or a dotted name."""
        name = self.file.agent
        if not name.endswith(".py") and "/" not in name and "\\" not in name:
            return name
        return str(self.path.parent / name)

    def line(self, *way: str | int) -> int:
        """The line of a part, or of the nearest around it."""
        while way and way not in self.lines:
            way = way[:-1]
        return self.lines.get(way, 1)

    def index(self, conversation: str) -> int:
        """The place of a conversation."""
        return next(n for n, other in enumerate(self.file.conversations) if other.name == conversation)

    def conversation(self, name: str) -> Conversation:
        """The one of that name.

        Raises:
            EvalFileError: there is none.
        """
        found = next((other for other in self.file.conversations if other.name == name), None)
        if found is None:
            names = ", ".join(repr(other.name) for other in self.file.conversations)
            raise EvalFileError(f"{self.path}: there is no conversation {name!r}; there are {names}")
        return found


def read_evals(path: Path | str) -> Evals:
    """Read a file.

    Raises:
        EvalFileError: there is none, or it is not as it should be; all that is wrong is said at once.
        ImportError: the extra ``evals`` is not installed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise EvalFileError(f"{path}: is not UTF-8: {error}") from error
    except OSError as error:
        raise EvalFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(text) > LARGEST:
        raise EvalFileError(f"{path}: has {len(text)} characters; an eval file has at most {LARGEST}: make it several")
    value, lines = _parsed(path, text)
    try:
        return Evals(path, EvalFile.model_validate(value), lines)
    except pydantic.ValidationError as error:
        told = [
            _told(path, lines, problem["loc"], problem)
            for problem in error.errors(include_url=False)
            if problem["type"] != "too_short" or not problem["input"]  # its parts were wrong: they are told themselves
        ]
        raise EvalFileError("\n".join(dict.fromkeys(told))) from None


def _parsed(path: Path, text: str) -> tuple[object, dict[tuple[str | int, ...], int]]:
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415  an extra
        from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415
    except ImportError as missing:
        raise ImportError("eval files are YAML: pip install 'sessionactors[evals]'") from missing
    lines: dict[tuple[str | int, ...], int] = {}
    try:
        _note_lines(YAML(typ="safe", pure=True).compose(text), (), lines, path)
        value = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        what = " ".join(part.strip() for part in (error.context, error.problem) if part)
        raise EvalFileError(f"{where}: is not YAML: {what}") from error
    except YAMLError as error:
        raise EvalFileError(f"{path}: is not YAML: {error}") from error
    if not isinstance(value, dict):
        raise EvalFileError(f"{path}:1: must be keys and values: agent, conversations, ...")
    return value, lines


def _note_lines(
    node: Node | None, way: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], path: Path
) -> None:
    from ruamel.yaml.nodes import MappingNode, SequenceNode  # noqa: PLC0415

    if node is None:
        return  # an empty file
    lines.setdefault(way, node.start_mark.line + 1)
    if len(lines) > MOST_PARTS or len(way) > DEEPEST:
        what = f"is deeper than {DEEPEST} levels" if len(way) > DEEPEST else f"has more than {MOST_PARTS} parts"
        raise EvalFileError(f"{path}:{node.start_mark.line + 1}: {what}: make it simpler, or several files")
    if isinstance(node, MappingNode):
        for key, item in node.value:
            below = (*way, plain_key(str(key.value)))
            lines[below] = key.start_mark.line + 1
            _note_lines(item, below, lines, path)
    elif isinstance(node, SequenceNode):
        for number, item in enumerate(node.value):
            _note_lines(item, (*way, number), lines, path)


def _told(
    path: Path,
    lines: Mapping[tuple[str | int, ...], int],
    loc: tuple[str | int, ...],
    problem: Mapping[str, object],
) -> str:
    """One problem: where, which key, what is wrong, what there is."""
    way = tuple(plain_key(part) if isinstance(part, str) else part for part in loc)
    known = way
    while known and known not in lines:
        known = known[:-1]
    key = _named(known) or "the file"
    what = str(problem["msg"]).removeprefix("Value error, ")
    match problem["type"]:
        case "extra_forbidden":
            what = f"there is no key {str(way[-1]).replace('_', ' ')!r} here; {_instead(way)}"
        case "missing":
            what = f"{str(way[-1]).replace('_', ' ')!r} is missing"
        case _:
            given = problem.get("input")
            if isinstance(given, str | int | float | bool) and "Value error" not in str(problem["msg"]):
                what = f"{what[:1].lower()}{what[1:]}, got {given!r}"
    return f"{path}:{lines.get(known, 1)}: {key}: {what}"


def _named(way: Sequence[str | int]) -> str:
    """``conversations[0].steps[2].expect``, as people count: from 1."""
    text = ""
    for part in way:
        if isinstance(part, int):
            text += f" {part + 1}"
        else:
            text += f"{', ' if text else ''}{part.replace('_', ' ')}"
    return text


def _instead(way: Sequence[str | int]) -> str:
    """The keys that the part has, the nearest first."""
    kind = _part_at(EvalFile, way[:-1])
    if kind is None:
        return "it takes none"
    names = [name.replace("_", " ") for name in kind.model_fields]
    near = difflib.get_close_matches(str(way[-1]).replace("_", " "), names, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}There are {', '.join(names)}"


def _part_at(kind: type[Part], way: Sequence[str | int]) -> type[Part] | None:
    for name in way:
        if isinstance(name, int):
            continue
        field = kind.model_fields.get(name)
        below = None if field is None else _part_in(field.annotation)
        if below is None:
            return None
        kind = below
    return kind


def _part_in(annotation: object) -> type[Part] | None:
    """The part that a field is made of: itself, or inside of a tuple, an optional or an annotated one."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _part_in(inner)) is not None), None)
