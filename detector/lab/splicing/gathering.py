"""Features of the windows of composites and of their untouched twins, from which a head is fitted in seconds.

The head is fitted on the first half (``detector.lab.halves``), the second reports. A photo is pasted only
into photos of its own half.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.core.errors import DetectorError
from detector.core.files import read_file, write_arrays
from detector.core.progress import Report, silent
from detector.data.kin import source_of
from detector.data.manifest import Row, shipped_manifest
from detector.forensics.splicing import WINDOW, Backbone, Windows, windows_of
from detector.lab.halves import by_source, first_half
from detector.lab.splicing.composites import KINDS, Composite, composite, host_of
from detector.pixels.decode import Pixels, decode

MOST_OF_SOURCE = 4


def gather(
    corpus: Path,
    out: Path,
    network: Backbone,
    reconstruct: Callable[[Pixels], Pixels],
    report: Report = silent,
) -> None:
    """One ``.npz`` for each photo, by its digest; those that are there are left."""
    out.mkdir(parents=True, exist_ok=True)
    hosts = [(first_half(source_of(r)), r) for r in _rows(corpus)]
    for n, (first, row) in enumerate(hosts):
        path = out / f"{row.sha256[:16]}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng(int(row.sha256[:8], 16))
        donors = [r for f, r in hosts if f == first and source_of(r) != source_of(row)]
        if not donors:
            continue  # nothing of another source to paste
        try:
            host = host_of(_read(corpus, row), rng)
            donor = _read(corpus, donors[int(rng.integers(len(donors)))])
            if host is None or min(donor.shape[:2]) < 304:
                continue
            made = composite(host, donor, KINDS[int(rng.integers(len(KINDS)))], reconstruct, rng)
            pair = windows_of(made.untouched, network), windows_of(made.changed, network)
        except DetectorError:
            continue
        _write(path, row, made, pair)
        report("comparing windows", n + 1, len(hosts))


def _rows(corpus: Path) -> list[Row]:
    rows = [r for r in shipped_manifest() if r.kind in ("", "photo")]
    chosen = [r for of in by_source(rows, corpus).values() for r in of[:MOST_OF_SOURCE]]
    return sorted(chosen, key=lambda r: sha256(r.sha256.encode()).digest())


def _read(corpus: Path, row: Row) -> Pixels:
    return decode(read_file(corpus / row.file, row.file), row.media_type)


def inside_of(mask: NDArray[np.bool_], windows: Windows) -> NDArray[np.float64]:
    """(n,): the share of each window that is changed."""
    step = windows.step
    tops = (windows.at * step).astype(int)
    return np.array([mask[y : y + WINDOW, x : x + WINDOW].mean() for y, x in tops])


def _write(path: Path, row: Row, made: Composite, pair: tuple[Windows, Windows]) -> None:
    arrays: dict[str, ArrayLike] = {
        "source": source_of(row), "kind": made.kind, "quality": made.quality or 0, "across": made.across,
    }  # fmt: skip
    for name, windows in zip(("untouched", "changed"), pair, strict=True):
        arrays |= {
            f"{name}_features": windows.features.astype(np.float16), f"{name}_at": windows.at,
            f"{name}_shape": windows.shape, f"{name}_step": windows.step,
            f"{name}_inside": inside_of(made.mask, windows),
        }  # fmt: skip
    write_arrays(path, arrays)
