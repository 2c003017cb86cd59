"""What a realtime model hears of the user, and what it makes of it. Used by ``realtime`` only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.realtime import InputAudioTranscriptionCompleted
from sessionactors.messages.ear import FinalTranscript, InterimTranscript, NoWords, SpeechEnded, SpeechStarted
from sessionactors.messages.realtime import CommitUserAudio, EarOpened, HeardByModel, UserAudio
from sessionactors.messages.room import UserTranscribed
from sessionactors.messages.session import Publish
from sessionactors.model.chat import ChatItem, ChatMessage
from sessionactors.model.events import UserInputTranscribedEvent
from sessionactors.model.video import VideoFrame
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .realtime_link import LINK, Clear, Commit, UserIsActive
from .realtime_spoken import Spoken, began, ended, named, taken
from .realtime_state import RealtimeState
from .wiring import Wiring

if TYPE_CHECKING:
    from .realtime import RealtimeMessage


class Hearing:
    """The user's side of the session with the server.

    Args:
        wiring: the session.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    @staticmethod
    def opened(state: RealtimeState, ear: EarOpened) -> RealtimeState:
        """A participant can be heard: the first one is whom the model hears."""
        line = ear.participant if state.line is None else state.line
        return replace(state, ears={**state.ears, ear.participant: ear.turn}, line=line)

    @staticmethod
    def closed(state: RealtimeState, participant: str, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """A participant is gone: whom the model heard is followed by who has been there longest."""
        ears = {identity: turn for identity, turn in state.ears.items() if identity != participant}
        state = replace(state, ears=ears)
        if participant != state.line:
            return state
        if state.connection is not None:
            out.feed(LINK, Clear())  # a half sentence of who left would begin the other's
        return replace(state, line=next(iter(ears), None), speaking=False, spoken=ended(state.spoken, "", out.now))

    @staticmethod
    def audio(state: RealtimeState, audio: UserAudio, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """More audio; the model hears one participant only."""
        if audio.participant != state.line or state.connection is None:
            return replace(state, unheard=state.unheard + audio.frame.duration)
        out.feed(LINK, audio.frame)
        return replace(state, heard=state.heard + audio.frame.duration)

    @staticmethod
    def video(state: RealtimeState, frame: VideoFrame, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """A picture; without a session with the server nobody sees it."""
        if state.connection is not None:
            out.feed(LINK, frame)
        return state

    @staticmethod
    def order(
        state: RealtimeState,
        order: UserIsActive | Clear,
        participant: str,
        out: Outbox[RealtimeMessage],
    ) -> RealtimeState:
        """Tell the server something about the participant whom it hears."""
        if participant == state.line and state.connection is not None:
            out.feed(LINK, order)
        return state

    @staticmethod
    def commit(state: RealtimeState, commit: CommitUserAudio, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """A turn that was found here is complete; its words come when the model has them."""
        if commit.participant != state.line or state.connection is None:
            return state
        out.feed(LINK, Commit())
        started_at = out.now if commit.started_at is None else commit.started_at
        spoken = began(state.spoken, "", started_at, commit.participant)
        return replace(state, spoken=ended(spoken, "", out.now if commit.ended_at is None else commit.ended_at))

    def started(self, state: RealtimeState, item_id: str, out: Outbox[RealtimeMessage]) -> RealtimeState:
        """The server hears the user speak."""
        if state.speaking or not self._wiring.components.server_turns:
            return state
        _tell_turn(state, SpeechStarted(out.now), out)
        return replace(state, speaking=True, spoken=began(state.spoken, item_id, out.now, state.line))

    @staticmethod
    def stopped(state: RealtimeState, out: Outbox[RealtimeMessage], item_id: str = "") -> RealtimeState:
        """The user is done, or cannot be heard any more."""
        if not state.speaking:
            return state
        _tell_turn(state, SpeechEnded(out.now), out)
        return replace(state, speaking=False, spoken=ended(state.spoken, item_id, out.now))

    @staticmethod
    def item_added(state: RealtimeState, item: ChatItem) -> RealtimeState:
        """The server has made an item: of what the user said, if it is the user's and did not come from here."""
        if item.id in state.known:
            return state
        spoken = state.spoken
        if isinstance(item, ChatMessage) and item.role == "user":
            spoken = named(spoken, item.id)
        return replace(state, known=state.known | {item.id}, spoken=spoken)

    def transcript(
        self, state: RealtimeState, event: InputAudioTranscriptionCompleted, out: Outbox[RealtimeMessage]
    ) -> RealtimeState:
        """What the user said."""
        text = event.transcript.strip()
        one: Spoken | None = None
        state = replace(state, known=state.known | {event.item_id})
        if event.is_final:
            one, spoken = taken(state.spoken, event.item_id)
            state = replace(state, spoken=spoken)
        if event.is_final and not text:
            if self._wiring.components.server_turns:
                _tell_turn(state, NoWords(), out)
        elif event.is_final:
            final = FinalTranscript(
                out.new_id("transcript"),
                text,
                "",
                event.confidence,
                complete=True,
                ended_at=None if one is None else one.ended_at,
                item_id=event.item_id,
                started_at=None if one is None else one.started_at,
            )
            _tell_turn(state, final, out)
        elif state.connection is not None and self._wiring.components.server_turns:
            _tell_turn(state, InterimTranscript(text, state.connection), out)
        if text:
            transcribed = UserInputTranscribedEvent(
                text,
                is_final=event.is_final,
                created_at=out.wall(),
                speaker_id=state.line if one is None else one.participant,
                item_id=event.item_id,
            )
            wiring = self._wiring
            out.tell(wiring.supervisor, Publish(transcribed))
            if wiring.room is not None and wiring.components.room_text and transcribed.speaker_id:
                out.tell(wiring.room, UserTranscribed(transcribed.speaker_id, text, event.is_final))
        return state


def _tell_turn(state: RealtimeState, fact: HeardByModel, out: Outbox[RealtimeMessage]) -> None:
    turn = state.ears.get(state.line or "")
    if turn is not None:
        out.tell(turn, fact)
