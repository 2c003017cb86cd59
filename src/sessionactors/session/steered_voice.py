"""A voice that is given its own words for the markers that a model wrote."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import replace

from sessionactors.actors.markers import lowered, settled
from sessionactors.interfaces.markup import Markup
from sessionactors.interfaces.tts import TTS
from sessionactors.interfaces.user_code import AgentComponents

from .text_transforms import HomeOf, TransformedVoice


def with_steering(components: AgentComponents, home_of: HomeOf) -> AgentComponents:
    """The providers; a voice that knows markers understands those of the model."""
    voice = components.tts
    if voice is None or voice.markup is None or isinstance(voice, SteeredVoice):
        return components
    return replace(components, tts=SteeredVoice(voice, voice.markup, home_of))


class SteeredVoice(TransformedVoice):
    """A voice behind its markup. It is called at its home: nothing here is the user's code."""

    def __init__(self, voice: TTS, markup: Markup, home_of: HomeOf) -> None:
        super().__init__(voice, (lambda text: _lowered(text, markup),), home_of)
        self.home = voice.home


async def _lowered(text: AsyncIterable[str], markup: Markup) -> AsyncGenerator[str, None]:
    """The text with the voice's own words for markers; one that may go on waits for the rest of it."""
    held = ""
    async for piece in text:
        held += piece
        cut = settled(held)
        if said := lowered(held[:cut], markup.native):
            yield said
        held = held[cut:]
    if said := lowered(held, markup.native):
        yield said
