"""Frames of video as the pictures that models take: JPEG, made by Pillow (the extra ``images``)."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

from .errors import VideoFormatError

if TYPE_CHECKING:
    from PIL.Image import Image

    from .video import VideoFrame

QUALITY = 75
"""Of JPEG, 0..100: as LiveKit sends them."""
RTC_RGBA, RTC_RGB24, RTC_I420 = 0, 4, 5
"""Of ``livekit.rtc.VideoBufferType``, without importing it. It converts the others to RGBA."""


class RTCVideoFrame(Protocol):
    """A frame like ``livekit.rtc.VideoFrame``, which has ``convert(type)`` too."""

    @property
    def width(self) -> int:
        """Pixels."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def type(self) -> int:
        """Layout of the pixels, a ``VideoBufferType``."""

    @property
    def data(self) -> memoryview | bytes | bytearray:
        """The pixels."""


def data_url(
    frame: VideoFrame | RTCVideoFrame, *, width: int | None = None, height: int | None = None
) -> tuple[str, str]:
    """A frame as a ``data:`` URL, and its MIME type. One that is compressed stays as it is, unless it is scaled.

    Args:
        frame: ours, or LiveKit's.
        width: pixels that it is fitted into, keeping its proportions; with ``height``.
        height: see ``width``.

    Raises:
        VideoFormatError: no frame, or one that cannot be read.
        ImportError: Pillow is not installed.
    """
    format_ = getattr(frame, "format", "")
    if isinstance(format_, str) and format_.startswith("image/") and not (width and height):
        mime, data = format_, bytes(frame.data)
    else:
        mime, data = "image/jpeg", _jpeg(frame, (width, height) if width and height else None)
    return f"data:{mime};base64,{base64.b64encode(data).decode()}", mime


def _jpeg(frame: VideoFrame | RTCVideoFrame, into: tuple[int, int] | None) -> bytes:
    try:
        from PIL import ImageOps  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "a frame of video becomes a picture by Pillow: pip install 'sessionactors[images]'"
        ) from error
    picture = _pixels(frame)
    if into is not None:
        picture = ImageOps.contain(picture, into)
    written = BytesIO()
    picture.convert("RGB").save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def _pixels(frame: VideoFrame | RTCVideoFrame) -> Image:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an extra

    size = frame.width, frame.height
    layout, pixels = getattr(frame, "format", None), frame.data
    if isinstance(kind := getattr(frame, "type", None), int):
        layout, pixels = _of_rtc(frame, kind)
    match layout:
        case "rgb24":
            return Image.frombytes("RGB", size, bytes(pixels))
        case "rgba":
            return Image.frombytes("RGBA", size, bytes(pixels))
        case "i420":
            return _from_i420(bytes(pixels), *size)
        case str():
            try:
                return Image.open(BytesIO(pixels))
            except UnidentifiedImageError as error:
                raise VideoFormatError(f"{frame!r} cannot be read: {error}") from error
        case _:
            raise VideoFormatError(f"a picture is a URL or a frame of video, got {type(frame).__name__}")


def _from_i420(data: bytes, width: int, height: int) -> Image:
    from PIL import Image  # noqa: PLC0415 - an extra

    half = width // 2, height // 2
    planes, at = [], 0
    for size in ((width, height), half, half):
        length = size[0] * size[1]
        planes.append(Image.frombytes("L", size, data[at : at + length]).resize((width, height)))
        at += length
    return Image.merge("YCbCr", planes)


def _of_rtc(frame: Any, kind: int) -> tuple[str, memoryview | bytes | bytearray]:
    layouts = {RTC_RGBA: "rgba", RTC_RGB24: "rgb24", RTC_I420: "i420"}
    if kind not in layouts:
        kind, frame = RTC_RGBA, frame.convert(RTC_RGBA)
    return layouts[kind], frame.data
