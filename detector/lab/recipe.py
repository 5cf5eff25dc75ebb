"""The walk of the data, from pictures to a detector with its card: one recipe, whatever the material.

1. gather: what is there, and what each picture is used for: ``corpus.material`` (an index, licences), or
   ``folder`` (photos, and a zoo fitted on them: ``run``, ``zoo``, ``samples``, ``held_out``, ``material``)
2. learn: ``material.training`` gives regions, fakes and mosaics (``training_set``), ``training`` the network
3. calibrate: line, operating point and domain, of the calibration split (``calibrate``)
4. judge: every test picture in every view, by the service's own path (``views``, ``evaluation``), with card
   and plots (``card_text``, ``plots``); of a folder a page too (``folder.page``)

A folder has one step more, before its pictures are held out: the recipe without one family at a time, to see
how well it tells a kind of generator that it never met (``left_out``).

Everything is written into one run folder. A training goes on from its last epoch; what a folder takes beside
it goes on stage by stage (``stages``). Whatever is named without a folder lies in ``steps``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from detector.core.errors import CalibrationError
from detector.core.files import write_whole
from detector.core.progress import Report
from detector.core.threads import one_thread
from detector.lab.corpus.material import CorpusMaterial
from detector.lab.folder.left_out import leave_families_out
from detector.lab.folder.material import FolderMaterial, hold_out, regions_count
from detector.lab.folder.pace import step_seconds
from detector.lab.folder.page import report_text
from detector.lab.folder.photos import held_out_count
from detector.lab.folder.run import STEP_SECONDS, FolderOptions, FolderRun
from detector.lab.folder.zoo import draw_from, fit_zoo, judge_zoo, show_zoo
from detector.lab.own import whole_text
from detector.lab.steps.calibrate import calibrate
from detector.lab.steps.card_text import card_markdown
from detector.lab.steps.evaluation import pipeline_scores, score_test_split, summarise, write_scores
from detector.lab.steps.material import Material
from detector.lab.steps.plots import plot_run
from detector.lab.steps.training import read_log, train
from detector.lab.steps.training_set import TrainingOptions
from detector.models.card import ModelCard, Preprocessing, dump_card, parse_card
from detector.models.inference import Detector, detector_at
from detector.models.scorer import Scorer
from detector.models.weights import save_tensors, shipped_tensors
from detector.pixels.preprocess import CROP_SIDE, MAX_CROPS, MIN_SIDE, MIN_TEXTURE

FOLDER_MODEL = "own-1"


def run_corpus(
    data: Path, run: Path, *, model_id: str, options: TrainingOptions, upscalers: Path | None = None,
    zoo_seconds: float = 0.0, report: Report,
) -> ModelCard:  # fmt: skip
    """From a corpus with an index to a detector that may ship. With ``zoo_seconds`` every family of the zoo
    is fitted for so long first. Raises ``LabError``, ``FitFailed`` and ``CalibrationError``."""
    run.mkdir(parents=True, exist_ok=True)
    material = CorpusMaterial(
        root=data, run=run, seed=options.seed, report=report, upscalers=upscalers, zoo_seconds=zoo_seconds
    )
    detector = learn(material, options, run, model_id=model_id)
    return judge(detector, material, run)


def run_folder(
    folder: Path, path: Path, options: FolderOptions, report: Report, *, fakes: Path | None = None,
    encoder: Path | None = None,
) -> str:  # fmt: skip
    """From any folder of photos to a zoo and a detector of its own, every stage that is not finished yet;
    with ``fakes`` and the image encoder to a detector of whole pictures too. Returns the page that is also
    written as ``report.md``. Raises ``DetectorError``; run again after an
    interruption."""
    # Threads that wait for each other spend CPU seconds too, and the budget is one core's.
    with one_thread():
        return _folder_walk(FolderRun(folder, path, options, report), fakes, encoder)


def _folder_walk(run: FolderRun, fakes: Path | None, encoder: Path | None) -> str:
    folder, path, options, report = run.folder, run.path, run.options, run.report
    names = fit_zoo(run)
    samples = draw_from(run, names)
    judge_zoo(run, names)
    show_zoo(run, samples)
    left_out = leave_families_out(run, samples)
    material = hold_out(run, samples)
    home = path / "detector"
    held_out, regions = held_out_count(run.index), regions_count(run.index, run.effort)
    slower = step_seconds(path, STEP_SECONDS) / STEP_SECONDS
    training = options.training(options.training_seconds(run.spent, regions, held_out, slower), slower)
    run.stages.do(
        "train detector", partial(_learned, material, training, home), after=["hold out"],
        files=["detector/calibrated.json", f"detector/{FOLDER_MODEL}.safetensors"],
    )  # fmt: skip
    run.stages.do(
        "evaluate detector", partial(_judged, material, home), after=["train detector"],
        files=[f"detector/{FOLDER_MODEL}.json", f"detector/{FOLDER_MODEL}.md"],
    )  # fmt: skip
    card = parse_card((home / f"{FOLDER_MODEL}.json").read_text(encoding="utf-8"))
    whole = whole_text(folder, fakes, encoder, path / "whole", report)
    text = report_text(
        folder.name, run.index, path, run.stages.records, left_out, card, whole, options.minutes
    )
    write_whole(path / "report.md", text.encode())
    return text


def _learned(material: FolderMaterial, options: TrainingOptions, home: Path) -> str:
    try:
        detector = learn(material, options, home, model_id=FOLDER_MODEL)
    except CalibrationError as e:
        raise CalibrationError(f"{e.detail}; a folder with more photos, or more minutes, may help") from e
    write_whole(home / "calibrated.json", dump_card(detector.card).encode())
    return f"{options.epochs * options.steps_per_epoch} steps"


def _judged(material: FolderMaterial, home: Path) -> str:
    card = parse_card((home / "calibrated.json").read_text(encoding="utf-8"))
    measured = judge(detector_at(card, home / f"{FOLDER_MODEL}.safetensors"), material, home)
    write_whole(home / f"{FOLDER_MODEL}.md", card_markdown(measured).encode())
    assert measured.evaluation is not None
    return f"{sum(r.n for r in measured.evaluation.results)} scores"


def evaluate_again(detector: Detector, data: Path, run: Path, *, report: Report) -> ModelCard:
    """Measure a detector that is there on the test split of a corpus. Raises ``LabError``."""
    material = CorpusMaterial(root=data, run=run, seed=detector.card.seed, report=report)
    return judge(detector, material, run)


def learn(material: Material, options: TrainingOptions, run: Path, *, model_id: str) -> Detector:
    """Train (or go on) and calibrate; writes the weights. Raises ``LabError``, ``FitFailed`` and
    ``CalibrationError``."""
    data = material.training()
    network = train(data, options, run, progress=partial(material.report, "training"))
    found = material.settled(
        calibrate(network, material.root, material.items, seed=material.seed, report=material.report)
    )
    seen = Preprocessing(
        min_side=MIN_SIDE, crop_side=CROP_SIDE, max_crops=MAX_CROPS, min_texture=MIN_TEXTURE
    )  # fmt: skip
    card = ModelCard(
        model_id=model_id, question="synthetic", network="traces", recipe=material.recipe,
        weights_sha256=save_tensors(shipped_tensors(network), run / f"{model_id}.safetensors"),
        families=data.families, width=options.width, seed=options.seed, epochs=options.epochs,
        preprocessing=seen, calibration=found.calibration, operating_point=found.point,
        domain_limit=found.domain_limit, sets=material.sets(data), corpus_sha256=material.digest(),
    )  # fmt: skip
    return detector_at(card, run / f"{model_id}.safetensors")


def judge(detector: Scorer, material: Material, run: Path) -> ModelCard:
    """Measure on the test split; writes scores, card and plots; returns the card with its evaluation."""
    root, items, report = material.root, material.items, material.report
    scores = score_test_split(detector, root, items, report=report)
    evaluation = summarise(
        scores, detector.card.calibration, pipelines=pipeline_scores(detector.raw, root, items, report),
        aligned=material.aligned(detector.raw),
    )  # fmt: skip
    measured = replace(detector.card, evaluation=evaluation)
    write_scores(scores, run / "scores.jsonl")
    write_whole(run / f"{measured.model_id}.json", dump_card(measured).encode())
    plot_run(run, read_log(run), measured, scores)
    return measured
