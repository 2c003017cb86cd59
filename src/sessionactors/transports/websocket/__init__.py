"""Rooms over WebSockets: browsers and programs with our own protocol, telephone calls with their provider's.

:class:`WebSocketTransport` is a room with one client; ``serve_rooms`` (in ``service``) opens one for each connection.
docs/websocket.md describes the protocol. Each name is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .close_code import CloseCode, WireError
    from .limits import WebSocketLimits
    from .media_stream import MediaStream, TwilioMediaStream
    from .native_wire import NativeWire
    from .sockets import AiohttpSocket, Socket, StarletteSocket, WebsocketsSocket
    from .statistics import WebSocketStatistics
    from .transport import WebSocketTransport
    from .wire import Hello, Wire

__all__ = [
    "AiohttpSocket",
    "CloseCode",
    "Hello",
    "MediaStream",
    "NativeWire",
    "Socket",
    "StarletteSocket",
    "TwilioMediaStream",
    "WebSocketLimits",
    "WebSocketStatistics",
    "WebSocketTransport",
    "WebsocketsSocket",
    "Wire",
    "WireError",
]

_HOMES: Final = {
    "AiohttpSocket": "sockets",
    "CloseCode": "close_code",
    "Hello": "wire",
    "MediaStream": "media_stream",
    "NativeWire": "native_wire",
    "Socket": "sockets",
    "StarletteSocket": "sockets",
    "TwilioMediaStream": "media_stream",
    "WebSocketLimits": "limits",
    "WebSocketStatistics": "statistics",
    "WebSocketTransport": "transport",
    "WebsocketsSocket": "sockets",
    "Wire": "wire",
    "WireError": "close_code",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
