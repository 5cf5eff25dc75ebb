"""Pictures of one source made to look like those of the other, by a fitted family that translates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detector.core.errors import OptionRefused
from detector.core.progress import Report
from detector.data.splits import Split
from detector.generators.source import pixels_digest
from detector.zoo.export import save_pictures
from detector.zoo.runs import SHEET_COLUMNS, about_run
from detector.zoo.sheet import write_sheet
from detector.zoo.sources.data import Data, given_pictures
from detector.zoo.store import open_family

_SHEET_PAIRS = 3 * SHEET_COLUMNS


def translate_run(
    run: Path,
    data: Data,
    out: Path,
    *,
    to: int,
    count: int,
    seed: int,
    report: Report,
) -> tuple[str, int]:
    """Write ``out`` (``images`` and their ``originals``, in the same order) and beside it a sheet: rows of
    originals, each with what became of it below. Returns the digest of the pixels and how many they are.
    Raises ``NotApplicable`` for a family that does not translate, ``LabError`` for pictures it cannot
    take."""
    picture = out.with_suffix(".png")
    if picture == out:
        raise OptionRefused("the sheet would take the place of the pictures; name a .npz file")
    fitted = open_family(run)
    spec = fitted.spec
    # Asked with one blank picture first: who cannot translate says so before all photos are read.
    fitted.translate(np.zeros((1, spec.side, spec.side, spec.channels), np.uint8), to)
    given = given_pictures(data, spec.side, count, splits=tuple(Split), seed=seed, report=report).images
    made = fitted.translate(given, to)
    about = {**about_run(fitted), "to": to, "seed": seed, "originals_sha256": pixels_digest(given)}
    digest = save_pictures(made, out, about=about, originals=given)
    shown = min(len(given), _SHEET_PAIRS)
    columns = min(shown, SHEET_COLUMNS)
    rows = []
    for at in range(0, shown - shown % columns, columns):
        rows += [given[at : at + columns], made[at : at + columns]]
    write_sheet(np.concatenate(rows), picture, columns=columns)
    return digest, len(made)
