from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.core.errors import LabError
from detector.core.metrics import Estimate, true_positives
from detector.lab.steps.left_out import FamilyPictures, cautions, leave_one_out, rows_text, training_set
from detector.lab.steps.plots import plot_left_out
from detector.lab.steps.training_set import TrainingOptions
from tests.detector.made import photo_like

QUICK = TrainingOptions(
    epochs=1, steps_per_epoch=2, pairs_per_batch=3, crop_side=32, width=12, min_scale=1.0, max_scale=1.0
)


def pictures(first: int, count: int = 6):
    return np.stack([photo_like(32, 32, first + n) for n in range(count)])


def family(name: str, first: int, twins=None) -> FamilyPictures:
    return FamilyPictures(family=name, train=pictures(first), test=pictures(first + 50), twins=twins)


FAMILIES = [
    family("a", 100),
    family("b", 200),
    family("recon", 300, np.arange(6)),
    family("recon", 400, np.arange(6)),
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    run = tmp_path_factory.mktemp("lofo")
    return run, leave_one_out(FAMILIES, pictures(0), pictures(20), QUICK, run, report=lambda *_: None)


def test_every_family_is_left_out_once_whatever_its_upsamplers(rows):
    assert [r.family for r in rows[1]] == ["a", "b", "recon"]
    assert all(sorted([r.family, *(n for n, _ in r.others)]) == ["a", "b", "recon"] for r in rows[1])


def test_the_family_that_is_tested_was_not_trained_on():
    data = training_set([f for f in FAMILIES if f.family != "recon"], pictures(0))
    assert data.families == ("a", "b")
    assert (data.twin == -1).all()


def test_reconstructions_stand_beside_their_own_picture():
    data = training_set(FAMILIES, pictures(0))
    assert data.twin[12:18].tolist() == list(range(6))
    assert data.family[12:].tolist() == [2] * 12


def test_what_a_family_draws_and_what_it_reconstructs_are_apart_and_the_latter_comes_more_often():
    both = [family("a", 100), family("vae", 200), family("vae", 300, np.arange(6))]
    data = training_set(both, pictures(0))
    assert data.families == ("a", "vae", "vae, reconstructed")
    assert data.share == pytest.approx((1 / 6, 1 / 6, 4 / 6))
    assert data.family.tolist() == [0] * 6 + [1] * 6 + [2] * 6


def test_a_finished_family_is_read_and_not_trained_again(rows, monkeypatch):
    run, before = rows

    def refuse(*_args, **_options):
        pytest.fail("trained again")

    monkeypatch.setattr("detector.lab.steps.left_out.train", refuse)
    again = leave_one_out(FAMILIES, pictures(0), pictures(20), QUICK, run, report=lambda *_: None)
    assert again == before


def test_a_broken_result_is_a_typed_error(rows):
    run, _ = rows
    path = run / "left-out-b.json"
    text = path.read_text()
    path.write_text(text[:40])
    try:
        with pytest.raises(LabError, match="left-out-b"):
            leave_one_out(FAMILIES, pictures(0), pictures(20), QUICK, run, report=lambda *_: None)
    finally:
        path.write_text(text)


def test_fewer_than_three_families_are_refused(tmp_path):
    with pytest.raises(LabError, match="three"):
        leave_one_out(FAMILIES[2:], pictures(0), pictures(20), QUICK, tmp_path, report=lambda *_: None)


def test_true_positives_are_counted_above_the_false_alarms():
    real = np.arange(100.0)
    assert true_positives(real, np.array([98.5, 99.5, 200.0, 3.0])) == 0.5


def test_what_a_short_run_prints_is_no_result_and_says_so(rows):
    _, found = rows
    short = cautions(found, steps=4, fakes=6)
    assert len(short) >= 3
    assert any("4 steps" in c for c in short)
    assert any("6 pictures per family" in c for c in short)
    assert any("test pictures are few" in c for c in short)
    text = rows_text(found, short)
    assert text.count("warning: ") == len(short)
    many = [replace(r, auc=Estimate(value=0.7, low=0.6, high=0.8, n=4000)) for r in found]
    assert cautions(many, steps=3000, fakes=3000) == ()
    turned = [replace(many[0], auc=Estimate(value=0.04, low=0.01, high=0.1, n=4000)), *many[1:]]
    assert "reversed shortcut" in cautions(turned, steps=3000, fakes=3000)[0]
    assert "does not predict real ones" in text


def test_calibration_and_intervals_of_a_left_out_family_go_by_photo(tmp_path):
    """Eight tiles of each of five photos, exactly alike: resampled by photo, five items and not forty."""
    same = np.repeat(pictures(20, 5), 8, axis=0)
    photos = np.repeat(np.arange(5), 8)

    def widths(run, of):
        found = leave_one_out(FAMILIES, pictures(0), same, QUICK, run, report=lambda *_: None, photos=of)
        return [r.auc.high - r.auc.low for r in found]

    assert np.mean(widths(tmp_path / "a", photos)) > np.mean(widths(tmp_path / "b", None))


def test_the_rows_are_printed_and_drawn(rows, tmp_path):
    text = rows_text(rows[1])
    assert text.splitlines()[-2].startswith("mean")
    assert plot_left_out(tmp_path, rows[1]).stat().st_size > 5_000
