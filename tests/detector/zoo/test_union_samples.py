"""What a union learns from: pictures of every class, out of families that saw few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import CorpusError
from detector.core.progress import silent
from detector.generators.source import ImageSource
from detector.zoo.fitting.budget import Budget
from detector.zoo.union.samples import Drawn, drawn_of

TOLD, UNTOLD = "vae", "gan"


def tones(n: int = 24) -> ImageSource:
    """Class 0 is dark, class 1 bright; each picture with noise of its own."""
    rng, labels = np.random.default_rng(0), np.arange(n, dtype=np.int64) % 2
    images = 40 + 170 * labels[:, None, None, None] + rng.integers(-20, 20, (n, 16, 16, 1))
    return ImageSource(name="tones", images=images.astype(np.uint8), labels=labels)


def drawn(name: str, path: Path, count: int = 9, seed: int = 0, **budget: float) -> Drawn:
    given = Budget(**(budget or {"steps": 2}))  # type: ignore[arg-type]
    return drawn_of(name, tones(), 2, count, given, path, seed=seed, report=silent)


@pytest.mark.parametrize("name", [TOLD, UNTOLD])
def test_every_class_is_drawn_equally_often_whether_a_family_is_told_it_or_not(
    name: str, tmp_path: Path
) -> None:
    found = drawn(name, tmp_path / "drawn.npz").source
    assert found.labels is not None
    assert np.bincount(found.labels).tolist() == [4, 4], "nine do not divide among two"
    assert found.images.shape == (8, 16, 16, 1)


def test_a_family_that_learns_no_classes_sees_one_class_at_a_time(tmp_path: Path) -> None:
    found = drawn(UNTOLD, tmp_path / "drawn.npz", count=16, steps=160).source
    assert found.labels is not None
    dark, bright = (found.images[found.labels == c].mean() for c in (0, 1))
    assert bright - dark > 60


def test_what_was_drawn_is_kept_and_what_going_on_would_have_needed_is_not(tmp_path: Path) -> None:
    path = tmp_path / "drawn.npz"
    first = drawn(TOLD, path)
    again = drawn(TOLD, path, seed=5, steps=9)
    assert (again.source.images == first.source.images).all()
    assert again.cpu_seconds == first.cpu_seconds > 0
    assert [p.name for p in tmp_path.iterdir()] == ["drawn.npz"]


def test_a_seed_decides_what_is_drawn(tmp_path: Path) -> None:
    one, again, other = (
        drawn(TOLD, tmp_path / f"{n}.npz", seed=s).source.images for n, s in enumerate((3, 3, 4))
    )
    assert (one == again).all()
    assert (one != other).any()


def test_a_family_that_draws_slowly_draws_what_its_seconds_allow_and_something_of_every_class(
    tmp_path: Path,
) -> None:
    found = drawn("pixelcnn", tmp_path / "drawn.npz", count=100_000, cpu_seconds=0.4).source
    assert found.labels is not None
    assert len(found.images) < 1000
    assert np.bincount(found.labels).min() >= 1


def test_drawings_that_cannot_be_read_are_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "drawn.npz"
    drawn(TOLD, path)
    for torn in (path.read_bytes()[:200], b"", b"nothing"):
        path.write_bytes(torn)
        with pytest.raises(CorpusError, match=r"drawn\.npz holds no readable pictures; delete it"):
            drawn(TOLD, path)
