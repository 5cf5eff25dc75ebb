"""A fitted family asked from outside: what it may be asked, and with which pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import CorpusError, ModelUnavailable, NotApplicable
from detector.generators import make_family
from detector.generators.source import ImageSource
from detector.generators.spec import Spec
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import FitResult
from detector.zoo.making import MOST_UNLEARNED, Made, beside_originals, gives_back, made_by, sample_run
from detector.zoo.store import CHUNK, Fitted, card_of, checked_pictures, open_family, save_family

SPEC = Spec(family="x", side=8, channels=1)


def grey(n: int, side: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 1), dtype=np.uint8)


@pytest.mark.parametrize(
    "wrong",
    [grey(0), grey(2)[0], grey(2, 9), grey(2).astype(float), grey(2).repeat(3, axis=3)],
    ids=["none", "one picture", "side", "floats", "colour"],
)
def test_an_array_that_a_family_cannot_mean_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(CorpusError, match=r"x wants uint8 \(n, 8, 8, 1\), not"):
        checked_pictures(wrong, SPEC)


def test_a_family_with_a_grid_takes_any_sides_that_are_multiples_of_it() -> None:
    wide = np.zeros((1, 12, 20, 1), np.uint8)
    assert checked_pictures(wide, SPEC, grid=4) is wide
    for side in (10, 0):
        with pytest.raises(CorpusError, match="multiples of 4"):
            checked_pictures(np.zeros((1, side, 8, 1), np.uint8), SPEC, grid=4)


def test_a_card_says_what_the_fit_says_and_is_compared_before_the_weights_are_read(tmp_path: Path) -> None:
    family = make_family("gan", side=8, width=4)
    source = ImageSource(name="noise", images=grey(3))
    result = FitResult(
        steps=4, images=9, cpu_seconds=1.5, losses={"a": 0.25}, seed=6, precision="float32", device="cpu"
    )
    card = save_family(family, tmp_path, card_of(family.spec, source, Budget(steps=4), result))
    stored = json.loads((tmp_path / "card.json").read_text())
    assert (stored["steps"], stored["images"], stored["seed"], stored["losses"]) == (4, 9, 6, {"a": 0.25})
    assert (card.source, card.source_pictures) == ("noise", 3)
    assert open_family(tmp_path).card == card
    # Weights of another shape, with a card that says so: the digest is right, and still they do not fit.
    other = save_family(make_family("gan", side=8, width=5), tmp_path / "b", card)
    (tmp_path / "b" / "card.json").write_text(
        json.dumps(stored | {"weights_sha256": other.weights_sha256}, indent=1)
    )
    with pytest.raises(ModelUnavailable, match="do not fit gan"):
        open_family(tmp_path / "b")
    (tmp_path / "b" / "card.json").write_text(json.dumps(stored | {"labels_kept": 2.0}))
    with pytest.raises(ModelUnavailable, match=r"not in 0\.\.1"):
        open_family(tmp_path / "b")


def test_what_a_family_cannot_do_is_not_applicable() -> None:
    fitted = Fitted(make_family("gan", side=8, width=4))
    for ask, said in (
        (lambda: fitted.reconstruct(grey(1)), "cannot pass one through itself"),
        (lambda: fitted.translate(grey(1), 0), "does not translate"),
        (lambda: fitted.log_prob(grey(1)), "how likely"),
    ):
        with pytest.raises(NotApplicable, match=said):
            ask()


def test_a_sample_begins_like_a_longer_one_and_every_chunk_has_a_chance_of_its_own() -> None:
    fitted = Fitted(make_family("gan", side=8, width=4))
    long = fitted.sample(CHUNK + 3, 5)
    assert (fitted.sample(CHUNK, 5) == long[:CHUNK]).all()
    assert (fitted.sample(3, 5) != long[CHUNK:]).any()


def test_pictures_given_back_lie_behind_their_originals_and_know_their_photos() -> None:
    torch.manual_seed(0)
    fitted = Fitted(make_family("cyclegan", side=8, channels=1, width=4))
    source = ImageSource(name="x", images=grey(6), groups=np.array([0, 0, 1, 1, 2, 2]))
    told = []
    made = made_by(fitted, 4, 3, source, report=lambda *row: told.append(row))
    chosen = np.random.default_rng(3).permutation(6)[:4]
    assert made.originals is not None
    assert made.groups is not None
    assert (made.originals == source.images[chosen]).all()
    assert made.groups.tolist() == [n // 2 for n in chosen]
    assert (made.images == fitted.reconstruct(made.originals)).all()
    assert (beside_originals(made)[1::2] == made.images).all()
    assert (beside_originals(made)[::2] == made.originals).all()
    assert told == [("passing pictures through cyclegan", done, 4) for done in (0, 4)]


def test_a_family_that_translates_makes_each_picture_look_like_the_other_class() -> None:
    fitted = Fitted(make_family("cyclegan", side=8, channels=1, width=4, mode="translate", classes=2))
    source = ImageSource(name="x", images=grey(4), labels=np.array([0, 1, 0, 1]))
    made = made_by(fitted, 4, 0, source)
    assert made.originals is not None
    for picture, original in zip(made.images, made.originals, strict=True):
        label = source.labels[[(original == p).all() for p in source.images].index(True)]
        assert (picture == fitted.translate(original[None], 1 - int(label))[0]).all()
    with pytest.raises(NotApplicable, match="classes 0 and 1, not 2"):
        fitted.translate(grey(1), 2)


def test_a_family_that_is_fitted_to_each_picture_makes_few() -> None:
    fitted = Fitted(make_family("dip", side=8, channels=1, width=4, latent=2, iterations=1))
    made = made_by(fitted, 100, 0, ImageSource(name="x", images=grey(MOST_UNLEARNED + 1)))
    assert len(made.images) == MOST_UNLEARNED


def test_what_draws_is_sampled_and_a_class_can_be_asked_for() -> None:
    fitted = Fitted(make_family("biggan", side=8, channels=1, width=4, classes=2))
    made = made_by(fitted, 2, 0, ImageSource(name="x", images=grey(1)))
    assert isinstance(made, Made)
    assert beside_originals(made) is made.images
    assert not gives_back(fitted)
    assert (sample_run(fitted, 3, 0, label=1) == fitted.sample(3, 0, np.ones(3, np.int64))).all()
