"""What speaks against a corpus: leaks between its splits, the same picture twice, fields that tell the label,
licences that nobody read, kinds that nobody wrote down, labels that something contradicts.

Nothing here mends anything. A finding names the pictures it is about; contact sheets show them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from detector.core.progress import Report, silent
from detector.data.files_there import Doubt, look_at_files
from detector.data.giveaways import Telling, telling_fields
from detector.data.licences import terms_of
from detector.data.look_alikes import NEAR_BITS, near_pairs
from detector.data.manifest import FAKE_KINDS, REAL_KINDS, Row
from detector.data.splits import test_source

TELLING_AUC = 0.6  # of single pictures; from here on a field is a label


class Concern(StrEnum):
    """What a finding is about; its value names it on the command line and on sheets."""

    LEAK = "leak"
    TWICE = "twice"
    FIELD = "field"
    LICENCE = "licence"
    KIND = "kind"
    DOUBT = "doubt"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``pictures``: digests, pairs one after the other."""

    concern: Concern
    text: str
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """``told``: every field, whether it is a finding or not; empty for a corpus of one class."""

    findings: tuple[Finding, ...]
    told: tuple[Telling, ...]
    files: int  # of the corpus's folder that were read


def check(rows: Sequence[Row], folder: Path | None = None, report: Report = silent) -> Checked:
    """``folder``: where the pictures were brought to, or None: only the manifest is looked at. Raises
    ``FileFailed`` for files that are there and cannot be read."""
    there = look_at_files(rows, folder, report) if folder is not None else None
    told = telling_fields(rows) if len({r.fake for r in rows}) == 2 else ()
    findings = [
        *_names(rows), *_look_alikes(rows), *_told(told), *_licences(rows), *_kinds(rows),
        *_doubts(there.doubts if there else ()), *_wrong(there.wrong if there else ()),
    ]  # fmt: skip
    return Checked(findings=tuple(findings), told=told, files=there.files if there else 0)


def _names(rows: Sequence[Row]) -> Iterator[Finding]:
    """One source under two names, of which one is kept for the test."""
    for what, key in (("repository", _place_of), ("source but for spelling", _spelt)):
        together: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            if name := key(row):
                together[name].add(row.source)
        for name, sources in sorted(together.items()):
            if len({test_source(s) for s in sources}) == 2:
                yield Finding(
                    concern=Concern.LEAK,
                    text=f"one {what} in two splits: {name}, as {', '.join(sorted(sources))}",
                    pictures=tuple(r.sha256 for r in rows if r.source in sources),
                )


def _place_of(row: Row) -> str:
    return row.repository.lower()


def _spelt(row: Row) -> str:
    """Names that differ in case, versions and punctuation are those of one package or photographer."""
    name = row.source.lower()
    if not row.repository:
        name = re.sub(r"[- ]v?\d[\w.:+-]*$", "", name)
    return re.sub(r"[\W_]+", " ", name).strip()


def _look_alikes(rows: Sequence[Row]) -> Iterator[Finding]:
    """Pairs of one source whose label or generator differs are of use (before and after an edit, one photo by
    several upscalers) and never parted, so they are no finding."""
    pairs = [(rows[a], rows[b]) for a, b in near_pairs(np.array([r.dhash for r in rows], np.uint64))]
    apart = [(a, b) for a, b in pairs if a.source != b.source]
    for concern, text, found in (
        (
            Concern.LEAK,
            "pairs that look alike, one kept for the test",
            [(a, b) for a, b in apart if test_source(a.source) != test_source(b.source)],
        ),
        (
            Concern.DOUBT,
            "pairs that look alike, one called real and one generated",
            [(a, b) for a, b in apart if a.fake != b.fake],
        ),
        (
            Concern.TWICE,
            "pairs that look alike in one split",
            [
                (a, b)
                for a, b in pairs
                if test_source(a.source) == test_source(b.source)
                and (a.source != b.source or (a.fake, a.generator) == (b.fake, b.generator))
            ],
        ),
    ):
        if found:
            yield Finding(
                concern=concern, text=f"{len(found)} {text} (at most {NEAR_BITS} of 64 bits differ)",
                pictures=tuple(r.sha256 for pair in found for r in pair),
            )  # fmt: skip


def _told(told: Iterable[Telling]) -> Iterator[Finding]:
    for one in told:
        if one.by_picture >= TELLING_AUC:
            yield Finding(
                concern=Concern.FIELD,
                text=f"{one.field} tells the label without pixels: AUC {one.by_picture:.2f},"
                f" {one.by_source:.2f} on sources left out",
            )


def _licences(rows: Sequence[Row]) -> Iterator[Finding]:
    unread = Counter(r.licence for r in rows if terms_of(r.licence) is None)
    for licence, n in unread.most_common():
        yield Finding(
            concern=Concern.LICENCE, text=f"{n} pictures under a licence that nobody read: {licence}",
            pictures=tuple(r.sha256 for r in rows if r.licence == licence),
        )  # fmt: skip


def _kinds(rows: Sequence[Row]) -> Iterator[Finding]:
    known = {False: REAL_KINDS, True: FAKE_KINDS}
    for fake, label in ((False, "real"), (True, "generated")):
        mine = [r for r in rows if r.fake is fake]
        if none := [r.sha256 for r in mine if not r.kind]:
            yield Finding(
                concern=Concern.KIND, text=f"{len(none)} of {len(mine)} {label} pictures have no kind",
                pictures=tuple(none),
            )  # fmt: skip
        for kind, n in Counter(r.kind for r in mine if r.kind and r.kind not in known[fake]).items():
            yield Finding(
                concern=Concern.KIND, text=f"{n} {label} pictures of a kind that nobody knows: {kind}",
                pictures=tuple(r.sha256 for r in mine if r.kind == kind),
            )  # fmt: skip


def _doubts(doubts: Iterable[Doubt]) -> Iterator[Finding]:
    by_text: dict[str, list[str]] = defaultdict(list)
    for doubt in doubts:
        by_text[doubt.text].append(doubt.sha256)
    for text, pictures in sorted(by_text.items()):
        yield Finding(concern=Concern.DOUBT, text=f"{len(pictures)} {text}", pictures=tuple(pictures))


def _wrong(files: Iterable[Doubt]) -> Iterator[Finding]:
    for wrong in files:
        yield Finding(concern=Concern.FILE, text=wrong.text, pictures=(wrong.sha256,))


def pictures_digest(rows: Iterable[Row]) -> str:
    """One digest over which pictures a manifest names, whatever their order: what a card may cite."""
    return hashlib.sha256("\n".join(sorted(r.sha256 for r in rows)).encode()).hexdigest()
