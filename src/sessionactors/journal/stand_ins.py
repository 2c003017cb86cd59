"""Stand-ins for what only lives where it was recorded: agents, providers, transports, sources and sinks, user code.

A stand-in says what the real one was, and has its *facts*: whatever the interface declares that is data and not a
call, as it was when the journal first met it. Handlers read these, so a session runs again with stand-ins alone. What
is a call is answered from the journal by replay; a stand-in that is called itself raises.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import AsyncIterable, Callable, Mapping
from functools import cache
from types import FunctionType
from typing import ClassVar, Final, NoReturn, TypeAlias

from sessionactors.interfaces.audio_io import AudioSink, AudioSource
from sessionactors.interfaces.audio_node import AudioNode
from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.interfaces.interruption_detector import InterruptionDetector
from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.markup import Markup
from sessionactors.interfaces.realtime import RealtimeModel, RealtimeSession
from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.text_io import TextSink
from sessionactors.interfaces.text_node import TextNode
from sessionactors.interfaces.transport import Transport
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.turn_detector import StreamingTurnDetector, TurnDetector, TurnDetectorStream
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.interfaces.vad import VAD
from sessionactors.interfaces.video_io import VideoSink, VideoSource
from sessionactors.model.turn_strategies import MuteStrategy, StartStrategy

from .errors import NotInJournal

Facts: TypeAlias = dict[str, object]

INTERFACES: Final[Mapping[str, type]] = {
    kind.__name__: kind
    for kind in (
        AudioNode, AudioSink, AudioSource, BackgroundSink, InterruptionDetector, LLM, Markup, MuteStrategy,
        RealtimeModel, RealtimeSession, STT, StartStrategy, StreamingTurnDetector, TTS, TextNode, TextSink, Transport,
        TurnDetector, TurnDetectorStream, UserAgent, VAD, VideoSink, VideoSource,
    )
}  # fmt: skip
"""What is reached through a protocol of ours, by the name of the protocol."""
CALLABLE: Final = "callable"
STREAM: Final = "stream"
THING: Final = "thing"
"""Kinds of what is behind no protocol: functions, iterators of user code, and anything else."""
KINDS: Final = frozenset({*INTERFACES, CALLABLE, STREAM, THING})

LEFT_OUT: Final = frozenset({"sdk_room"})
"""What an SDK beneath is, is of no use without it."""
LANGUAGES: Final = (None, "en", "de", "es", "fr", "it", "pt", "nl", "zh", "ja", "ko", "id", "ru", "tr", "hi", "en-US")
"""For which a turn detector is asked beforehand where its threshold is: handlers ask it while they run."""
LOOKED_UP: Final[Mapping[type, tuple[str, str]]] = {
    TurnDetector: ("unlikely_threshold", "thresholds"),
    StreamingTurnDetector: ("unlikely_threshold", "thresholds"),
}


class StandIn:
    """Base of all stand-ins.

    Attributes:
        number: tells the things of one journal apart; the same thing has the same stand-in.
        kind: the protocol it is of, such as ``"STT"``; or ``"callable"``, ``"stream"``, ``"thing"``.
        type_name: the class that the real one had.
        facts: what is known of it, by the names of the protocol.
    """

    number: int
    kind: ClassVar[str] = THING
    type_name: str
    facts: Facts

    @staticmethod
    def of(number: int, kind: str, type_name: str, facts: Facts) -> StandIn:
        """The stand-in for something.

        Raises:
            KeyError: there is no such kind.
        """
        cls = stand_in_class(kind)
        made = object.__new__(cls)
        own = {"number": number, "type_name": type_name, "facts": facts}
        own |= {name: value for name, value in facts.items() if not isinstance(getattr(cls, name, None), property)}
        made.__dict__.update(own)
        return made

    def __repr__(self) -> str:
        return f"<{self.type_name} #{self.number}, as recorded>"

    def _fact(self, name: str) -> object:
        try:
            return self.facts[name]
        except KeyError:
            raise NotInJournal(f"{name} of {self!r} could not be read when it was recorded") from None


class CallableStandIn(StandIn):
    """What was a function of the user's, or of the session's."""

    kind = CALLABLE

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Not there.

        Raises:
            NotInJournal: always.
        """
        raise NotInJournal(f"{self!r} was called: a journal holds what came of it, not the code")


class StreamStandIn(StandIn, AsyncIterable[object]):
    """What was an async iterable of the user's."""

    kind = STREAM

    def __aiter__(self) -> NoReturn:
        raise NotInJournal(f"{self!r} was iterated: a journal holds what came of it, not the code")


