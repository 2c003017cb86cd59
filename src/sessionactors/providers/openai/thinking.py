"""Some models think aloud: ``<think> ... </think>`` before the answer. That is not for the listener. Pure."""

from __future__ import annotations

from typing import Final

_BEGIN: Final = "<think>"
_END: Final = "</think>"


class SpokenText:
    """Takes the text of one reply as it comes, and gives what is to be said."""

    def __init__(self) -> None:
        self._held = ""
        """What may still turn out to be a mark."""
        self._thinking = False
        self._decided = False
        """It is known whether the reply begins with thoughts, and they are over."""

    def take(self, text: str) -> str:
        """More text: what of it is to be said now."""
        if self._decided or not text:
            return text
        self._held += text
        if not self._thinking:
            begun = self._held.lstrip()
            if not begun or (len(begun) < len(_BEGIN) and _BEGIN.startswith(begun)):
                return ""
            if not begun.startswith(_BEGIN):
                return self._say(self._held)
            self._thinking = True
            self._held = begun[len(_BEGIN) :]
        _, mark, said = self._held.partition(_END)
        if not mark:
            self._held = self._held[-len(_END) :]
            return ""
        said = said.lstrip()
        if said:
            return self._say(said)
        self._held = _END  # white space behind the thoughts belongs to them
        return ""

    def finish(self) -> str:
        """The reply is complete: what had been held back in vain."""
        held, self._held = self._held, ""
        return "" if self._decided or self._thinking else held

    def _say(self, text: str) -> str:
        self._decided, self._held = True, ""
        return text
