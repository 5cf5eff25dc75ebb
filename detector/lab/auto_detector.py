"""The second half of ``detector.lab.auto``: from the zoo to a calibrated, evaluated detector with its card.

``detector/``     the run of the training; ``MODEL_ID``.json and .safetensors, plots, scores, the card's page
``held_out.json`` what it was calibrated and judged on (``detector.lab.auto_material``)
``left_out/``     leave-one-family-out: how well a detector sees a family that it never met
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError, CorpusError, LabError, NotApplicable
from detector.core.files import write_json, write_whole
from detector.core.metrics import Estimate, Groups
from detector.data.corpus import pictures
from detector.data.splits import Split
from detector.lab.auto import Auto, AutoOptions, Report, Samples
from detector.lab.auto_material import (
    Make,
    Material,
    Small,
    dump_material,
    own_makers,
    parse_material,
    training_material,
    write_material,
    zoo_makers,
)
from detector.lab.auto_text import report_text
from detector.lab.card_text import card_markdown
from detector.lab.evaluation import (
    calibrate,
    matched,
    pipeline_scores,
    score_test_split,
    summarise,
    write_scores,
)
from detector.lab.left_out import FamilyPictures, LeftOut, leave_one_out
from detector.lab.plots import plot_run
from detector.lab.training import TrainingOptions, read_log, train
from detector.lab.training_set import TrainingSet
from detector.models.calibration import Calibration
from detector.models.card import FOLDER, ModelCard, Preprocessing, SetUse, dump_card, parse_card
from detector.models.inference import Detector, raw_logit
from detector.models.weights import load_network, save_tensors, shipped_tensors
from detector.networks.traces import TraceNet
from detector.pixels.preprocess import CROP_SIDE, MAX_CROPS, MIN_SIDE, MIN_TEXTURE
from detector.zoo.sources.photos import PhotoIndex
from detector.zoo.store import Fitted, open_family

MODEL_ID = "own-1"
_MAKERS = "makers.json"
_STEPS_PER_EPOCH = 20
_DETECTOR_SHARE, _LEFT_OUT_SHARE = 0.25, 0.1
_STEP_SECONDS, _SMALL_STEP_SECONDS = 0.6, 0.045  # of one core, measured; they only size the work
_MIN_STEPS = 40
_WHY = {
    "photos": "whole, as they are in the folder; in training as regions only",
    "regions": "parts of photos that fakes were made from",
    "tiles": "small tiles of photos in mosaics, beside the mosaics of families",
}
_AUTOENCODER_STEPS_PER_MINUTE, _AUTOENCODER_STEPS = 12, 400


class AutoDetector:
    """Stages after the zoo. ``names`` are the fitted families."""

    def __init__(self, auto: Auto, index: PhotoIndex, samples: Sequence[Samples]) -> None:
        self._auto, self._index, self._samples = auto, index, samples
        self._run, self._report = auto.run / "detector", auto.report
        self._known_makers: dict[str, Make] | None = None

    def held_out(self) -> Material:
        """Raises ``CorpusError`` when calibration or test have too few photos."""

        def work() -> str:
            small = {s: self._small(s) for s in Split}
            self._choose_makers()
            found = write_material(
                self._auto.run, self._index, self._makers(), small, seed=self._seed, report=self._report
            )
            write_whole(self._auto.run / "held_out.json", dump_material(found).encode())
            names = ", ".join(self._makers())
            return f"{len(found.items)} pictures, {len(found.pairs)} aligned pairs made by {names}"

        files = ["held_out.json", _MAKERS]
        self._auto.stages.do("hold out", work, files=files, after=self._zoo_stages())
        return parse_material((self._auto.run / "held_out.json").read_text(encoding="utf-8"))

    def train(self, material: Material) -> None:
        """Train (resumable after every epoch) and calibrate. Raises ``CalibrationError``."""

        def work() -> str:
            data = training_material(
                self._index, self._makers(), self._small(Split.TRAIN), seed=self._seed, report=self._report
            )
            options = self._options()
            net = train(data, options, self._run, progress=lambda d, t: self._report("training", d, t))
            card = self._calibrated(net, data, options, material)
            write_whole(self._run / "calibrated.json", dump_card(card).encode())
            return f"{options.epochs * options.steps_per_epoch} steps"

        files = ["detector/calibrated.json", f"detector/{MODEL_ID}.safetensors"]
        self._auto.stages.do("train detector", work, files=files, after=["hold out"])

    def evaluate(self, material: Material) -> ModelCard:
        """Every test picture in every view, by the service's own path; card, page, plots, scores."""
        card_path = self._run / f"{MODEL_ID}.json"

        def work() -> str:
            card = parse_card((self._run / "calibrated.json").read_text(encoding="utf-8"))
            network = load_network(card, self._run / f"{MODEL_ID}.safetensors")
            root, items = self._auto.run, material.items
            scores = score_test_split(
                Detector(card=card, network=network), root, items, report=self._report
            )  # fmt: skip
            evaluation = summarise(
                scores, card.calibration,
                pipelines=pipeline_scores(partial(raw_logit, network), root, items, self._report),
                aligned=self._aligned(network, material),
            )  # fmt: skip
            measured = replace(card, evaluation=evaluation)
            write_scores(scores, self._run / "scores.jsonl")
            plot_run(self._run, read_log(self._run), measured, scores)
            write_whole(self._run / f"{MODEL_ID}.md", card_markdown(measured).encode())
            write_whole(card_path, dump_card(measured).encode())
            return f"{len(scores)} scores"

        files = [f"detector/{MODEL_ID}.json", f"detector/{MODEL_ID}.md"]
        self._auto.stages.do("evaluate detector", work, files=files, after=["train detector"])
        return parse_card(card_path.read_text(encoding="utf-8"))

    def leave_one_out(self) -> tuple[LeftOut, ...]:
        """The small pictures only; empty for fewer than three families."""
        path = self._auto.run / "left_out.json"

        def work() -> str:
            real = {s: self._auto.tiles(self._index, s) for s in (Split.TRAIN, Split.TEST)}
            try:
                rows = leave_one_out(
                    self._family_pictures(real[Split.TEST].groups), real[Split.TRAIN].images,
                    real[Split.TEST].images, self._small_options(), self._auto.run / "left_out",
                    report=self._report, photos=real[Split.TEST].groups,
                )  # fmt: skip
            except LabError as e:
                write_whole(path, b"[]\n")
                return f"not examined: {e.detail}"
            write_json(path, [asdict(r) for r in rows])
            return f"{len(rows)} families left out in turn"

        self._auto.stages.do("leave one out", work, files=["left_out.json"], after=self._zoo_stages())
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            LeftOut(
                family=r["family"], auc=Estimate(**r["auc"]), true_positives=Estimate(**r["true_positives"]),
                others=tuple((n, float(a)) for n, a in r["others"]),
            )
            for r in rows
        )  # fmt: skip

    @property
    def _seed(self) -> int:
        return self._auto.options.seed

    def _zoo_stages(self) -> list[str]:
        return ["index", *(f"sample {s.family}" for s in self._samples)]

    def _choose_makers(self) -> None:
        """Which families make fakes of regions depends on how fast they are here: it is kept, so that a run
        that goes on elsewhere has the same."""
        names = list(zoo_makers(self._fitted()))
        write_whole(self._auto.run / _MAKERS, (json.dumps(names) + "\n").encode())

    def _fitted(self) -> list[Fitted]:
        return [open_family(self._auto.run / "zoo" / s.family) for s in self._samples]

    def _makers(self) -> dict[str, Make]:
        if self._known_makers is None:
            minutes = self._auto.options.minutes
            steps = max(_MIN_STEPS, min(_AUTOENCODER_STEPS, round(minutes * _AUTOENCODER_STEPS_PER_MINUTE)))
            names = json.loads((self._auto.run / _MAKERS).read_text(encoding="utf-8"))
            chosen = [f for f in self._fitted() if f.spec.family in names]
            self._known_makers = zoo_makers(chosen, slowest=math.inf) | own_makers(
                self._index, steps=steps, seed=self._seed, report=self._report
            )
        return self._known_makers

    def _small(self, split: Split) -> list[Small]:
        """Drawn pictures beside other real tiles of the split, rebuilt ones beside their own."""
        real = self._auto.real(self._index)[split]
        out = []
        for k, s in enumerate(self._samples):
            rng = np.random.default_rng([self._seed, 41, k])
            others = real[rng.integers(len(real), size=len(s.drawn[split]))]
            twins = np.concatenate([others, real[s.twins[split]]])
            if len(twins):
                out.append(Small(family=s.family, fake=s.of(split), twins=twins))
        return out

    def _family_pictures(self, photos: Groups) -> list[FamilyPictures]:
        """``photos`` of the real test tiles."""
        out = []
        for s in self._samples:
            of = None if photos is None else photos[s.twins[Split.TEST]]
            for kind, twins, made_of in ((s.drawn, None, None), (s.rebuilt, s.twins[Split.TRAIN], of)):
                if len(kind[Split.TRAIN]) and len(kind[Split.TEST]):
                    out.append(
                        FamilyPictures(
                            family=s.family, train=kind[Split.TRAIN], test=kind[Split.TEST], twins=twins,
                            test_photos=made_of,
                        )
                    )  # fmt: skip
        return out

    def _options(self) -> TrainingOptions:
        steps = self._auto.options.minutes * 60 * _DETECTOR_SHARE / _STEP_SECONDS
        epochs = max(1, round(max(steps, _MIN_STEPS) / _STEPS_PER_EPOCH))
        return TrainingOptions(seed=self._seed, epochs=epochs, steps_per_epoch=_STEPS_PER_EPOCH)

    def _small_options(self) -> TrainingOptions:
        seconds = self._auto.options.minutes * 60 * _LEFT_OUT_SHARE / max(1, len(self._samples))
        epochs = max(1, round(max(seconds / _SMALL_STEP_SECONDS, _MIN_STEPS) / _STEPS_PER_EPOCH))
        return TrainingOptions(
            seed=self._seed, epochs=epochs, steps_per_epoch=_STEPS_PER_EPOCH, pairs_per_batch=16,
            crop_side=self._auto.options.side, width=24, min_scale=1.0, max_scale=1.0,
        )  # fmt: skip

    def _calibrated(
        self, net: TraceNet, data: TrainingSet, options: TrainingOptions, material: Material
    ) -> ModelCard:
        try:
            found = calibrate(net, self._auto.run, material.items, seed=self._seed, report=self._report)
        except CalibrationError as e:
            raise CalibrationError(f"{e.detail}; a folder with more photos, or more minutes, may help") from e
        return ModelCard(
            model_id=MODEL_ID,
            question="synthetic",
            weights_sha256=save_tensors(shipped_tensors(net), self._run / f"{MODEL_ID}.safetensors"),
            families=data.families,
            width=options.width,
            preprocessing=Preprocessing(
                min_side=MIN_SIDE, crop_side=CROP_SIDE, max_crops=MAX_CROPS, min_texture=MIN_TEXTURE
            ),
            calibration=_counting_photos(found.calibration, material),
            operating_point=found.point,
            domain_limit=found.domain_limit,
            sets=_sets(material, data, len(self._index.of(Split.TRAIN))),
            corpus_sha256=self._index.digest(),
            seed=self._seed,
            epochs=options.epochs,
            network="traces",
            recipe=FOLDER,
        )

    def _aligned(
        self, network: TraceNet, material: Material
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores of real test regions and of the fakes made from them, each pair after one encoding."""
        items = {i.path: i for i in material.items if i.split is Split.TEST}
        pairs = [(a, b) for a, b in material.pairs if a in items]
        scores: tuple[list[float], list[float]] = ([], [])
        for n, pair in enumerate(pairs):
            views = [matched(pictures(self._auto.run, items[p])[0], pair[0], 0) for p in pair]
            try:
                both = [raw_logit(network, v) for v in views]
            except NotApplicable:
                continue
            scores[0].append(both[0])
            scores[1].append(both[1])
            self._report("comparing aligned pairs", n + 1, len(pairs))
        if not scores[0]:
            raise CorpusError("no test photo is large enough for an aligned pair; add larger photos")
        return np.array(scores[0]), np.array(scores[1])


def _counting_photos(calibration: Calibration, material: Material) -> Calibration:
    """With as many items as there are photos behind them: a region, a mosaic of tiles, or a second fake of
    one photo, does not let a likelihood ratio grow further."""
    units: tuple[set[str], set[str]] = (set(), set())
    for item in material.items:
        if item.split is Split.CALIBRATION and (item.fake or item.set_name != "tiles"):
            units[item.fake].add(item.unit)
    return replace(
        calibration,
        real_items=min(calibration.real_items, len(units[False])),
        fake_items=min(calibration.fake_items, len(units[True])),
    )


def _sets(material: Material, data: TrainingSet, photos: int) -> tuple[SetUse, ...]:
    """Every set of the held-out pictures, with what was trained on of the same name."""
    source_of = np.array(data.sources)[data.source]
    trained = {name: int((data.family == k).sum()) for k, name in enumerate(data.families)}
    trained |= {
        "photos": photos,
        "regions": int((source_of == "photos").sum()),
        "tiles": int((source_of == "tiles").sum()),
    }
    names = list(dict.fromkeys((i.set_name, i.fake) for i in material.items))
    count = {
        (name, split): sum(i.set_name == name and i.split is split for i in material.items)
        for name, _ in names
        for split in Split
    }
    return tuple(
        SetUse(
            name=name, fake=fake, licence="of the folder's owner", train=trained.get(name, 0),
            calibration=count[name, Split.CALIBRATION], test=count[name, Split.TEST],
            why=_WHY.get(name, "made from photos, or drawn after them"),
        )
        for name, fake in names
    )  # fmt: skip


def run_auto(folder: Path, run: Path, options: AutoOptions, report: Report) -> str:
    """Every stage that is not finished yet; returns the page that is also written as ``report.md``. Raises
    ``DetectorError``; run again after an interruption."""
    auto = Auto(folder, run, options, report)
    index = auto.index()
    names = auto.zoo(index)
    samples = auto.samples(index, names)
    auto.judge(index, names)
    auto.pictures(index, samples)
    second = AutoDetector(auto, index, samples)
    left_out = second.leave_one_out()
    material = second.held_out()
    second.train(material)
    card = second.evaluate(material)
    text = report_text(f"{folder.name}", index, run, auto.stages.records, left_out, card)
    write_whole(run / "report.md", text.encode())
    return text
