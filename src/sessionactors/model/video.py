"""One picture of a video, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .chat_items import ImageContent
from .errors import VideoFormatError

BYTES_PER_PIXEL = {"rgb24": 3, "rgba": 4, "i420": 1.5}
"""Of the layouts whose size can be checked."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """A picture, raw or compressed.

    Raises:
        VideoFormatError: width or height are not positive, or a raw picture has another size.
    """

    data: bytes
    width: int
    """Pixels, > 0."""
    height: int
    format: str = "rgba"
    """``rgb24``, ``rgba`` or ``i420`` for raw pixels; a MIME type such as ``image/jpeg`` for a compressed picture."""
    captured_at: float | None = None
    """Seconds on the source's own clock, if it has one."""

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise VideoFormatError(f"width and height must be positive, got {self.width} x {self.height}")
        bytes_per_pixel = BYTES_PER_PIXEL.get(self.format)
        if bytes_per_pixel is None:
            if not self.format.startswith("image/"):
                raise VideoFormatError(
                    f"unknown format {self.format!r}; there are {', '.join(BYTES_PER_PIXEL)} and MIME types of images"
                )
        elif len(self.data) != self.width * self.height * bytes_per_pixel:
            raise VideoFormatError(
                f"{self.width} x {self.height} pixels of {self.format} are "
                f"{self.width * self.height * bytes_per_pixel:.0f} bytes, got {len(self.data)}"
            )

    def as_image(self, *, detail: Literal["auto", "high", "low"] = "auto") -> ImageContent:
        """The picture as a part of a message: compressed as it is, raw pixels as JPEG. See :class:`.ImageContent`.

        Raises:
            ImportError: raw pixels, and Pillow is not installed.
        """
        return ImageContent(self, inference_detail=detail)

    def __repr__(self) -> str:
        return f"<VideoFrame {self.width} x {self.height} {self.format}>"
