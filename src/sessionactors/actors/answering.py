"""Detections of who answers a call: started, told who is there, ended. Used by ``supervisor`` only.

Whatever becomes of a detection, speech is let go when it has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from sessionactors.messages.answering import (
    DetectAnswer,
    DetectionEnded,
    EndDetection,
    MenuReached,
    PeopleThere,
    PeopleWanted,
    WithholdReplies,
    WithholdSpeech,
)
from sessionactors.messages.session import DropInEnded, EventRaised
from sessionactors.model.events import ErrorEvent, UserInputTranscribedEvent
from sessionactors.runtime import ChildSpec, Outbox, Restart, Terminated
from sessionactors.runtime.frozen import replace

from .amd import Amd
from .phone_menu import EVENTS, PhoneMenu
from .public_face import PublicFace
from .supervisor_state import Listener, SupervisorState
from .wiring import Wiring

if TYPE_CHECKING:
    from .supervisor import SupervisorMessage

AnsweringOrder: TypeAlias = DetectAnswer | EndDetection | DetectionEnded | PeopleWanted | MenuReached

DETECTION = ChildSpec(Restart.TEMPORARY)
"""One that fails is over: what it has heard is gone, and people wait."""
MENU = "ivr"
"""What keeps a call going that has reached a menu; further ones are numbered."""


class Answering:
    """The detections of one session."""

    def __init__(self, wiring: Wiring, face: PublicFace) -> None:
        self._wiring = wiring
        self._face = face

    def follow(self, state: SupervisorState, order: AnsweringOrder, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """What the session, a detection or the kernel says about one."""
        match order:
            case DetectAnswer():
                return self._begin(state, order, out)
            case EndDetection(detection):
                ref = state.detections.get(detection)
                if ref is None:
                    self._release(detection, out)
                else:
                    out.stop(ref, "the detection was ended")
                return state
            case DetectionEnded():
                return self._ended(state, order, out)
            case PeopleWanted(reply_to):
                people = tuple(one for name, one in state.people.items() if name in state.present)
                out.tell(reply_to, PeopleThere(people, state.speaking))
                return state
            case MenuReached(transcript):
                return self._menu(state, transcript, out)
            case _:
                assert_never(order)

    def _begin(self, state: SupervisorState, order: DetectAnswer, out: Outbox[SupervisorMessage]) -> SupervisorState:
        if state.closing is not None:
            return state
        wiring, detection = self._wiring, order.detection
        for path, listener in state.listeners.items():  # whether this is a menu is to be found out first
            if path.rsplit("/", 1)[-1].startswith(MENU):
                out.stop(listener.ref, "a detection takes its place")
        ref = out.spawn(detection, lambda: Amd(wiring, detection, order.llm, order.options), DETECTION)
        out.watch(ref, lambda end: _detection_ended(detection, end))
        return replace(state, detections={**state.detections, detection: ref})

    def _ended(self, state: SupervisorState, end: DetectionEnded, out: Outbox[SupervisorMessage]) -> SupervisorState:
        self._release(end.detection, out)
        if end.error is not None:
            failure = ErrorEvent(end.error, f"{out.path}/{end.detection}", recoverable=True, created_at=out.wall())
            self._face.emit(state, failure, out)
        left = {name: ref for name, ref in state.detections.items() if name != end.detection}
        return replace(state, detections=left)

    def _release(self, detection: str, out: Outbox[SupervisorMessage]) -> None:
        out.tell(self._wiring.floor, WithholdSpeech(detection, False))
        out.tell(self._wiring.agent, WithholdReplies(detection, False))

    def _menu(self, state: SupervisorState, transcript: str, out: Outbox[SupervisorMessage]) -> SupervisorState:
        """As with the session's ``ivr_detection``, from now on; what the menu has said counts."""
        wiring, user, agent = self._wiring, state.user_state, state.agent_state
        ref = out.spawn(out.new_id(MENU), lambda: PhoneMenu(wiring, user, agent), DETECTION)
        out.watch(ref, lambda end: DropInEnded(end.path, end.error))
        if transcript:
            out.tell(ref, EventRaised(UserInputTranscribedEvent(transcript, True, out.wall())))
        return replace(state, listeners={**state.listeners, ref.path: Listener(ref, EVENTS)})


def _detection_ended(detection: str, end: Terminated) -> DetectionEnded:
    return DetectionEnded(detection, end.error)
