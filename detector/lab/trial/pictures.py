"""The pictures of a trial: two folders, real and generated, whose sub-folders are their sources."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import CorpusError, FileFailed, LabError, OptionRefused, TooFewPictures
from detector.core.files import read_file
from detector.core.progress import Report
from detector.zoo.sources.photos import TWIN, Skipped, named_as_photos, read_encoded

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file. ``source`` is its sub-folder of the first level, or the folder itself; ``name`` is its path
    from the parent of the folder, for people."""

    path: Path
    name: str
    fake: bool
    source: str
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What both folders hold, in the order of the paths; ``skipped`` cannot be used, and why."""

    real: Path
    fake: Path
    pictures: tuple[Picture, ...]
    skipped: tuple[Skipped, ...]

    def of(self, *, fake: bool) -> tuple[Picture, ...]:
        return tuple(p for p in self.pictures if p.fake is fake)

    def digest(self) -> str:
        """One digest over what is measured, and as what."""
        lines = sorted(f"{p.sha256} {p.fake} {p.source}" for p in self.pictures)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def gather(real: Path, fake: Path, *, report: Report) -> Pictures:
    """Every file that is named as a picture is read once. Raises ``FileFailed`` for what is no folder,
    ``OptionRefused`` where one lies in the other, ``TooFewPictures`` for a class without a picture, and
    ``CorpusError`` where the same file stands in both: then one of its two labels is wrong."""
    for folder in (real, fake):
        if not folder.is_dir():
            raise FileFailed(f"{folder} is no folder")
    inside = real.resolve(), fake.resolve()
    if inside[0].is_relative_to(inside[1]) or inside[1].is_relative_to(inside[0]):
        raise OptionRefused(f"{real} and {fake} lie in each other; real and generated pictures stand apart")
    found: list[Picture] = []
    skipped: list[Skipped] = []
    for folder, is_fake in ((real, False), (fake, True)):
        mine, unusable = _in(folder, is_fake, report)
        found += mine
        skipped += unusable
    _refuse_both_labels(found)
    return Pictures(real=real, fake=fake, pictures=tuple(found), skipped=tuple(skipped))


def _in(folder: Path, fake: bool, report: Report) -> tuple[list[Picture], list[Skipped]]:
    paths, skipped = named_as_photos(folder)
    top = folder.resolve().name
    skipped = [Skipped(path=f"{top}/{s.path}", reason=s.reason) for s in skipped]
    found: dict[str, Picture] = {}
    for n, path in enumerate(paths):
        inner = path.relative_to(folder)
        name = f"{top}/{inner.as_posix()}"
        try:
            data, media_type = read_encoded(path)
        except LabError as e:
            skipped.append(Skipped(path=name, reason=e.detail))
        else:
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 in found:
                skipped.append(Skipped(path=name, reason=TWIN + found[sha256].name))
            source = inner.parts[0] if len(inner.parts) > 1 else top
            found.setdefault(
                sha256,
                Picture(path=path, name=name, fake=fake, source=source, sha256=sha256, media_type=media_type),
            )
        report(f"reading {'generated' if fake else 'real'} pictures", n + 1, len(paths))
    if not found:
        why = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise TooFewPictures(f"{folder} holds no JPEG, PNG or WebP picture that can be read{why}")
    return list(found.values()), skipped


def _refuse_both_labels(found: Sequence[Picture]) -> None:
    counts = Counter(p.sha256 for p in found)
    both = [p for p in found if counts[p.sha256] > 1]
    if both:
        first = [p.name for p in both if not p.fake][:_MOST_NAMED]
        raise CorpusError(
            f"{len(both) // 2} files stand in both folders ({', '.join(first)}): one picture is not real and "
            "generated; take them out of one"
        )


def bytes_of(picture: Picture) -> bytes:
    """Raises ``FileFailed``, and ``CorpusError`` when the file is no longer the one that was read."""
    data = read_file(picture.path, picture.name)
    if hashlib.sha256(data).hexdigest() != picture.sha256:
        raise CorpusError(f"{picture.name} has changed since it was read")
    return data
