"""Halves of a material by name, and what of the corpus takes part in a fit on the first.

Names are of authors and sources. Those whose SHA-256 begins with 0 to 7 are the first half, on which
everything is fitted and chosen; the second half reports. So the halves stand before anything is measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from detector.data.kin import source_of
from detector.data.licences import may_learn
from detector.data.manifest import Row

MOST_PIXELS = 25_000_000
_LEAST_SIDE = 320
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def first_half(name: str) -> bool:
    """Whether everything is chosen on this author or source."""
    return sha256(name.encode()).hexdigest()[0] in "01234567"


def takes_part(row: Row) -> bool:
    """Of the half that weights learn from only what its licence allows (docs/decisions/0025)."""
    return not first_half(source_of(row)) or may_learn(row.licence)


def by_source(rows: Iterable[Row], corpus: Path) -> dict[str, list[Row]]:
    """Real pictures that take part, lie in ``corpus`` and can be looked at, by source, in the order of their
    digests."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        path = corpus / row.file
        fits = row.width * row.height <= MOST_PIXELS and min(row.width, row.height) >= _LEAST_SIDE
        if not row.fake and takes_part(row) and fits and path.suffix in TYPES and path.is_file():
            found[source_of(row)].append(row)
    return {s: sorted(of, key=lambda r: r.sha256) for s, of in sorted(found.items())}