@cache
def stand_in_class(kind: str) -> type[StandIn]:
    """The class of stand-ins of a kind.

    Raises:
        KeyError: there is no such kind.
    """
    plain = {CALLABLE: CallableStandIn, STREAM: StreamStandIn, THING: StandIn}.get(kind)
    if plain is not None:
        return plain
    interface = INTERFACES[kind]
    body: dict[str, object] = {"kind": kind, "__repr__": StandIn.__repr__, "__hash__": object.__hash__}
    body["__eq__"] = object.__eq__
    for name in fact_names(interface):
        if isinstance(inspect.getattr_static(interface, name, None), property):
            body[name] = _fact_of(name)
    for name in getattr(interface, "__abstractmethods__", ()):
        if name not in body:
            body[name] = _not_there(name)
    if interface in LOOKED_UP:
        asked, table = LOOKED_UP[interface]
        body[asked] = _look_up(asked, table)
    return type(f"{kind}StandIn", (StandIn, interface), body)


def _fact_of(name: str) -> property:
    def read(self: StandIn) -> object:
        return self._fact(name)

    return property(read)


def _not_there(name: str) -> Callable[..., NoReturn]:
    def call(self: StandIn, *_: object, **__: object) -> NoReturn:
        raise NotInJournal(f"{name}() of {self!r} was called: a journal holds what came of it, not the code")

    call.__name__ = call.__qualname__ = name
    return call


def _look_up(asked: str, table: str) -> Callable[[StandIn, object], object]:
    def answer(self: StandIn, key: object = None) -> object:
        answers = self._fact(table)
        if not isinstance(answers, Mapping) or key not in answers:
            raise NotInJournal(f"{asked}({key!r}) of {self!r} was not asked beforehand")
        return answers[key]

    return answer


def fact_names(interface: type) -> tuple[str, ...]:
    """Names of what an interface declares that is no call."""
    names = _fact_names.get(interface)
    if names is None:
        names = _fact_names[interface] = _fact_names_of(interface)
    return names


_fact_names: Final[dict[type, tuple[str, ...]]] = {}


def _fact_names_of(interface: type) -> tuple[str, ...]:
    names: set[str] = set()
    for cls in interface.__mro__:
        if not cls.__module__.startswith("sessionactors."):
            continue
        names |= set(vars(cls).get("__annotations__", {}))
        names |= {name for name, value in vars(cls).items() if not isinstance(value, FunctionType | classmethod)}
    kept = {name for name in names if not name.startswith("_")} - LEFT_OUT
    return tuple(sorted(name for name in kept if not isinstance(getattr(interface, name, None), FunctionType)))


def kind_of(cls: type) -> str:
    """Which kind things of a class are."""
    kind = _kinds.get(cls)
    if kind is None:
        kind = _kinds[cls] = _kind_of(cls)
    return kind


_kinds: Final[weakref.WeakKeyDictionary[type, str]] = weakref.WeakKeyDictionary()


def _kind_of(cls: type) -> str:
    for kind, interface in INTERFACES.items():
        if issubclass(cls, interface):
            return kind
    if any("__call__" in vars(base) for base in cls.__mro__):  # of its instances: any class can be called itself
        return CALLABLE
    return STREAM if issubclass(cls, AsyncIterable) else THING


def named(thing: object) -> tuple[str, str]:
    """Kind and name of the class of something: for functions their own name."""
    if isinstance(thing, StandIn):
        return thing.kind, thing.type_name
    kind = kind_of(type(thing))
    own = thing if kind == CALLABLE and hasattr(thing, "__qualname__") else type(thing)
    return kind, f"{getattr(own, '__module__', '?')}:{getattr(own, '__qualname__', '?')}"


def described(thing: object) -> tuple[str, str, Facts]:
    """What is kept of something: its kind, the name of its class (of a function, its own), and its facts.

    Facts that raise are left out: whoever reads them then is told so.
    """
    kind, name = named(thing)
    if isinstance(thing, StandIn) or kind not in INTERFACES:
        return kind, name, thing.facts if isinstance(thing, StandIn) else {}
    facts: Facts = {}
    for fact in fact_names(INTERFACES[kind]):
        try:
            facts[fact] = getattr(thing, fact)
        except Exception:  # noqa: BLE001, S112  its own code may raise anything; what is missing says so
            continue
    for interface, (asked, table) in LOOKED_UP.items():
        if isinstance(thing, interface):
            facts[table] = _answers(getattr(thing, asked))
    return kind, name, facts


def _answers(ask: Callable[[str | None], object]) -> dict[str | None, object]:
    answers: dict[str | None, object] = {}
    for language in LANGUAGES:
        try:
            answers[language] = ask(language)
        except Exception:  # noqa: BLE001, S112  its own code may raise anything; what is missing says so
            continue
    return answers
