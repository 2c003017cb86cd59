"""``keyterms``: what the recogniser may know of the conversation. There only if the recogniser can use it.

Hears from ``history`` what was said; if detection is on, has a model look for names and terms; tells every ``stt``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import STT
from sessionactors.messages.history import HistoryChanged
from sessionactors.messages.keyterms import (
    ContextForRecognitionWanted,
    KeytermSearchFailed,
    KeytermsSearched,
    RecognitionContextChanged,
    SetKeyterms,
)
from sessionactors.messages.session import Publish
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import APIError
from sessionactors.model.events import KeytermsNote
from sessionactors.model.tools import ToolDefinition
from sessionactors.runtime import Actor, ChildSpec, EffectPort, Outbox, Ref
from sessionactors.runtime.frozen import replace

from .keyterm_list import KeytermList
from .wiring import Wiring

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage

KeytermsMessage: TypeAlias = (
    HistoryChanged | ContextForRecognitionWanted | SetKeyterms | KeytermsSearched | KeytermSearchFailed
)

TURNS = 12
"""Messages that recogniser and model are told, the newest."""
SEARCH = "search"

TOOL: Final = ToolDefinition(
    name="record_keyterms",
    description="Says what has changed in the list of terms.",
    parameters={
        "type": "object",
        "properties": {
            name: {"type": "array", "items": {"type": "string"}, "description": description}
            for name, description in (
                ("pending", "terms that were heard and whose spelling is not certain"),
                ("confirm", "terms whose spelling is certain now"),
                ("remove", "terms that the user has corrected"),
            )
        },
        "required": ["pending", "confirm", "remove"],
    },
)
PROMPT: Final = """\
A speech recogniser is helped by a list of names and special terms in their right spelling. Read the conversation and
call record_keyterms once with what has changed. The user's lines come from the recogniser and may be misspelt, also
repeatedly. A spelling is certain if the user spelt it letter by letter and the assistant took it over without doubt,
if the assistant uses it by itself, or if the user corrected another one. When in doubt, put a term under pending. Leave
out ordinary words, and terms that are in the list already."""


@dataclass(frozen=True, slots=True)
class KeytermsState:
    """The words, and who is told of them."""

    terms: KeytermList
    listeners: tuple[Ref[RecognitionContextChanged], ...] = ()
    said: tuple[ChatMessage, ...] = ()
    turns: int = 0
    """User turns since the last search."""
    searching: bool = False
    failed: int = 0
    listening: frozenset[str] = field(default=frozenset())


class KeytermsActor(Actor[KeytermsState, KeytermsMessage]):
    """Tells the recogniser what to expect.

    Args:
        wiring: the session's actors.
        given: words that are always expected, to begin with.
    """

    def __init__(self, wiring: Wiring, given: tuple[str, ...]) -> None:
        self._wiring = wiring
        self._options = wiring.components.recognition
        self._given = given

    def initial(self) -> KeytermsState:
        """What was given."""
        return KeytermsState(KeytermList(self._given))

    def restarted(self, state: KeytermsState, error: BaseException, out: Outbox[KeytermsMessage]) -> KeytermsState:
        """A search ended with the failure; the next turn begins another."""
        return replace(state, searching=False)

    def receive(self, state: KeytermsState, message: KeytermsMessage, out: Outbox[KeytermsMessage]) -> KeytermsState:
        """One message."""
        match message:
            case HistoryChanged(_, added):
                return self._on_said(state, tuple(item for item in added if isinstance(item, ChatMessage)), out)
            case ContextForRecognitionWanted(listener):
                out.tell(listener, RecognitionContextChanged(self._context(state)))
                alive = tuple(one for one in state.listeners if one.is_alive() and one.path != listener.path)
                return replace(state, listeners=(*alive, listener))
            case SetKeyterms(keyterms):
                return self._tell(replace(state, terms=replace(state.terms, given=keyterms)), out)
            case KeytermsSearched():
                terms = state.terms.searched(message, self._options.max_keyterms)
                changed = terms.terms != state.terms.terms
                state = replace(state, terms=terms, searching=False)
                return self._tell(state, out) if changed else state
            case KeytermSearchFailed(error):
                out.log("keyterms_not_searched", level="warning", error=repr(error))
                return replace(state, searching=False, failed=state.failed + 1)
            case _:
                assert_never(message)

    def _on_said(
        self, state: KeytermsState, messages: tuple[ChatMessage, ...], out: Outbox[KeytermsMessage]
    ) -> KeytermsState:
        said = tuple(message for message in messages if message.text_content)
        if not said:
            return state
        state = replace(state, said=(*state.said, *said)[-TURNS:])
        if self._options.forward_chat_context:
            self._tell_listeners(state, out)
        turns = state.turns + sum(message.role == "user" for message in said)
        state = replace(state, turns=turns)
        llm = self._options.llm or self._wiring.components.llm
        if (
            not self._options.detection
            or not isinstance(llm, LLM)
            or state.searching
            or turns < self._options.turn_interval
        ):
            return state
        self._search(state, llm, out)
        return replace(state, turns=0, searching=True)

    def _search(self, state: KeytermsState, llm: LLM, out: Outbox[KeytermsMessage]) -> None:
        request = self._request(state, out)

        async def search(_: EffectPort[KeytermsMessage]) -> KeytermsSearched:
            async with llm.chat(chat_ctx=ChatContext(request), tools=(TOOL,), tool_choice="required") as answer:
                calls = [call async for chunk in answer for call in chunk.tool_calls]
            return _read(calls[0].arguments) if calls else KeytermsSearched()

        out.effect(
            SEARCH,
            search,
            done=lambda result: result,
            failed=KeytermSearchFailed,
            deadline=self._options.timeout,
            user_loop=llm.home is Home.USER,
        )

    def _request(self, state: KeytermsState, out: Outbox[KeytermsMessage]) -> list[ChatMessage]:
        terms, now = state.terms, out.wall()
        listed = ", ".join(terms.terms) or "none"
        doubted = ", ".join(terms.pending) or "none"
        prompt = self._options.instructions or PROMPT
        lists = f"Terms in the list: {listed}\nTerms in doubt: {doubted}"
        talk = "\n".join(f"{message.role.upper()}: {message.text_content}" for message in state.said)
        return [
            ChatMessage("system", [prompt], id="keyterms.instructions", created_at=now),
            ChatMessage("user", [f"{lists}\n\n{talk}"], id="keyterms.conversation", created_at=now),
        ]

    def _tell(self, state: KeytermsState, out: Outbox[KeytermsMessage]) -> KeytermsState:
        out.tell(self._wiring.supervisor, Publish(KeytermsNote(state.terms.terms)))
        return self._tell_listeners(state, out)

    def _tell_listeners(self, state: KeytermsState, out: Outbox[KeytermsMessage]) -> KeytermsState:
        alive = tuple(listener for listener in state.listeners if listener.is_alive())
        for listener in alive:
            out.tell(listener, RecognitionContextChanged(self._context(state)))
        return replace(state, listeners=alive)

    def _context(self, state: KeytermsState) -> RecognitionContext:
        return RecognitionContext(state.terms.terms, state.said if self._options.forward_chat_context else ())

    def summary(self, state: KeytermsState) -> Mapping[str, object]:
        """The words, those in doubt, and searches that failed."""
        return {
            "terms": list(state.terms.terms),
            "pending": list(state.terms.pending),
            "searching": state.searching,
            "failed": state.failed,
        }


def start_keyterms(
    wiring: Wiring, stt: STT | None, given: tuple[str, ...] | None, out: Outbox[SupervisorMessage]
) -> None:
    """Start it with the first recogniser that can use what it tells; with these words, or those of the session."""
    if wiring.keyterms is None and stt is not None and (stt.capabilities.keyterms or stt.capabilities.chat_context):
        terms = wiring.components.recognition.keyterms if given is None else given
        wiring.keyterms = out.spawn("keyterms", lambda: KeytermsActor(wiring, terms), ChildSpec(keep_state=True))


def _read(arguments: str) -> KeytermsSearched:
    """What the model has said.

    Raises:
        APIError: it is not what was asked for.
    """
    try:
        said = json.loads(arguments or "{}")
    except ValueError as error:
        raise APIError(f"the search for keyterms was answered with {arguments!r}", retryable=False) from error
    if not isinstance(said, dict):
        raise APIError(f"the search for keyterms was answered with {arguments!r}", retryable=False)
    return KeytermsSearched(*(_terms(said.get(name)) for name in ("pending", "confirm", "remove")))


def _terms(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else []
    return tuple(term.strip() for term in values if isinstance(term, str) and term.strip())
