"""Frames of video in messages: every layout of pixels becomes a JPEG that shows the same."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from io import BytesIO

import pytest
from livekit import rtc
from livekit.rtc import VideoBufferType
from PIL import Image

from sessionactors import ImageContent, VideoFrame
from sessionactors.model.errors import VideoFormatError

RED = (200, 30, 40)


def shown(image: ImageContent) -> Image.Image:
    head, _, data = image.image.partition(",")
    assert head == f"data:{image.mime_type};base64"
    return Image.open(BytesIO(base64.b64decode(data)))


def is_red(picture: Image.Image) -> bool:
    pixel = picture.convert("RGB").getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 12 for one, other in zip(pixel, RED, strict=True))


def planes(width: int, height: int) -> bytes:
    luma, blue, red = Image.new("RGB", (1, 1), RED).convert("YCbCr").tobytes()
    size = width * height
    return bytes([luma]) * size + bytes([blue]) * (size // 4) + bytes([red]) * (size // 4)


@pytest.mark.parametrize(
    "frame",
    [
        VideoFrame(bytes(RED) * 32, 8, 4, "rgb24"),
        VideoFrame(bytes((*RED, 255)) * 32, 8, 4, "rgba"),
        VideoFrame(planes(8, 4), 8, 4, "i420"),
        rtc.VideoFrame(8, 4, VideoBufferType.RGBA, bytes((*RED, 255)) * 32),
        rtc.VideoFrame(8, 4, VideoBufferType.BGRA, bytes((*RED[::-1], 255)) * 32),
        rtc.VideoFrame(8, 4, VideoBufferType.RGB24, bytes(RED) * 32),
        rtc.VideoFrame(8, 4, VideoBufferType.I420, planes(8, 4)),
    ],
    ids=["rgb24", "rgba", "i420", "rtc rgba", "rtc bgra", "rtc rgb24", "rtc i420"],
)
def test_a_frame_in_a_message_is_a_jpeg_of_it(frame: VideoFrame | rtc.VideoFrame) -> None:
    image = ImageContent(frame, inference_detail="low")
    picture = shown(image)
    assert (image.mime_type, picture.format, picture.size) == ("image/jpeg", "JPEG", (8, 4))
    assert is_red(picture)
    assert image.inference_detail == "low"


def test_a_frame_is_scaled_into_what_the_model_is_to_see_and_keeps_its_proportions() -> None:
    frame = VideoFrame(bytes(RED) * (16 * 8), 16, 8, "rgb24")
    assert shown(ImageContent(frame, inference_width=4, inference_height=4)).size == (4, 2)
    jpeg = base64.b64decode(frame.as_image().image.partition(",")[2])
    compressed = VideoFrame(jpeg, 16, 8, "image/jpeg")
    assert base64.b64decode(compressed.as_image().image.partition(",")[2]) == jpeg  # as it is
    assert shown(ImageContent(compressed, inference_width=4, inference_height=4)).size == (4, 2)


def test_a_picture_is_a_value() -> None:
    image = VideoFrame(bytes(RED), 1, 1, "rgb24").as_image()
    closer = ImageContent(image.image, image.id, inference_detail="high", mime_type="image/jpeg")
    assert replace(image, inference_detail="high") == closer
    url = ImageContent("https://example.com/cat.png")
    assert (url.image, url.mime_type, url.type) == ("https://example.com/cat.png", None, "image_content")
    assert url.id != ImageContent(url.image).id


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(VideoFormatError, match="cannot be read"):
        ImageContent(VideoFrame(b"jpeg", 1, 1, "image/jpeg"), inference_width=4, inference_height=4)

    class Size:
        width = height = 1
        data = b""

    with pytest.raises(VideoFormatError, match="a URL or a frame of video, got Size"):
        ImageContent(Size())  # type: ignore[arg-type]


def test_without_pillow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"sessionactors\[images\]"):
        VideoFrame(bytes(RED), 1, 1, "rgb24").as_image()
