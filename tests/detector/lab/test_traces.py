"""The recipe of the trace detector that learns from a manifest: pairs that differ by a trace alone, views of
one law for both classes, heads that saw neither generator nor source."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import FileDamaged, FileFailed, OptionRefused, TooFewPictures
from detector.core.metrics import auc
from detector.data import splits
from detector.data.manifest import Row, write_manifest
from detector.generators.aligned.enlargers import open_enlarger
from detector.lab.steps.card_text import card_markdown
from detector.lab.steps.scores import read_scores
from detector.lab.traces.files import at_most, brought, quarter, read_picture
from detector.lab.traces.head import Heads
from detector.lab.traces.looks import DRAWS, LEARNED, VIEWS, Look, looks_at, shown
from detector.lab.traces.makers import Maker, enlarged_first, open_enlargers
from detector.lab.traces.pairs import SIDE, Region, aligned, key_of, regions_of
from detector.lab.traces.run import (
    Known,
    Origin,
    Places,
    finished,
    first_scores,
    heads_of,
    known_pictures,
    left_out_table,
    options_for,
    run_traces,
    table_of,
)
from detector.models.card import parse_card
from detector.models.condition import Condition
from detector.models.inference import detector_at
from detector.models.onnx_file import Graph
from detector.models.weights import save_tensors, shipped_tensors
from detector.networks.traces import TraceNet
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import decode
from tests.detector.made import encoded, photo_like, runnable

PNG = Condition(side=400, quality=None, media_type="image/png")


def row_of(
    data: bytes, *, generator: str = "", source: str = "own", width: int = 400, height: int = 400
) -> Row:
    return Row(
        fake=bool(generator), kind="", generator=generator, source=source, licence="CC0-1.0", width=width,
        height=height, size=len(data), format="JPEG", luminance_sum=None, origin="folder:own",
        sha256=hashlib.sha256(data).hexdigest(), dhash=0, photo_like="", note="",
    )  # fmt: skip


def put(folder: Path, row: Row, data: bytes) -> None:
    (folder / row.file).parent.mkdir(exist_ok=True)
    (folder / row.file).write_bytes(data)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return TraceNet(1, 8, sources=1, codecs=1).eval()


def test_only_what_was_brought_and_can_be_decoded_is_known(tmp_path: Path):
    data = encoded(photo_like(200, 200))
    here, absent = row_of(data), row_of(b"elsewhere")
    put(tmp_path, here, data)
    odd = replace(here, format="TIFF", sha256="0" * 64)
    assert brought([here, absent, odd], [tmp_path / "none", tmp_path]) == {here.sha256: tmp_path / here.file}


def test_another_file_under_the_name_of_a_picture_is_no_picture(tmp_path: Path):
    data = encoded(photo_like(200, 260), quality=83)
    row = row_of(data)
    put(tmp_path, row, data)
    found = read_picture(row, tmp_path / row.file)
    assert found is not None
    assert found[1] == Condition(side=200, quality=83, media_type="image/jpeg")
    put(tmp_path, row, data + b" ")
    assert read_picture(row, tmp_path / row.file) is None


def test_no_source_gives_more_than_its_share_and_order_decides_nothing():
    rows = [row_of(bytes([n]), source="large") for n in range(50)] + [row_of(b"one", source="small")]
    kept = at_most(rows, 10)
    assert len(kept) == 11
    assert at_most(rows[::-1], 10) == kept


def test_sources_that_share_pictures_are_left_out_together(tmp_path: Path):
    names = ["AlexeyAB/darknet", "davisking/dlib", "somebody/else"]
    rows = [row_of(name.encode(), source=name) for name in names]
    for row, name in zip(rows, names, strict=True):
        put(tmp_path, row, name.encode())
    write_manifest(tmp_path / "manifest.csv", rows)
    places = Places(
        manifests=(tmp_path / "manifest.csv",), folders=(tmp_path,), taef2=tmp_path, upscalers=(),
        run=tmp_path,
    )  # fmt: skip
    known = known_pictures(places)
    assert {r.source for r in (*known.judged, *known.tested)} == {"AlexeyAB/darknet", "somebody/else"}


def test_a_sheet_of_four_is_four_pictures_and_any_other_one():
    row = row_of(b"x", generator="FLUX (2x2 grid of 512)")
    sheet = photo_like(80, 60)
    parts = [quarter(row, sheet, n) for n in range(4)]
    assert (np.concatenate([np.concatenate(parts[:2], 1), np.concatenate(parts[2:], 1)]) == sheet).all()
    assert quarter(replace(row, generator="FLUX"), sheet, 1) is sheet


def test_regions_are_of_one_side_or_twice_it_and_native_ones_carry_the_jpeg_of_their_file():
    pixels = photo_like(900, 1300)
    pixels[:, :, 0], pixels[:, :, 1] = (15 * (axis % 16) for axis in np.mgrid[0:900, 0:1300])
    jpeg = Condition(side=900, quality=77, media_type="image/jpeg")
    regions = [r for n in range(12) for r in regions_of(row_of(bytes([n])), pixels, jpeg, 4.0)]
    assert len(regions) > 40
    assert {len(r.pixels) for r in regions} == {SIDE, 2 * SIDE}
    native = [r for r in regions if r.encoding and r.encoding.quality == 77]
    assert len(native) > 10
    assert not any(r.pixels[0, 0, :2].any() for r in native), "on the block grid of the file"
    again = [r for n in range(12) for r in regions_of(row_of(bytes([n])), pixels, jpeg, 4.0)]
    assert all((a.pixels == b.pixels).all() for a, b in zip(regions, again, strict=True))


@pytest.mark.parametrize("side", [SIDE, 2 * SIDE])
def test_both_of_a_pair_pass_the_same_jpeg_after_the_maker(side: int):
    jpeg = Encoding(media_type="image/jpeg", quality=70)
    maker = Maker(pair=lambda region, _rng: (region, region.copy()), weight=1.0, quick=True)
    region = Region(pixels=through(photo_like(side, side), jpeg), encoding=jpeg)
    for seed in range(6):
        real, fake = aligned(region, maker, np.random.default_rng(seed))
        assert real.shape == (SIDE, SIDE, 3)
        assert (real == fake).all(), "what no maker changed cannot be told apart"


def test_a_blended_fake_lies_between_its_region_and_what_the_maker_made():
    maker = Maker(pair=lambda region, _rng: (region, 255 - region), weight=1.0, quick=True)
    region = Region(pixels=photo_like(SIDE, SIDE), encoding=None)
    away = [
        np.abs(fake.astype(float) - real).mean()
        for real, fake in (aligned(region, maker, np.random.default_rng(s)) for s in range(20))
    ]
    assert min(away) < 0.95 * max(away)
    assert sum(a > 0.99 * max(away) for a in away) >= 10


def test_what_enlarging_takes_away_is_no_trace_of_the_network_that_saw_the_enlarged_picture():
    region = photo_like(SIDE, SIDE)
    pairs = [enlarged_first(lambda x: x, region, np.random.default_rng(n)) for n in range(12)]
    assert {real.shape for real, _ in pairs} == {fake.shape for _, fake in pairs} == {region.shape}
    twins = [real for real, _ in pairs if (real != region).any()]
    assert 2 <= len(twins) <= 10, "beside the region, and as often beside what a formula enlarged"
    fine = [np.abs(np.diff(fake.astype(float), axis=1)).mean() for _, fake in pairs]
    assert max(fine) < np.abs(np.diff(region.astype(float), axis=1)).mean()


def test_what_training_goes_on_from_sets_width_and_pace_and_is_named(tmp_path: Path, network):
    save_tensors(shipped_tensors(network), tmp_path / "start.safetensors")
    options = options_for(0, 2, 5, tmp_path / "start.safetensors")
    assert options.width == 8
    assert options.learning_rate < options_for(0, 2, 5).learning_rate
    assert options.start == hashlib.sha256((tmp_path / "start.safetensors").read_bytes()).hexdigest()
    save_tensors({"odd": torch.zeros(3)}, tmp_path / "odd.safetensors")
    with pytest.raises(FileDamaged, match="no trace network"):
        options_for(0, 2, 5, tmp_path / "odd.safetensors")


def test_nothing_cannot_stay_unchanged():
    with pytest.raises(OptionRefused, match="needs weights"):
        Origin(unchanged=True)


def test_other_pictures_upscalers_or_chance_are_other_pairs():
    rows = [row_of(b"a"), row_of(b"b")]
    keys = {
        key_of(rows, [Path("x.param")], 0), key_of(rows[:1], [Path("x.param")], 0),
        key_of(rows, [Path("y.param")], 0), key_of(rows, [Path("x.param")], 1),
    }  # fmt: skip
    assert len(keys) == 4
    assert key_of(rows[::-1], [Path("elsewhere/x.param")], 0) in keys


def test_a_crop_is_never_wider_than_a_shrunk_region():
    options = options_for(3, 2, 5)
    assert options.crop_side / options.min_scale <= SIDE
    assert (options.seed, options.epochs, options.steps_per_epoch) == (3, 2, 5)


def test_an_upscaler_without_its_runtime_or_file_is_a_typed_sentence(monkeypatch, tmp_path: Path):
    with monkeypatch.context() as m:
        m.setitem(sys.modules, "ncnn", None)
        with pytest.raises(FileFailed, match="ncnn, which runs upscalers"):
            open_enlarger(tmp_path / "none.param")
    pytest.importorskip("ncnn")
    with pytest.raises(FileFailed, match=r"none\.param is missing"):
        open_enlarger(tmp_path / "none.param")
    (tmp_path / "odd.param").write_text("nonsense")
    (tmp_path / "odd.bin").write_bytes(b"")
    with pytest.raises(FileDamaged):
        open_enlarger(tmp_path / "odd.param")


def doubling(path: Path, planes: int = 3) -> Path:
    """A network as ONNX that makes four pixels of every pixel, with ``planes`` colours."""
    graph = Graph("doubling")
    weights = np.eye(3, planes, dtype=np.float32)[:, :, None, None].repeat(2, 2).repeat(2, 3)
    large = graph.add("ConvTranspose", "x", graph.constant(weights), strides=(2, 2))
    shapes = {"x": (1, 3, "h", "w")}, {"y": (large, (1, planes, "height", "width"))}
    path.write_bytes(graph.model(*shapes))
    return path


def test_a_network_written_as_onnx_enlarges_and_makes_pairs(tmp_path: Path):
    enlarger = open_enlarger(doubling(tmp_path / "Doubling.onnx"))
    small = photo_like(32, 48)
    assert (enlarger.factor, enlarger.bytes) == (2, (tmp_path / "Doubling.onnx").stat().st_size)
    assert np.array_equal(enlarger(small), small.repeat(2, 0).repeat(2, 1))
    doubling(tmp_path / "grey.onnx", planes=1)
    makers = open_enlargers(tmp_path.glob("*.onnx"))
    assert list(makers) == ["doubling"], "one that gives no colours is left out"
    real, fake = makers["doubling"].pair(photo_like(96, 96), np.random.default_rng(0))
    assert real.shape == fake.shape == (96, 96, 3)
    assert (real != fake).any()


def test_an_onnx_file_that_is_missing_or_no_network_is_a_typed_sentence(tmp_path: Path):
    with pytest.raises(FileFailed, match=r"none\.onnx"):
        open_enlarger(tmp_path / "none.onnx")
    (tmp_path / "odd.onnx").write_bytes(b"nonsense")
    with pytest.raises(FileDamaged, match=r"odd\.onnx is no network"):
        open_enlarger(tmp_path / "odd.onnx")


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_made_again_from_the_picture_alone_and_its_condition_is_true(view: str):
    pixels = photo_like(700, 900)
    rows = [row_of(bytes([n])) for n in range(6)]
    for row in rows:
        seen, condition = shown(row, pixels, replace(PNG, side=700), view)
        assert (shown(row, pixels, replace(PNG, side=700), view)[0] == seen).all()
        assert condition.side == min(seen.shape[:2]) <= 700
        assert (condition.quality is not None) == (condition.media_type == "image/jpeg")


def test_both_classes_are_shown_by_one_law():
    pixels = photo_like(700, 900)
    fake = row_of(b"picture", generator="any")
    real = replace(fake, fake=False, generator="", kind="photo", source="other")
    for view in LEARNED:
        assert (shown(fake, pixels, PNG, view)[0] == shown(real, pixels, PNG, view)[0]).all()
    assert "stored" not in LEARNED


def test_looks_are_kept_and_a_torn_one_is_taken_again(tmp_path: Path, network):
    data = encoded(photo_like(300, 300))
    row = row_of(data)
    put(tmp_path, row, data)
    paths, kept, steps = {row.sha256: tmp_path / row.file}, tmp_path / "looks", []
    runs = runnable(network)
    first = looks_at(runs, [row], paths, kept, lambda what, *_: steps.append(what))
    assert set(first[row.sha256]) == set(VIEWS)
    (tmp_path / row.file).unlink()
    again = looks_at(runs, [row], paths, kept, lambda *_: None)
    for view, look in first[row.sha256].items():
        assert again[row.sha256][view].condition == look.condition
        assert np.abs(again[row.sha256][view].features - look.features).max() < 0.02
    put(tmp_path, row, data)
    (kept / f"{row.sha256}.npz").write_bytes(b"PK torn")
    assert set(looks_at(runs, [row], paths, kept, lambda *_: None)[row.sha256]) == set(VIEWS)


def test_a_picture_that_the_detector_does_not_apply_to_has_no_look(tmp_path: Path, network):
    data = encoded(np.full((300, 300, 3), 90, np.uint8))
    row = row_of(data)
    put(tmp_path, row, data)
    looks = looks_at(
        runnable(network), [row], {row.sha256: tmp_path / row.file}, tmp_path / "l", lambda *_: None
    )
    assert looks[row.sha256] == {}


def made_looks(rows: list[Row], rng: np.random.Generator, size: int = 12) -> dict[str, dict[str, Look]]:
    """Feature 0 is what all fakes share; feature 1 is the style of one generator; 2 that of one source."""
    out = {}
    for row in rows:
        x = rng.normal(0, 1, (len(LEARNED), size))
        x[:, 0] += 1.5 * row.fake
        x[:, 1] += 6 * (row.generator == "loud")
        x[:, 2] += 6 * (row.source == "studio")
        out[row.sha256] = {
            v: Look(features=f.astype(np.float32), condition=PNG) for v, f in zip(LEARNED, x, strict=True)
        }
    return out


def many_rows() -> list[Row]:
    names = [("", "camera"), ("", "studio"), ("loud", "forum"), ("calm", "forum"), ("mild", "gallery")]
    return [row_of(f"{g} {s} {n}".encode(), generator=g, source=s) for g, s in names for n in range(40)]


def test_a_head_finds_what_generators_share_and_not_the_style_of_the_one_left_out():
    rows = many_rows()
    looks = made_looks(rows, np.random.default_rng(0))
    heads = Heads(rows, looks, LEARNED, ridge=1e-2)
    loud = next(r for r in rows if r.generator == "loud")
    everything, without = heads.all(), heads.without(loud)
    assert abs(everything.weight[1]) > 2 * abs(without.weight[1]), "the loud style taught it nothing"
    scores = {r.sha256: without.logit(looks[r.sha256]["laundered"]) for r in rows}
    real = np.array([scores[r.sha256] for r in rows if not r.fake])
    own = np.array([scores[r.sha256] for r in rows if r.generator == "loud"])
    assert auc(real, own) > 0.75


def test_what_is_left_out_is_the_source_too():
    rows = many_rows()
    looks = made_looks(rows, np.random.default_rng(1))
    heads = Heads(rows, looks, LEARNED, ridge=1e-2)
    studio = next(r for r in rows if r.source == "studio")
    kept = Heads([r for r in rows if r.source != "studio"], looks, LEARNED, ridge=1e-2)
    assert heads.all().weight[2] < heads.without(studio).weight[2] - 0.1, "its style spoke for photos"
    few = [looks[r.sha256]["laundered"] for r in rows[:40]]
    ours, theirs = (np.array([h.logit(look) for look in few]) for h in (heads.without(studio), kept.all()))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_a_class_without_pictures_is_refused():
    rows = [r for r in many_rows() if r.fake]
    with pytest.raises(TooFewPictures):
        Heads(rows, made_looks(rows, np.random.default_rng(0)), LEARNED, ridge=1e-2)


def test_the_finished_network_gives_the_scores_of_its_head(tmp_path: Path, network):
    rows, paths = [], {}
    for n in range(8):
        data = encoded(photo_like(300, 320, n), quality=80 + n)
        row = row_of(data, generator="made" if n % 2 else "", source=f"s{n}")
        put(tmp_path, row, data)
        rows.append(row)
        paths[row.sha256] = tmp_path / row.file
    known = Known(learned=tuple(rows), judged=tuple(rows), tested=(), paths=paths)
    backbone = {k: v.numpy() for k, v in shipped_tensors(network).items()}
    looks = looks_at(runnable(network), rows, paths, tmp_path / "looks", lambda *_: None)
    heads = heads_of(known.learned, looks)
    tensors = finished(backbone, heads.all(), heads.domain)
    from detector.models.trace_network import network_of
    from detector.pixels.preprocess import crops_of

    shipped = network_of({k: v.numpy() for k, v in tensors.items()})
    table = {(s.sha256, s.view): s for s in table_of(heads, heads.all(), rows, looks)}
    assert len(table) == len(rows) * len(VIEWS)
    for row in rows:
        found = read_picture(row, paths[row.sha256])
        assert found is not None
        features = shipped.features(crops_of(shown(row, *found, DRAWS[0])[0]))
        score = table[row.sha256, DRAWS[0]]
        assert float(shipped.logits(features).mean()) == pytest.approx(score.logit, abs=0.05)
        assert float(shipped.distance(features.mean(0, keepdims=True))[0]) == pytest.approx(
            score.distance, abs=0.05
        )
    left_out = left_out_table(heads, rows, looks)
    assert {(s.sha256, s.view) for s in left_out} == set(table)
    assert any(s.logit != table[s.sha256, s.view].logit for s in left_out)


def patterned(seed: int) -> np.ndarray:
    """What a bad upscaler leaves: a fine grid."""
    grid = 12 * ((np.indices((140, 150)).sum(0) % 2)[:, :, None] - 0.5)
    return np.clip(photo_like(140, 150, seed) + grid, 0, 255).astype(np.uint8)


def test_a_new_last_layer_on_a_backbone_scores_what_it_never_saw_and_ends_as_weights(tmp_path: Path, network):
    from safetensors.numpy import load_file

    kept = [s for s in (f"own/{n}" for n in range(80)) if not splits.test_source(s)][:11]
    tested = [s for s in (f"own/{n}" for n in range(80)) if splits.test_source(s)][:7]
    rows = []
    names = ("kolors", "sana", "krea", "bria", "wan", "qwen", "recraft", "cogview", "flux")
    for n, source in enumerate([*kept, *tested] * 4):
        for generator in ("", names[n % 18 % 9]):
            seed = 1000 * bool(generator) + n
            data = encoded(patterned(seed) if generator else photo_like(140, 150, seed))
            row = row_of(data, generator=generator, source=source, width=150, height=140)
            put(tmp_path, row, data)
            rows.append(row)
    write_manifest(tmp_path / "manifest.csv", rows)
    save_tensors(shipped_tensors(network), tmp_path / "backbone.safetensors")
    places = Places(
        manifests=(tmp_path / "manifest.csv",), folders=(tmp_path,), taef2=tmp_path, upscalers=(),
        run=tmp_path / "run",
    )  # fmt: skip
    origin = Origin(weights=tmp_path / "backbone.safetensors", unchanged=True, seen=("flux",))
    closed = first_scores(places, options_for(0, 1, 1), lambda *_: None, origin=origin)
    assert not (places.run / "test.csv").exists()
    assert not {r.sha256 for r in closed.known.tested} & set(closed.looks), "no test picture was looked at"
    card = run_traces(places, options_for(0, 1, 1), lambda *_: None, model_id="mine", origin=origin)
    assert [s.sha256 for s in closed.table] == [s.sha256 for s in read_scores(places.run / "first.csv")]
    tables = {n: read_scores(places.run / f"{n}.csv") for n in ("first", "test", "left-out")}
    assert {s.source for s in tables["first"]} == set(kept)
    assert {s.source for s in tables["test"]} == set(tested)
    assert {s.source for s in tables["left-out"]} == {*kept, *tested}
    assert "flux" not in {s.generator for t in tables.values() for s in t}, "the backbone saw that family"
    tensors = load_file(places.run / "mine.safetensors")
    assert tensors["family.bias"].shape == (2,)
    assert (tensors["stem.weight"] == network.state_dict()["stem.weight"].numpy()).all()
    assert parse_card((places.run / "mine.json").read_text()) == card
    assert card.tested
    assert card.guarantees is not None
    page = card_markdown(card)
    assert f"that shipped before (SHA-256 `{card.backbone}`), unchanged." in page
    assert "trained on\naligned pairs" in card_markdown(replace(card, epochs=3))
    assert "network that did not see it: flux" in page
    assert "never saw a whole generated picture" in card_markdown(replace(card, backbone=""))
    assert "looked at with this recipe alone" in page
    detector = detector_at(card, places.run / "mine.safetensors")
    shown = {r.fake: detector.raw(decode((tmp_path / r.file).read_bytes(), "image/jpeg")) for r in rows[:2]}
    assert shown[True] > shown[False]
