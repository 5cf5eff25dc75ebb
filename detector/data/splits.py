"""Splits that cannot leak: a unit, or a source of a manifest, falls where its own digest says.

The unit is the source (a photo, a sheet of one style, a camera model), never a crop or a tile, so that two
views of one thing cannot stand on both sides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from functools import cache

SPLIT_SEED = "assay-split-1"
CORPUS_SEED = "assay-corpus-337"
TEST_SHARE = 0.15


class Split(StrEnum):
    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


def split_units(units: Iterable[str], shares: tuple[float, float, float]) -> dict[str, Split]:
    """Assign units to splits by a digest, so that the answer depends neither on order nor on a generator.

    A unit that occurs in two sets with equal shares falls into the same split in both: its place is a
    threshold on its own digest, not its rank.
    """
    train, calibration, _ = shares
    out = {}
    for unit in units:
        digest = hashlib.sha256(f"{SPLIT_SEED}:{unit}".encode()).digest()
        at = int.from_bytes(digest[:8], "big") / 2**64
        out[unit] = (
            Split.TRAIN if at < train else Split.CALIBRATION if at < train + calibration else Split.TEST
        )
    return out


@cache
def test_source(source: str) -> bool:
    """Whether a source of a manifest is kept for the test: a photographer or repository falls there whole,
    by its own digest. About ``TEST_SHARE`` of the sources do; no recipe is chosen on them, and what is
    tested on them was fitted without them. Weights that ship may learn from them afterwards: their card says
    so."""
    digest = hashlib.sha256(f"{CORPUS_SEED}\0{source}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 >= 1 - TEST_SHARE
