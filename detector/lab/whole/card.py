"""The card of the whole-picture detector: what taught it, what vouches for its answers, and the test on
sources kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.licences import may_learn
from detector.data.manifest import Row
from detector.lab.steps.calibrate import domain_limit
from detector.lab.steps.calibrate_table import CardParts, calibrate_table
from detector.lab.steps.judge_table import tested_views
from detector.lab.steps.scores import ScoreRow
from detector.models.card import MANIFEST, Judged, ModelCard, Preprocessing, SetUse
from detector.models.semantic import FEATURES, MIN_SIDE

KIND_LIMIT = 0.4  # of four kinds; below it none is likelier than all others together by much
_SEEN = Preprocessing(min_side=MIN_SIDE, crop_side=224, max_crops=1, min_texture=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Score tables of heads that never saw a row's source nor its generator's family (``left_out``), of what
    taught for the test (``first``) and of the test itself by those (``test``)."""

    left_out: tuple[ScoreRow, ...]
    first: tuple[ScoreRow, ...]
    test: tuple[ScoreRow, ...]


def card_of(
    model_id: str, weights_sha256: str, taught: Sequence[Row], aside: Sequence[Row], tables: Tables,
    digest: str, *, later: Sequence[Row] = (),
) -> ModelCard:  # fmt: skip
    """``aside``: what may only measure; ``later``: what came after the fit. Raises ``CalibrationError``."""
    parts = calibrate_table(tables.left_out, KIND_LIMIT)
    card = ModelCard(
        model_id=model_id, question="synthetic", weights_sha256=weights_sha256, network="clip-heads",
        families=tuple(sorted({family_of(r.generator) for r in taught if r.fake})), width=FEATURES,
        preprocessing=_SEEN, calibration=parts.calibration, operating_point=parts.operating_point,
        sets=sets_of(taught, aside, later), corpus_sha256=digest, seed=0, epochs=0, recipe=MANIFEST,
        domain_limit=domain_limit(np.array([r.distance for r in tables.left_out])),
        tested=tested(tables, KIND_LIMIT) if tables.test else (),
    )  # fmt: skip
    return parts.into(card)


def tested(tables: Tables, kind_limit: float | None) -> tuple[Judged, ...]:
    """The test, answered by what was known without it."""
    first: CardParts = calibrate_table(tables.first, kind_limit, rounds=20)
    return tested_views(tables.test, kind_limit, first.calibration, first.guarantees)


def sets_of(taught: Sequence[Row], aside: Sequence[Row], later: Sequence[Row] = ()) -> tuple[SetUse, ...]:
    """One row a source: how many of its pictures taught, how many came later and were free to teach, and how
    many may only measure. The last two vouch."""
    free = [r for r in later if may_learn(r.licence)]
    bound = [*aside, *(r for r in later if not may_learn(r.licence))]
    keys = {(source_of(r), r.fake): r.licence for r in (*free, *bound, *taught)}
    counts = (Counter((source_of(r), r.fake) for r in rows) for rows in (taught, free, bound))
    taught_n, free_n, bound_n = counts
    after = {(source_of(r), r.fake) for r in later}
    return tuple(
        SetUse(
            name=name, fake=fake, licence=licence, train=taught_n[name, fake],
            calibration=free_n[name, fake], test=bound_n[name, fake],
            why="came after the fit, vouches" if (name, fake) in after else "",
        )
        for (name, fake), licence in sorted(keys.items())
    )  # fmt: skip
