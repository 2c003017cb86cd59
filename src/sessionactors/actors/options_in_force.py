"""Which options hold now: the session's, and what they are for the agent in charge. Kept by ``supervisor``.

It tells every actor that works with options when they change. They keep them in their state, so nothing that was
derived from an option can outlive it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.session import OptionsChanged
from sessionactors.model.errors import OptionError
from sessionactors.model.options import SessionOptions
from sessionactors.runtime.frozen import replace


@dataclass(frozen=True, slots=True)
class OptionsInForce:
    """The session's options, and the agent that may have its own."""

    session: SessionOptions
    agent: UserAgent

    @property
    def here(self) -> SessionOptions:
        """The options for the agent in charge."""
        return self.agent.options(self.session)

    def changed(self, changes: Mapping[str, object]) -> OptionsInForce:
        """With some given anew. Two changes that contradict each other crossed on their way: the later one wins."""
        try:
            session = self.session.changed(changes)
        except OptionError:
            session = self.session.overridden(changes)
        return replace(self, session=session)

    def taken_over(self, agent: UserAgent) -> OptionsInForce:
        """With another agent in charge."""
        return replace(self, agent=agent)

    def news(self) -> OptionsChanged:
        """What the actors are told."""
        return OptionsChanged(self.here, self.session)
