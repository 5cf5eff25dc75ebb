"""Add pictures of one's own to a manifest: the same conditions for every picture, and a reason for each
that is refused."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from detector.core.errors import DetectorError, NotApplicable, OptionRefused
from detector.core.files import read_file
from detector.core.progress import Report, silent
from detector.data.bringing import files_under
from detector.data.look_alikes import dhash, near_to
from detector.data.manifest import (
    FAKE_KINDS,
    MEDIA_TYPES,
    REAL_KINDS,
    SUFFIXES,
    Row,
    dump_manifest,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from detector.pixels.decode import decode
from detector.pixels.guard import decoding

MIN_SIDE = 256
MAX_BYTES = 256 * 1024 * 1024
MAX_PIXELS = 128_000_000
_FORMATS = frozenset(MEDIA_TYPES) - {"HEIF"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What whoever adds pictures says of all of them; an empty ``origin`` stands for the folder's name."""

    fake: bool
    source: str
    licence: str
    kind: str = ""
    generator: str = ""
    origin: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """``refused``: path within the folder, and why."""

    rows: tuple[Row, ...]
    refused: tuple[tuple[str, str], ...]


def add(manifest: Path, folder: Path, said: Said, report: Report = silent) -> Added:
    """Look at every file of a folder and write the manifest anew with those that are fit, whole or not at
    all; a manifest that is not there begins. The pictures stay where they are: ``bring`` takes them from
    there by their digests. Raises ``OptionRefused`` for words that a manifest cannot hold, ``ManifestError``
    and ``FileFailed``.
    """
    _check(said)
    before = read_manifest(manifest) if manifest.exists() else ()
    by_digest = {r.sha256: r for r in before}
    looks = np.array([r.dhash for r in before], np.uint64)
    new: list[Row] = []
    refused: list[tuple[str, str]] = []
    paths = list(files_under(folder))
    for n, path in enumerate(paths):
        report("pictures looked at", n, len(paths))
        name = path.relative_to(folder).as_posix()
        try:
            row = _row(path, name, said, folder.resolve().name)
            _refuse_known(row, by_digest, [*before, *new], looks)
        except DetectorError as e:
            refused.append((name, e.detail))
            continue
        new.append(row)
        by_digest[row.sha256] = row
        looks = np.append(looks, np.uint64(row.dhash))
    report("pictures looked at", len(paths), len(paths))
    if new:
        rows = (*before, *new)
        parse_manifest(dump_manifest(rows).decode(), manifest.name)  # it can be read again before it replaces
        write_manifest(manifest, rows)
    return Added(rows=tuple(new), refused=tuple(refused))


def _check(said: Said) -> None:
    if said.fake and not said.generator:
        raise OptionRefused("generated pictures name their generator")
    if not said.fake and said.generator:
        raise OptionRefused("real pictures have no generator")
    kinds = FAKE_KINDS if said.fake else REAL_KINDS
    if said.kind and said.kind not in kinds:
        raise OptionRefused(f"{said.kind} is none of the kinds {', '.join(kinds)}")
    for name, text in (("source", said.source), ("licence", said.licence)):
        if not text.strip():
            raise OptionRefused(f"a {name} is needed: who made the pictures, and on what terms")
    for text in (said.source, said.licence, said.generator, said.origin, said.note):
        if not text.isprintable():
            raise OptionRefused(f"{text!r} holds what cannot be printed")


def _row(path: Path, name: str, said: Said, folder: str) -> Row:
    """Raises ``NotApplicable`` and ``PixelsUnreadable`` for what is unfit, ``FileFailed``."""
    if path.stat().st_size > MAX_BYTES:
        raise NotApplicable(f"more than {MAX_BYTES} bytes")
    data = read_file(path, name)
    form, image = _decoded(data)
    if min(image.size) < MIN_SIDE:
        raise NotApplicable(f"{image.width} x {image.height} pixels; both sides need {MIN_SIDE}")
    return Row(
        fake=said.fake, kind=said.kind, generator=said.generator, source=said.source, licence=said.licence,
        width=image.width, height=image.height, size=len(data), format=form,
        luminance_sum=_luminance_sum(data, form), origin=said.origin or f"folder:{folder}",
        sha256=hashlib.sha256(data).hexdigest(), dhash=dhash(image), photo_like="", note=said.note,
    )  # fmt: skip


def _decoded(data: bytes) -> tuple[str, Image.Image]:
    """Name of the format, and the picture, decoded whole."""
    with decoding("the picture"), Image.open(io.BytesIO(data)) as opened:
        form = str(opened.format)
        if form not in SUFFIXES:
            raise NotApplicable(f"pictures of format {form} are not taken")
        if form != "MPO" and getattr(opened, "n_frames", 1) > 1:
            raise NotApplicable("the picture is animated")
        if opened.width * opened.height > MAX_PIXELS:
            raise NotApplicable(f"{opened.width} x {opened.height} pixels; the limit is {MAX_PIXELS}")
        if form not in _FORMATS:
            return form, opened.convert("RGB")
    return form, Image.fromarray(decode(data, MEDIA_TYPES[form], max_pixels=MAX_PIXELS))


def _luminance_sum(data: bytes, form: str) -> int | None:
    if form not in {"JPEG", "MPO"}:
        return None
    with decoding("the tables"), Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as image:
        tables: dict[int, list[int]] = getattr(image, "quantization", {})
        return sum(tables[0]) if 0 in tables else None


def _refuse_known(row: Row, by_digest: dict[str, Row], rows: Sequence[Row], looks: np.ndarray) -> None:
    """Raises ``NotApplicable`` for a picture that the manifest holds already."""
    if (same := by_digest.get(row.sha256)) is not None:
        raise NotApplicable(f"the manifest holds it already, of {same.source}")
    near = near_to(row.dhash, looks)
    if len(near):
        other = rows[int(near[0])]
        raise NotApplicable(f"it looks like {other.sha256[:12]} of {other.source}, which the manifest holds")
