"""Ten pictures of which the demo knows what they are: photos, edited photos, generated pictures.

Made on the spot from three pictures that ship or that the visitor brings; pure functions, no files.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image, ImageDraw, ImageFilter

QUALITY = 90
SIDE = 512  # pixels of the longer side at most


class Kind(StrEnum):
    """What a picture is."""

    PHOTO = "photo"
    EDITED = "edited"
    GENERATED = "generated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``says`` is what was done to it, in one line."""

    file_name: str
    kind: Kind
    says: str
    data: bytes


def questions(portrait: bytes, landscape: bytes, generated: bytes) -> tuple[Question, ...]:
    """Ten JPEG files in the order in which they are asked, of two photos and what a network made."""
    a, b, g = (_opened(d) for d in (portrait, landscape, generated))
    made = (
        (Kind.PHOTO, "a photo, reduced", b),
        (Kind.GENERATED, "a picture by Kolors, reduced", g),
        (Kind.EDITED, "a photo with a piece of itself copied into another place", _copied(a)),
        (Kind.PHOTO, "a piece of a photo", _piece(a, 0.05, 0.05, 0.6)),
        (Kind.GENERATED, "a piece of a picture by Kolors", _piece(g, 0.1, 0.1, 0.5)),
        (Kind.EDITED, "a photo with a piece of another photo pasted in", _spliced(b, a)),
        (Kind.PHOTO, "a piece of a photo", _piece(b, 0.4, 0.2, 0.55)),
        (Kind.EDITED, "a photo of which a part was painted over", _painted(b)),
        (Kind.GENERATED, "another piece of a picture by Kolors", _piece(g, 0.45, 0.4, 0.5)),
        (Kind.PHOTO, "a photo, reduced", a),
    )
    return tuple(
        Question(file_name=f"q{n:02}.jpg", kind=kind, says=says, data=_encoded(image))
        for n, (kind, says, image) in enumerate(made, 1)
    )


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((2 * SIDE, 2 * SIDE))
    return image


def _encoded(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _piece(image: Image.Image, left: float, top: float, share: float) -> Image.Image:
    w, h = image.size
    at = round(left * w), round(top * h)
    return image.crop((*at, at[0] + round(share * w), at[1] + round(share * h)))


def _soft(size: tuple[int, int]) -> Image.Image:
    """A mask whose edges fade."""
    mask = Image.new("L", size, 0)
    edge = max(min(size) // 8, 1)
    ImageDraw.Draw(mask).ellipse((edge, edge, size[0] - edge, size[1] - edge), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(edge / 2))


def _pasted(image: Image.Image, piece: Image.Image, left: float, top: float) -> Image.Image:
    made = image.copy()
    made.paste(piece, (round(left * image.width), round(top * image.height)), _soft(piece.size))
    return made


def _copied(image: Image.Image) -> Image.Image:
    return _pasted(image, _piece(image, 0.55, 0.6, 0.25), 0.1, 0.62)


def _spliced(image: Image.Image, other: Image.Image) -> Image.Image:
    piece = _piece(other, 0.25, 0.1, 0.5)
    piece.thumbnail((image.width // 3, image.height // 2))
    return _pasted(image, piece, 0.55, 0.4)


def _painted(image: Image.Image) -> Image.Image:
    piece = _piece(image, 0.3, 0.3, 0.25).filter(ImageFilter.GaussianBlur(12))
    return _pasted(image, piece, 0.3, 0.3)
