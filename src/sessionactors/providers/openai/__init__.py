"""Models behind OpenAI's API, and behind every endpoint that is compatible with it (``base_url``).

Needs the extra ``openai``. Importing this package imports the SDK, which takes seconds: import it where your program
starts, not inside a coroutine.
"""

from . import realtime, responses
from .llm import LLM
from .stt import STT
from .tts import TTS

__all__ = ["LLM", "STT", "TTS", "realtime", "responses"]
