"""Pictures that no weights that ship have learned from: those of the shipped manifest that may only be
measured on (decision 0025), without the sources of which other pictures teach.

A set is a source of real pictures or a family of generators. Families may have taught with other pictures.

``python -m tests.bench.unseen PICTURES PER_SET MANIFEST`` writes which these are, as ``assay lab benchmark
--manifest MANIFEST PICTURES`` reads it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from detector.core.files import read_file
from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.licences import may_learn
from detector.data.manifest import Row, shipped_manifest, write_manifest


def unseen(folder: Path, per_set: int) -> Iterator[tuple[str, Row, bytes]]:
    """(set, row, file) of at most ``per_set`` pictures of a set, chosen by their digests, as far as ``assay
    lab corpus bring`` has put them into ``folder``."""
    rows = shipped_manifest()
    teaching = {source_of(r) for r in rows if may_learn(r.licence)}
    taken: Counter[tuple[bool, str]] = Counter()
    for row in sorted(rows, key=lambda r: r.sha256):
        name = family_of(row.generator) if row.fake else source_of(row)
        if may_learn(row.licence) or source_of(row) in teaching or taken[row.fake, name] >= per_set:
            continue
        if (folder / row.file).is_file():
            taken[row.fake, name] += 1
            yield name, row, read_file(folder / row.file, row.file)


def main(pictures: Path, per_set: int, manifest: Path) -> None:
    write_manifest(manifest, [row for _, row, _ in unseen(pictures, per_set)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
