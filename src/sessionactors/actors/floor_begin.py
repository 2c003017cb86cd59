"""How speeches begin: their actors are made, some of them ahead of time. For ``floor``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.deferred import SpeechEnded
from sessionactors.messages.floor import (
    DropSpeculation,
    FloorWanted,
    PreparationWanted,
    PrepareSpeech,
    SpeechGone,
    SpeechInterrupted,
    SpeechPromoted,
    SpeechWasted,
)
from sessionactors.runtime import ChildSpec, Outbox, Ref, Restart, Terminated
from sessionactors.runtime.frozen import replace

from .floor_state import Entry, FloorState, Prepared
from .speech import Speech
from .wiring import Wiring

if TYPE_CHECKING:
    from .floor import FloorMessage


SpeculationFact: TypeAlias = PreparationWanted | PrepareSpeech | DropSpeculation | SpeechWasted
"""What is told about speeches that may never be heard."""


class Beginning:
    """Makes the actors of speeches."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def entry(
        self,
        state: FloorState,
        spec: SpeechSpec,
        out: Outbox[FloorMessage],
        report_to: Ref[SpeechEnded] | None = None,
    ) -> tuple[FloorState, Entry]:
        """A new speech, the next one in the queue; ``report_to`` is told of its end."""
        entry = replace(self._made(state, spec, out), report_to=report_to)
        return self._entered(state, entry), entry

    def promoted(self, state: FloorState, spec: SpeechSpec, out: Outbox[FloorMessage]) -> tuple[FloorState, Entry]:
        """The speech that was prepared, as the next one in the queue; if it has come to its end, a new one."""
        prepared = state.prepared
        entry = prepared.speeches.get(spec.id)
        if entry is None:
            return self.entry(state, replace(spec, id=out.new_id("speech")), out)
        out.tell(entry.ref, SpeechPromoted(spec.user_stopped_at))
        entry = replace(entry, spec=spec, interruptible=spec.allow_interruptions)
        state = replace(state, prepared=replace(prepared.without(spec.id), promoted=prepared.promoted + 1))
        return self._entered(state, entry), entry

    @staticmethod
    def _entered(state: FloorState, entry: Entry) -> FloorState:
        entry = replace(entry, order=state.scheduled)
        entries = {**state.entries, entry.spec.id: entry}
        return replace(state, entries=entries, scheduled=state.scheduled + 1)

    def _made(self, state: FloorState, spec: SpeechSpec, out: Outbox[FloorMessage]) -> Entry:
        spec = replace(spec, expressive=spec.agent.options(state.options.session).expressive)
        wiring, scope, myself = self._wiring, out.open_scope(spec.id), out.myself
        ref = out.spawn(spec.id, lambda: Speech(wiring, spec, scope, myself), ChildSpec(Restart.TEMPORARY))
        out.watch(ref, lambda end: _gone(spec.id, end))
        return Entry(spec, ref, scope, 0, spec.allow_interruptions)

    # -- speculation -------------------------------------------------------------------------------------------------

    def on_prepared(
        self,
        state: FloorState,
        message: SpeculationFact,
        out: Outbox[FloorMessage],
    ) -> FloorState:
        """A speech that may never be heard: begun, dropped, or accounted for."""
        prepared = state.prepared
        free = state.current is None and not state.held
        match message:
            case PreparationWanted(context):
                if free:
                    out.tell(self._wiring.history, context)
                return state
            case PrepareSpeech(spec):
                if not free:
                    return state
                speeches = {**prepared.speeches, spec.id: self._made(state, spec, out)}
                return replace(state, prepared=replace(prepared, speeches=speeches))
            case DropSpeculation(speech):
                return self._dropped(state, speech, out)
            case SpeechWasted(_, tokens, characters):
                wasted = prepared.wasted_tokens + tokens, prepared.wasted_characters + characters
                return replace(state, prepared=replace(prepared, wasted_tokens=wasted[0], wasted_characters=wasted[1]))

    def drop_all(self, state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """Nothing that is being prepared will be wanted."""
        for speech in tuple(state.prepared.speeches):
            state = self._dropped(state, speech, out)
        return state

    @staticmethod
    def all_gone(state: FloorState, out: Outbox[FloorMessage]) -> FloorState:
        """What was being prepared died with ``floor``: a turn that it would have answered gets a new speech."""
        for entry in state.prepared.speeches.values():
            out.close_scope(entry.scope)
        return replace(state, prepared=replace(state.prepared, speeches={}))

    @staticmethod
    def _dropped(state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        entry = state.prepared.speeches.get(speech)
        if entry is None:
            return state
        out.close_scope(entry.scope)
        out.tell(entry.ref, SpeechInterrupted(out.now))
        return replace(state, prepared=state.prepared.without(speech))

    @staticmethod
    def wanted(state: FloorState, wish: FloorWanted) -> FloorState:
        """A speech that is being prepared has something to say."""
        return replace(state, prepared=state.prepared.with_wish(wish.speech))

    @staticmethod
    def ended(state: FloorState, speech: str, out: Outbox[FloorMessage]) -> FloorState:
        """A speech that was being prepared ended by itself: it failed, or had nothing to say."""
        entry = state.prepared.speeches.get(speech)
        if entry is None:
            return state
        out.close_scope(entry.scope)
        return replace(state, prepared=state.prepared.without(speech))


def prepared_summary(prepared: Prepared) -> Mapping[str, object]:
    """For people."""
    return {
        "speeches": list(prepared.speeches),
        "promoted": prepared.promoted,
        "wasted_tokens": prepared.wasted_tokens,
        "wasted_characters": prepared.wasted_characters,
    }


def _gone(speech: str, end: Terminated) -> SpeechGone:
    return SpeechGone(speech, end.error)
