"""The workshop's two procedures, from corpus to card. Everything is written into one run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from detector.core.files import write_whole
from detector.data.corpus import Item, corpus_digest, load_index
from detector.data.licences import SETS
from detector.data.splits import Split
from detector.lab.evaluation import (
    AGAINST_MIN_SIDE,
    PictureScore,
    aligned_scores,
    calibrate,
    pipeline_scores,
    score_test_split,
    summarise,
    write_scores,
)
from detector.lab.fakes import prepare
from detector.lab.plots import plot_run
from detector.lab.training import TrainingOptions, read_log, train
from detector.lab.zoo_tiles import fitted_tiles
from detector.models.card import Evaluation, ModelCard, Preprocessing, SetUse, dump_card
from detector.models.inference import Detector, raw_logit
from detector.models.weights import save_tensors, shipped_tensors
from detector.pixels.preprocess import CROP_SIDE, MAX_CROPS, MIN_SIDE, MIN_TEXTURE

Report = Callable[[str, int, int], None]


def run_training(
    data: Path,
    run: Path,
    *,
    model_id: str,
    options: TrainingOptions,
    upscalers: Path | None = None,
    zoo_seconds: float = 0.0,
    report: Report,
) -> ModelCard:
    """Prepare (with ``zoo_seconds``, fit every family of the zoo for so long first), train (or resume),
    calibrate, evaluate, plot. Raises ``CorpusError`` and
    ``CalibrationError``."""
    run.mkdir(parents=True, exist_ok=True)
    items = load_index(data)
    tiles = (
        fitted_tiles(data, items, run / "zoo", seconds=zoo_seconds, seed=options.seed, report=report)
        if zoo_seconds
        else ()
    )
    prepared = prepare(
        data, items, seed=options.seed, cache=run / "training_set.npz", upscalers=upscalers, tiles=tiles,
        report=report,
    )  # fmt: skip
    network = train(prepared, options, run, progress=lambda done, total: report("training", done, total))
    found = calibrate(network, data, items, seed=options.seed, report=report)
    digest = save_tensors(shipped_tensors(network), run / f"{model_id}.safetensors")
    card = ModelCard(
        model_id=model_id,
        question="synthetic",
        weights_sha256=digest,
        families=prepared.families,
        width=options.width,
        preprocessing=Preprocessing(
            min_side=MIN_SIDE, crop_side=CROP_SIDE, max_crops=MAX_CROPS, min_texture=MIN_TEXTURE
        ),
        calibration=found.calibration,
        operating_point=replace(found.point, against_min_side=AGAINST_MIN_SIDE),
        domain_limit=found.domain_limit,
        sets=sets_used(items),
        corpus_sha256=corpus_digest(items),
        seed=options.seed,
        epochs=options.epochs,
        network="traces",
    )
    return run_evaluation(Detector(card=card, network=network), data, run, report=report)


def run_evaluation(detector: Detector, data: Path, run: Path, *, report: Report) -> ModelCard:
    """Measure on the test split; writes card, scores and plots; returns the card with its evaluation."""
    items, raw = load_index(data), partial(raw_logit, detector.network)
    scores = score_test_split(detector, data, items, report=report)
    evaluation = summarise(
        scores,
        detector.card.calibration,
        pipelines=pipeline_scores(raw, data, items, report),
        aligned=aligned_scores(raw, data, items, seed=detector.card.seed, report=report),
    )
    return write_measured(detector.card, scores, evaluation, run)


def write_measured(
    card: ModelCard, scores: Sequence[PictureScore], evaluation: Evaluation, run: Path
) -> ModelCard:
    measured = replace(card, evaluation=evaluation)
    write_scores(scores, run / "scores.jsonl")
    write_whole(run / f"{card.model_id}.json", dump_card(measured).encode())
    plot_run(run, read_log(run), measured, scores)
    return measured


def sets_used(items: Sequence[Item]) -> tuple[SetUse, ...]:
    def count(name: str, split: Split) -> int:
        return sum(i.set_name == name and i.split is split for i in items)

    return tuple(
        SetUse(
            name=rule.name, fake=rule.fake, licence=rule.licence, why=rule.why,
            train=count(rule.name, Split.TRAIN), calibration=count(rule.name, Split.CALIBRATION),
            test=count(rule.name, Split.TEST),
        )
        for rule in SETS
    )  # fmt: skip
