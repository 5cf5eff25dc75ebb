"""The pictures of a benchmark: two folders with their sub-folders, or a manifest that was brought."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from detector.core.errors import CorpusError, TooFewPictures
from detector.core.progress import Report
from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.manifest import Row, read_manifest
from detector.data.splits import test_source
from detector.lab.trial.pictures import Picture, Pictures
from detector.zoo.sources.photos import Skipped

_READ_HERE = ("image/jpeg", "image/png", "image/webp")


def of_manifest(path: Path, folder: Path, *, test_only: bool, report: Report) -> Pictures:
    """Groups are the manifest's sources of real pictures and families of generators. Pictures that were not
    brought are ``skipped``; those that were are checked by digest when they are shown. ``test_only``: sources
    of the test split alone. Raises ``FileFailed``, ``ManifestError``, and ``TooFewPictures`` for a class
    without a picture."""
    rows = [r for r in read_manifest(path) if not test_only or test_source(source_of(r))]
    found, skipped = [], []
    for n, row in enumerate(sorted(rows, key=lambda r: r.sha256)):
        if row.media_type not in _READ_HERE:
            skipped.append(Skipped(path=row.file, reason=f"{row.format} is not read here"))
        elif row.sheet:
            skipped.append(Skipped(path=row.file, reason="a sheet of several pictures"))
        elif not (folder / row.file).is_file():
            skipped.append(Skipped(path=row.file, reason="it was not brought"))
        else:
            found.append(_picture(row, folder))
        report("looking for pictures", n + 1, len(rows))
    _need_both(found, path)
    return Pictures(real=folder / "real", fake=folder / "fake", pictures=tuple(found), skipped=tuple(skipped))


def _picture(row: Row, folder: Path) -> Picture:
    group = family_of(row.generator) if row.fake else source_of(row)
    return Picture(
        path=folder / row.file, name=row.file, fake=row.fake, source=group or "not said", sha256=row.sha256,
        media_type=row.media_type,
    )  # fmt: skip


def _need_both(found: Iterable[Picture], path: Path) -> None:
    classes = {p.fake for p in found}
    for fake, what in ((False, "real"), (True, "generated")):
        if fake not in classes:
            raise TooFewPictures(f"no {what} picture of {path.name} was brought")


def taught_by(path: Path) -> tuple[frozenset[str], tuple[int, ...]]:
    """What somebody says a detector was fitted on, as digests of files and of looks: a manifest, or a text
    with a SHA-256 on every line (then without looks). Raises ``FileFailed``, ``CorpusError``."""
    if path.suffix in (".csv", ".xz"):
        rows = read_manifest(path)
        return frozenset(r.sha256 for r in rows), tuple(r.dhash for r in rows)
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as e:
        raise CorpusError(f"{path} cannot be read as a list of digests: {e}") from e
    if wrong := [x for x in lines if len(x) != 64 or set(x.lower()) - set("0123456789abcdef")]:
        raise CorpusError(f"{path.name} holds {wrong[0][:40]!r}, which is no SHA-256")
    return frozenset(x.lower() for x in lines), ()
