"""Rooms over WebSockets: browsers and programs with our own protocol, telephone calls with their provider's.

:class:`WebSocketTransport` is a room with one client; ``serve_rooms`` (in ``service``) opens one for each connection.
docs/websocket.md describes the protocol. Each name is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessionactors.lazy_exports import lazy_exports

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
    "close_code": ("CloseCode", "WireError"),
    "limits": ("WebSocketLimits",),
    "media_stream": ("MediaStream", "TwilioMediaStream"),
    "native_wire": ("NativeWire",),
    "sockets": ("AiohttpSocket", "Socket", "StarletteSocket", "WebsocketsSocket"),
    "statistics": ("WebSocketStatistics",),
    "transport": ("WebSocketTransport",),
    "wire": ("Hello", "Wire"),
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
