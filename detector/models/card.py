"""The model card: everything that must travel with weights, as data. Nobody retypes preprocessing.

The JSON beside the weights is the truth; docs/cards/<model>.md is generated from it. Cards of version 1 have
no guarantees and are read as they are; what is written has version 2.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from enum import StrEnum
from functools import cache, partial
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from detector.core.errors import ModelUnavailable
from detector.core.metrics import Estimate
from detector.models.calibration import Calibration
from detector.models.guarantees import Guarantees
from detector.models.kinds import Kind
from detector.models.registry import model_files

CARD_VERSION = 2
READABLE = (1, 2)
FOLDER = "folder"  # ``ModelCard.recipe``: trained and judged on the photos of one folder
MANIFEST = "manifest"  # the same: on the pictures of a manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUse:
    """One set of pictures and what it was used for; ``pictures`` per split."""

    name: str
    fake: bool
    licence: str
    train: int
    calibration: int
    test: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Sides in pixels; ``min_texture`` is a mean absolute Laplacian in grey levels."""

    min_side: int
    crop_side: int
    max_crops: int
    min_texture: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Raw logits: at or above ``supports_logit`` it may support, at or below ``against_logit`` it may speak
    against, and both only when the ratio reaches ``min_log10_ratio``. A picture whose shorter side has fewer
    than ``against_min_side`` pixels is never spoken against. In a card with guarantees these decide nothing:
    they are where the guarantees lie for a photo in the condition of reference."""

    supports_logit: float
    against_logit: float
    min_log10_ratio: float
    calibration_false_positives: float
    against_min_side: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """One set seen in one view. ``auc`` of a fake set is against all real test pictures of the view; of a
    real set it is None. The rates are answers at the operating point, stability included."""

    name: str
    fake: bool
    view: str
    n: int
    auc: Estimate | None
    supports: Estimate
    against: Estimate
    abstained: int
    mean_logit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Measured on pictures that were neither trained nor calibrated on."""

    results: tuple[SetResult, ...]
    cllr: tuple[tuple[str, float, float], ...]  # set, Cllr, Cllr_min
    pipeline_auc: Estimate  # real pictures through two encoders: 0.5 when the encoder is not a label
    aligned_auc: Estimate  # regions of real test photos against fakes made of them
    by_size: tuple[SetResult, ...] = ()  # as stored; names are ranges of the shorter side
    by_codec: tuple[SetResult, ...] = ()  # after ``codec_match``; names are its last encodings


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyLeftOut:
    """The recipe without one family of the zoo, tested on that family (``detector.lab.steps.left_out``).
    ``supports`` and ``against``: shares beyond the shipped operating points, where the scores are comparable
    with them."""

    family: str
    auc: Estimate
    true_positives: Estimate  # at 1 % false positives
    cllr: float | None = None
    supports: Estimate | None = None
    against: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """One group of pictures by sources and generators that were left out. ``auc`` of a generated group is
    against the real pictures of the same view; of a real one it is None. The rates are answers at operating
    points that were set without the group's own sources and generators; ``wrong_at_most`` bounds the wrong
    ones at 95 %: "supports" of real pictures, "against" of generated ones. ``cllr`` and ``cllr_min`` are
    against the same real pictures."""

    name: str
    fake: bool
    n: int
    auc: Estimate | None
    supports: Estimate
    against: Estimate
    silent: int  # pictures that nothing vouches for an answer to
    wrong_at_most: float
    cllr: float | None = None
    cllr_min: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Of ``n`` real or generated pictures: how many get an answer, and the share of those that is wrong,
    which is None where none is answered. ``kind`` is None for all together."""

    fake: bool
    kind: Kind | None
    n: int
    answered: Estimate
    wrong: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How well something ranks generated pictures above real ones: areas, as in ``Judged``."""

    macro_auc: Estimate
    worst: tuple[str, Estimate] | None
    faces: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was measured of a score table in one view (``detector.lab.steps.judge_table``). ``macro_auc`` is
    the mean over groups of generators, its interval resamples sources and generators; ``worst`` is the
    lowest one with at least ``worst_from`` pictures; ``faces`` are GAN faces alone."""

    view: str
    real: int
    generated: int
    sources: int
    generators: int
    macro_auc: Estimate
    worst: tuple[str, Estimate] | None
    worst_from: int
    faces: Estimate | None
    cllr: Estimate  # all generated against all real, by ratios fitted without their sources and generators
    cllr_macro: float  # mean over groups of generators
    by_generator: tuple[GroupResult, ...]
    by_source: tuple[GroupResult, ...]
    by_kind: tuple[GroupResult, ...]
    by_size: tuple[GroupResult, ...]
    by_encoding: tuple[GroupResult, ...]
    answers: tuple[Answers, ...]
    score: Ranking | None = None  # of scores; all other areas are of ratios


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a detector was made of, how it is used, and what was measured of it."""

    model_id: str
    question: str
    weights_sha256: str
    families: tuple[str, ...]
    width: int
    preprocessing: Preprocessing
    calibration: Calibration
    operating_point: OperatingPoint
    sets: tuple[SetUse, ...]
    corpus_sha256: str
    seed: int
    epochs: int
    evaluation: Evaluation | None = None
    network: str = "traces"
    domain_limit: float | None = None
    left_out: tuple[FamilyLeftOut, ...] = ()
    recipe: str = "corpus"  # or ``FOLDER``, or ``MANIFEST``
    guarantees: Guarantees | None = None  # None: it answers by ``operating_point``, and nothing is certified
    judged: tuple[Judged, ...] = ()  # one per view
    tested: tuple[Judged, ...] = ()  # the same of sources kept apart, by the recipe without them
    cost: str = ""  # a measured sentence: processor time and memory
    attack: str = ""  # how it can be fooled, as far as that was tried
    backbone: str = ""  # digest of the weights whose backbone a last layer was put on; empty: its own
    seen: tuple[str, ...] = ()  # families and sources that this backbone had seen as whole pictures


