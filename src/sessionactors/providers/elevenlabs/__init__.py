"""ElevenLabs: voices. Needs the extra ``elevenlabs`` and a key.

Importing this package imports the SDK, which takes a second: import it where your program starts.
"""

from .tts import TTS
from .voice_options import PronunciationDictionaryLocator, VoiceSettings

__all__ = ["TTS", "PronunciationDictionaryLocator", "VoiceSettings"]
