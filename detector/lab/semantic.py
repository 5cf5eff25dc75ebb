"""From a manifest and the pictures it names to the whole-picture detector and its card.

1. embed: every picture in every view, kept in the run (``whole.features``)
2. teach for the test: heads from what may teach and shares no source with the test, whose pictures they score
3. teach to ship: the same recipe from all that may teach; each picture is also scored by heads that saw
   neither its source nor its generator's family, and from that table comes all that the card says of ratios
   and guarantees

Decision 0027 says how the recipe was chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from detector.core.errors import TooFewPictures
from detector.core.files import read_file, write_json, write_whole
from detector.core.progress import Report
from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.licences import may_learn
from detector.data.manifest import Row, dump_manifest
from detector.data.splits import test_source
from detector.lab.steps.scores import ScoreRow, write_scores
from detector.lab.whole.card import Tables, card_of
from detector.lab.whole.features import Skipped, embed_rows, load_embeddings
from detector.lab.whole.heads import Taught, apart_in, names_of, teach
from detector.lab.whole.kinds import kind_of
from detector.lab.whole.views import View, condition_of_view
from detector.models.card import ModelCard, dump_card
from detector.models.condition import Condition, condition_of
from detector.models.semantic import Encoder
from detector.models.semantic_head import Heads

TAUGHT_VIEWS = (View.LAUNDERED, View.RESIZED)
VIEWS = (*TAUGHT_VIEWS, View.STORED)
Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRun:
    """Where the pictures of a manifest lie, and where the run keeps what the encoder said: ``features``.
    ``later``: pictures beside it that vouch for answers, and neither teach nor test."""

    rows: tuple[Row, ...]
    folder: Path
    run: Path
    report: Report
    later: tuple[Row, ...] = ()

    @property
    def cache(self) -> Path:
        return self.run / "features"

    def embed(self, encoder: Encoder) -> tuple[Skipped, ...]:
        """Fill the cache; returns what cannot be looked at. Goes on after an interruption."""
        every = (*self.rows, *self.later)
        return embed_rows(every, self.folder, encoder, self.cache, VIEWS, self.report)

    def taught(self, *, all_that_may: bool) -> Taught:
        """Heads from what may teach; without the sources of the test unless ``all_that_may``. Raises
        ``TooFewPictures`` where nothing was embedded, and ``CalibrationError``."""
        mine = [r for r in self.rows if teaches(r)]
        if not all_that_may:
            aside = {source_of(r) for r in self.rows if kept_aside(r)}
            mine = [r for r in mine if source_of(r) not in aside]
        return self.taught_by(mine)

    def taught_by(self, mine: Sequence[Row]) -> Taught:
        """Heads from these rows, as far as they were embedded. Raises as ``taught``."""
        kept = load_embeddings(mine, self.cache, TAUGHT_VIEWS[-1])[0]
        kept, first = load_embeddings(kept, self.cache, TAUGHT_VIEWS[0])
        if not kept:
            raise TooFewPictures("no picture of the manifest has been embedded")
        others = [load_embeddings(kept, self.cache, v)[1] for v in TAUGHT_VIEWS[1:]]
        return teach(kept, dict(zip(TAUGHT_VIEWS, [first, *others], strict=True)))

    def left_out_table(self, taught: Taught) -> tuple[ScoreRow, ...]:
        """Every picture that taught, in every view, by the heads of its fold."""
        out = []
        for view in VIEWS:
            kept, numbers = load_embeddings(taught.rows, self.cache, view)
            place = {r.sha256: i for i, r in enumerate(taught.rows)}
            for row, own in zip(kept, numbers, strict=True):
                heads = taught.of_fold[int(taught.folds.fold[place[row.sha256]])]
                out.append(self._scored(row, view, heads, own))
        return tuple(out)

    def test_table(self, heads: Heads) -> tuple[ScoreRow, ...]:
        """Every picture that never teaches, in every view, by heads that were taught for the test."""
        aside = [r for r in self.rows if kept_aside(r)]
        return tuple(
            self._scored(row, view, heads, own)
            for view in VIEWS
            for row, own in zip(*load_embeddings(aside, self.cache, view), strict=True)
        )

    def measured_table(self, taught: Taught) -> tuple[ScoreRow, ...]:
        """Pictures that may not teach, by heads that saw neither their generator's family nor a source that
        shares pictures with theirs: they vouch for answers too. Those that no such heads are left for are
        left out."""
        fold = apart_in(taught)
        mine = [r for r in self.rows if not teaches(r)]
        return self._by(mine, lambda r: None if (k := fold(r)) is None else taught.of_fold[k])

    def vouching_table(self, taught: Taught, rows: Sequence[Row]) -> tuple[ScoreRow, ...]:
        """Pictures that came later, by the heads that all taught, or where these saw the family of their
        generator or a source that shares pictures with theirs, as in ``measured_table``."""
        fold, seen = apart_in(taught), names_of(taught.rows)

        def heads(row: Row) -> Heads | None:
            if not names_of([row]) & seen:
                return taught.heads
            return None if (k := fold(row)) is None else taught.of_fold[k]

        return self._by(rows, heads)

    def _by(self, rows: Sequence[Row], heads_of: Callable[[Row], Heads | None]) -> tuple[ScoreRow, ...]:
        heads = {r.sha256: h for r in rows if (h := heads_of(r)) is not None}
        mine = [r for r in rows if r.sha256 in heads]
        return tuple(
            self._scored(row, view, heads[row.sha256], own)
            for view in VIEWS
            for row, own in zip(*load_embeddings(mine, self.cache, view), strict=True)
        )

    def _scored(self, row: Row, view: View, heads: Heads, numbers: Half) -> ScoreRow:
        standard = heads.standard(numbers.astype(np.float32))
        kind, probability = heads.kind(standard)
        condition = self._condition(row, view)
        return ScoreRow(
            sha256=row.sha256, fake=row.fake, kind=kind_of(row), generator=family_of(row.generator),
            source=source_of(row), view=view.value, side=condition.side, quality=condition.quality,
            media_type=condition.media_type, logit=float(heads.logits(standard)), predicted=kind,
            kind_probability=probability, distance=float(heads.distances(standard)),
        )  # fmt: skip

    def _condition(self, row: Row, view: View) -> Condition:
        side = min(row.width, row.height) // (2 if row.sheet else 1)
        if view is not View.STORED:
            return condition_of_view(side, view, row.sha256)
        return condition_of(read_file(self.folder / row.file, row.file), row.media_type, side=side)


def teaches(row: Row) -> bool:
    """Whether weights that ship may learn from it (decision 0025)."""
    return may_learn(row.licence)


def kept_aside(row: Row) -> bool:
    """Whether a picture is for the test: of a test source, or of one that may not teach."""
    return not teaches(row) or test_source(source_of(row))


def save_heads(heads: Heads, path: Path) -> str:
    """Returns the SHA-256 of the file. Raises ``FileFailed``."""
    data = save(heads.tensors())
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def taught_digest(rows: Iterable[Row]) -> str:
    """One digest over what taught."""
    return hashlib.sha256(dump_manifest(sorted(rows, key=lambda r: r.sha256))).hexdigest()


def run_semantic(
    rows: Sequence[Row], folder: Path, encoder: Encoder, run: Path, *, model_id: str, report: Report,
    later: Sequence[Row] = (),
) -> ModelCard:  # fmt: skip
    """Weights, card and the three score tables in ``run``; goes on after an interruption with what was
    embedded. ``later``: pictures that vouch, and neither teach nor test. Raises ``TooFewPictures``,
    ``CalibrationError`` and ``FileFailed``."""
    known = {r.sha256 for r in rows}
    apart = tuple(r for r in later if r.sha256 not in known)
    whole = WholeRun(rows=tuple(rows), folder=folder, run=run, report=report, later=apart)
    skipped = whole.embed(encoder)
    write_json(run / "skipped.json", {s.sha256: s.why for s in skipped})
    report("teaching", 0, 2)
    first = whole.taught(all_that_may=False)
    vouching = whole.vouching_table(first, [r for r in apart if not kept_aside(r)])
    before, test = (*whole.left_out_table(first), *vouching), whole.test_table(first.heads)
    report("teaching", 1, 2)
    taught = whole.taught(all_that_may=True)
    tables = Tables(
        left_out=(
            *whole.left_out_table(taught),
            *whole.measured_table(taught),
            *whole.vouching_table(taught, apart),
        ),
        first=before,
        test=test,
    )
    report("teaching", 2, 2)
    for name in ("left_out", "first", "test"):
        write_scores(getattr(tables, name), run / f"{name.replace('_', '-')}.csv")
    sha256 = save_heads(taught.heads, run / f"{model_id}.safetensors")
    aside = [r for r in whole.rows if not teaches(r)]
    card = card_of(
        model_id, sha256, taught.rows, aside, tables, taught_digest(taught.rows), later=apart
    )  # fmt: skip
    write_whole(run / f"{model_id}.json", dump_card(card).encode())
    return card
