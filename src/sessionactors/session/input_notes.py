"""What comes in besides audio, on the user's loop: text that is the user code's affair, and pictures that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.model.events import TextInputNote, VideoSampledNote

from .callbacks import Callbacks
from .room_options import TextInputCallback, TextInputEvent

if TYPE_CHECKING:
    from .agent_session import AgentSession


def take_in(
    note: TextInputNote | VideoSampledNote,
    session: AgentSession[object],
    callback: TextInputCallback | None,
    callbacks: Callbacks,
) -> None:
    """Keep a picture, or have the user's callback see to a text."""
    if isinstance(note, VideoSampledNote):
        session.input._last_frame = note.frame
    elif callback is not None:
        see_to_it = callback
        callbacks.call(
            "text_input_cb", lambda event: see_to_it(session, event), TextInputEvent(note.text, note.participant)
        )
