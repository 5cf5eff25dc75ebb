"""The files of a corpus that was brought: whether they are what the manifest says, and what they say of
themselves that contradicts their label."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from detector.core.errors import DetectorError
from detector.core.files import read_file
from detector.core.progress import Report, silent
from detector.data.manifest import Row
from detector.pixels.guard import decoding

# What generators and their programs write into files by themselves.
GENERATOR_MARKS = (
    b"rainedAlgorithmicMedia", b"Stable Diffusion", b"stable-diffusion",
    b"Midjourney", b"parameters\0", b'"class_type"', b"invokeai_metadata", b"sd-metadata", b"Adobe Firefly",
    b"Made with Google AI", b"DALL\xc2\xb7E", b"GPT-4o", b"NovelAI",
)  # fmt: skip
_ENDS = 256 * 1024  # metadata lies before the pixels or after them
_MAKE, _MODEL = 271, 272
_EXIF, _EXPOSED = 0x8769, (33434, 33437, 34855)  # exposure time, aperture, sensitivity


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Something that speaks against the label of a picture; ``text`` follows a number of pictures."""

    sha256: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """``files`` were read; ``wrong`` are not what the manifest says."""

    files: int
    wrong: tuple[Doubt, ...]
    doubts: tuple[Doubt, ...]


def look_at_files(rows: Sequence[Row], folder: Path, report: Report = silent) -> There:
    """Every file that is there is read once. Raises ``FileFailed`` for one that cannot be read."""
    files = 0
    wrong: list[Doubt] = []
    doubts: list[Doubt] = []
    for n, row in enumerate(rows):
        report("files looked at", n, len(rows))
        path = folder / row.file
        if not path.is_file():
            continue
        files += 1
        data = read_file(path, str(path))
        if (trouble := _not_as_said(data, row)) is not None:
            wrong.append(Doubt(sha256=row.sha256, text=f"{row.file}: {trouble}"))
            continue
        doubts += _doubts(data, row)
    report("files looked at", len(rows), len(rows))
    return There(files=files, wrong=tuple(wrong), doubts=tuple(doubts))


def _not_as_said(data: bytes, row: Row) -> str | None:
    if hashlib.sha256(data).hexdigest() != row.sha256:
        return "other bytes than the manifest's"
    if len(data) != row.size:
        return f"{len(data)} bytes, the manifest says {row.size}"
    try:
        with decoding("the header"), Image.open(io.BytesIO(data)) as image:
            found = (image.format, *image.size)
    except DetectorError as e:
        return e.detail
    said = (row.format, row.width, row.height)
    return None if found == said else f"{found[0]} of {found[1]} x {found[2]}, the manifest says {said}"


def _doubts(data: bytes, row: Row) -> Iterator[Doubt]:
    if not row.fake:
        ends = data[:_ENDS] + data[-_ENDS:]
        if mark := next((m for m in GENERATOR_MARKS if m in ends), None):
            name = mark.decode("utf-8", "replace").strip('"\0')
            yield Doubt(sha256=row.sha256, text=f"real pictures carry the mark of a generator: {name}")
    elif camera_of(data):
        yield Doubt(sha256=row.sha256, text="generated pictures name a camera")
    if row.kind == "photo" and row.photo_like == "n":
        yield Doubt(sha256=row.sha256, text="real pictures of kind photo look like none to the probe")
    if row.kind in {"art", "screenshot"} and row.photo_like == "y":
        yield Doubt(sha256=row.sha256, text=f"real pictures of kind {row.kind} look like photos to the probe")


def camera_of(data: bytes) -> str:
    """Make and model in the Exif of a file that says how it was exposed too, since generators write their own
    names there; empty where there are none or they cannot be read."""
    try:
        with decoding("the metadata"), Image.open(io.BytesIO(data)) as image:
            tags = image.getexif()
            if not set(_EXPOSED) & set(tags.get_ifd(_EXIF)):
                return ""
            named = [str(tags[t]).strip("\0 ") for t in (_MAKE, _MODEL) if t in tags]
    except DetectorError:
        return ""
    return " ".join(n for n in named if n)
