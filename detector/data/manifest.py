"""The manifest of a corpus: one row a picture, from which anybody with git brings the pictures again.

A CSV file, or one packed by xz, with the columns:

- ``label``: real or fake; ``generator``: of a fake one;
- ``kind``: what a real picture shows, or how a fake one was made; may be empty;
- ``source``: repository, photographer, package: what a split may not part; ``licence``: its text as read;
- ``width``, ``height``, ``bytes``; ``format``, as Pillow names it; ``jpeg_lumq_sum``: the sum of the
  luminance quantisation table of a JPEG;
- ``origin``: ``github:owner/name@commit``, ``debian:package``, ``pypi:package``, ``npm:package``,
  ``folder:name``;
- ``sha256``; ``dhash`` (``detector.data.look_alikes``); ``photo_like``: y, n or unsure, by a weak probe;
  ``note``.

Other columns are passed over.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from detector.core.errors import ManifestError
from detector.core.files import read_file, write_whole

COLUMNS = (
    "label", "kind", "generator", "source", "licence", "width", "height", "bytes", "format", "jpeg_lumq_sum",
    "origin", "sha256", "dhash", "photo_like", "note",
)  # fmt: skip
REAL_KINDS = ("photo", "art", "render", "screenshot", "scan")
FAKE_KINDS = ("t2i", "gan", "edit", "upscale", "video_frame")
SUFFIXES = {
    "JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "AVIF": "avif", "HEIF": "heic",
    "BMP": "bmp", "GIF": "gif",
}  # fmt: skip
MEDIA_TYPES = {
    "JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "AVIF": "image/avif",
    "HEIF": "image/heic",
}  # fmt: skip
_SHEET = "2x2 grid"  # what the generator of a sheet of four independent pictures says
MAX_MANIFEST_BYTES = 256 * 1024 * 1024  # unpacked
PACKED_SUFFIX = ".xz"
SHIPPED = Path(__file__).with_name("manifest.csv.xz")

_WORD = re.compile(r"[a-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DHASH = re.compile(r"[0-9a-f]{16}")
_COMMIT = re.compile(
    r"(?P<host>[a-z]+):(?P<name>[A-Za-z0-9][\w-]*/\w[\w.-]*)(?:@(?P<commit>[0-9a-f]{7,64}))?", re.ASCII
)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]+")  # makers of cameras pad their names with zeros
# A note of whoever collected a picture says so where its bytes are in no repository.
_MADE = re.compile(r"saved as PNG|\bcut out of\b|\bcrop of a\b|upscaled here|\bnotebook output\b")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture. Sides in pixels, ``size`` in bytes; ``luminance_sum`` is None where no JPEG told it."""

    fake: bool
    kind: str
    generator: str
    source: str
    licence: str
    width: int
    height: int
    size: int
    format: str
    luminance_sum: int | None
    origin: str
    sha256: str
    dhash: int
    photo_like: str
    note: str

    @property
    def label(self) -> str:
        return "fake" if self.fake else "real"

    @property
    def file(self) -> str:
        """Where a corpus that was brought keeps it, from the folder's top."""
        return f"{self.label}/{self.sha256}.{SUFFIXES.get(self.format, 'bin')}"

    @property
    def media_type(self) -> str:
        """Empty for a format that is not decoded here."""
        return MEDIA_TYPES.get(self.format, "")

    @property
    def sheet(self) -> bool:
        """Whether the file holds four independent pictures, two by two."""
        return _SHEET in self.generator

    @property
    def repository(self) -> str:
        """``owner/name`` of a picture that lies in git, else an empty string."""
        return self._in_git[0]

    @property
    def commit(self) -> str:
        """Where it was seen, perhaps shortened; empty for what lies in no git."""
        return self._in_git[1]

    @property
    def made_here(self) -> bool:
        """Cut out, taken from a film or notebook, or made by whoever collected it: nobody can bring its
        bytes."""
        return _MADE.search(self.note) is not None

    @cached_property
    def _in_git(self) -> tuple[str, str]:
        found = _COMMIT.fullmatch(self.origin)
        return (found["name"], found["commit"] or "") if found and found["host"] == "github" else ("", "")


def read_manifest(path: Path) -> tuple[Row, ...]:
    """All rows, in the order of the file. Raises ``FileFailed`` for a file that cannot be read and
    ``ManifestError``, with the line, for one that is no manifest: a column or value that lacks, a number that
    is none, a digest twice."""
    return parse_manifest(_unpacked(path), path.name)


def shipped_manifest() -> tuple[Row, ...]:
    """What the shipped weights were fitted, chosen and measured on; ``detector.data.licences.may_learn`` and
    ``detector.data.splits.test_source`` say which of it for what. Raises as ``read_manifest``."""
    return read_manifest(SHIPPED)


