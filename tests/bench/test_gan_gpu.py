"""The GPU benchmark runs; what it measures on a CPU is nobody's claim about a GPU."""

from __future__ import annotations

import json

import pytest
import torch

from tests.bench.flops import flops_per_picture
from tests.bench.gan_gpu import RECIPES, main
from tests.detector.made import encoded
from tests.detector.zoo.test_sources import scene


def test_the_benchmark_measures_and_compares_both_ways_of_a_step(tmp_path, capsys):
    code = main(["--device", "cpu", "--families", "dcgan", "--out", str(tmp_path)])
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [(x["kind"], x.get("step")) for x in lines] == [
        ("machine", None), ("check", None), ("speed", "plain"), ("speed", "recorded"),
    ]  # fmt: skip
    assert lines[1]["largest_difference"] == 0
    assert all(x["pictures_per_s"] > 0 and x["mfu_of_measured_peak"] > 0 for x in lines[2:])
    assert [json.loads(t) for t in (tmp_path / "results.jsonl").read_text().splitlines()] == lines


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_the_benchmark_says_so(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 4
    assert "no CUDA device" in capsys.readouterr().err


def test_a_family_without_a_recipe_is_one_sentence(tmp_path, capsys):
    assert main(["--device", "cpu", "--families", "dcgan,dbm", "--out", str(tmp_path / "out")]) == 4
    assert "dbm has no recipe for a GPU" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_family_that_does_not_fit_is_told_and_the_others_are_measured(tmp_path, capsys, monkeypatch):
    def full(name, *_others):
        if name == "dcgan":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return {"kind": "check", "family": name}

    monkeypatch.setattr("tests.bench.gan_gpu.check", full)
    monkeypatch.setattr("tests.bench.gan_gpu.speed", lambda *_all: iter(()))
    assert main(["--device", "cpu", "--families", "dcgan,wgan", "--out", str(tmp_path)]) == 0
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [(x["kind"], x.get("family"), x.get("why")) for x in lines[1:]] == [
        ("failed", "dcgan", "CUDA out of memory"), ("check", "wgan", None),
    ]  # fmt: skip


def test_quality_is_measured_against_time_on_any_folder_of_photos(tmp_path, capsys):
    """A photo's split follows from its bytes, so there are enough of them for every split to have some."""
    for n in range(14):
        (tmp_path / f"{n}.jpg").write_bytes(encoded(scene(96, 128, n), "JPEG", quality=90))
    arguments = ["--device", "cpu", "--families", "dcgan", "--data", str(tmp_path), "--seconds", "0.4"]
    assert main([*arguments, "--samples", "24", "--out", str(tmp_path / "out")]) == 0
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    found = [x for x in lines if x["kind"] == "quality"]
    assert [x["seconds"] for x in found] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert all(x["low"] <= x["kid"] <= x["high"] for x in found)
    assert found[0]["pictures"] < found[-1]["pictures"]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_recipes_for_a_gpu_are_wide_enough_for_it_and_larger_than_those_for_a_core(name):
    assert RECIPES[name]["width"] % 64 == 0
    assert flops_per_picture(name, **RECIPES[name]) > 2 * flops_per_picture(name)
