"""``AMD``: finds out whether a person or a machine has answered a call, before the agent says a word.

The work is done by the actor ``amd``; here is what a program holds of it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import fields, replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self, TypedDict

import structlog

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.plugin_objects import GivenLLM, GivenSTT
from sessionactors.messages.answering import DetectAnswer, EndDetection, WithholdSpeech
from sessionactors.model.answering import AMDCategory, AMDOptions, AMDPredictionEvent
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import CloseEvent
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .callbacks import Callbacks
from .given_components import model_given, stt_given
from .telephone import with_keys

if TYPE_CHECKING:
    from .agent_session import AgentSession

log = structlog.get_logger("sessionactors.session")

PREDICTION: Final = "amd_prediction"
CLOSE: Final = "close"


class DetectionOptions(TypedDict, total=False):
    """What a detection goes by, where the defaults do not fit; times in seconds, see :class:`.AMDOptions`."""

    human_speech_threshold: float
    human_silence_threshold: float
    machine_silence_threshold: float
    no_speech_threshold: float
    timeout: float
    max_endpointing_delay: float
    """The agent's own, if it is not given."""
    prompt: str


class AMD:
    """Answering machine detection: who has answered a call, a person or a machine?

    Inside of the block the session listens, and nothing that it would say begins to be heard until there is a verdict::

        async with AMD(session) as detector:
            await dial(...)
            result = await detector.execute()
        if result.is_human:
            session.generate_reply(instructions="Say who you are and why you call.")
        elif result.category is AMDCategory.MACHINE_VM:
            session.say("Please call us back.", allow_interruptions=False)
        else:
            session.shutdown()

    A short greeting without recognised words is a person. All else a model judges by its words. A telephone call
    counts from ``sip.callStatus`` ``active`` on: what rings before is not heard. Leaving the block ends the detection.

    Args:
        session: that has been started.
        llm: judges the greeting; the session's own if it is not given, or None.
        stt: None: the words come from the session's own recogniser, here always.
        interrupt_on_machine: when a machine has answered, drop what the agent was about to say, and reply to nothing
            that the machine says while the block lasts.
        ivr_detection: when a menu has answered, keep the call going as ``AgentSession(ivr_detection=True)`` does.
        participant_identity: who is called; the first who can be heard if it is not given.
        suppress_compatibility_warning: known from LiveKit, where models are rated; without effect here.
        detection_options: other times, or another prompt.
        wait_until_finished: hear a greeting to its end also beyond ``timeout`` (60 s at most).

    Raises:
        OptionError: a recogniser or a model string was given, or an option that is unknown or out of range.
    """

    def __init__(
        self,
        session: AgentSession[object],
        *,
        llm: NotGivenOr[GivenLLM | str | None] = NOT_GIVEN,
        stt: NotGivenOr[GivenSTT | str | None] = NOT_GIVEN,
        interrupt_on_machine: bool = True,
        ivr_detection: bool = True,
        participant_identity: NotGivenOr[str] = NOT_GIVEN,
        suppress_compatibility_warning: bool = False,
        detection_options: NotGivenOr[DetectionOptions] = NOT_GIVEN,
        wait_until_finished: bool = True,
    ) -> None:
        if stt_given(stt) is not None:
            raise OptionError(
                "AMD(stt=...): the words of a greeting come from the session's recogniser; give AgentSession the stt"
            )
        self._session = session
        self._llm = model_given(llm)
        if self._llm is not None and not isinstance(self._llm, LLM):
            raise OptionError(f"AMD(llm=...) needs a model that answers in text, got {self._llm!r}")
        self._chosen: DetectionOptions = given(detection_options, DetectionOptions())
        self._options = _checked(
            self._chosen,
            AMDOptions(
                participant=given(participant_identity, None),
                interrupt_on_machine=interrupt_on_machine,
                ivr_detection=ivr_detection,
                wait_until_finished=wait_until_finished,
            ),
        )
        del suppress_compatibility_warning
        self._detection = ""
        self._verdict: asyncio.Future[AMDPredictionEvent] | None = None
        self._over = False
        self._listeners: list[Callable[[AMDPredictionEvent], object]] = []
        self._callbacks = Callbacks()

    @property
    def enabled(self) -> bool:
        """Whether the detection is under way, or has its verdict and was not ended yet."""
        return self._verdict is not None and not self._over

    @property
    def pending(self) -> bool:
        """Whether the verdict is still to come."""
        return self.enabled and self._verdict is not None and not self._verdict.done()

    @property
    def result(self) -> AMDPredictionEvent | None:
        """The verdict, if there is one."""
        verdict = self._verdict
        has_one = verdict is not None and verdict.done() and not verdict.cancelled() and verdict.exception() is None
        return verdict.result() if verdict is not None and has_one else None

    def on(
        self, event: Literal["amd_prediction"], callback: Callable[[AMDPredictionEvent], object]
    ) -> Callable[[AMDPredictionEvent], object]:
        """Call back with the verdict; ``session.on("amd_prediction", ...)`` does the same for all detections.

        Raises:
            OptionError: there is no such event.
        """
        _check_event(event)
        self._listeners.append(callback)
        return callback

    def off(self, event: Literal["amd_prediction"], callback: Callable[[AMDPredictionEvent], object]) -> None:
        """Forget a callback."""
        _check_event(event)
        self._listeners = [other for other in self._listeners if other != callback]

    async def execute(self) -> AMDPredictionEvent:
        """Wait for the verdict.

        When it is given, speech may be heard again; what was meant for a person has been dropped, if it is a machine
        and ``interrupt_on_machine`` was not turned off.

        Raises:
            SessionStateError: the detection was not begun (``async with``), or it was ended, or the session closed,
                before there was a verdict.
        """
        if self._verdict is None:
            raise SessionStateError("execute(): the detection has not begun; use it as: async with AMD(session) as amd")
        return await asyncio.shield(self._verdict)

    async def __aenter__(self) -> Self:
        if self._verdict is not None:
            raise SessionStateError("this AMD has been used already: make one for each call")
        session = self._session
        system, wiring = session._listening("AMD")
        if session._amd is not None:
            raise SessionStateError("another AMD of the session is under way: leave its block first")
        llm = self._llm if self._llm is not None else session._llm
        if not isinstance(llm, LLM):
            raise OptionError(
                "AMD needs a model that answers in text to judge greetings: pass AMD(session, llm=...), as the session "
                f"has {'none' if llm is None else 'a realtime model'}"
            )
        options = self._options
        if "max_endpointing_delay" not in self._chosen:
            agent = session._agent_in_charge()
            options = replace(options, max_endpointing_delay=agent.options(session._options).max_endpointing_delay)
        self._detection = detection = system.tree(session._room_name).new_id("amd")
        self._verdict = session._loop.create_future()
        session._amd = self
        session.on(PREDICTION, self._on_prediction)
        session.on(CLOSE, self._on_close)
        wiring.floor.tell(WithholdSpeech(detection, True))  # from now on: who is asked next comes behind it
        wiring.supervisor.tell(DetectAnswer(detection, llm, options))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the detection; who still waits for its verdict is told so, and speech may be heard again."""
        self._end("the detection was ended before there was a verdict")

    def _on_prediction(self, event: AMDPredictionEvent) -> None:
        if event.detection != self._detection or self._verdict is None or self._verdict.done():
            return
        self._verdict.set_result(event)
        if event.category is AMDCategory.MACHINE_IVR and self._options.ivr_detection:
            self._offer_keys()
        for callback in tuple(self._listeners):
            self._callbacks.call(PREDICTION, callback, event)

    def _offer_keys(self) -> None:
        """Whoever is in charge can press keys from now on, where the room has a telephone."""
        session, wiring = self._session, self._session._wiring
        transport = None if wiring is None else wiring.components.transport
        tools = with_keys(session._tools, transport)
        if tools != tuple(session._tools):
            session._tools = tools
            session._swap_components(session.current_agent)

    def _on_close(self, _: CloseEvent) -> None:
        self._end("the session closed before there was a verdict")

    def _end(self, why: str) -> None:
        if self._over or self._verdict is None:
            return
        self._over = True
        session = self._session
        session.off(PREDICTION, self._on_prediction)
        session.off(CLOSE, self._on_close)
        if session._amd is self:
            session._amd = None
        if not self._verdict.done():
            self._verdict.set_exception(SessionStateError(f"execute(): {why}"))
            self._verdict.exception()  # taken, so that asyncio does not report one that nobody awaits
        refs = session._refs()
        if refs is not None and refs[0].is_alive():
            refs[0].tell(EndDetection(self._detection))


def _check_event(event: str) -> None:
    if event != PREDICTION:
        raise OptionError(f"no event named {event!r}; a detection has {PREDICTION}")


def _checked(chosen: DetectionOptions, options: AMDOptions) -> AMDOptions:
    """The options with what was chosen.

    Raises:
        OptionError: one is unknown, or no number of seconds.
    """
    known = DetectionOptions.__annotations__
    for name, value in chosen.items():
        if name not in known:
            raise OptionError(f"AMD has no detection option {name!r}; there are: {', '.join(known)}")
        if name != "prompt" and (not isinstance(value, int | float) or not 0 <= value < math.inf):
            raise OptionError(f"AMD's {name} must be a number of seconds >= 0, got {value!r}")
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return AMDOptions(**{**values, **chosen})
