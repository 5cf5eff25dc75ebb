"""From a manifest and its pictures to ``traces-2``: the walk, and what it leaves in the run folder.

1. ``pairs``: aligned pairs of licensed real pictures outside of the test sources -> ``pairs.npz``
2. ``detector.lab.steps.training``: the backbone, which never sees a whole generated picture -> ``backbone/``
3. ``looks``: its features of whole pictures, in views that give both classes one law -> ``looks/``
4. ``head``: the last layer, and scores of layers that saw neither generator nor source -> ``scores.csv``
5. weights -> ``MODEL.safetensors``; only then the test sources are opened -> ``scores-test.csv``
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load

from detector.core.errors import FileDamaged
from detector.core.files import read_file, write_whole
from detector.core.progress import Report
from detector.data.families import family_of
from detector.data.licences import may_learn
from detector.data.manifest import Row, read_manifest
from detector.data.splits import test_source
from detector.lab.corpus.material import kept_set
from detector.lab.steps.scores import ScoreRow, write_scores
from detector.lab.steps.training import train
from detector.lab.steps.training_set import TrainingOptions, TrainingSet
from detector.lab.traces.files import at_most, brought
from detector.lab.traces.head import Array, Head, Heads, Looks
from detector.lab.traces.looks import LEARNED, Look, looks_at
from detector.lab.traces.pairs import SIDE, key_of, pairs_of
from detector.models.kinds import Kind
from detector.models.trace_network import Tensors, network_of
from detector.models.weights import save_tensors, shipped_tensors

MOST_OF_A_CELL = 200  # pictures of one source and generator that are looked at
RIDGE = 3e-2
FAMILIES = ("generated",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """``folders`` hold the pictures as the manifest names them; ``taef2`` the autoencoder's files;
    ``upscalers`` are ncnn files, NAME.param."""

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


def known_pictures(places: Places) -> Known:
    """Raises ``ManifestError`` and ``FileFailed``."""
    rows = [row for manifest in places.manifests for row in read_manifest(manifest)]
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


def options_for(seed: int, epochs: int, steps: int) -> TrainingOptions:
    """The pairs are no wider than ``SIDE``, which bounds how far a crop may be shrunk."""
    base = TrainingOptions()
    least = base.crop_side / SIDE + 0.01
    return TrainingOptions(seed=seed, epochs=epochs, steps_per_epoch=steps, min_scale=least)


def learn_backbone(data: TrainingSet, options: TrainingOptions, run: Path, report: Report) -> Tensors:
    """The tensors that ship, before they have a last layer of use."""
    net = train(data, options, run / "backbone", progress=partial(report, "training"))
    return {k: v.numpy() for k, v in shipped_tensors(net).items()}


def look(
    tensors: Tensors, known: Known, rows: Sequence[Row], run: Path, report: Report
) -> dict[str, dict[str, Look]]:
    """What a backbone sees of the rows, kept under its digest."""
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(tensors[k]).tobytes() for k in sorted(tensors)))
    return looks_at(network_of(tensors), rows, known.paths, run / "looks" / digest.hexdigest()[:16], report)


def heads_of(known: Known, looks: Looks, ridge: float = RIDGE) -> Heads:
    return Heads(known.learned, looks, LEARNED, ridge=ridge)


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
            sha256=row.sha256, fake=row.fake, kind=kind_of(row), generator=row.generator, source=row.source,
            view=str(view), side=look.condition.side, quality=look.condition.quality,
            media_type=look.condition.media_type, logit=head.logit(look), predicted=None,
            kind_probability=None, distance=heads.away(look),
        )
        for view, look in looks.items()
    ]  # fmt: skip


def kind_of(row: Row) -> Kind | None:
    """What the manifest says that a real picture shows; None where it says nothing."""
    return Kind(row.kind) if not row.fake and row.kind in set(Kind) else None


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
    backbone: Path | None = None, seen: Sequence[str] = (),
) -> str:  # fmt: skip
    """The whole walk; what is finished is kept, so run again to go on. With ``backbone``, the weights of a
    trace network, none is trained; ``seen`` are the families of generators whose whole pictures it learned
    from: no score of them is of a network that did not see them, so none is written. Returns the digest of
    the weights. Raises ``LabError``."""
    places.run.mkdir(parents=True, exist_ok=True)
    known = known_pictures(places)
    tensors = read_backbone(backbone) if backbone else _trained(places, known, options, report)
    looks = look(tensors, known, known.judged, places.run, report)
    heads = heads_of(known, looks, ridge)
    unseen = [r for r in known.judged if family_of(r.generator) not in seen]
    write_scores(left_out_table(heads, unseen, looks), places.run / "scores.csv")
    head = heads.all()
    digest = save_tensors(finished(tensors, head, heads.domain), places.run / f"{model_id}.safetensors")
    taught = "".join(f"{r.sha256}\n" for r in known.learned if looks[r.sha256])
    write_whole(places.run / "taught.txt", taught.encode())
    tested = look(tensors, known, known.tested, places.run, report)
    write_scores(table_of(heads, head, known.tested, tested), places.run / "scores-test.csv")
    return digest


def _trained(places: Places, known: Known, options: TrainingOptions, report: Report) -> Tensors:
    pairs = make_pairs(places, known, options.seed, report)
    return learn_backbone(pairs, options, places.run, report)
