"""A running service, as the commands ask it: over the HTTP API of docs/http.md.

What only looks is asked of the inspection endpoint when the service itself does not answer: its loop may be blocked,
which is when one wants to look. What goes wrong is an error for people, with an exit code of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import quote, urlsplit

import httpx

from sessionactors.model.errors import SessionActorsError
from sessionactors.service.http.whereabouts import running

DEFAULT_URL: Final = "http://127.0.0.1:8000/sessions"
"""Where ``sessionactors serve`` and ``examples/fastapi_service.py`` have their rooms."""
TOO_QUIET: Final = 0.3
"""Seconds after which a service on this machine is taken not to answer, if it can be looked into elsewhere."""
ONCE_MORE: Final = 2.0
"""Seconds for a service that was silent, when the one that was looked into has no such room."""
PATIENCE: Final = 10.0
"""Seconds for an answer."""


class ServiceError(SessionActorsError):
    """Raised when a running service could not be asked, or did not do what it was asked for."""

    exit_code = 1


class ServiceNotThere(ServiceError):
    """Raised when nothing answers at the address, or what answers is no service of rooms."""

    exit_code = 3


class NotLetIn(ServiceError):
    """Raised when there is no token, a wrong one, or one without the right."""

    exit_code = 4


class NoSuchThing(ServiceError):
    """Raised when there is no such room or actor."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said."""

    body: object
    note: str | None = None
    """What people should know of how it was come by."""


class Service:
    """One service.

    Args:
        url: of its rooms, with the prefix under which the router is mounted.
        token: what it lets one in by.
        patience: seconds for an answer.

    Raises:
        ServiceNotThere: the URL is none.
    """

    def __init__(self, url: str, token: str | None, patience: float = PATIENCE) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ServiceNotThere(f"{url!r} is no URL of a service: give one such as {DEFAULT_URL}")
        self.url = url.rstrip("/")
        self._patience = patience
        self.here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        """It is on this machine, by its address."""
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}

    @property
    def websocket_url(self) -> str:
        """The same for streams."""
        return "ws" + self.url.removeprefix("http")

    @property
    def headers(self) -> Mapping[str, str]:
        """What lets one in."""
        return dict(self._headers)

    def look(self, path: str, *, elsewhere: bool = True) -> Answer:
        """Read something.

        Args:
            path: below the URL, from :func:`room_path`.
            elsewhere: the inspection endpoint has it, too.

        Raises:
            ServiceError: see :class:`ServiceError` and those below it.
        """
        others = [] if not (self.here and elsewhere) else list(running())
        if not others:
            return Answer(self._asked("GET", path, self._patience))
        try:
            return Answer(self._asked("GET", path, TOO_QUIET))
        except httpx.TimeoutException:
            pass
        refused: ServiceError | None = None
        for other in others:
            there = Service(other.inspection, None, TOO_QUIET)
            there._headers = self._headers  # a process of this user's, see whereabouts
            try:
                body = there.look(path, elsewhere=False).body
            except NoSuchThing as error:
                refused = error
                continue
            except ServiceError:
                continue
            note = f"{self.url} is silent; process {other.pid} answered at {other.inspection}, beside its blocked loop"
            return Answer(body, note)
        try:
            return Answer(self._asked("GET", path, self._patience if refused is None else ONCE_MORE))
        except ServiceNotThere as silent:
            raise refused or silent from None

    def order(self, method: str, path: str, body: object = None, patience: float | None = None) -> object:
        """Have something done.

        Raises:
            ServiceError: see :class:`ServiceError` and those below it.
        """
        return self._asked(method, path, patience or self._patience, body)

    def _asked(self, method: str, path: str, patience: float, body: object = None) -> object:
        try:
            # No proxy of the environment stands before this machine, and none is to read the token.
            with httpx.Client(
                headers=self._headers,
                timeout=patience,
                trust_env=not self.here,
                verify=self.url.startswith("https"),
            ) as client:
                answer = client.request(method, self.url + path, json=body)
        except httpx.TimeoutException:
            if patience == TOO_QUIET:
                raise
            raise self.silent(patience) from None
        except httpx.TransportError as error:
            raise self.not_there(str(error)) from None
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not answer.is_success or said is None:
            refuse(self.url, answer.status_code, said)
        return said

    def not_there(self, error: str) -> ServiceNotThere:
        """What to raise when nobody listens."""
        return ServiceNotThere(
            f"no service at {self.url}: {error}. Start one by `sessionactors serve MODULE`, or say by --url or "
            "SESSIONACTORS_URL where it is"
        )

    def silent(self, patience: float) -> ServiceNotThere:
        """What to raise when somebody listens and does not answer."""
        return ServiceNotThere(
            f"{self.url} took the connection and does not answer within {patience:g} s: its loop may be blocked. "
            "`sessionactors why ROOM`, on its machine and as its user, says by what"
        )


def refuse(url: str, status: int, said: object) -> NoReturn:
    """Raise what an answer means that is not the one that was wanted.

    Raises:
        ServiceError: always.
    """
    detail = said.get("detail") if isinstance(said, dict) else None
    told = detail if isinstance(detail, str) else ""
    if status == 401:
        raise NotLetIn(f"{told or 'not let in'}; give one by --token or SESSIONACTORS_TOKEN")
    if status == 403:
        raise NotLetIn(told or "the token has not the right to do that")
    if status == 404 and told and told != "Not Found":
        raise NoSuchThing(told)
    if not told and isinstance(detail, list):  # pydantic's own words, one for each field
        told = "; ".join(f"{one.get('loc', ['?'])[-1]}: {one.get('msg')}" for one in detail if isinstance(one, dict))
    if told and status != 404:
        raise ServiceError(told)
    raise ServiceNotThere(
        f"what answers at {url} (with {status}) has no rooms there: give the whole URL, with the prefix under which "
        f"the router is mounted, such as {DEFAULT_URL}"
    )


def room_path(room: str, *more: str) -> str:
    """The path of a room, or of something of it; a name is no path, whatever is in it.

    Raises:
        NoSuchThing: nothing can have that name.
    """
    return "/rooms/" + "/".join((_segment("room", room), *more))


def actor_path(room: str, before: str, actor: str, *order: str) -> str:
    """The path of an actor among what a room has ``before`` it (``snapshot``, ``actors``), and of an order to it.

    Raises:
        NoSuchThing: nothing can have such a name.
    """
    return room_path(room, before, *(_segment("actor", part) for part in actor.split("/")), *order)


def _segment(what: str, name: str) -> str:
    if name in {"", ".", ".."} or "/" in name:
        raise NoSuchThing(f"no {what} can be named {name[:80]!r}")
    return quote(name, safe="")
