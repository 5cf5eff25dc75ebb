"""A frame through OpenCV itself; the camera is a film that the test makes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from signer.camera import take_frame
from signer.capture import sign_frame
from signer.core.errors import CameraError
from tests.doubles.devices import Camera
from tests.doubles.readers import read_with_c2pa
from tests.programs import printed


def film(path: Path, frames: int) -> Path:
    """An MJPG AVI that gets brighter with every frame."""
    import cv2
    import numpy as np

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(frames):
        writer.write(np.full((48, 64, 3), 20 * i, np.uint8))
    writer.release()
    return path


def brightness(jpeg: bytes) -> float:
    return ImageStat.Stat(Image.open(io.BytesIO(jpeg)).convert("L")).mean[0]


def test_a_frame_is_taken_after_the_camera_has_settled(tmp_path: Path) -> None:
    jpeg = take_frame(str(film(tmp_path / "a.avi", 10)))
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, image.size) == ("JPEG", (64, 48))
    assert abs(brightness(jpeg) - 20 * 5) < 5


def test_a_camera_with_fewer_frames_gives_its_last(tmp_path: Path) -> None:
    assert abs(brightness(take_frame(str(film(tmp_path / "a.avi", 2)))) - 20) < 5


def test_no_camera_is_a_camera_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for source in (250, str(tmp_path / "none.avi")):
        with pytest.raises(CameraError):
            take_frame(source)


def test_a_frame_is_signed_and_trusted(camera: Camera, tmp_path: Path) -> None:
    jpeg = take_frame(str(film(tmp_path / "a.avi", 6)))
    done = sign_frame(jpeg, tmp_path / "frame.jpg", camera.identity, spool=camera.spool)
    reading = read_with_c2pa(done.path.read_bytes(), "image/jpeg", camera.pki)
    assert reading.state == "Trusted"


def test_without_opencv_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from signer.camera import take_frame\n"
        "from signer.core.errors import CameraError\n"
        "try: take_frame(0)\n"
        "except CameraError as e: print(e.detail)"
    )
    told = printed(code)
    assert "libGL.so.1" in told
    assert "assay doctor" in told
