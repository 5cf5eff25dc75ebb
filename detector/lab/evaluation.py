"""Calibration on the calibration split and measurement on the test split, by the service's own path.

Calibration and operating points come from the calibration split alone. Pictures are counted, never
crops. What is measured on a set that may not be trained on is measured here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError, NotApplicable
from detector.core.files import write_whole
from detector.core.metrics import auc, bootstrap, cllr, cllr_min, proportion
from detector.data.corpus import Item, pictures
from detector.data.licences import SETS
from detector.data.splits import Split
from detector.models.calibration import Calibration, fit
from detector.models.card import Evaluation, OperatingPoint, SetResult
from detector.models.score import Answer, Score
from detector.pixels.augment import CodecDraw, Encoding, codec_match, draw_codec, resize, through
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import crops_of

if TYPE_CHECKING:
    from detector.networks.traces import TraceNet

CALIBRATION_DRAWS = 3
FALSE_POSITIVE_GOAL = 0.05
DOMAIN_SHARE = 0.99
DOMAIN_SLACK = 1.15  # few calibration pictures do not reach as far as their kind does
MIN_LOG10_RATIO = 0.5  # a ratio of about three: below it the words would be stronger than the evidence
# No whole picture that a shipped detector was fitted on is smaller, and most GAN pictures of 256 pixels that
# were measured pass for photos.
AGAINST_MIN_SIDE = 400
MAX_FILES_PER_SET = 60  # by digest; large evaluation-only sets are sampled
VIEWS = ("as_stored", "matched", "jpeg75", "half")
SIZES = ((0, "under 300 px"), (300, "300 to 599 px"), (600, "600 to 1199 px"), (1200, "from 1200 px"))
CODEC_NAMES = ("none", "JPEG 91 to 98", "JPEG 81 to 90", "JPEG 71 to 80", "JPEG 60 to 70", "WebP")

Array = NDArray[np.float64]
Report = Callable[[str, int, int], None]
Raw = Callable[[Pixels], float]  # the logit before calibration; raises NotApplicable


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What the calibration split says: the line, the operating point, and how far from its own centre a
    calibration picture may lie (deviations per feature)."""

    calibration: Calibration
    point: OperatingPoint
    domain_limit: float


def calibrate(
    network: TraceNet, root: Path, items: Sequence[Item], *, seed: int, report: Report
) -> Calibrated:
    """Sets the domain buffers of the network too. Raises ``CalibrationError`` for too few pictures or a score
    that ranks the wrong way."""
    drawn = _drawn_features(network, root, items, report)
    real = {name: f for (name, is_fake), f in drawn.items() if not is_fake}
    fake = {name: f for (name, is_fake), f in drawn.items() if is_fake}
    if not real or not fake:
        raise CalibrationError("the calibration split needs real and generated pictures")
    limit = _set_domain(network, [*real.values(), *fake.values()])
    scores = {name: f[..., -1] for name, f in real.items()}
    fakes = {name: f[..., -1] for name, f in fake.items()}
    return Calibrated(
        calibration=fit(np.concatenate(list(scores.values())), list(fakes.values()), seed=seed),
        point=operating_point(scores, fakes),
        domain_limit=limit,
    )


def _drawn_features(
    network: TraceNet, root: Path, items: Sequence[Item], report: Report
) -> dict[tuple[str, bool], Array]:
    """(set, fake) -> (pictures, draws, d + 1): mean features over crops, and last the mean score."""
    chosen = [i for i in items if i.split is Split.CALIBRATION]
    out: dict[tuple[str, bool], list[list[Array]]] = {}
    for n, item in enumerate(chosen):
        for name, picture in named_pictures(root, item):
            try:
                seen = [crops_of(matched(picture, name, k)) for k in range(CALIBRATION_DRAWS)]
            except NotApplicable:
                continue
            out.setdefault((item.set_name, item.fake), []).append([_summary(network, c) for c in seen])
        report("calibrating", n + 1, len(chosen))
    return {k: np.array(v) for k, v in out.items()}


def _summary(network: TraceNet, crops: NDArray[np.uint8]) -> Array:
    import torch

    from detector.networks.traces import fake_score

    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).float()
        features = torch.cat([network.features(x[n : n + 1]) for n in range(len(x))])
        score = fake_score(network.family(features)).mean()
        return np.append(features.mean(0).double().numpy(), float(score))


def _set_domain(network: TraceNet, drawn: Sequence[Array]) -> float:
    """Centre and spread of all calibration pictures, every set alike; returns the distance that all but one
    in ``DOMAIN_SHARE`` keep."""
    import torch

    sets = [d[..., :-1].reshape(-1, d.shape[-1] - 1) for d in drawn]
    mean = np.mean([s.mean(0) for s in sets], 0)
    spread = np.sqrt(np.mean([((s - mean) ** 2).mean(0) for s in sets], 0)) + 1e-3
    network.domain_mean.copy_(torch.from_numpy(mean))
    network.domain_scale.copy_(torch.from_numpy(spread))
    with torch.no_grad():
        away = network.distance(torch.from_numpy(np.concatenate(sets)).float()).numpy()
    return float(np.quantile(away, DOMAIN_SHARE) * DOMAIN_SLACK)


