"""Composites with a region of another past, and the head that is fitted on their windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import LabError
from detector.forensics.splicing import Windows
from detector.lab.halves import first_half
from detector.lab.splicing.composites import KINDS, composite, host_of
from detector.lab.splicing.fitting import DIRECTIONS, Kept, fit_head, read_kept
from tests.detector.made import photo_like

NAMES = [n for n in map(str, range(60)) if first_half(n)]
WIDTH = 40


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_region_of_a_composite_differs_from_its_twin(kind: str) -> None:
    rng = np.random.default_rng(4)  # this draw is not saved as JPEG
    host = host_of(photo_like(600, 900, 1), rng)
    assert host is not None
    made = composite(host, photo_like(400, 400, 2), kind, lambda region: 255 - region, rng)
    differ = (made.untouched != made.changed).any(axis=2)
    if made.quality is None:
        near = np.argwhere(made.mask)
        far = np.argwhere(differ)
        assert (far.min(axis=0) >= near.min(axis=0) - 8).all()
        assert (far.max(axis=0) <= near.max(axis=0) + 8).all()
    assert differ[made.mask].mean() > 0.5
    assert 0.005 < made.mask.mean() < 0.3
    assert host_of(photo_like(300, 900), rng) is None


def kept(name: str, shift: float, rng: np.random.Generator) -> Kept:
    """Thirty windows, five of which lie off in the third feature; all vary most in the first."""
    at = np.array([(n // 6, n % 6) for n in range(30)])
    share = np.where(np.arange(30) < 5, 1.0, 0.0)

    def windows(by: float) -> Windows:
        features = rng.normal(0, 1, (30, WIDTH)).astype(np.float32)
        features[:, 0] *= 5
        features[:5, 2] += by
        return Windows(features=features, at=at, shape=(5, 6), step=48.0)

    return Kept(source=name, kind="pasted", quality=0, across=200, untouched=windows(0.0),
                changed=windows(shift), share=share)  # fmt: skip


def test_the_direction_of_what_is_changed_is_found_and_only_the_first_half_is_asked() -> None:
    rng = np.random.default_rng(0)
    first = [kept(n, 4.0, rng) for n in NAMES[:20]]
    other = [kept(n, -9.0, rng) for n in map(str, range(60)) if not first_half(n)]
    head = fit_head(first + other, "ab" * 32)
    assert head.directions.shape == (WIDTH, min(DIRECTIONS, WIDTH))
    assert int(np.abs(head.directions[:, 0]).argmax()) == 2
    assert (
        head.tensors()["directions"].tolist() == fit_head(first, "ab" * 32).tensors()["directions"].tolist()
    )
    with pytest.raises(LabError, match="first half"):
        fit_head(other, "ab" * 32)


def test_a_kept_file_that_is_torn_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(LabError, match=r"a\.npz"):
        read_kept(tmp_path)
