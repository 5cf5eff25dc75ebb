"""The pictures that a network is trained on, in memory, and how a batch is drawn from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.core.errors import CorpusError, TooFewPictures
from detector.pixels.augment import CodecDraw, Encoding, codec_match, draw_codec
from detector.pixels.decode import Pixels

CODECS = 6  # kept as it is, four ranges of JPEG quality, WebP


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """All that decides the result, written beside it. ``min_scale`` and ``max_scale`` bound the resizing of
    the degraded view; both 1 for pictures that are no larger than the crop. ``start`` is the digest of the
    weights that training goes on from; empty where it begins from chance."""

    seed: int = 0
    epochs: int = 24
    steps_per_epoch: int = 200
    pairs_per_batch: int = 12
    crop_side: int = 128
    width: int = 32
    min_scale: float = 0.5
    max_scale: float = 1.25
    learning_rate: float = 3e-3
    margin_weight: float = 0.5
    agreement_weight: float = 0.05
    compression_weight: float = 2.0
    adversary_weight: float = 0.3
    reversal: float = 0.1
    label_smoothing: float = 0.05
    averaging: float = 0.998
    start: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Regions of one side: ``real`` and ``fake`` are uint8 (n, side, side, 3).

    ``source`` numbers the source of a real region. ``family`` numbers the family of a fake; ``twin`` is the
    real region that it was made from, or -1. Fakes without a twin stand beside regions of which ``single``
    is true; ``share`` says how often each family is drawn.
    """

    real: NDArray[np.uint8]
    source: NDArray[np.int64]
    single: NDArray[np.bool_]
    fake: NDArray[np.uint8]
    family: NDArray[np.int64]
    twin: NDArray[np.int64]
    families: tuple[str, ...]
    sources: tuple[str, ...]
    share: tuple[float, ...]
    digest: str = field(default="")

    def __post_init__(self) -> None:
        if not len(self.real) or not len(self.fake):
            raise TooFewPictures("the training set needs real and generated regions")
        if (self.twin < 0).any() and not self.single.any():
            raise TooFewPictures("fakes without a twin need real regions to stand beside")
        if len(self.share) != len(self.families) or not any(self.present):
            raise CorpusError("the training set needs a share for every family")

    @property
    def present(self) -> tuple[bool, ...]:
        """Which families have a fake and a share."""
        there = set(np.unique(self.family).tolist())
        return tuple(k in there and self.share[k] > 0 for k in range(len(self.families)))


