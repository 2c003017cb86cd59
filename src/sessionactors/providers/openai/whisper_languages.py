"""``whisper-1`` names the language that it heard in English; everybody else says it in ISO 639-1. Pure."""

from __future__ import annotations

from typing import Final

_BY_NAME: Final = {
    "afrikaans": "af",
    "arabic": "ar",
    "azerbaijani": "az",
    "belarusian": "be",
    "bulgarian": "bg",
    "bosnian": "bs",
    "catalan": "ca",
    "czech": "cs",
    "welsh": "cy",
    "danish": "da",
    "german": "de",
    "greek": "el",
    "english": "en",
    "spanish": "es",
    "estonian": "et",
    "persian": "fa",
    "finnish": "fi",
    "french": "fr",
    "galician": "gl",
    "hebrew": "he",
    "hindi": "hi",
    "croatian": "hr",
    "hungarian": "hu",
    "armenian": "hy",
    "indonesian": "id",
    "icelandic": "is",
    "italian": "it",
    "japanese": "ja",
    "kazakh": "kk",
    "kannada": "kn",
    "korean": "ko",
    "lithuanian": "lt",
    "latvian": "lv",
    "maori": "mi",
    "macedonian": "mk",
    "marathi": "mr",
    "malay": "ms",
    "nepali": "ne",
    "dutch": "nl",
    "norwegian": "no",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "slovak": "sk",
    "slovenian": "sl",
    "serbian": "sr",
    "swedish": "sv",
    "swahili": "sw",
    "tamil": "ta",
    "thai": "th",
    "tagalog": "tl",
    "turkish": "tr",
    "ukrainian": "uk",
    "urdu": "ur",
    "vietnamese": "vi",
    "chinese": "zh",
}


def code_of(name: str) -> str:
    """The code of a language by its English name; a code is itself; empty: not known."""
    name = name.lower()
    return name if name in _BY_NAME.values() else _BY_NAME.get(name, "")
