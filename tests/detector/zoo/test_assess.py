"""The table of quality: its rows, its reasons, its text; and the pictures of a run for eyes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import NotApplicable, OptionRefused
from detector.core.progress import silent
from detector.generators.source import ImageSource
from detector.zoo.judging import features
from detector.zoo.judging.assess import ListedCopy, Measure, Quality, assess, quality_text
from detector.zoo.semi.family import SemiSpec
from detector.zoo.semi.run import Draw, SemiResult, mean_error, result_text
from detector.zoo.sheet import plot_errors, plot_spectra, sheet_of


def source(n: int, seed: int, side: int = 8, labels: bool = False) -> ImageSource:
    images = np.random.default_rng(seed).integers(0, 256, (n, side, side, 1), dtype=np.uint8)
    return ImageSource(name="made", images=images, labels=np.arange(n) % 2 if labels else None)


@pytest.fixture(autouse=True)
def without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "PACKAGE", "no_such_package_at_all")


def test_pictures_of_another_size_are_not_compared() -> None:
    with pytest.raises(NotApplicable, match="differ in size"):
        assess(source(4, 0, side=9).images, source(4, 1), source(4, 2), seed=0, report=silent)


def test_what_cannot_be_measured_stands_in_the_table_with_its_reason() -> None:
    """Three pictures of seven pixels are too few for most and too small for a spectrum."""
    found = assess(
        source(3, 0, side=7).images, source(6, 1, side=7), source(3, 2, side=7), seed=0, report=silent
    )
    rows = {(m.name, m.space): m for m in found.measures}
    assert "at least 4 a side" in rows["precision", "pixels-16"].not_examined
    assert "at least 20 a side" in rows["two-sample AUC", "pixels-16"].not_examined
    assert "at least 8 pixels" in rows["high frequencies, dB", "luminance"].not_examined
    assert found.spectra == ((), ())
    assert all((m.value is None) == bool(m.not_examined) for m in found.measures)


def test_classes_are_counted_where_the_held_out_pictures_have_them() -> None:
    found = assess(
        source(8, 0).images, source(16, 1), source(8, 2, labels=True), seed=0, report=silent, accept_bias=True
    )
    rows = {m.name: m for m in found.measures if m.space == "pixels-16"}
    assert rows["class coverage"].n == 2
    assert rows["FD"].remark.startswith("biased")
    assert rows["FD"].value is not None
    assert (found.n_generated, found.n_train, found.n_held_out) == (8, 16, 8)


def test_the_table_for_people_has_a_line_a_row_and_a_line_a_copy() -> None:
    row = Measure(name="KID", space="pixels-16", value=0.5, low=0.25, high=0.75, n=9, reference=0.125)
    quality = Quality(
        measures=(row, replace(row, low=None, high=None, remark="of few"), Measure(
            name="FD", space="pixels-16", not_examined="too few")),
        near_copies=(ListedCopy(space="pixels-16", sample=3, train=8, ratio=0.25),),
        spectra=((), ()), n_generated=4, n_train=6, n_held_out=5,
    )  # fmt: skip
    first, head, full, bare, missing, copy = quality_text(quality).splitlines()
    assert first == "4 generated pictures against 5 held-out real ones"
    assert head.split()[0] == "measure"
    assert full.split() == ["KID", "pixels-16", "0.5", "0.25", "..", "0.75", "0.125"]
    assert bare.split() == ["KID", "pixels-16", "0.5", "0.125", "of", "few"]
    assert missing.endswith("not examined: too few")
    assert copy == "near copy in pixels-16: picture 3 of training picture 8, ratio 0.25"


def test_a_sheet_needs_a_column_and_a_picture() -> None:
    for images, columns in ((source(2, 0).images, 0), (source(2, 0).images[:0], 3)):
        with pytest.raises(OptionRefused, match="at least one column and one picture"):
            sheet_of(images, columns=columns)
    grey = sheet_of(source(1, 0, side=64).images, columns=1)
    assert grey.shape == (68, 68, 3)
    assert (grey[..., 0] == grey[..., 2]).all()


def test_curves_are_drawn_and_an_error_of_nothing_has_a_place(tmp_path: Path) -> None:
    plot_spectra({str(n): np.arange(1.0, 5) for n in range(6)}, tmp_path / "s.png", title="six")
    points = [{"cpu_seconds": 1.0, "error": 0.5}, {"cpu_seconds": 2.0, "error": 0.0}]
    plot_errors({"draw 0": points, "draw 1": []}, tmp_path / "e.png", title="two")
    for name in ("s.png", "e.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 500
    plot_errors({"draw 0": []}, tmp_path / "none.png", title="")
    assert not (tmp_path / "none.png").exists()


def semi_result(draws: int) -> SemiResult:
    done = tuple(Draw(seed=n, wrong=(n, 7), tested=10, steps=5, cpu_seconds=1.4) for n in range(draws))
    return SemiResult(labels=20, trained=100, draws=done, mean=mean_error(done))


def test_errors_of_few_labels_are_a_row_a_draw_and_their_mean() -> None:
    head, first, second, mean, part = result_text(semi_result(2)).splitlines()
    assert head.split()[:4] == ["draw", "wrong", "of", "error"]
    assert first.split()[:4] == ["0", "2", "10", "20.00"]
    assert second.split()[-2:] == ["5", "1"]
    assert mean.startswith("20 labels: mean error 20.00 %")
    assert mean.endswith("over 2 draws and the test digits")
    assert "published errors are of another test" in part
    assert result_text(semi_result(1)).splitlines()[-2].endswith("over the test digits")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"ema": 0.5}, "averages its networks itself"), ({"mean_decay": 1.0}, "averages its networks itself"),
     ({"classes": 1}, "two classes"), ({"labelled": 1}, "two pictures of every kind"),
     ({"adversarial": -1.0}, "two classes and two pictures")],
    ids=["ema", "decay", "one class", "one label", "weight"],
)  # fmt: skip
def test_settings_of_few_labels_that_cannot_be_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(OptionRefused, match=said):
        replace(SemiSpec(), **wrong)  # type: ignore[arg-type]
