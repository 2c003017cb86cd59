"""OpenAI's realtime API: models that hear and speak over one WebSocket."""

from .model import RealtimeModel
from .session import RealtimeSession

__all__ = ["RealtimeModel", "RealtimeSession"]
