"""Values to nodes: what msgpack has types for. One function for each class, written when it is first met.

See ``encoding``, which makes bytes of them.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

import numpy as np

from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.read_only import ReadOnlyList
from sessionactors.model.sentinel import FlushSentinel, NotGiven
from sessionactors.model.timed_string import TimedString
from sessionactors.model.video import VideoFrame
from sessionactors.runtime import Ref, ReplyTo, Scope

from .allowed import is_allowed, is_allowed_error, name_of
from .recorded import Opaque, RecordedRef, RecordedReply, UserValue
from .stand_ins import THING, StandIn, kind_of
from .tags import FIRST_CLASS, Tag

Node: TypeAlias = object
"""What msgpack has a type for."""
Flatten: TypeAlias = Callable[[Any, "Context"], Node]

PLAIN: Final = frozenset({str, int, float, bool, bytes, type(None)})
TEXT_OF_ERROR: Final = 2000
"""Characters."""


class Context:
    """What the functions that flatten values ask for."""

    audio: bool
    """Whether frames keep what they hold."""
    table: Flattens
    """How values of each class are flattened."""

    def live(self, thing: object) -> Node:
        """What stands for something that only lives here."""
        raise NotImplementedError

    def scope(self, scope: Scope) -> Node:
        """What stands for a scope."""
        raise NotImplementedError


# -- classes ---------------------------------------------------------------------------------------------------------

CLASSES: Final[list[tuple[int, str, tuple[str, ...]]]] = []
"""All classes met in this process, in order: number, name, fields."""
_numbers: Final[dict[type, int]] = {}


def class_number(cls: type) -> int:
    """The number of an allowed class: made of its name, so that hashes are the same in every process."""
    number = _numbers.get(cls)
    if number is None:
        number = _numbers[cls] = FIRST_CLASS + zlib.crc32(name_of(cls).encode())
        names = tuple(field.name for field in fields(cls)) if is_dataclass(cls) else ()
        CLASSES.append((number, name_of(cls), names))
    return number


def _flatten_of(cls: type, table: Flattens) -> Flatten:
    """A function for the dataclass ``cls``: a list of its number and its fields."""
    names = [field.name for field in fields(cls)]
    given: dict[str, object] = {"PLAIN": PLAIN, "FLATTEN": table, "NUMBER": class_number(cls)}
    reads = "".join(f"    v{index} = value.{name}\n" for index, name in enumerate(names))
    parts = "".join(
        f", v{index} if v{index}.__class__ in PLAIN else FLATTEN[v{index}.__class__](v{index}, context)"
        for index in range(len(names))
    )
    source = f"def flatten(value, context):\n{reads}    return [NUMBER{parts}]\n"
    exec(source, given)  # noqa: S102  names of fields only, as in dataclasses
    return cast("Flatten", given["flatten"])


def flatten(value: object, context: Context) -> Node:
    """A value as nodes."""
    kind = value.__class__
    return value if kind in PLAIN else context.table[kind](value, context)


# -- everything else -------------------------------------------------------------------------------------------------


def _sequence(tag: Tag) -> Flatten:
    number = int(tag)

    def flatten_items(items: Any, context: Context) -> Node:
        return [number, *[flatten(item, context) for item in items]]

    return flatten_items


def _in_order(tag: Tag) -> Flatten:
    number = int(tag)

    def flatten_items(items: Any, context: Context) -> Node:
        # By what they look like: a set of strings has another order in each process.
        return [number, *sorted((flatten(item, context) for item in items), key=repr)]

    return flatten_items


def _mapping(tag: Tag) -> Flatten:
    number = int(tag)

    def flatten_items(items: Mapping[object, object], context: Context) -> Node:
        parts: list[Node] = [number]
        for key, value in items.items():
            parts.append(flatten(key, context))
            parts.append(flatten(value, context))
        return parts

    return flatten_items


def _read_only_list(items: ReadOnlyList[object], context: Context) -> Node:
    return [int(Tag.READ_ONLY_LIST), items.advice, *[flatten(item, context) for item in items]]


def _enum_of(cls: type[Enum]) -> Flatten:
    """Members are few, and the same for good."""
    known: dict[int, Node] = {}
    ours = is_allowed(cls)

    def flatten_member(member: Enum, context: Context) -> Node:
        node = known.get(id(member))
        if node is None:
            of_ours = [int(Tag.ENUM), class_number(cls), flatten(member.value, context)] if ours else None
            node = known[id(member)] = of_ours or [int(Tag.USER_ENUM), name_of(cls), str(member.name)]
        return node

    return flatten_member


def _frame(frame: AudioFrame, context: Context) -> Node:
    data: Node = frame.data if context.audio else [int(Tag.SILENCED), len(frame.data)]
    return [_FRAME, data, frame.sample_rate, frame.num_channels]


def _video(frame: VideoFrame, context: Context) -> Node:
    data: Node = frame.data if context.audio else [int(Tag.SILENCED), len(frame.data)]
    return [_VIDEO, data, frame.width, frame.height, flatten(frame.format, context), frame.captured_at]


def _error(error: BaseException, context: Context) -> Node:
    names = [name_of(cls) for cls in type(error).__mro__ if issubclass(cls, BaseException)]
    attributes = {name: value for name, value in vars(error).items() if not name.startswith("_")}
    cause = error.__cause__
    return [
        int(Tag.EXCEPTION),
        [int(Tag.TUPLE), *names],
        _text(error)[:TEXT_OF_ERROR],
        flatten(tuple(error.args), context) if is_allowed_error(type(error)) else [int(Tag.TUPLE)],
        flatten(attributes, context),
        None if cause is None else flatten(cause, context),
    ]


def _text(error: BaseException) -> str:
    try:
        return str(error).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001  it is the user's
        return ""


def _user_value(value: object, context: Context) -> Node:
    told = {field.name: getattr(value, field.name, None) for field in fields(value)}  # type: ignore[arg-type]
    return _fields(name_of(type(value)), told, context)


def _fields(name: str, told: Mapping[str, object], context: Context) -> Node:
    parts: list[Node] = [int(Tag.USER_VALUE), name]
    for field, value in told.items():
        parts += (field, flatten(value, context))
    return parts


def _reply(reply: ReplyTo | RecordedReply, context: Context) -> Node:
    return [int(Tag.REPLY), reply.message_id]


def _timed(text: TimedString, context: Context) -> Node:
    times = (text.start_time, text.end_time, text.confidence, text.start_time_offset, text.speaker_id)
    return [int(Tag.TIMED_STRING), flatten(str(text), context), *[flatten(time, context) for time in times]]


def _number(value: Any, context: Context) -> Node:
    return flatten(value.item(), context)


def _opaque(value: object, context: Context) -> Node:
    return [int(Tag.OPAQUE), name_of(type(value))]


def _told_opaque(value: Opaque, context: Context) -> Node:
    return [int(Tag.OPAQUE), value.type_name]


class Flattens(dict[type, Flatten]):
    """How to flatten values of a class, found out when the first one comes."""

    def __missing__(self, cls: type) -> Flatten:
        how = self[cls] = self._how(cls)
        return how

    def _how(self, cls: type) -> Flatten:
        if issubclass(cls, Enum):
            return _enum_of(cls)
        for is_so, how in _KINDS:
            if is_so(cls):
                return how
        if is_dataclass(cls):
            return _flatten_of(cls, self) if is_allowed(cls) else _user_value
        for container, how in _CONTAINERS.items():
            if issubclass(cls, container):
                return how
        return _opaque if kind_of(cls) == THING else _live


def _live(thing: object, context: Context) -> Node:
    return context.live(thing)


def _ref(ref: Ref[object] | RecordedRef, context: Context) -> Node:
    return [int(Tag.REF), ref.path]


def _type(cls: type, context: Context) -> Node:
    return [int(Tag.TYPE), name_of(cls)]


def _child_of(plain: type) -> Flatten:
    return lambda value, context: flatten(plain(value), context)


def _sentinel(value: object, context: Context) -> Node:
    return [int(Tag.SENTINEL), repr(value)]


def _bytes(value: bytearray | memoryview, context: Context) -> Node:
    return bytes(value)


def _is(*classes: type) -> Callable[[type], bool]:
    return lambda cls: issubclass(cls, classes)


_KINDS: Final[tuple[tuple[Callable[[type], bool], Flatten], ...]] = (
    (_is(StandIn), _live),
    (_is(BaseException), _error),
    (_is(Ref), _ref),
    (_is(type), _type),
    (_is(np.generic), _number),
)
_CONTAINERS: Final[dict[type, Flatten]] = {
    ReadOnlyList: _read_only_list,
    tuple: _sequence(Tag.TUPLE),
    list: _sequence(Tag.LIST),
    deque: _sequence(Tag.LIST),
    dict: _mapping(Tag.DICT),
    MappingProxyType: _mapping(Tag.MAPPING),
    set: _in_order(Tag.SET),
    frozenset: _in_order(Tag.FROZENSET),
    ChatContext: lambda chat, context: [int(Tag.CHAT_CONTEXT), *[flatten(item, context) for item in chat.items]],
    bytearray: _bytes,
    memoryview: _bytes,
    str: _child_of(str),
    bytes: _child_of(bytes),
    int: _child_of(int),
    float: _child_of(float),
}

FLATTEN: Final = Flattens(
    {
        AudioFrame: _frame,
        VideoFrame: _video,
        TimedString: _timed,
        NotGiven: _sentinel,
        FlushSentinel: _sentinel,
        Scope: lambda scope, context: context.scope(scope),
        ReplyTo: _reply,
        RecordedReply: _reply,
        RecordedRef: _ref,
        UserValue: lambda value, context: _fields(value.type_name, value.fields, context),
        Opaque: _told_opaque,
    }
)
_FRAME: Final = class_number(AudioFrame)
_VIDEO: Final = class_number(VideoFrame)
