"""The ablation leaves out what it says it leaves out, and a part that teaches nothing changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.data.manifest import Row
from detector.lab.steps.regions import Small
from detector.lab.steps.training_set import TrainingSet
from detector.lab.traces.looks import Look
from detector.models.condition import Condition
from tests.bench.ablation import Beside, Layers, Regions, keep_regions, kept_regions, makes_in, mosaic_pairs
from tests.bench.ablation_backbones import ALL, VARIANTS, shown, with_zoo

D = 6
CONDITION = Condition(side=256, quality=90, media_type="image/jpeg")


def picture(n: int, source: str, generator: str = "") -> Row:
    return Row(
        fake=bool(generator), kind="", generator=generator, source=source, licence="CC0-1.0", width=300,
        height=300, size=1, format="JPEG", luminance_sum=None, origin="", sha256=f"{n:064d}", dhash=n,
        photo_like="", note="",
    )  # fmt: skip


@pytest.fixture
def plain() -> tuple[Layers, list[Row], dict[str, dict[str, Look]]]:
    rng = np.random.default_rng(0)
    rows = [
        *(picture(n, f"camera {n % 5}") for n in range(40)),
        *(picture(100 + n, "site", f"maker {n % 3}") for n in range(30)),
    ]
    looks = {
        r.sha256: {
            "laundered": Look(features=(rng.normal(size=D) + r.fake).astype("f4"), condition=CONDITION)
        }
        for r in rows
    }
    return Layers(rows, looks), rows, looks


def regions(shift: float, source: str = "camera 1") -> Regions:
    rng = np.random.default_rng(1)
    real = rng.normal(size=(12, 3, D)).astype("f4")
    return Regions(maker=("ae_x",) * 12, source=(source,) * 12, real=real, fake=real + np.float32(shift))


def test_regions_teach_the_layer_and_those_of_the_pictures_own_source_are_left_out(plain) -> None:
    layers, rows, looks = plain
    taught = Beside(layers, regions(3.0))
    assert not np.allclose(taught.all().weight, layers.all().weight)
    own = next(r for r in rows if r.source == "camera 1")
    assert np.allclose(taught.without(own).weight, layers.without(own).weight)
    assert np.allclose(
        taught.without_sources({"camera 1"}).weight, layers.without_sources({"camera 1"}).weight
    )
    other = next(r for r in rows if r.source == "camera 2")
    assert not np.allclose(taught.without(other).weight, layers.without(other).weight)
    assert np.allclose(layers.all().weight, Layers(rows, looks).all().weight), "the plain one is as it was"


def test_a_maker_counts_as_a_source_and_makers_of_a_real_family_leave_with_it(plain) -> None:
    layers, _, _ = plain
    named = replace(regions(2.0, "elsewhere"), maker=("realesrgan-x4plus",) * 12)
    taught = Beside(layers, named)
    upscaled = picture(900, "nowhere", "ESRGAN x4")
    twins_alone = taught.without(upscaled)
    assert not np.allclose(twins_alone.weight, taught.all().weight)
    added = [c for c in taught._cells if c.source == "elsewhere"]
    assert {c.fake for c in added} == {True, False}
    assert [c.weight for c in added] == pytest.approx([12**0.5] * 2)


def test_regions_are_kept_and_makers_are_told_by_their_make(tmp_path: Path) -> None:
    keep_regions(regions(1.0), tmp_path / "r.npz")
    assert kept_regions(tmp_path / "r.npz").of(["ae_x"]).maker == ("ae_x",) * 12
    found = makes_in(["taef2", "taef2_noise", "ae_x", "spanx2", "2xhfa2kspan", "zoo_vae"])
    assert found["TAEF2"] == ("taef2", "taef2_noise")
    assert found["SPAN"] == ("spanx2", "2xhfa2kspan")
    assert found["zoo_vae"] == ("zoo_vae",)
    assert "waifu2x" not in found


def small() -> Small:
    tiles = np.arange(80, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    return Small(family="zoo_vae", fake=tiles, real=tiles + 100)


def test_mosaics_hold_whole_tiles_and_stand_beside_those_of_real_ones() -> None:
    pairs = mosaic_pairs(small(), 9)
    assert len(pairs) == 2, "36 tiles fill one"
    assert all(real.shape == fake.shape == (192, 192, 3) for real, fake in pairs)
    assert (pairs[0][0] == pairs[0][1] + 100).all()
    assert len(np.unique(pairs[1][1])) == 36


def test_a_variant_is_shown_all_but_its_part_and_both_are_drawn_as_often_as_before() -> None:
    side = np.zeros((4, 192, 192, 3), np.uint8)
    data = TrainingSet(
        real=side, source=np.zeros(4, np.int64), single=np.zeros(4, bool), fake=side,
        family=np.array([0, 1, 1, 2]), twin=np.arange(4), families=("taef2", "ae_x", "spanx2"),
        sources=("camera",), share=(3.0, 1.0, 4.0), digest="x",
    )  # fmt: skip
    whole = with_zoo(data, [small()])
    assert sum(whole.share[3:]) / sum(whole.share) == pytest.approx(0.2)
    assert (whole.twin == np.arange(6)).all()
    drawn = {
        name: {f for f, s in zip(whole.families, shown(whole, v).share, strict=False) if s}
        for name, v in VARIANTS.items()
        if not v.one_class
    }
    assert drawn[ALL] == {"taef2", "ae_x", "spanx2", "zoo_vae"}
    assert drawn["without the zoo"] == {"taef2", "ae_x", "spanx2"}
    assert drawn["the zoo alone"] == {"zoo_vae"}
    assert drawn["without TAEF2"] == {"ae_x", "spanx2", "zoo_vae"}
    assert drawn["without upscalers"] == {"taef2", "ae_x", "zoo_vae"}
    one = shown(whole, VARIANTS["one class for all fakes"])
    assert one.families == ("generated",)
    assert 0.2 < (one.twin == 0).mean() < 0.4, "TAEF2 keeps its share of the draws, .3"
