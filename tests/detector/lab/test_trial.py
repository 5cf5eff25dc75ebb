"""Anybody's two folders of pictures, and the numbers of whatever detectors are there."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import (
    CorpusError,
    DetectorError,
    FileFailed,
    ModelUnavailable,
    NotApplicable,
    OptionRefused,
    TooFewPictures,
)
from detector.core.metrics import auc, coverage_error, true_positives
from detector.core.progress import silent
from detector.lab.steps.scores import read_scores
from detector.lab.steps.views import LAUNDERED_SIDE, file_of
from detector.lab.trial.columns import columns_of
from detector.lab.trial.detectors import Absent, open_installed
from detector.lab.trial.joined import with_joint
from detector.lab.trial.numbers import measured
from detector.lab.trial.own_pictures import Told, calibrate
from detector.lab.trial.pictures import gather
from detector.lab.trial.run import PAGE, run_trial
from detector.lab.trial.scoring import Scored, score_pictures
from detector.models.calibration import Calibration
from detector.models.card import ModelCard, open_card
from detector.models.condition import Condition
from detector.models.guarantees import Certified, Guarantees
from detector.models.joint import Joint, JointCard, Part
from detector.models.kinds import Kind
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from detector.models.score import Answer, Score
from detector.pixels.decode import Pixels, decode
from tests.detector.made import encoded, photo_like

FIRST = "traces-1"  # its line is given nothing but a score


@dataclass
class Brightness:
    """Takes what is brighter for generated, so that a trial has something to measure in no time."""

    card: ModelCard = field(default_factory=lambda: open_card(FIRST))
    asked: list[str] = field(default_factory=list)
    stops_after: int = 1000

    def turned(self, pixels: Pixels, data: bytes, media_type: str) -> Pixels:
        return pixels

    def score_pixels(self, pixels: Pixels, condition: Condition, *, band: bool) -> Score:
        assert not band
        if len(self.asked) == self.stops_after:
            raise KeyboardInterrupt
        self.asked.append(condition.media_type)
        mean = float(pixels.mean())
        if mean < 20:
            raise NotApplicable("too dark")
        logit = (mean - 128) / 10
        answer = Answer.SUPPORTS if logit > 3 else Answer.AGAINST if logit < -3 else Answer.INCONCLUSIVE
        return Score(
            model_id=self.card.model_id, model_sha256=self.card.weights_sha256, logit=logit,
            ratio=self.card.calibration.ratio(logit), stability=None, crops=1, answer=answer, reason="said",
            kind=Kind.PHOTO if mean > 95 else None,
        )  # fmt: skip


def picture(brightness: int, seed: int) -> bytes:
    pixels = np.full((40, 60, 3), brightness, np.uint8)
    pixels[seed % 40, seed % 60] = seed % 255
    return encoded(pixels, "PNG")


def put(folder: Path, *pictures: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n, data in enumerate(pictures):
        (folder / f"{n}.png").write_bytes(data)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two cameras and two generators, of which one cannot be told from the cameras."""
    real, fake = tmp_path / "real", tmp_path / "fake"
    put(real / "camera a", *(picture(90 + n, n) for n in range(8)))
    put(real / "camera b", *(picture(100 + n, 50 + n) for n in range(6)), picture(0, 1))
    put(fake / "bright", *(picture(170 + n, n) for n in range(10)))
    put(fake / "like | a photo", *(picture(92 + n, 80 + n) for n in range(10)))
    return real, fake


