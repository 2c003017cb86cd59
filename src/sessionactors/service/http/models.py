"""What is sent to the HTTP API, and what it answers: the schemas that OpenAPI shows."""

from __future__ import annotations

from typing import Annotated

import pydantic

from sessionactors.service.admission import SupervisorStats

MAX_TEXT = 10_000
"""Characters in one text."""

RoomName = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$")]
"""Letters, digits and ``_ . : @ -``, at most 128: it is part of paths and of the names of actors."""
Text = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=MAX_TEXT)]


class Body(pydantic.BaseModel):
    """What is sent: a field that is not known is an error."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)


class SpawnBody(Body):
    """A room to be opened."""

    room: RoomName


class SayBody(Body):
    """Something to be said."""

    text: Text
    allow_interruptions: bool | None = None
    """Whether the user may cut it off; None: as the session has it."""
    add_to_chat_ctx: bool = True
    """Whether the model sees it later."""
    wait: Annotated[float, pydantic.Field(ge=0, le=60, allow_inf_nan=False)] = 0.0
    """Seconds to wait until it has been said."""


class TextBody(Body):
    """Something that the user types."""

    text: Text
    wait: Annotated[float, pydantic.Field(ge=0, le=60, allow_inf_nan=False)] = 0.0
    """Seconds to wait for the reply."""


class InjectBody(Body):
    """A message for an actor's mailbox."""

    type: Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z]{1,64}$")]
    """One of those that ``sessionactors.messages`` exports."""
    fields: dict[str, object] = {}
    """Its fields."""


class ReasonBody(Body):
    """Why somebody intervenes: it is told wherever the intervention shows."""

    reason: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200)] = "asked for over HTTP"


class Problem(pydantic.BaseModel):
    """Why something was not done."""

    detail: str
    reason: str | None = None
    """Of a refused room: ``full``, ``draining`` or ``closed``."""


class Health(pydantic.BaseModel):
    """Whether the process is alive, and takes calls."""

    status: str
    """``ok``, ``full``, ``draining`` or ``closed``."""
    loop_blocked: float
    """Seconds for which the actor loop has not run; 0.0 when it runs."""


class RoomInfo(pydantic.BaseModel):
    """A room."""

    room: str
    phase: str
    """``starting``, ``open`` or ``closing``."""
    agent: str | None
    """Id of the agent in charge."""
    agent_state: str | None
    user_state: str | None
    current_speech: str | None
    messages: int
    """In the history."""


class Rooms(pydantic.BaseModel):
    """All rooms."""

    rooms: list[RoomInfo]
    stats: SupervisorStats
    inspection: str | None
    """Where the inspection endpoint listens, which answers also while this loop is blocked."""


class SpeechInfo(pydantic.BaseModel):
    """A speech of the agent."""

    speech: str
    done: bool
    """It is over; False: it goes on, or waits."""
    interrupted: bool
    said: list[str]
    """What was heard of it."""


class Closed(pydantic.BaseModel):
    """How a room ended."""

    room: str
    seconds: float
    clean: list[str]
    """Actors that ended as they should."""
    abandoned: dict[str, str]
    """Those that did not, and at what."""


class Recorded(pydantic.BaseModel):
    """What was seen of a room last is being written."""

    files: list[str]
    """On the machine of the service, in the directory of its black boxes."""


class Line(pydantic.BaseModel):
    """One line of text."""

    text: str


class Done(pydantic.BaseModel):
    """An intervention was carried out."""

    actor: str
    done: bool
    """False: nothing waited for a step."""
