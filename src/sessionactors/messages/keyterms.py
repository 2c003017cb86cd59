"""Words that a recogniser should expect."""

from __future__ import annotations

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.runtime import Lane, Overflow, Ref, message


@message()
class ContextForRecognitionWanted:
    """Tell me what the recogniser may know, now and whenever it changes. ``stt`` to ``keyterms``."""

    reply_to: Ref[RecognitionContextChanged]


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class RecognitionContextChanged:
    """This is what the recogniser may know from now on. ``keyterms`` to every ``stt``."""

    context: RecognitionContext


@message(lane=Lane.CONTROL, overflow=Overflow.CONFLATE)
class SetKeyterms:
    """The words that are always expected are others. Session to ``supervisor``, which tells ``keyterms``."""

    keyterms: tuple[str, ...]


@message()
class KeytermsSearched:
    """``keyterms``, to itself: the model has looked through the conversation."""

    pending: tuple[str, ...] = ()
    """Seen, and not sure of the spelling."""
    confirm: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@message()
class KeytermSearchFailed:
    """``keyterms``, to itself: nothing came of it."""

    error: BaseException
