"""The second layer: what it is taught by, what is left out, and what its table of regions says."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import FileDamaged, FileFailed, TooFewPictures
from detector.core.metrics import auc
from detector.lab.corpus.material import kept_set, read_set
from detector.lab.steps.training_set import Collector
from detector.lab.traces.second import (
    EIGHTHS,
    HALF,
    JPEG75,
    MADE,
    REGION_VIEWS,
    Regions,
    SecondLayers,
    eighth_of,
    make_of,
    region_scores,
    region_seen,
    regions_of_pairs,
)
from tests.detector.made import photo_like

WIDTH = 12
SOURCES = tuple(f"source {n}" for n in range(24))
MAKES = ("one", "two", "other")


def regions(shift: dict[str, tuple[int, float]], seed: int = 0) -> Regions:
    """Each make leaves its own trace, in a feature of its own."""
    rng = np.random.default_rng(seed)
    networks = tuple(f"{make}-{n % 2}" for make in shift for n in range(48))
    sources = tuple(SOURCES[n % 24] for _ in shift for n in range(48))
    twin = {v: rng.normal(0, 1, (len(networks), WIDTH)).astype(np.float32) for v in REGION_VIEWS}
    fake = {}
    for view in REGION_VIEWS:
        fake[view] = rng.normal(0, 1, twin[view].shape).astype(np.float32)
        for n, name in enumerate(networks):
            place, by = shift[make_of(name)]
            fake[view][n, place] += by
    return Regions(networks=networks, sources=sources, fake=fake, twin=twin)


def whole(seed: int = 1) -> list[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [(s, rng.normal(0, 1, (2, WIDTH))) for s in SOURCES for _ in range(3)]


def test_a_make_is_all_networks_of_one_origin():
    assert {make_of(n) for n in ("spanx2_ch48", "2xHFA2kSPAN_27k")} == {"SPAN"}
    assert {make_of(n) for n in ("taef2", "taef2_noise", "taef2_enlarged")} == {"TAEF2"}
    assert make_of("realesrgan-x4plus") == make_of("realesr-animevideov3-x2") == "Real-ESRGAN"
    assert make_of("distillation-rfdn") == "distillation"
    assert len({eighth_of(s) for s in SOURCES}) > 3
    assert all(0 <= eighth_of(s) < EIGHTHS for s in SOURCES)


def test_a_trace_that_another_make_shares_is_found_and_one_of_its_own_is_not():
    found = regions({"one": (0, 4.0), "two": (0, 4.0), "other": (1, 4.0)})
    layers = SecondLayers(found, whole(), ridge=1e-3)
    assert layers.makes == tuple(sorted(MAKES))
    alike = region_scores(layers, found, "one", ["two", "other"])[MADE]
    alone = region_scores(layers, found, "other", ["one", "two"])[MADE]
    known = region_scores(layers, found, "other", MAKES)[MADE]
    assert auc(*alike) > 0.9
    assert auc(*alone) < 0.7
    assert auc(*known) > 0.9
    assert len(alike[0]) == len(alike[1]) == 48


def test_a_layer_without_an_eighth_saw_nothing_of_its_sources():
    found = regions({"one": (0, 3.0)})
    mine = np.array([eighth_of(s) == eighth_of(SOURCES[0]) for s in found.sources])
    odd = {v: x.copy() for v, x in found.fake.items()}
    for x in odd.values():
        x[mine] += 40
    changed = Regions(networks=found.networks, sources=found.sources, fake=odd, twin=found.twin)
    out = eighth_of(SOURCES[0])
    # The middle and spread of all features are the only thing that the left-out eighth may move.
    layers = [SecondLayers(r, whole(), ridge=0.0).layer(without=out) for r in (found, changed)]
    assert np.allclose(layers[0].weight, layers[1].weight, atol=1e-6)
    assert not np.allclose(
        SecondLayers(found, whole(), ridge=0.0).layer().weight,
        SecondLayers(changed, whole(), ridge=0.0).layer().weight, atol=1e-2,
    )  # fmt: skip


def test_without_twins_the_whole_pictures_are_all_that_is_real():
    found = regions({"one": (0, 3.0)})
    far = Regions(
        networks=found.networks, sources=found.sources, fake=found.fake,
        twin={v: x + 9 for v, x in found.twin.items()},
    )  # fmt: skip
    plain = [SecondLayers(r, whole(), ridge=1e-3, twins=False).layer().weight for r in (found, far)]
    assert np.array_equal(*plain)


def test_a_layer_of_nothing_is_refused():
    found = regions({"one": (0, 3.0)})
    with pytest.raises(TooFewPictures, match="needs pairs"):
        SecondLayers(found, [], ridge=1e-3)
    with pytest.raises(TooFewPictures, match="no region is by two"):
        SecondLayers(found, whole(), ridge=1e-3).layer(["two"])


class Counted:
    """A backbone that sees the mean and the side of a crop."""

    def features(self, crops: np.ndarray) -> np.ndarray:
        return np.array([[c.mean(), len(c)] for c in crops], np.float32)


def test_pairs_are_seen_as_made_as_jpeg_and_at_half_size():
    collector = Collector()
    real = photo_like(64, 64)
    for n in range(2):
        twin = collector.add_real(real, f"source {n}", single=False)
        collector.add_fake(255 - real, "one-net", twin)
    collector.give_share("one-net", 1.0)
    seen = regions_of_pairs(collector.done(), Counted())  # type: ignore[arg-type]
    assert seen.networks == ("one-net", "one-net")
    assert seen.sources == ("source 0", "source 1")
    assert [seen.fake[v][0, 1] for v in (MADE, JPEG75, HALF)] == [64, 64, 32]
    assert seen.fake[MADE][0, 0] == pytest.approx(255 - seen.twin[MADE][0, 0], abs=0.01)
    assert (region_seen(real, JPEG75) != real).any()


def test_pairs_that_were_kept_are_read_whatever_they_are_of(tmp_path):
    collector = Collector()
    collector.add_fake(
        photo_like(24, 24), "one-net", collector.add_real(photo_like(24, 24), "s", single=False)
    )
    collector.give_share("one-net", 1.0)
    kept = kept_set(tmp_path / "pairs.npz", "a key", collector.done)
    found = read_set(tmp_path / "pairs.npz")
    assert (found.families, found.sources, found.digest) == (kept.families, ("s",), "a key")
    assert np.array_equal(found.fake, kept.fake)
    (tmp_path / "pairs.npz").write_bytes(b"nonsense")
    with pytest.raises(FileDamaged, match="holds no pairs"):
        read_set(tmp_path / "pairs.npz")
    with pytest.raises(FileFailed):
        read_set(tmp_path / "none.npz")