def operating_point(real: Mapping[str, Array], fake: Mapping[str, Array]) -> OperatingPoint:
    """Logits beyond which the detector may answer.

    Both have the scores (pictures, draws) of each source or generator apart. The upper point is the conformal
    quantile of the *worst* source (Mondrian: Vovk et al., "Algorithmic Learning in a Random World", 4.5),
    because a rate that holds on average lets one camera bear all false alarms; the lower one that of the
    worst generator. Where a source has too few scores for its quantile, it is the largest one.
    """
    supports = max(conformal_quantile(s.ravel(), FALSE_POSITIVE_GOAL) for s in real.values())
    supports = float(np.nextafter(supports, np.inf))
    against = -max(conformal_quantile(-s.ravel(), FALSE_POSITIVE_GOAL) for s in fake.values())
    everything = np.concatenate([s.ravel() for s in real.values()])
    return OperatingPoint(
        supports_logit=supports,
        against_logit=float(np.nextafter(min(against, supports - 1e-6), -np.inf)),
        min_log10_ratio=MIN_LOG10_RATIO,
        calibration_false_positives=float((everything >= supports).mean()),
    )


def conformal_quantile(scores: Array, share: float) -> float:
    """The score that a new one from the same source exceeds with probability at most ``share``, or the
    largest, where there are too few to say so. Raises ``CalibrationError`` for no scores."""
    if not len(scores):
        raise CalibrationError("a quantile of no scores does not exist")
    rank = math.ceil((len(scores) + 1) * (1 - share))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


def matched(picture: Pixels, name: str, draw: int) -> Pixels:
    """The picture after ``codec_match`` with a draw that its name decides, real and fake alike."""
    return codec_match(picture, draw_of(name, draw))


def draw_of(name: str, draw: int) -> CodecDraw:
    seed = int.from_bytes(hashlib.sha256(f"{name} {draw}".encode()).digest()[:8], "big")
    return draw_codec(np.random.default_rng(seed))


def view_of(picture: Pixels, name: str, view: str) -> Pixels:
    """One of ``VIEWS``."""
    if view == "matched":
        return matched(picture, name, 0)
    if view == "jpeg75":
        return through(picture, Encoding(media_type="image/jpeg", quality=75))
    if view == "half":
        return through(resize(picture, 0.5, "area"), Encoding(media_type="image/jpeg", quality=90))
    return picture


def named_pictures(root: Path, item: Item) -> Iterator[tuple[str, Pixels]]:
    for n, picture in enumerate(pictures(root, item)):
        yield f"{item.path}#{n}", picture


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
        shorter_side=min(pixels.shape[:2]), codec=_codec_of(view, name),
    )  # fmt: skip


def _codec_of(view: str, name: str) -> str:
    from detector.lab.training_set import codec_class

    if view == "matched":
        return CODEC_NAMES[codec_class(draw_of(name, 0))]
    return {"jpeg75": CODEC_NAMES[3], "half": CODEC_NAMES[2]}.get(view, CODEC_NAMES[0])


def pipeline_scores(raw: Raw, root: Path, items: Sequence[Item], report: Report) -> tuple[Array, Array]:
    """Real test pictures through a JPEG and through a WebP pipeline, then both through one ``codec_match``.
    If the network separates them, an encoder is a label."""
    chosen = sampled([i for i in items if i.split is Split.TEST and not i.fake and i.set_name != "nikon_d70"])
    histories = (
        Encoding(media_type="image/jpeg", quality=85), Encoding(media_type="image/webp", quality=80),
    )  # fmt: skip
    scores: tuple[list[float], list[float]] = ([], [])
    for n, item in enumerate(chosen):
        for name, picture in named_pictures(root, item):
            try:
                both = [raw(matched(through(picture, h), name, 0)) for h in histories]
            except NotApplicable:
                continue
            scores[0].append(both[0])
            scores[1].append(both[1])
        report("comparing pipelines", n + 1, len(chosen))
    return np.array(scores[0]), np.array(scores[1])


def aligned_scores(
    raw: Raw, root: Path, items: Sequence[Item], *, seed: int, report: Report
) -> tuple[Array, Array]:
    """Regions of real test photos, and the same regions passed through TAEF2, each pair after one draw of
    ``codec_match``. Content and history are equal here: what separates is the trace alone."""
    from detector.generators.aligned.autoencoders import Taef2
    from detector.lab.fakes import halve, random_regions

    licensed = {r.name for r in SETS if r.licence and not r.fake}
    chosen = [i for i in items if i.split is Split.TEST and i.set_name in licensed]
    taef2, rng = Taef2(root / "weights" / "taef2"), np.random.default_rng([seed, 2])
    scores: tuple[list[float], list[float]] = ([], [])
    for n, item in enumerate(chosen):
        for name, picture in named_pictures(root, item):
            for k, region in enumerate(random_regions(halve(picture), 1, rng)):
                pair = (region, taef2.reconstruct(region))
                try:
                    both = [raw(matched(p, name, k)) for p in pair]
                except NotApplicable:
                    continue
                scores[0].append(both[0])
                scores[1].append(both[1])
        report("comparing aligned pairs", n + 1, len(chosen))
    return np.array(scores[0]), np.array(scores[1])


def summarise(
    scores: Sequence[PictureScore],
    calibration: Calibration,
    *,
    pipelines: tuple[Array, Array],
    aligned: tuple[Array, Array],
) -> Evaluation:
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
    seen = [s for s in mine if s.logit is not None]
    fake, own = mine[0].fake, logits(mine, fake=True)
    return SetResult(
        name=name,
        fake=fake,
        view=mine[0].view,
        n=len(mine),
        auc=bootstrap(auc, real, own) if fake and len(real) and len(own) else None,
        supports=proportion(sum(s.answer == Answer.SUPPORTS for s in mine), len(mine)),
        against=proportion(sum(s.answer == Answer.AGAINST for s in mine), len(mine)),
        abstained=len(mine) - len(seen),
        mean_logit=float(np.mean([s.logit for s in seen])) if seen else None,
    )


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
