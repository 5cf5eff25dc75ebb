"""What the comparison of two eyes saw, drawn: iris circles, lids, the ring that was measured, highlights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.forensics.faces import Eye
from detector.forensics.symmetry import RING, EyeMeasure, FaceSymmetry
from detector.pixels.decode import Pixels, open_cv2

_SIDE = 256
_REACH = 2.4  # radii from the centre of the iris to the edge of its crop
_GREEN, _YELLOW, _WHITE, _RED = (0, 200, 0), (230, 200, 0), (255, 255, 255), (255, 40, 40)


def draw(pixels: Pixels, found: FaceSymmetry) -> Pixels:
    """Both eyes side by side, (300, 512, 3): green is the iris, white its measured ring, yellow the lids, red
    crosses are highlights; below each eye the colour that was measured."""
    left = _eye(pixels, found.face.left, found.left)
    right = _eye(pixels, found.face.right, found.right)
    sheet: Pixels = np.concatenate([left, right], 1)
    return sheet


def _eye(pixels: Pixels, eye: Eye, measured: EyeMeasure | None) -> Pixels:
    cv2 = open_cv2()
    scale = _SIDE / (2 * _REACH * eye.radius)
    x, y = eye.centre
    to_crop = np.array([[scale, 0, _SIDE / 2 - scale * x - 0.5], [0, scale, _SIDE / 2 - scale * y - 0.5]])
    kind = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    crop = cv2.warpAffine(pixels, to_crop, (_SIDE, _SIDE), flags=kind)
    centre, radius = (_SIDE // 2, _SIDE // 2), scale * eye.radius
    lids = np.round((eye.outline - eye.centre) * scale + _SIDE / 2).astype(np.int32)
    cv2.polylines(crop, [lids], True, _YELLOW, 1, cv2.LINE_AA)
    cv2.circle(crop, centre, round(radius), _GREEN, 2, cv2.LINE_AA)
    for part in RING:
        cv2.circle(crop, centre, round(part * radius), _WHITE, 1, cv2.LINE_AA)
    swatch = np.full((44, _SIDE, 3), 32, np.uint8)
    if measured is not None:
        for spot in measured.highlights:
            at = (round(_SIDE / 2 + spot.x * radius), round(_SIDE / 2 + spot.y * radius))
            cv2.drawMarker(crop, at, _RED, cv2.MARKER_CROSS, 14, 1, cv2.LINE_AA)
        lab = np.array([[measured.iris]], np.float32)
        swatch[:] = np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB) * 255, 0, 255).round().astype(np.uint8)
    both: Pixels = np.concatenate([crop, swatch])
    return both


def png_of(sheets: Sequence[Pixels]) -> bytes:
    """Sheets of one width, one below the other, as PNG."""
    cv2 = open_cv2()
    _, data = cv2.imencode(".png", np.concatenate(list(sheets))[:, :, ::-1])
    return bytes(data)
