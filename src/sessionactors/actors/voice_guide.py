"""What a model is told of the markers that steer its voice. Pure.

The message has an id of its own, as in LiveKit, and is made anew for each request: nothing of it is remembered.
"""

from __future__ import annotations

from typing import Final

from sessionactors.interfaces.markup import MarkerType, Markup
from sessionactors.model.chat import ChatItem, ChatMessage
from sessionactors.model.expressive import Expressive
from sessionactors.model.instructions import Modality, rendered
from sessionactors.runtime.frozen import replace

from .markers import readable

GUIDE_ID: Final = "lk.expressive.instructions"
PLACEHOLDER: Final = "{tts.markup.llm_instructions}"

STOCK: Final = (
    "Your words are spoken by a voice that you can steer with markers in your text. Use them where they make what you "
    f"say sound natural, and leave them out where they do not.\n\n{PLACEHOLDER}"
)


def with_guide(
    items: tuple[ChatItem, ...], markup: Markup | None, expressive: Expressive | None, modality: Modality, wall: float
) -> tuple[ChatItem, ...]:
    """The items of a request, with the guide behind the instructions; without it, and without markers, where it is off.

    Args:
        items: the instructions first, if there are any.
        markup: what the voice knows; None: nothing.
        expressive: the option; None: off.
        modality: how the user spoke.
        wall: seconds since the epoch.
    """
    if markup is None or expressive is None:
        return tuple(map(_plain, items))
    message = ChatMessage("system", [guide(markup, expressive, modality)], id=GUIDE_ID, created_at=wall)
    first = items[:1] if items and isinstance(items[0], ChatMessage) and items[0].role == "system" else ()
    return (*first, message, *items[len(first) :])


def guide(markup: Markup, expressive: Expressive, modality: Modality) -> str:
    """The text."""
    template = rendered(STOCK if expressive.template is None else expressive.template, modality)
    parts = [template.replace(PLACEHOLDER, _markers(markup, expressive)), _delivery(expressive), expressive.append]
    return "\n\n".join(part for part in parts if part)


def _markers(markup: Markup, expressive: Expressive) -> str:
    sounds = [label for kind, labels in markup.sounds.items() if kind not in expressive.silenced for label in labels]
    types = list(markup.types)
    if sounds:
        types.append(MarkerType("sound", "a sound that is no word, where a person would make it", tuple(sounds)))
    lines = ["There is one marker, <expr/>, and it has a type. Use these types and labels only:"]
    lines += [_line(kind) for kind in types]
    allowed = [example for example in markup.examples if not _uses(example, markup, expressive)]
    if allowed:
        lines += ["", "For example:", *allowed]
    return "\n".join(lines)


def _line(kind: MarkerType) -> str:
    form = f'<expr type="{kind.name}">words</expr>' if kind.encloses else f'<expr type="{kind.name}" label="..."/>'
    labels = f" Labels: {', '.join(kind.labels)}." if kind.labels else ""
    return f"- {form}: {kind.guide}.{labels}"


def _uses(example: str, markup: Markup, expressive: Expressive) -> bool:
    """Whether an example has a sound that is not allowed."""
    silent = (label for kind in expressive.silenced for label in markup.sounds.get(kind, ()))
    return any(f'label="{label}"' in example for label in silent)


def _delivery(expressive: Expressive) -> str:
    lines = [] if expressive.disfluencies else ["Use no filler words (um, uh): speak fluently."]
    if expressive.pace != "normal":
        lines.append(f"Speak at a {expressive.pace} pace.")
    return "\n".join(lines)


def _plain(item: ChatItem) -> ChatItem:
    """Markers of earlier replies would teach the model to write some, and nobody would understand them."""
    if not isinstance(item, ChatMessage) or item.role != "assistant" or "<expr" not in item.text_content:
        return item
    content = [readable(part) if isinstance(part, str) else part for part in item.content]
    return replace(item, content=content)
