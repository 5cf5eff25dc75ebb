"""Measurement on the test split, by the service's own path.

What is measured on a set that may not be trained on is measured here and nowhere else. Pictures are counted,
never crops.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from detector.core.errors import NotApplicable
from detector.core.files import write_whole
from detector.core.metrics import Array, Estimate, auc, bootstrap, cllr, cllr_min, proportion
from detector.core.progress import Report
from detector.data.corpus import Item
from detector.data.splits import Split
from detector.lab.steps.views import CODEC_NAMES, VIEWS, codec_of, matched, named_pictures, view_of
from detector.models.calibration import Calibration
from detector.models.card import Evaluation, SetResult
from detector.models.score import Answer, Score
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels

MAX_FILES_PER_SET = 60  # by digest; large evaluation-only sets are sampled
SIZES = ((0, "under 300 px"), (300, "300 to 599 px"), (600, "600 to 1199 px"), (1200, "from 1200 px"))

Raw = Callable[[Pixels], float]  # the logit before calibration; raises NotApplicable
Pair = tuple[str, int, tuple[Pixels, Pixels]]  # name and number, which decide an encoding; two pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureScore:
    """One picture in one view; ``answer`` is None when the detector abstained. ``shorter_side`` in pixels;
    ``codec`` is the last lossy encoding that the view itself applied, one of ``CODEC_NAMES``."""

    set_name: str
    fake: bool
    picture: str
    view: str
    logit: float | None
    answer: str | None
    shorter_side: int
    codec: str


class Scoring(Protocol):
    """A detector, whatever it is made of."""

    def score_pixels(self, pixels: Pixels) -> Score: ...


def score_test_split(
    detector: Scoring, root: Path, items: Sequence[Item], *, views: Sequence[str] = VIEWS, report: Report
) -> tuple[PictureScore, ...]:
    """Every test picture in every view, with the answer the service would give."""
    chosen = sampled([i for i in items if i.split is Split.TEST])
    out = []
    for n, item in enumerate(chosen):
        for name, picture in named_pictures(root, item):
            out += [_score(detector, item, name, view, view_of(picture, name, view)) for view in views]
        report("scoring the test split", n + 1, len(chosen))
    return tuple(out)


def sampled(items: Sequence[Item]) -> list[Item]:
    """At most ``MAX_FILES_PER_SET`` files of each set, chosen by digest."""
    out: list[Item] = []
    for name in sorted({i.set_name for i in items}):
        mine = sorted((i for i in items if i.set_name == name), key=lambda i: i.sha256)
        out += mine[:MAX_FILES_PER_SET]
    return out


def _score(detector: Scoring, item: Item, name: str, view: str, pixels: Pixels) -> PictureScore:
    try:
        score = detector.score_pixels(pixels)
    except NotApplicable:
        logit, answer = None, None
    else:
        logit, answer = score.logit, score.answer.value
    return PictureScore(
        set_name=item.set_name, fake=item.fake, picture=name, view=view, logit=logit, answer=answer,
        shorter_side=min(pixels.shape[:2]), codec=codec_of(view, name),
    )  # fmt: skip


def paired_scores(raw: Raw, pairs: Iterable[Pair]) -> tuple[Array, Array]:
    """Scores of both pictures of each pair after one encoding; pairs that the detector abstains on are left
    out."""
    scores: tuple[list[float], list[float]] = ([], [])
    for name, draw, pair in pairs:
        try:
            both = [raw(matched(picture, name, draw)) for picture in pair]
        except NotApplicable:
            continue
        scores[0].append(both[0])
        scores[1].append(both[1])
    return np.array(scores[0]), np.array(scores[1])


def pipeline_scores(raw: Raw, root: Path, items: Sequence[Item], report: Report) -> tuple[Array, Array]:
    """Real test pictures through a JPEG and through a WebP pipeline. If the network separates them after one
    ``codec_match``, an encoder is a label."""
    return paired_scores(raw, _pipelines(root, items, report))


def _pipelines(root: Path, items: Sequence[Item], report: Report) -> Iterator[Pair]:
    chosen = sampled([i for i in items if i.split is Split.TEST and not i.fake and i.set_name != "nikon_d70"])
    jpeg = Encoding(media_type="image/jpeg", quality=85)
    webp = Encoding(media_type="image/webp", quality=80)
    for n, item in enumerate(chosen):
        for name, picture in named_pictures(root, item):
            yield name, 0, (through(picture, jpeg), through(picture, webp))
        report("comparing pipelines", n + 1, len(chosen))


def summarise(
    scores: Sequence[PictureScore], calibration: Calibration, *, pipelines: tuple[Array, Array],
    aligned: tuple[Array, Array],
) -> Evaluation:  # fmt: skip
    """Numbers with n and interval from the scores; nothing is scored here."""
    results = [
        _set_result([s for s in scores if s.view == view], name)
        for view in dict.fromkeys(s.view for s in scores)
        for name in dict.fromkeys(s.set_name for s in scores)
    ]
    return Evaluation(
        results=tuple(results),
        by_size=tuple(
            _grouped([s for s in scores if s.view == "as_stored"], _size_of, [n for _, n in SIZES])
        ),
        by_codec=tuple(_grouped([s for s in scores if s.view == "matched"], lambda s: s.codec, CODEC_NAMES)),
        cllr=tuple(_cllr_rows([s for s in scores if s.view == "matched"], calibration)),
        pipeline_auc=bootstrap(auc, *pipelines),
        aligned_auc=bootstrap(auc, *aligned),
    )


def logits(scores: Sequence[PictureScore], *, fake: bool, name: str | None = None) -> Array:
    """Logits of a class (and set) where the detector did not abstain."""
    return np.array(
        [s.logit for s in scores if s.fake is fake and s.logit is not None and name in (None, s.set_name)]
    )


def _set_result(view_scores: Sequence[PictureScore], name: str) -> SetResult:
    mine = [s for s in view_scores if s.set_name == name]
    return _result(mine, name, logits(view_scores, fake=False))


def _result(mine: Sequence[PictureScore], name: str, real: Array) -> SetResult:
    own = logits(mine, fake=True)
    return answered(mine, name, bootstrap(auc, real, own) if len(real) and len(own) else None)


def answered(mine: Sequence[PictureScore], name: str, area: Estimate | None) -> SetResult:
    """How the pictures of one set, seen in one view, were answered."""
    seen = [s for s in mine if s.logit is not None]
    return SetResult(
        name=name, fake=mine[0].fake, view=mine[0].view, n=len(mine), auc=area,
        supports=proportion(sum(s.answer == Answer.SUPPORTS for s in mine), len(mine)),
        against=proportion(sum(s.answer == Answer.AGAINST for s in mine), len(mine)),
        abstained=len(mine) - len(seen), mean_logit=float(np.mean([s.logit for s in seen])) if seen else None,
    )  # fmt: skip


def _size_of(score: PictureScore) -> str:
    return next(name for least, name in reversed(SIZES) if score.shorter_side >= least)


def _grouped(
    scores: Sequence[PictureScore], of: Callable[[PictureScore], str], names: Sequence[str]
) -> Iterator[SetResult]:
    """Real and generated pictures of each group, against each other within it."""
    for name in names:
        group = [s for s in scores if of(s) == name]
        for fake in (False, True):
            mine = [s for s in group if s.fake is fake]
            if mine:
                yield _result(mine, name, logits(group, fake=False))


def _cllr_rows(
    scores: Sequence[PictureScore], calibration: Calibration
) -> Iterator[tuple[str, float, float]]:
    real = logits(scores, fake=False)
    for name in dict.fromkeys(s.set_name for s in scores if s.fake):
        fake = logits(scores, fake=True, name=name)
        if len(real) and len(fake):
            yield name, cllr(calibration.llr(real), calibration.llr(fake)), cllr_min(real, fake)


def write_scores(scores: Sequence[PictureScore], path: Path) -> None:
    """One JSON object per line, so that a plot or a doubt can go back to the pictures."""
    write_whole(path, "".join(json.dumps(asdict(s)) + "\n" for s in scores).encode())
