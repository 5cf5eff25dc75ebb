"""One frame from a camera through OpenCV, as JPEG bytes. OpenCV is imported when a frame is asked for.

What comes out is what the driver delivered: the claim "captured by this device" rests on the device, and a
virtual camera looks like a real one from here (docs/threat-model.md).
"""

from __future__ import annotations

from signer.core.errors import CameraError

JPEG_QUALITY = 95
WARM_UP_FRAMES = 5  # exposure and white balance settle in the first few


def take_frame(source: int | str, *, warm_up_frames: int = WARM_UP_FRAMES) -> bytes:
    """``source`` is a camera's index, or a path or address that OpenCV opens. Raises ``CameraError``."""
    try:
        import cv2
    except ImportError as e:
        raise CameraError(
            f"OpenCV cannot be loaded ({e}): pip install 'assay[camera]', or see what `assay doctor` says"
        ) from e
    # Its backends complain at length about a camera that is not there; our error says it in one sentence.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(source)
        try:
            if not capture.isOpened():
                raise CameraError(f"there is no camera {source!r}, or another program holds it")
            frame = None
            for _ in range(warm_up_frames + 1):
                taken, newer = capture.read()
                if not taken:
                    break
                frame = newer
        finally:
            capture.release()
        if frame is None or frame.size == 0:
            raise CameraError(f"camera {source!r} delivers no picture")
        encoded, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    except cv2.error as e:
        raise CameraError(f"OpenCV failed: {e.err or e}") from e
    if not encoded:
        raise CameraError("the frame cannot be encoded as JPEG")
    return bytes(jpeg.tobytes())
