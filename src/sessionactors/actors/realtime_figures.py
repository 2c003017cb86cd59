"""The figures of one response of a realtime model. Pure."""

from __future__ import annotations

from sessionactors.interfaces.realtime import RealtimeModel, RealtimeUsage
from sessionactors.model.metrics import InputTokenDetails, OutputTokenDetails, RealtimeModelMetrics
from sessionactors.runtime import NS

from .component_metadata import metadata_of
from .realtime_reply import Reply


def metrics_of(
    reply: Reply, usage: RealtimeUsage, model: RealtimeModel, now: int, wall: float, *, cancelled: bool
) -> RealtimeModelMetrics:
    """What a reply took.

    Args:
        reply: where it is.
        usage: its tokens.
        model: who replied.
        now: kernel clock, ns.
        wall: wall clock, seconds.
        cancelled: it was cut off.
    """
    seconds = (now - reply.since) / NS
    return RealtimeModelMetrics(
        label=model.label,
        request_id=reply.response or reply.key,
        speech_id=reply.speech,
        ttft=-1.0 if reply.first_at is None else (reply.first_at - reply.since) / NS,
        duration=seconds,
        cancelled=cancelled,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        tokens_per_second=usage.output_tokens / seconds if seconds else 0.0,
        input_token_details=InputTokenDetails(
            usage.input_audio_tokens, usage.input_text_tokens, cached_tokens=usage.input_cached_tokens
        ),
        output_token_details=OutputTokenDetails(usage.output_text_tokens, usage.output_audio_tokens),
        timestamp=wall,
        metadata=metadata_of(model),
    )
