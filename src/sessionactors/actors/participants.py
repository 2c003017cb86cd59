"""Who is there: one ear for each participant with audio, from their coming to the end of their last turn.

Used by ``supervisor`` only. A participant who leaves in the middle of a turn has said what they said: the ear finishes
the turn before it ends. Whether the session ends with them is an option.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from sessionactors.interfaces.transport import ParticipantKind
from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.ear import (
    AttachSource,
    FlushTurn,
    SetInputEnabled,
    SubstituteSilence,
    TurnFlushed,
    UseComponents,
)
from sessionactors.messages.floor import EchoExpected
from sessionactors.messages.keyterms import SetKeyterms
from sessionactors.messages.room import (
    LinkParticipant,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantVideo,
)
from sessionactors.messages.session import ActorEnded
from sessionactors.messages.video import AttachVideo, SetVideoEnabled, UsersSpeak
from sessionactors.model.link_notes import ParticipantsNote
from sessionactors.runtime import ChildSpec, Outbox, Restart, Terminated
from sessionactors.runtime.frozen import replace

from .ear import Ear
from .ear_names import free_ear_name
from .keyterms import start_keyterms
from .people import with_attributes
from .public_face import PublicFace
from .supervisor_state import SupervisorState
from .video import VideoActor
from .wiring import Wiring

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage

EAR = ChildSpec(Restart.TEMPORARY)
"""An ear restarts its own children; when it gives up, the session ends."""

EYE = ChildSpec(Restart.TRANSIENT, keep_state=True)
"""As often as the window allows; the call goes on without."""

MAY_COME_BACK = frozenset(
    {
        "agent_error",
        "connection_lost",
        "connection_timeout",
        "duplicate_identity",
        "join_failure",
        "media_failure",
        "migration",
        "participant_removed",
        "room_closed",
        "server_shutdown",
        "signal_close",
        "sip_trunk_failure",
        "state_mismatch",
        "unknown_reason",
        "user_unavailable",
    }
)
"""Reasons for which nobody hung up: the session waits. LiveKit's, but for those that end a session of theirs too."""

Senses: TypeAlias = SetInputEnabled | SubstituteSilence | AttachVideo | SetVideoEnabled | SetKeyterms
"""What the session's user says of what is heard and seen."""


