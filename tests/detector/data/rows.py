"""Rows of a manifest that tests make up."""

from __future__ import annotations

from dataclasses import replace

from detector.data.manifest import Row

_BASE = Row(
    fake=False, kind="photo", generator="", source="s", licence="MIT", width=640, height=480, size=1000,
    format="JPEG", luminance_sum=1109, origin="github:a/b@0123456789ab", sha256="0" * 64, dhash=0,
    photo_like="", note="",
)  # fmt: skip


def row_of(digit: str, **values: object) -> Row:
    """A row whose digest is one hexadecimal digit, and whose look follows from it."""
    return replace(_BASE, sha256=digit * 64, dhash=int(digit * 16, 16), **values)


def row(**values: object) -> Row:
    """A row like any other but for some values."""
    return replace(_BASE, **values)
