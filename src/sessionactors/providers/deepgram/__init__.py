"""Deepgram: recognition that streams (Nova), and voices. Needs the extra ``deepgram`` and a key.

Importing this package imports the SDK's types, which takes a second: import it where your program starts.
"""

from .stt import STT
from .stt_v2 import STTv2
from .tts import TTS

__all__ = ["STT", "TTS", "STTv2"]