class Participants:
    """The ears of one session."""

    def __init__(self, wiring: Wiring, face: PublicFace) -> None:
        self._wiring = wiring
        self._face = face

    def came(
        self,
        state: SupervisorState,
        message: ParticipantJoined | ParticipantChanged | ParticipantVideo | LinkParticipant,
        out: Outbox[SupervisorMessage],
    ) -> SupervisorState:
        """Somebody is there or shows something, or who is listened to is chosen anew."""
        match message:
            case ParticipantVideo(identity, source):
                others = {other: camera for other, camera in state.cameras.items() if other != identity}
                cameras = others if source is None else {**others, identity: source}
                return self._look(replace(state, cameras=cameras), out)
            case ParticipantChanged():
                return replace(state, people=with_attributes(state.people, message))
            case LinkParticipant():
                return self._told(self._linked(state, message, out), out)
            case _:
                state = replace(state, people={**state.people, message.identity: message})
                return self._told(self._joined(state, message, out), out)

    def _look(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """At the first of those who are listened to and show something."""
        shown = (state.cameras.get(identity) for identity in state.people if identity in state.present)
        camera = next((source for source in shown if source is not None), None)
        if camera is state.camera or state.own_camera:
            return state
        return self._video(replace(state, camera=camera), AttachVideo(camera), out)

    def _linked(
        self, state: SupervisorState, order: LinkParticipant, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Listen to one only, or to all. Who is not listened to any more is heard out."""
        state = replace(state, only=order.identity)
        for identity, joined in state.people.items():
            if not self._wanted(state, identity):
                if identity in state.present:
                    state = self._unlinked(state, identity, out)
            elif identity not in state.present and (ear := state.ears.get(identity)) is not None:
                state = self._expect_echo(state, joined, out)
                out.tell(ear, SetInputEnabled(state.listening))
            elif identity not in state.present:
                state = self._joined(state, joined, out)
        return state

    def _unlinked(self, state: SupervisorState, identity: str, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """Their ear stays, closed: a source is started once."""
        gone = {identity}
        if (ear := state.ears.get(identity)) is not None and state.closing is None:
            out.tell(ear, SetInputEnabled(False))
            out.tell(ear, FlushTurn(self._wiring.options.session_close_transcript_timeout, out.myself))
        return replace(state, present=state.present - gone, without_echo=state.without_echo - gone)

    def _told(self, state: SupervisorState, out: Outbox[SupervisorMessage]) -> SupervisorState:
        present = tuple(identity for identity in state.people if identity in state.present)
        self._face.emit(state, ParticipantsNote(present, state.only), out)
        return self._look(state, out)

    def _joined(
        self, state: SupervisorState, joined: ParticipantJoined, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        if not self._wanted(state, joined.identity):
            return state
        state = self._expect_echo(state, joined, out)
        if joined.source is None or not self._wiring.components.room_audio_input:
            return state
        return self.attach(state, joined.identity, AttachSource(joined.source), out)

    def _expect_echo(
        self, state: SupervisorState, joined: ParticipantJoined, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        present, without_echo = state.present | {joined.identity}, state.without_echo - {joined.identity}
        if not gives_echo(joined.kind, joined.attributes):
            without_echo |= {joined.identity}
        echo = EchoExpected(expected=not present <= without_echo, anew=state.visited and not state.present)
        if echo.anew or echo.expected is not state.echo:
            out.tell(self._wiring.floor, echo)
        return replace(state, present=present, without_echo=without_echo, visited=True, echo=echo.expected)

    def attach(
        self, state: SupervisorState, identity: str, attach: AttachSource, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Listen to a participant through this source from now on."""
        if not self._wiring.components.audio_input or state.closing is not None:
            return state
        ear = state.ears.get(identity)
        if ear is not None:
            out.tell(ear, attach)
            return replace(state, leaving=state.leaving - {identity})
        wiring = self._wiring
        name = free_ear_name(identity, state.stopping)
        ear = out.spawn(name, lambda: Ear(identity, wiring, attach.source), EAR)
        out.watch(ear, _ended)
        out.tell(ear, _parts_of(state.options.agent))
        out.tell(ear, state.options.news())
        if state.substituting:
            out.tell(ear, SubstituteSilence(True))
        if not state.listening:
            out.tell(ear, SetInputEnabled(False))
        return replace(state, ears={**state.ears, identity: ear})

    def hear_with(self, state: SupervisorState, agent: UserAgent, out: Outbox[SupervisorMessage]) -> None:
        """Another agent is in charge: its recogniser and its detector of speech, if they are others."""
        start_keyterms(self._wiring, agent.components.stt, state.keyterms, out)
        for ear in state.ears.values():
            out.tell(ear, _parts_of(agent))

    def left(self, state: SupervisorState, left: ParticipantLeft, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """Somebody is gone: what they were saying is heard to its end."""
        people = {identity: joined for identity, joined in state.people.items() if identity != left.identity}
        cameras = {identity: source for identity, source in state.cameras.items() if identity != left.identity}
        state = replace(state, people=people, cameras=cameras)
        return self._told(self._ceased(state, left.identity, out), out)

    def _ceased(self, state: SupervisorState, identity: str, out: Outbox[SupervisorMessage]) -> SupervisorState:
        gone = {identity}
        state = replace(state, present=state.present - gone, without_echo=state.without_echo - gone)
        ear = state.ears.get(identity)
        if ear is None or state.closing is not None:
            return state
        out.tell(ear, AttachSource(None))
        out.tell(ear, FlushTurn(self._wiring.options.session_close_transcript_timeout, out.myself))
        return replace(state, leaving=state.leaving | {identity})

    def ends_with(self, state: SupervisorState, left: ParticipantLeft) -> bool:
        """Whether the session ends because this participant left."""
        components = self._wiring.components
        if state.closing is not None or not components.close_on_disconnect or not self._wanted(state, left.identity):
            return False
        return not state.present and left.reason.lower() not in MAY_COME_BACK

    def heard_out(
        self, state: SupervisorState, flushed: TurnFlushed, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """The last turn of one who left has been committed; the ear is not needed any more."""
        ear = state.ears.get(flushed.participant)
        if ear is None or flushed.participant not in state.leaving or state.closing is not None:
            return state
        out.stop(ear, "left")
        stopping = state.stopping | {ear.path.rsplit("/", 1)[-1]}
        ears = {identity: other for identity, other in state.ears.items() if identity != flushed.participant}
        return replace(state, ears=ears, leaving=state.leaving - {flushed.participant}, stopping=stopping)

    @staticmethod
    def ended(state: SupervisorState, path: str) -> SupervisorState:
        """A child has ended: if it was an ear, its name is free."""
        return replace(state, stopping=state.stopping - {path.rsplit("/", 1)[-1]}) if state.stopping else state

    def senses(
        self,
        state: SupervisorState,
        order: Senses,
        out: Outbox[SupervisorMessage],
    ) -> SupervisorState:
        """What is heard and seen of the users, or not."""
        if isinstance(order, AttachVideo):
            state = replace(state, own_camera=order.source is not None, camera=None)
            return self._look(self._video(state, order, out), out)
        if isinstance(order, SetVideoEnabled):
            return self._video(state, order, out)
        if isinstance(order, SetKeyterms):
            if self._wiring.keyterms is not None:
                out.tell(self._wiring.keyterms, order)
            return replace(state, keyterms=order.keyterms)
        return self._gate(state, order, out)

    def _gate(
        self, state: SupervisorState, order: SetInputEnabled | SubstituteSilence, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Open or close all ears, or let them hear silence; who comes later hears of it, too."""
        unlinked = state.people.keys() - state.present
        for identity, ear in state.ears.items():
            if identity not in unlinked or isinstance(order, SubstituteSilence):
                out.tell(ear, order)
        if isinstance(order, SetInputEnabled):
            return replace(state, listening=order.enabled)
        return replace(state, substituting=order.active)

    def _video(
        self, state: SupervisorState, order: AttachVideo | SetVideoEnabled, out: Outbox[SupervisorMessage]
    ) -> SupervisorState:
        """Look at a source, or not; who looks begins with the first source."""
        wiring = self._wiring
        if wiring.video is None:
            if isinstance(order, SetVideoEnabled) or order.source is None or state.closing is not None:
                return replace(state, looking=order.enabled) if isinstance(order, SetVideoEnabled) else state
            wiring.video = out.spawn("video", lambda: VideoActor(wiring), EYE)
            out.tell(wiring.video, SetVideoEnabled(state.looking))
            out.tell(wiring.video, UsersSpeak(bool(state.speaking)))
        out.tell(wiring.video, order)
        return state

    @staticmethod
    def _wanted(state: SupervisorState, identity: str) -> bool:
        return state.only is None or state.only == identity


def gives_echo(kind: ParticipantKind, attributes: Mapping[str, str]) -> bool:
    """Whether the agent's voice may come back from this participant: not from a telephone that the agent called.

    A call that came in names the rule that let it in (``sip.ruleID``).
    """
    return kind != "sip" or bool(attributes.get("sip.ruleID"))


def _ended(end: Terminated) -> ActorEnded:
    return ActorEnded(end.path, end.error)


def _parts_of(agent: UserAgent) -> UseComponents:
    return UseComponents(agent.components.stt, agent.components.vad)
