from __future__ import annotations

import numpy as np
import pytest

from detector.errors import CorpusError
from detector.lofo import FamilyPictures, leave_one_out, rows_text, training_set
from detector.metrics import true_positives
from detector.plots import plot_left_out
from detector.training import TrainingOptions
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

    monkeypatch.setattr("detector.lofo.train", refuse)
    again = leave_one_out(FAMILIES, pictures(0), pictures(20), QUICK, run, report=lambda *_: None)
    assert again == before


def test_a_broken_result_is_a_typed_error(rows):
    run, _ = rows
    path = run / "left-out-b.json"
    text = path.read_text()
    path.write_text(text[:40])
    try:
        with pytest.raises(CorpusError, match="left-out-b"):
            leave_one_out(FAMILIES, pictures(0), pictures(20), QUICK, run, report=lambda *_: None)
    finally:
        path.write_text(text)


def test_fewer_than_three_families_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="three"):
        leave_one_out(FAMILIES[2:], pictures(0), pictures(20), QUICK, tmp_path, report=lambda *_: None)


def test_true_positives_are_counted_above_the_false_alarms():
    real = np.arange(100.0)
    assert true_positives(real, np.array([98.5, 99.5, 200.0, 3.0])) == 0.5


def test_the_rows_are_printed_and_drawn(rows, tmp_path):
    text = rows_text(rows[1])
    assert text.splitlines()[-1].startswith("mean")
    assert plot_left_out(tmp_path, rows[1]).stat().st_size > 5_000