def pictures_digest(*arrays: NDArray[np.generic]) -> str:
    """SHA-256 over the bytes of all arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Collector:
    """Gathers regions and gives them their numbers."""

    def __init__(self) -> None:
        self._real: list[Pixels] = []
        self._source: list[str] = []
        self._single: list[bool] = []
        self._fake: list[Pixels] = []
        self._family: list[str] = []
        self._twin: list[int] = []
        self._share: dict[str, float] = {}

    def add_real(self, region: Pixels, source: str, *, single: bool) -> int:
        self._real.append(region)
        self._source.append(source)
        self._single.append(single)
        return len(self._real) - 1

    def add_fake(self, region: Pixels, family: str, twin: int = -1) -> None:
        self._fake.append(region)
        self._family.append(family)
        self._twin.append(twin)

    def give_share(self, family: str, share: float) -> None:
        self._share[family] = share

    def reals(self) -> list[tuple[Pixels, str]]:
        return list(zip(self._real, self._source, strict=True))

    def done(self) -> TrainingSet:
        """Raises ``TooFewPictures`` when a class is empty."""
        if not self._real or not self._fake:
            raise TooFewPictures("the training set needs real and generated regions")
        sources = tuple(sorted(set(self._source)))
        families = tuple(dict.fromkeys(self._family))
        return TrainingSet(
            real=np.stack(self._real), source=np.array([sources.index(s) for s in self._source]),
            single=np.array(self._single), fake=np.stack(self._fake),
            family=np.array([families.index(f) for f in self._family]), twin=np.array(self._twin),
            families=families, sources=sources, share=tuple(self._share.get(f, 0.0) for f in families),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """In the order (view, real or fake, pair). ``family`` is 0 for reals; ``source`` is -1 for fakes;
    ``aligned`` (pairs,) marks the pairs of twins."""

    pixels: Tensor
    family: Tensor
    source: Tensor
    codec: Tensor
    quality: Tensor
    aligned: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    draw: CodecDraw
    at: tuple[float, float]
    within: tuple[float, float]
    mirrored: bool
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    real: int
    fake: int
    aligned: bool


def batch_of(data: TrainingSet, options: TrainingOptions, rng: np.random.Generator) -> Batch:
    """One batch; two views of as many reals as fakes."""
    pairs = [_draw_pair(data, rng) for _ in range(options.pairs_per_batch)]
    pixels: list[Pixels] = []
    codec: list[int] = []
    quality: list[float] = []
    for degraded in (False, True):
        views = [_draw_view(options, degraded, rng) for _ in pairs]
        for side, regions in enumerate((data.real, data.fake)):
            for n, pair in enumerate(pairs):
                view = views[n] if side == 0 or pair.aligned else _draw_view(options, degraded, rng)
                pixels.append(_see(regions[pair.fake if side else pair.real], view))
                codec.append(codec_class(view.draw))
                quality.append(_quality(view.draw))
    families = [0] * len(pairs) + [1 + int(data.family[p.fake]) for p in pairs]
    sources = [int(data.source[p.real]) for p in pairs] + [-1] * len(pairs)
    return Batch(
        pixels=torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float(),
        family=torch.tensor(families * 2), source=torch.tensor(sources * 2), codec=torch.tensor(codec),
        quality=torch.tensor(quality), aligned=torch.tensor([p.aligned for p in pairs]),
    )  # fmt: skip


def _draw_pair(data: TrainingSet, rng: np.random.Generator) -> _Pair:
    shares = np.array(data.share) * np.array(data.present)
    family = int(rng.choice(len(shares), p=shares / shares.sum()))
    fake = int(rng.choice(np.flatnonzero(data.family == family)))
    twin = int(data.twin[fake])
    if twin >= 0:
        return _Pair(real=twin, fake=fake, aligned=True)
    # Every source of real photos equally often, whatever its size.
    source = rng.choice(np.unique(data.source[data.single]))
    real = int(rng.choice(np.flatnonzero((data.source == source) & data.single)))
    return _Pair(real=real, fake=fake, aligned=False)


def _draw_view(options: TrainingOptions, degraded: bool, rng: np.random.Generator) -> _View:
    if degraded:
        draw = draw_codec(rng, min_scale=options.min_scale, max_scale=options.max_scale)
    else:
        draw = _nearly_clean(rng)
    return _View(
        draw=draw, at=(float(rng.random()), float(rng.random())),
        within=(float(rng.random()), float(rng.random())), mirrored=bool(rng.random() < 0.5),
        side=options.crop_side,
    )  # fmt: skip


def _nearly_clean(rng: np.random.Generator) -> CodecDraw:
    last = Encoding(
        media_type="image/jpeg", quality=int(rng.integers(85, 99)), full_chroma=bool(rng.random() < 0.5)
    )
    return CodecDraw(
        history=None, scale=1.0, kernel="area", blur_sigma=0.0, noise_sigma=0.0, noise_seed=0,
        last=last if rng.random() < 0.6 else None,
    )  # fmt: skip


def codec_class(draw: CodecDraw) -> int:
    """Which of ``CODECS`` the last lossy encoding belongs to."""
    encoding = draw.last or draw.history
    if encoding is None:
        return 0
    return 5 if encoding.media_type == "image/webp" else 1 + min(3, (100 - encoding.quality) // 10)


def _quality(draw: CodecDraw) -> float:
    encoding = draw.last or draw.history
    return 1.0 if encoding is None else encoding.quality / 100


def _see(region: Pixels, view: _View) -> Pixels:
    """The view's part of a region after its encodings. The crop comes last, so that the phase of the block
    grid is no constant; encoding no more than the crop and a margin saves half of the time."""
    margin = 24
    region = _part(region, min(len(region), int(np.ceil(view.side / view.draw.scale)) + margin), view.at)
    crop = _part(codec_match(region, view.draw), view.side, view.within)
    return crop[:, ::-1] if view.mirrored else crop


def _part(pixels: Pixels, side: int, at: tuple[float, float]) -> Pixels:
    y, x = round(at[0] * (pixels.shape[0] - side)), round(at[1] * (pixels.shape[1] - side))
    return pixels[y : y + side, x : x + side]
