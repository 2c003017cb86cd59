"""Several recognisers as one, and a recogniser of single utterances as a streaming one."""

from __future__ import annotations

from .stt_fallback import FallbackAdapter
from .stt_stream import StreamAdapter

__all__ = ["FallbackAdapter", "StreamAdapter"]
