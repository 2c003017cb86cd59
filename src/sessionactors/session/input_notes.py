"""What comes in besides audio, on the user's loop: typed text that is user code's affair, pictures, who is linked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.model.events import VideoSampledNote
from sessionactors.model.link_notes import LinkNote, TextInputNote

from .callbacks import Callbacks
from .room_options import TextInputCallback, TextInputEvent

if TYPE_CHECKING:
    from .agent_session import AgentSession


def take_in(
    note: TextInputNote | VideoSampledNote | LinkNote,
    session: AgentSession[object],
    callback: TextInputCallback | None,
    callbacks: Callbacks,
) -> None:
    """Keep a picture or who is linked, or have the user's callback see to a text."""
    if isinstance(note, VideoSampledNote):
        session.input._last_frame = note.frame
    elif not isinstance(note, TextInputNote):
        session._mirror.link(note)
    elif callback is not None:
        see_to_it = callback
        callbacks.call(
            "text_input_cb", lambda event: see_to_it(session, event), TextInputEvent(note.text, note.participant)
        )