def dump_card(card: ModelCard) -> str:
    """Stable text: the same card gives the same bytes."""
    return json.dumps({"card_version": CARD_VERSION, **asdict(card)}, indent=1) + "\n"


def parse_card(text: str) -> ModelCard:
    """Raises ``ModelUnavailable`` for anything that is not a card of this version, fields included."""
    try:
        raw = json.loads(text)
        version = raw.pop("card_version")
        if version not in READABLE:
            raise ModelUnavailable(f"the card has version {version}; this program reads up to {CARD_VERSION}")
        said = {name: raw[name] for name in ("evaluation", "left_out")}  # may be empty, never left out
        card: ModelCard = built(ModelCard, raw | said)
        return card
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ModelUnavailable(f"the model card is malformed: {e}") from e


def built(kind: Any, raw: dict[str, Any]) -> Any:
    """A value of a dataclass from what ``asdict`` and JSON made of it, by the types of its fields. Raises
    ``TypeError``, ``ValueError`` and ``AttributeError``."""
    readers = _readers(kind)
    return kind(
        **{name: read(value) if (read := readers.get(name)) else value for name, value in raw.items()}
    )


_Reader = Callable[[Any], Any]


@cache
def _readers(kind: type) -> dict[str, _Reader]:
    """Of those fields that are no plain values."""
    return {name: read for name, hint in get_type_hints(kind).items() if (read := _reader(hint))}


@cache
def _reader(kind: Any) -> _Reader | None:
    """Looked for once for each type: a card has thousands of values. None where a value stands for itself."""
    if get_origin(kind) is UnionType:
        read = _reader(get_args(kind)[0])
        return read and (lambda raw: None if raw is None else read(raw))
    if get_origin(kind) is tuple:
        return _tuple_reader(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    return partial(built, kind) if isinstance(kind, type) and is_dataclass(kind) else None


def _tuple_reader(kinds: tuple[Any, ...]) -> _Reader:
    first, *rest = kinds
    if rest == [...]:
        one = _reader(first)
        return tuple if one is None else lambda raw: tuple(map(one, raw))
    readers = [_reader(kind) for kind in kinds]
    return lambda raw: tuple(r if read is None else read(r) for read, r in zip(readers, raw, strict=True))


def open_card(model_id: str) -> ModelCard:
    """Raises ``ModelUnavailable`` when the card is missing or malformed."""
    path, _ = model_files(model_id)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ModelUnavailable(f"the card of {model_id} cannot be read") from e
    card = parse_card(text)
    if card.model_id != model_id:
        raise ModelUnavailable(f"the card says {card.model_id[:60]!r}, the table {model_id!r}")
    return card
