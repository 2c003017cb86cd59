"""``tail``: a stream of a running service, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable

from sessionactors.transports.websocket.dialing import OPENED_WITHIN, Unanswered, dialled

from .service_client import Service, ServiceNotThere, refuse


async def follow(service: Service, path: str, line: Callable[[str], None]) -> None:
    """Hand on each line of a stream until it ends.

    Raises:
        ServiceError: it was refused, or cut off.
    """
    try:
        async with dialled(service.websocket_url + path, service.headers, by_proxy=not service.here) as lines:
            async for told in lines:
                line(told)
    except Unanswered as refused:
        try:
            said = json.loads(refused.body)
        except ValueError:
            said = None
        refuse(service.url, refused.status, said)
    except TimeoutError:
        raise service.silent(OPENED_WITHIN) from None
    except ConnectionResetError as error:
        raise ServiceNotThere(f"the stream of {service.url} was cut off: {error}") from None
    except OSError as error:
        raise service.not_there(error.strerror or str(error)) from None
