"""Every picture in every view, before a detector sees one: what can be shown, and what files give away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.core.lines import Log
from detector.core.progress import Report
from detector.data.look_alikes import dhash
from detector.lab.benchmark.leaks import FileFacts
from detector.lab.benchmark.views import STORED, Opened, Shown, file_in_view, opened
from detector.lab.trial.pictures import Picture, bytes_of
from detector.pixels.decode import decode
from detector.pixels.jpeg import luminance_table
from detector.pixels.orientation import orientation_of
from detector.pixels.upright import upright

_BEGINNING = 262144  # bytes of a file in which its metadata stand, as a rule
_MARKS = (
    ("exif", re.compile(rb"Exif\0\0|eXIf|EXIF")),
    ("xmp", re.compile(rb"adobe\.com/xap/|XML:com\.adobe\.xmp|XMP ")),
    ("c2pa", re.compile(rb"jumbc2pa|caBX|C2PA")),
    ("icc", re.compile(rb"ICC_PROFILE|iCCP|ICCP")),
    ("photoshop", re.compile(rb"Photoshop 3\.0")),
    ("text", re.compile(rb"tEXt|iTXt|zTXt")),
    ("jfif", re.compile(rb"JFIF\0")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One picture in one view, without its bytes. ``reason`` says why it cannot be shown, ``unreadable`` that
    it decodes in no view; then what follows is empty."""

    sha256: str
    view: str
    side: int
    reason: str = ""
    unreadable: bool = False
    dhash: str = ""
    format: str = ""
    luminance_sum: int | None = None
    size: int = 0
    width: int = 0
    height: int = 0
    metadata: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.sha256, self.view, self.side

    def facts(self, picture: Picture) -> FileFacts:
        return FileFacts(
            sha256=self.sha256, source=picture.source, fake=picture.fake, format=self.format,
            luminance_sum=self.luminance_sum, size=self.size, width=self.width, height=self.height,
            metadata=self.metadata,
        )  # fmt: skip


def look_at(
    pictures: Sequence[Picture], views: Sequence[str], side: int, path: Path, report: Report
) -> dict[tuple[str, str], Look]:
    """By digest and view. What ``path`` has from an earlier run is not looked at again. Raises ``FileFailed``
    and ``CorpusError`` as ``bytes_of``."""
    with Log(path) as log:
        kept = {look.key: look for look in _read(log.lines)}
        for n, picture in enumerate(pictures):
            lacking = [v for v in views if (picture.sha256, v, side) not in kept]
            found = _looks(picture, lacking, side) if lacking else []
            log.add(asdict(look) for look in found)
            kept |= {look.key: look for look in found}
            report("looking at the pictures", n + 1, len(pictures))
    return {(p.sha256, v): kept[p.sha256, v, side] for p in pictures for v in views}


def _read(lines: Sequence[dict[str, Any]]) -> Iterator[Look]:
    for line in lines:
        try:
            yield Look(**line)
        except TypeError:  # of another version of this program
            continue


def _looks(picture: Picture, views: Sequence[str], side: int) -> list[Look]:
    try:
        open_ = opened(bytes_of(picture), picture.media_type, picture.sha256)
    except (NotApplicable, PixelsUnreadable) as e:
        unreadable = isinstance(e, PixelsUnreadable)
        return [
            Look(sha256=picture.sha256, view=view, side=side, reason=e.detail, unreadable=unreadable)
            for view in views
        ]
    return [_look(open_, view, side) for view in views]


def _look(picture: Opened, view: str, side: int) -> Look:
    try:
        shown = file_in_view(picture, view, side)
    except NotApplicable as e:
        return Look(sha256=picture.sha256, view=view, side=side, reason=e.detail)
    pixels = picture.pixels if view == STORED else decode(shown.data, shown.media_type)
    turned = upright(pixels, orientation_of(shown.data, shown.media_type))
    table = luminance_table(shown.data) if shown.media_type == "image/jpeg" else None
    return Look(
        sha256=picture.sha256, view=view, side=side, dhash=f"{dhash(Image.fromarray(turned)):016x}",
        format=shown.media_type, luminance_sum=None if table is None else int(sum(table)),
        size=len(shown.data), width=pixels.shape[1], height=pixels.shape[0], metadata=_metadata(shown),
    )  # fmt: skip


def _metadata(shown: Shown) -> str:
    beginning = shown.data[:_BEGINNING]
    return " ".join(name for name, mark in _MARKS if mark.search(beginning))
