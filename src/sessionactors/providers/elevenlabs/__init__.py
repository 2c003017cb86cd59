"""ElevenLabs: voices, and recognition with Scribe. Needs the extra ``elevenlabs`` and a key.

Importing this package imports the SDK, which takes a second: import it where your program starts.
"""

from .scribe_options import VADOptions
from .stt import STT
from .tts import TTS
from .voice_options import PronunciationDictionaryLocator, VoiceSettings

__all__ = ["STT", "TTS", "PronunciationDictionaryLocator", "VADOptions", "VoiceSettings"]
