"""From a manifest and its pictures to ``traces-2``: the walk, and what it leaves in the run folder.

1. ``pairs``: aligned pairs of licensed real pictures outside of the test sources -> ``pairs.npz``
2. ``detector.lab.steps.training``: the backbone, which never sees a whole generated picture (unless one
   is given that did) -> ``backbone/``
3. ``looks``: its features of whole pictures, in views that give both classes one law -> ``looks/``
4. ``head``: the last layer, and scores of layers that saw neither generator nor source -> ``first.csv``,
   where a run that is to be compared with another ends (``detector.lab.traces.compare``)
5. the test sources are opened -> ``test.csv``; those of them that may teach, teach the layer that ships, and
   every picture is scored once more by layers that saw neither its generator nor its source
   -> ``left-out.csv``, from which comes all that the card says of ratios and guarantees
6. weights and card -> ``MODEL.safetensors``, ``MODEL.json``
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load

from detector.core.errors import FileDamaged, OptionRefused
from detector.core.files import read_file, write_whole
from detector.core.progress import Report
from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.licences import may_learn
from detector.data.manifest import Row, read_manifest
from detector.data.splits import test_source
from detector.lab.corpus.material import kept_set
from detector.lab.semantic import taught_digest
from detector.lab.steps.scores import ScoreRow, write_scores
from detector.lab.steps.training import train
from detector.lab.steps.training_set import TrainingOptions, TrainingSet
from detector.lab.traces.card import card_of
from detector.lab.traces.files import at_most, brought
from detector.lab.traces.head import Array, Head, Heads, Looks
from detector.lab.traces.looks import LEARNED, Look, looks_at
from detector.lab.traces.pairs import SIDE, key_of, pairs_of
from detector.lab.whole.card import Tables
from detector.lab.whole.kinds import kind_of
from detector.models.card import ModelCard, dump_card
from detector.models.trace_network import Tensors, network_of
from detector.models.weights import save_tensors, shipped_tensors

MOST_OF_A_CELL = 40  # pictures of one source and generator that are looked at
RIDGE = 3e-3
_CROP = 96  # of the pairs: half of one, so that it may be shrunk to half


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """``folders`` hold the pictures as the manifest names them; ``taef2`` the autoencoder's files;
    ``upscalers`` are ncnn files, NAME.param, or NAME.onnx."""

    manifests: tuple[Path, ...]
    folders: tuple[Path, ...]
    taef2: Path
    upscalers: tuple[Path, ...]
    run: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Pictures of the manifest that were brought: ``judged`` outside of the test sources, of which
    ``learned`` teach, and ``tested``."""

    learned: tuple[Row, ...]
    judged: tuple[Row, ...]
    tested: tuple[Row, ...]
    paths: dict[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a backbone goes on from: ``weights`` of a trace network, or chance. ``unchanged``: it is taken as
    it is, and none is trained. ``seen`` are the families of generators, and the sources, whose whole pictures
    the weights learned from: no score of them is of a network that did not see them, so none is written.

    Raises ``OptionRefused`` for nothing that is to stay unchanged."""

    weights: Path | None = None
    unchanged: bool = False
    seen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.unchanged and self.weights is None:
            raise OptionRefused("a backbone that is to stay as it is needs weights to be taken from")


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """What is there before the test sources are opened."""

    known: Known
    tensors: Tensors
    looks: dict[str, dict[str, Look]]
    heads: Heads
    table: list[ScoreRow]


def known_pictures(places: Places) -> Known:
    """Raises ``ManifestError`` and ``FileFailed``."""
    every = [row for manifest in places.manifests for row in read_manifest(manifest)]
    rows = [replace(row, source=source_of(row)) for row in every]  # kin is left out together
    paths = brought(rows, places.folders)
    there = at_most((r for r in rows if r.sha256 in paths), MOST_OF_A_CELL)
    judged = tuple(r for r in there if not test_source(r.source))
    return Known(
        learned=tuple(r for r in judged if may_learn(r.licence)), judged=judged,
        tested=tuple(r for r in there if test_source(r.source)), paths=paths,
    )  # fmt: skip


def make_pairs(places: Places, known: Known, seed: int, report: Report) -> TrainingSet:
    """Built, or read where they were built from the same pictures, upscalers and seed."""
    real = [r for r in known.learned if not r.fake]
    key = key_of(real, places.upscalers, seed)
    build = partial(pairs_of, real, known.paths, places.taef2, places.upscalers, seed=seed, report=report)
    return kept_set(places.run / "pairs.npz", key, build)


def options_for(seed: int, epochs: int, steps: int, start: Path | None = None) -> TrainingOptions:
    """The pairs are no wider than ``SIDE``, which bounds how far a crop may be shrunk. What goes on from the
    weights ``start`` learns more slowly, so that they are not lost. Raises ``FileFailed``."""
    base = TrainingOptions(
        seed=seed, epochs=epochs, steps_per_epoch=steps, crop_side=_CROP, min_scale=_CROP / SIDE + 0.01
    )
    if start is None:
        return base
    stem = read_backbone(start).get("stem.weight")
    if stem is None:
        raise FileDamaged(f"{start.name} holds no trace network")
    rate = base.learning_rate / 2
    return replace(base, width=len(stem), learning_rate=rate, start=_digest_of(start))


def learn_backbone(
    data: TrainingSet, options: TrainingOptions, run: Path, report: Report, start: Path | None = None
) -> Tensors:
    """The tensors that ship, before they have a last layer of use."""
    begun = read_backbone(start) if start else None
    net = train(data, options, run / "backbone", start=begun, progress=partial(report, "training"))
    return {k: v.numpy() for k, v in shipped_tensors(net).items()}


def look(
    tensors: Tensors, known: Known, rows: Sequence[Row], run: Path, report: Report
) -> dict[str, dict[str, Look]]:
    """What a backbone sees of the rows, kept under its digest."""
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(tensors[k]).tobytes() for k in sorted(tensors)))
    return looks_at(network_of(tensors), rows, known.paths, run / "looks" / digest.hexdigest()[:16], report)


def heads_of(rows: Sequence[Row], looks: Looks, ridge: float = RIDGE) -> Heads:
    return Heads(rows, looks, LEARNED, ridge=ridge)


def left_out_table(heads: Heads, rows: Sequence[Row], looks: Looks) -> list[ScoreRow]:
    """Scores of heads that saw neither the picture's source nor its generator's family."""
    solved: dict[tuple[str, str], Head] = {}
    out = []
    for row in rows:
        key = row.source, family_of(row.generator)
        if key not in solved:
            solved[key] = heads.without(row)
        out += _scores(row, looks[row.sha256], solved[key], heads)
    return out


def table_of(heads: Heads, head: Head, rows: Sequence[Row], looks: Looks) -> list[ScoreRow]:
    """Scores of one head, of pictures that it never saw."""
    return [score for row in rows for score in _scores(row, looks[row.sha256], head, heads)]


def _scores(row: Row, looks: Mapping[str, Look], head: Head, heads: Heads) -> list[ScoreRow]:
    return [
        ScoreRow(
            sha256=row.sha256, fake=row.fake, kind=kind_of(row), generator=family_of(row.generator),
            source=row.source, view=str(view), side=look.condition.side, quality=look.condition.quality,
            media_type=look.condition.media_type, logit=head.logit(look), predicted=None,
            kind_probability=None, distance=heads.away(look),
        )
        for view, look in looks.items()
    ]  # fmt: skip


def finished(tensors: Tensors, head: Head, domain: tuple[Array, Array]) -> dict[str, torch.Tensor]:
    """The backbone with a last layer of two classes, camera and generated."""
    last = {
        "family.weight": np.stack([np.zeros_like(head.weight), head.weight]),
        "family.bias": np.array([0.0, head.bias]),
        "domain_mean": domain[0], "domain_scale": domain[1],
    }  # fmt: skip
    merged = dict(tensors) | {k: v.astype(np.float32) for k, v in last.items()}
    return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in merged.items()}


def read_backbone(path: Path) -> Tensors:
    """The tensors of a trace network that is there. Raises ``FileFailed`` and ``FileDamaged``."""
    try:
        tensors: Tensors = load(read_file(path, path.name))
    except (SafetensorError, ValueError) as e:
        raise FileDamaged(f"{path.name} holds no tensors") from e
    return tensors


def run_traces(
    places: Places, options: TrainingOptions, report: Report, *, model_id: str, ridge: float = RIDGE,
    origin: Origin | None = None,
) -> ModelCard:  # fmt: skip
    """The whole walk; what is finished is kept, so run again to go on. Raises ``LabError``."""
    origin = origin or Origin()
    seen = origin.seen
    first = first_scores(places, options, report, ridge=ridge, origin=origin)
    known, tensors = first.known, first.tensors
    every = first.looks | look(tensors, known, known.tested, places.run, report)
    taught = [r for r in (*known.judged, *known.tested) if may_learn(r.licence) and every[r.sha256]]
    heads = heads_of(taught, every, ridge)
    tables = Tables(
        first=tuple(first.table),
        test=tuple(table_of(first.heads, first.heads.all(), _unseen(known.tested, seen), every)),
        left_out=tuple(left_out_table(heads, _unseen((*known.judged, *known.tested), seen), every)),
    )  # fmt: skip
    write_scores(tables.test, places.run / "test.csv")
    write_scores(tables.left_out, places.run / "left-out.csv")
    sha256 = save_tensors(
        finished(tensors, heads.all(), heads.domain), places.run / f"{model_id}.safetensors"
    )
    lines = "".join(f"{r.sha256}\n" for r in taught)
    write_whole(places.run / "taught.txt", lines.encode())
    aside = [r for r in (*known.judged, *known.tested) if not may_learn(r.licence)]
    card = card_of(
        model_id, sha256, tensors, taught, aside, tables, taught_digest(taught), seed=options.seed,
        epochs=0 if origin.unchanged else options.epochs,
        backbone=_digest_of(origin.weights) if origin.weights else "", seen=seen,
    )  # fmt: skip
    write_whole(places.run / f"{model_id}.json", dump_card(card).encode())
    return card


def first_scores(
    places: Places, options: TrainingOptions, report: Report, *, ridge: float = RIDGE,
    origin: Origin | None = None,
) -> First:  # fmt: skip
    """The walk as far as ``first.csv``, test sources closed. Raises ``LabError``."""
    origin = origin or Origin()
    places.run.mkdir(parents=True, exist_ok=True)
    known = known_pictures(places)
    if origin.weights is not None and origin.unchanged:
        tensors = read_backbone(origin.weights)
    else:
        pairs = make_pairs(places, known, options.seed, report)
        tensors = learn_backbone(pairs, options, places.run, report, origin.weights)
    looks = look(tensors, known, known.judged, places.run, report)
    heads = heads_of(known.learned, looks, ridge)
    table = left_out_table(heads, _unseen(known.judged, origin.seen), looks)
    write_scores(table, places.run / "first.csv")
    return First(known=known, tensors=tensors, looks=looks, heads=heads, table=table)


def _unseen(rows: Sequence[Row], seen: Sequence[str]) -> list[Row]:
    return [r for r in rows if not {family_of(r.generator), r.source} & set(seen)]


def _digest_of(path: Path) -> str:
    return hashlib.sha256(read_file(path, path.name)).hexdigest()
