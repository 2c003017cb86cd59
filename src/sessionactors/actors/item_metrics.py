"""The metrics of messages and interruptions, from the instants that the actors noted. Pure; tested as tables."""

from __future__ import annotations

from collections.abc import Callable

from sessionactors.messages.floor import SilenceSpeech
from sessionactors.messages.turn import UserTurnEnded
from sessionactors.model.metrics import EOUMetrics, InterruptionMetrics, MetricsReport
from sessionactors.runtime import NS

from .component_metadata import report_of
from .playout_segment import Segment

Wall = Callable[[int], float]
"""Seconds since the epoch, of an instant of the kernel clock."""


def user_metrics(turn: UserTurnEnded, decided_at: int, wall: Wall) -> MetricsReport:
    """What is known of a spoken turn when it ends; a typed one has no figures.

    Args:
        turn: the turn.
        decided_at: when it was decided that the turn is over, kernel clock nanoseconds.
        wall: the clock.
    """
    report = MetricsReport()
    if turn.started_speaking_at is not None:
        report["started_speaking_at"] = wall(turn.started_speaking_at)
    stopped = turn.stopped_speaking_at
    if stopped is None:
        return report
    report["stopped_speaking_at"] = wall(stopped)
    report["end_of_turn_delay"] = max(0, decided_at - stopped) / NS
    if turn.last_final_at is not None:
        report["transcription_delay"] = max(0, turn.last_final_at - stopped) / NS
    if (recogniser := report_of(turn.recogniser)) is not None:
        report["stt_metadata"] = recogniser
    return report


def end_of_turn(
    turn: UserTurnEnded, decided_at: int, hook_began: int, scheduled_at: int, speech: str, timestamp: float
) -> EOUMetrics | None:
    """The figures of the end of a spoken turn; None for a typed one. Instants are kernel clock nanoseconds.

    Args:
        turn: the turn.
        decided_at: when it was decided that the turn is over.
        hook_began: when the user's hook was called.
        scheduled_at: when the reply was scheduled.
        speech: id of the reply.
        timestamp: now, seconds since the epoch.
    """
    stopped = turn.stopped_speaking_at
    if stopped is None:
        return None
    last_final = turn.last_final_at if turn.last_final_at is not None else stopped
    return EOUMetrics(
        end_of_utterance_delay=(decided_at - stopped) / NS,
        transcription_delay=max(0, last_final - stopped) / NS,
        on_user_turn_completed_delay=(scheduled_at - hook_began) / NS,
        speech_id=speech,
        timestamp=timestamp,
    )


def assistant_metrics(segment: Segment, stopped_at: int, wall: Wall) -> MetricsReport:
    """What a segment took from the request to its end.

    Args:
        segment: as it is when it is over.
        stopped_at: when it ceased to be heard, kernel clock nanoseconds.
        wall: the clock.
    """
    report = MetricsReport()
    text, audio, started = segment.text_marks, segment.audio_marks, segment.started_at
    if started is not None:
        report["started_speaking_at"] = wall(started)
        report["stopped_speaking_at"] = wall(stopped_at)
        if text.user_stopped_at is not None:
            report["e2e_latency"] = (started - text.user_stopped_at) / NS
        if segment.forwarded_at is not None:
            report["playback_latency"] = (started - segment.forwarded_at) / NS
    if text.requested_at is not None and text.first_text_at is not None:
        report["llm_node_ttft"] = (text.first_text_at - text.requested_at) / NS
    streamed = 0 if text.first_text_at is None or text.last_text_at is None else text.last_text_at - text.first_text_at
    if text.tokens and streamed > 0:
        report["llm_node_tps"] = text.tokens * NS / streamed
    if text.request_ids:
        report["provider_request_ids"] = list(text.request_ids)
    if (model := report_of(text.model)) is not None:
        report["llm_metadata"] = model
    if audio is None:
        return report
    if (voice := report_of(audio.voice)) is not None:
        report["tts_metadata"] = voice
    if audio.handed_at is not None:
        if text.requested_at is not None:
            report["llm_node_ttfs"] = (audio.handed_at - text.requested_at) / NS
        if audio.first_audio_at is not None:
            report["tts_node_ttfb"] = (audio.first_audio_at - audio.handed_at) / NS
    return report


def interruption_metrics(
    speech: str, silence: SilenceSpeech, heard: float, silent_at: int, timestamp: float
) -> InterruptionMetrics:
    """How fast a speech was cut off. One that was paused before was silent from the pause on.

    Args:
        speech: which one.
        silence: the order that cut it off.
        heard: seconds of its segment that were heard.
        silent_at: when the sink was cleared or held, kernel clock nanoseconds.
        timestamp: now, seconds since the epoch.
    """
    stopped_at = silence.decided_at if silence.paused_at is None else silence.paused_at
    return InterruptionMetrics(
        speech_id=speech,
        detection_delay=(stopped_at - silence.wanted_at) / NS,
        silence_delay=(silent_at - stopped_at) / NS,
        heard=heard,
        num_interruptions=1,
        timestamp=timestamp,
    )
