"""Objects of ``livekit.plugins.*`` as components, and those of ``livekit.agents`` that are made of them (fallback ...).

Needs the extra ``livekit-plugins``, and the plugin's own package. There is nothing to call: a session or an agent that
is given such an object takes it through :func:`adopted`. They run on the user's loop, where they were made.

What remains theirs: options, connections, ``on("metrics_collected")`` and ``on("error")`` of the object. What is the
session's: retries and deadlines (``conn_options``; two budgets would multiply), and what it measures and bills.
"""

from __future__ import annotations

import sys
from typing import TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")

_adopted: WeakValueDictionary[int, object] = WeakValueDictionary()
"""One for each object, by its id while it is held: what is the same for the user is the same for the session."""


def adopted(component: T) -> T | object:
    """The component as the session takes it; what is no object of ``livekit.agents`` is returned as it is.

    Args:
        component: what the user gave as ``stt``, ``vad``, ``llm`` or ``tts``.

    Raises:
        OptionError: an object of ``livekit.agents`` that cannot be taken, such as a voice with two channels.
    """
    if "livekit.agents" not in sys.modules:  # then none of its objects can be here; it takes a second to import
        return component
    known = _adopted.get(id(component))
    if known is not None:
        return known
    from .kinds import wrapped

    wrapper = wrapped(component)
    if wrapper is None:
        return component
    _adopted[id(component)] = wrapper
    return wrapper
