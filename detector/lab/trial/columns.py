"""What one detector made of every picture in one view: rows for tables and plots."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.metrics import Array
from detector.lab.steps.evaluation import PictureScore
from detector.lab.steps.scores import ScoreRow
from detector.lab.steps.views import codec_of
from detector.lab.trial.pictures import Picture
from detector.lab.trial.scoring import ABSTAINED, UNREADABLE, Scored
from detector.models.kinds import Kind

_LN10 = math.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Pictures that cannot be decoded are not among ``rows``. ``llrs`` are natural log-likelihood ratios, one
    a row; None where there is none; ``kinds`` is what each picture is taken for, None where it is unknown."""

    detector: str
    view: str
    rows: tuple[PictureScore, ...]
    llrs: tuple[float | None, ...]
    kinds: tuple[str | None, ...]

    def logits(self, *, fake: bool) -> dict[str, Array]:
        """Sub-folder to the raw scores of its pictures, of one class; sub-folders without a score are left
        out."""
        return self._parts(fake, [r.logit for r in self.rows])

    def ratios(self, *, fake: bool) -> dict[str, Array]:
        """The same of ``llrs``."""
        return self._parts(fake, self.llrs)

    def _parts(self, fake: bool, values: Sequence[float | None]) -> dict[str, Array]:
        parts: dict[str, list[float]] = {}
        for row, value in zip(self.rows, values, strict=True):
            if row.fake is fake and value is not None:
                parts.setdefault(row.set_name, []).append(value)
        return {name: np.array(part) for name, part in parts.items()}


def columns_of(pictures: Sequence[Picture], scored: Sequence[Scored]) -> tuple[Column, ...]:
    """Detector by detector, and of each view by view, in the order of ``scored``."""
    by_digest = {p.sha256: p for p in pictures}
    seen = [s for s in scored if s.answer != UNREADABLE]
    detectors, views = dict.fromkeys(s.detector for s in seen), dict.fromkeys(s.view for s in seen)
    out = []
    for detector, view in ((d, v) for d in detectors for v in views):
        mine = [s for s in seen if (s.detector, s.view) == (detector, view)]
        rows = tuple(_row(by_digest[s.sha256], s) for s in mine)
        llrs = tuple(None if s.log10_ratio is None else s.log10_ratio * _LN10 for s in mine)
        kinds = tuple(s.kind for s in mine)
        out.append(Column(detector=detector, view=view, rows=rows, llrs=llrs, kinds=kinds))
    return tuple(out)


def _row(picture: Picture, s: Scored) -> PictureScore:
    return PictureScore(
        set_name=picture.source, fake=picture.fake, picture=picture.name, view=s.view, logit=s.logit,
        answer=None if s.answer == ABSTAINED else s.answer, shorter_side=s.side or 0,
        codec=codec_of(s.view, picture.name),
    )  # fmt: skip


def table_rows(pictures: Sequence[Picture], scored: Sequence[Scored], detector: str) -> Iterator[ScoreRow]:
    """The scores of one detector in the form that calibration reads. What kind of picture each is nobody
    said, and generators and sources are those of the sub-folders."""
    by_digest = {p.sha256: p for p in pictures}
    for s in scored:
        if s.detector == detector and s.logit is not None and s.distance is not None and s.side is not None:
            picture = by_digest[s.sha256]
            yield ScoreRow(
                sha256=s.sha256, fake=picture.fake, kind=None, view=s.view, source=picture.source,
                generator=picture.source if picture.fake else "", side=s.side, quality=s.quality,
                media_type=s.media_type, logit=s.logit, predicted=Kind(s.kind) if s.kind else None,
                kind_probability=None,
                distance=s.distance,
            )  # fmt: skip