def test_a_trial_leaves_a_page_its_tables_and_plots(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (folders[0] / "camera a" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0torn")
    (folders[1] / "bright" / "note.jpg").write_text("no picture")
    out = tmp_path / "out"
    absent = Absent(model_id="other-1", why="its encoder is not here")
    short = run_trial(*folders, out, (Brightness(),), (absent,), report=silent)
    page = (out / PAGE).read_text()
    assert page.startswith(short)
    assert "| other-1 | not run | its encoder is not here |" in page
    assert "- `real/camera a/torn.jpg`: " in page
    assert "- `fake/bright/note.jpg`: neither JPEG, PNG nor WebP" in page
    assert "| like \\| a photo | generated | 10 |" in page
    assert "| photo | generated | 16 | 0.625 " in page
    assert "| unknown | real | " in page
    for line in page.splitlines():
        if line.startswith("!["):
            assert (out / line.split("](")[1].rstrip(")")).is_file(), line
    with (out / "sources.csv").open(newline="") as f:
        rows = {(r["view"], r["sub_folder"]): r for r in csv.DictReader(f)}
    dark = rows["stored", "camera b"]
    assert (dark["n"], dark["abstained"], dark["supports"]) == ("7", "1", "0")
    bright = rows["stored", "bright"]
    assert (float(bright["auc"]), float(bright["recall"]), bright["supports"]) == (1.0, 1.0, "10")
    assert 0.3 < float(rows["laundered", "like | a photo"]["auc"]) < 0.7
    numbers = json.loads((out / "numbers.json").read_text())
    assert [n["path"] for n in numbers["not_measured"]] == ["fake/bright/note.jpg", "real/camera a/torn.jpg"]
    table = read_scores(out / f"{FIRST}-scores.csv")
    assert len(table) == 2 * 34
    assert {r.generator for r in table if not r.fake} == {""}
    assert {(r.media_type, r.quality) for r in table if r.view == "laundered"} == {("image/jpeg", 90)}


def test_a_trial_goes_on_where_it_was_interrupted_and_ends_alike(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_trial(*folders, whole, (Brightness(),), views=["stored"], report=silent)
    with pytest.raises(KeyboardInterrupt):
        run_trial(*folders, broken, (Brightness(stops_after=21),), views=["stored"], report=silent)
    with (broken / "scores.jsonl").open("a") as f:
        f.write('{"sha256": "torn')
    again = Brightness()
    run_trial(*folders, broken, (again,), views=["stored"], report=silent)
    assert len(again.asked) == 35 - 21
    for name in (PAGE, "numbers.json", "sources.csv"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes()
    third, pictures = Brightness(), gather(*folders, report=silent).pictures
    score_pictures((third,), pictures, ("stored",), broken / "scores.jsonl", silent)
    assert third.asked == []


def test_another_card_is_asked_anew(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pictures = gather(*folders, report=silent).pictures
    first, second = Brightness(), Brightness(card=replace(open_card(FIRST), seed=99))
    for detector in (first, second):
        score_pictures((detector,), pictures, ("stored",), tmp_path / "scores.jsonl", silent)
    assert len(first.asked) == len(second.asked) == len(pictures)


def test_intervals_know_that_sub_folders_differ(folders: tuple[Path, Path], tmp_path: Path) -> None:
    found = gather(*folders, report=silent)
    scored = score_pictures((Brightness(),), found.pictures, ("stored",), tmp_path / "s.jsonl", silent)
    (column,) = columns_of(found.pictures, scored)
    numbers = measured(column)
    of = {s.result.name: s for s in numbers.sources}
    assert of["camera a"].result.auc is of["camera a"].recall is None
    easy, hard, together = of["bright"].result.auc, of["like | a photo"].result.auc, numbers.macro_auc
    assert easy is not None
    assert hard is not None
    assert together is not None
    assert together.value == pytest.approx((easy.value + hard.value) / 2)
    # Drawing the easy generator twice, or the hard one, is what moves it.
    assert together.high == 1.0
    assert together.low < hard.value + 0.1
    assert easy.low == easy.high == 1.0


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda r, f: r.rename(r.parent / "away"), FileFailed, "is no folder"),
        (lambda r, f: [p.unlink() for p in f.rglob("*.png")], TooFewPictures, "fake holds no JPEG"),
        (lambda r, f: put(f / "bright", picture(90, 0)), CorpusError, "both folders (real/camera a/0.png)"),
        (
            lambda r, f: [p.write_bytes(p.read_bytes()[:60]) for p in r.rglob("*.png")],
            TooFewPictures, "pictures in {real} can be decoded",
        ),
    ],
    ids=["no folder", "an empty class", "a picture of both classes", "none that decodes"],
)  # fmt: skip
def test_folders_that_cannot_be_measured_are_refused_in_a_sentence(
    spoil, error: type[DetectorError], says: str, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    spoil(*folders)
    with pytest.raises(error) as raised:
        run_trial(*folders, tmp_path / "out", (Brightness(),), report=silent)
    assert says.format(real=folders[0]) in raised.value.detail


def test_a_folder_inside_the_other_and_an_unknown_view_are_refused(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(OptionRefused, match="lie in each other"):
        gather(folders[0], folders[0] / "camera a", report=silent)
    with pytest.raises(OptionRefused, match="'upside down'"):
        run_trial(*folders, tmp_path / "out", (Brightness(),), views=["upside down"], report=silent)


def test_what_is_not_installed_is_said_and_the_rest_is_measured(tmp_path: Path) -> None:
    opened, absent = open_installed((), None)
    assert [d.card.model_id for d in opened] == [DEFAULT_MODEL]
    assert [a.model_id for a in absent] == [SEMANTIC_MODEL]
    with pytest.raises(ModelUnavailable, match="image encoder is not installed"):
        open_installed((SEMANTIC_MODEL,), None)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_installed((SEMANTIC_MODEL,), tmp_path / "none.onnx")
    with pytest.raises(OptionRefused, match="no detector is called 'guess-1'"):
        open_installed(("guess-1",), None)


def test_a_laundered_picture_is_small_and_never_enlarged() -> None:
    for side, expected in ((600, LAUNDERED_SIDE), (100, 100)):
        data, media_type = file_of(photo_like(side, 2 * side), "laundered")
        assert decode(data, media_type).shape[:2] == (expected, 2 * expected)


def test_a_platform_turns_a_picture_before_it_encodes_it_again(tmp_path: Path) -> None:
    lying = Image.Exif()
    lying[0x0112] = 6
    put(tmp_path / "real" / "a", picture(90, 1))
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "b.jpg").write_bytes(encoded(photo_like(40, 90), exif=lying))
    shapes: list[tuple[int, ...]] = []

    class Shapes(Brightness):
        def score_pixels(self, pixels: Pixels, condition: Condition, *, band: bool) -> Score:
            shapes.append(pixels.shape)
            return super().score_pixels(pixels, condition, band=band)

    pictures = gather(tmp_path / "real", tmp_path / "fake", report=silent).of(fake=True)
    score_pictures((Shapes(),), pictures, ("stored", "laundered"), tmp_path / "s.jsonl", silent)
    assert shapes == [(40, 90, 3), (90, 40, 3)]


def test_coverage_and_error_go_from_the_strongest_answer_to_all() -> None:
    real, fake = np.array([-3.0, -1.0, 2.0, -2.0]), np.array([3.0, 1.0])
    coverage, error = coverage_error(real, fake)
    assert coverage.tolist() == [0.375, 0.625, 1.0]  # both of strength 3, then of 2, then of 1
    assert error.tolist() == pytest.approx([0.0, 0.125 / 0.625, 0.125])


def test_recall_at_two_per_cent_lets_at_most_so_many_pass() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0, 1, 500), rng.normal(2, 1, 500)
    found = true_positives(real, fake, false_positives=0.02)
    assert (real > np.quantile(real, 0.98, method="higher")).mean() <= 0.02
    assert 0.4 < found < auc(real, fake)


def two_detectors() -> tuple[ModelCard, ModelCard]:
    card = open_card(FIRST)
    return card, replace(card, model_id="other-1")


def joint_of(*cards: ModelCard) -> Joint:
    """Adds up both log ratios and answers from a ratio of 10, whatever the kind."""
    line = Calibration(slope=1.0, intercept=0.0, covariance=(0.0, 0.0, 0.0), real_items=1000, fake_items=1000)
    certified = Certified(
        kind=None, goal=0.02, sure=0.95, log10_ratio=1.0, pictures=400, sources=30, false=1, bound=0.01,
        by_source=0.02,
    )  # fmt: skip
    parts = tuple(
        Part(model_id=c.model_id, weights_sha256=c.weights_sha256, calibration_id="", weight=1.0)
        for c in cards
    )
    card = JointCard(
        model_id="joint-1", question="synthetic", parts=parts, start=0.0, calibration=line,
        guarantees=Guarantees(kind_limit=None, supports=(certified,), against=()), dependence=(), judged=(),
    )  # fmt: skip
    return Joint(card=card, sha256="77" * 32)


def test_where_a_joint_detector_was_fitted_on_these_its_answer_is_measured_too(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    cards = two_detectors()
    detectors = tuple(Brightness(card=c) for c in cards)
    run_trial(*folders, tmp_path / "out", detectors, views=["stored"], joint=joint_of(*cards), report=silent)
    page = (tmp_path / "out" / PAGE).read_text()
    assert "| joint-1 | those of its parts | `7777" in page
    with (tmp_path / "out" / "sources.csv").open(newline="") as f:
        rows = {(r["detector"], r["sub_folder"]): r for r in csv.DictReader(f)}
    assert rows["joint-1", "bright"]["supports"] == "10"
    assert rows["joint-1", "camera b"]["abstained"] == "1"


def test_a_part_without_a_ratio_leaves_the_answer_to_the_other() -> None:
    cards = two_detectors()
    detectors = tuple(Brightness(card=c) for c in cards)
    one = Scored(
        sha256="a", name="a", view="stored", detector=cards[0].model_id, card_sha256="", answer="supports",
        reason="so", logit=3.0, log10_ratio=0.8, distance=1.0, side=300, quality=None, media_type="image/png",
        kind=None,
    )  # fmt: skip
    silent_one = replace(one, detector="other-1", answer="abstain", logit=None, log10_ratio=None)
    *_, joined = with_joint(joint_of(*cards), detectors, (one, silent_one))
    assert (joined.detector, joined.answer, joined.log10_ratio) == ("joint-1", "supports", 0.8)
    assert joined.reason.startswith(f"{FIRST} answers alone")
    *_, both = with_joint(joint_of(*cards), detectors, (one, replace(one, detector="other-1")))
    assert (both.answer, both.log10_ratio) == ("supports", pytest.approx(1.6))
    *_, none = with_joint(joint_of(*cards), detectors, (silent_one, silent_one))
    assert (none.answer, none.logit) == ("abstain", None)
    assert with_joint(joint_of(cards[0]), detectors, (one, one)) == (one, one)
    assert with_joint(None, detectors, (one, one)) == (one, one)


def test_a_calibration_counts_the_pictures_and_what_was_told_of_others(tmp_path: Path) -> None:
    detector = Brightness()
    put(tmp_path / "real", *(picture(60 + i % 40, i) for i in range(150)))
    put(tmp_path / "made", *(picture(150 + i, i) for i in range(10)))
    asked = tmp_path / "real", tmp_path / "made", tmp_path / "out", [detector]
    ((worth,), data) = calibrate(*asked, report=silent)
    assert worth.point is not None
    assert data is not None
    assert (worth.point.real, worth.point.false, worth.point.found) == (150, 0, 10)
    told = [
        Told(sha256=f"{i}", fake=i > 5, model_id=detector.card.model_id, logit=-4.0,
             weights_sha256=detector.card.weights_sha256)
        for i in range(8)
    ]  # fmt: skip
    ((more,), named) = calibrate(*asked, told=told, report=silent)
    assert more.point is not None
    assert (more.point.real, more.point.generated) == (156, 12)
    assert json.loads(named or b"")["name"] == "real, made, and feedback on 8 files"
