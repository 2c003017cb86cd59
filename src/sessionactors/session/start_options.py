"""What ``start`` takes beside agent and room: checked, or refused with a reason where it is done elsewhere here."""

from __future__ import annotations

from typing import TypedDict

from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr


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