def parse_manifest(text: str, name: str) -> tuple[Row, ...]:
    """As ``read_manifest``, of a text that errors call ``name``."""
    table = csv.DictReader(io.StringIO(text, newline=""), restval=None, strict=True)
    rows: list[Row] = []
    lines: dict[str, int] = {}
    try:
        if lacking := sorted(set(COLUMNS) - set(table.fieldnames or ())):
            raise ManifestError(f"{name} lacks the columns {', '.join(lacking)}", line=1)
        for given in table:
            row = _row(given, name, table.line_num)
            if (before := lines.setdefault(row.sha256, table.line_num)) != table.line_num:
                raise ManifestError(
                    f"{name}, line {table.line_num}: the picture of line {before} again", line=table.line_num
                )
            rows.append(row)
    except csv.Error as e:
        line = table.reader.line_num
        raise ManifestError(f"{name}, line {line}: {e}", line=line) from e
    return tuple(rows)


def _row(given: dict[str, str | None], name: str, line: int) -> Row:
    values: dict[str, str] = {}
    for column in COLUMNS:
        if (value := given[column]) is None:
            raise ManifestError(f"{name}, line {line}: {column} is missing", line=line)
        values[column] = _UNSEEN.sub(" ", value).strip()
    for trouble in _troubles(values):
        raise ManifestError(f"{name}, line {line}: {trouble}", line=line)
    luminance = values["jpeg_lumq_sum"]
    return Row(
        fake=values["label"] == "fake", kind=values["kind"], generator=values["generator"],
        source=values["source"], licence=values["licence"], width=int(values["width"]),
        height=int(values["height"]), size=int(values["bytes"]), format=values["format"],
        luminance_sum=int(luminance) if luminance else None, origin=values["origin"], sha256=values["sha256"],
        dhash=int(values["dhash"], 16), photo_like=values["photo_like"], note=values["note"],
    )  # fmt: skip


def _troubles(values: dict[str, str]) -> Iterator[str]:
    if values["label"] not in {"real", "fake"}:
        yield f"label is {values['label'][:40]!r}, neither real nor fake"
    for column in ("source", "licence", "format", "origin"):
        if not values[column]:
            yield f"{column} is empty"
    if (values["label"] == "fake") != bool(values["generator"]):
        yield "a fake names its generator, and a real picture has none"
    if not _WORD.fullmatch(values["kind"]):
        yield f"kind is {values['kind'][:40]!r}, no plain word"
    for column in ("width", "height", "bytes", "jpeg_lumq_sum"):
        if (column, values[column]) != ("jpeg_lumq_sum", "") and not _is_count(values[column]):
            yield f"{column} is {values[column][:40]!r}, no number above zero"
    if not _SHA256.fullmatch(values["sha256"]):
        yield "sha256 is no digest of 64 hexadecimal digits"
    if not _DHASH.fullmatch(values["dhash"]):
        yield "dhash is no digest of 16 hexadecimal digits"


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < len(text) <= 12 and int(text) > 0


def dump_manifest(rows: Iterable[Row]) -> bytes:
    """The same bytes for the same rows, as CSV."""
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(
        (
            row.label, row.kind, row.generator, row.source, row.licence, row.width, row.height, row.size,
            row.format, row.luminance_sum or "", row.origin, row.sha256, f"{row.dhash:016x}", row.photo_like,
            row.note,
        )
        for row in rows
    )  # fmt: skip
    return out.getvalue().encode()


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Whole or not at all; packed where the name ends in ``.xz``. Raises ``FileFailed``."""
    data = dump_manifest(rows)
    if path.suffix == PACKED_SUFFIX:
        data = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    write_whole(path, data)


def _unpacked(path: Path) -> str:
    data = read_file(path, str(path))
    try:
        if path.suffix == PACKED_SUFFIX:
            unpacker = lzma.LZMADecompressor(memlimit=MAX_MANIFEST_BYTES)
            data = unpacker.decompress(data, MAX_MANIFEST_BYTES + 1)
            if len(data) <= MAX_MANIFEST_BYTES and not unpacker.eof:
                raise ManifestError(f"{path.name} is cut short", line=1)
        if len(data) > MAX_MANIFEST_BYTES:
            raise ManifestError(f"{path.name} is larger than a manifest may be", line=1)
        return data.decode("utf-8-sig")
    except lzma.LZMAError as e:
        raise ManifestError(f"{path.name} does not unpack: {e}", line=1) from e
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise ManifestError(f"{path.name}, line {line}: no UTF-8", line=line) from e
