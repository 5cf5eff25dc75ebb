"""One command each: fit, sample, sheet, quality, export, families."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from authn.cli import cli
from authn.core.errors import BadRequest
from detector.core.errors import (
    DetectorError,
    FileFailed,
    FolderTaken,
    ModelUnavailable,
    OptionRefused,
    TooFewPictures,
)
from detector.data.splits import Split
from detector.generators.source import pixels_digest
from detector.zoo.sources.data import open_source
from tests.conftest import ROOT
from tests.detector.made import encoded
from tests.detector.zoo.test_sources import scene
from tests.waiting import PATIENCE_S


def assay(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["lab", *map(str, arguments)], catch_exceptions=True)


def done(*arguments: object) -> str:
    found = assay(*arguments)
    assert found.exit_code == 0, (found.output, found.exception)
    return found.stdout


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for n in range(14):
        (folder / f"{n:02d}.jpg").write_bytes(encoded(scene(96, 128, n), "JPEG", quality=90))
    return folder


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "vae"
    done("fit", "vae", "--data", photos, "--out", folder, "--steps", 8, "--side", 16, "--device", "cpu")
    return folder


def test_a_fit_says_which_weights_it_left_and_the_next_call_only_draws_it_again(
    run: Path, photos: Path
) -> None:
    card = json.loads((run / "card.json").read_text())
    (run / "loss.png").unlink()
    command = ("fit", "vae", "--data", photos, "--out", run, "--steps", 8, "--side", 16, "--device", "cpu")
    assert done(*command).split()[:2] == ["vae", card["weights_sha256"]]
    assert (run / "loss.png").is_file()


def test_a_setting_of_the_family_is_in_the_card_and_a_fit_with_another_one_is_refused(
    photos: Path, tmp_path: Path
) -> None:
    given = ("--data", photos, "--out", tmp_path / "r", "--steps", 2, "--side", 16, "--device", "cpu")
    chosen = ("--set", "upsampler=transposed", "--set", "adversarial=0.5", "--set", "width=8")
    done("fit", "recon", *given, *chosen)
    spec = json.loads((tmp_path / "r" / "card.json").read_text())["spec"]
    assert (spec["upsampler"], spec["adversarial"], spec["width"]) == ("transposed", 0.5, 8)
    other = assay("fit", "recon", *given)
    assert isinstance(other.exception, FolderTaken)
    assert "begun with another" in other.exception.detail


@pytest.mark.parametrize(
    ("family", "setting", "says"),
    [
        ("dcgan", "upsampler=nearest", "no setting of dcgan; batch, ema, latent, learning_rate, width are"),
        ("recon", "factor", "no setting of recon"),
        ("recon", "factor=three", "factor is of the kind int, not 'three'"),
        ("dcgan", "learning_rate=nan", "learning_rate is of the kind float, not 'nan'"),
        ("recon", "factor=3", "factor is 2, 4 or 8"),
        ("recon", "upsampler=magic", "magic"),
        ("biggan", "few_labels=1", "few_labels is true or false"),
    ],
    ids=lambda v: v if "=" in v else "",
)
def test_a_setting_that_cannot_be_is_one_sentence(
    family: str, setting: str, says: str, photos: Path, tmp_path: Path
) -> None:
    command = ("fit", family, "--data", photos, "--out", tmp_path / "r", "--steps", 1, "--side", 16)
    found = assay(*command, "--set", setting)
    assert isinstance(found.exception, DetectorError)
    assert says in found.exception.detail
    assert list(tmp_path.iterdir()) == []


def test_samples_of_one_seed_are_the_same_pictures(run: Path, tmp_path: Path) -> None:
    first, second, other = (
        done("sample", run, "--count", 5, "--seed", s, "--out", tmp_path / f"{n}.npz").split()[0]
        for n, s in enumerate((7, 7, 8))
    )
    assert first == second != other
    with np.load(tmp_path / "0.npz") as stored:
        assert stored["images"].shape == (5, 16, 16, 3)
        assert pixels_digest(stored["images"]) == first
        assert json.loads(str(stored["about"]))["seed"] == 7


def test_a_sheet_is_one_picture(run: Path, tmp_path: Path) -> None:
    done("sheet", run, "--columns", 4, "--rows", 3, "--out", tmp_path / "s.png")
    with Image.open(tmp_path / "s.png") as image:
        assert image.size == (4 * 66 + 2, 3 * 66 + 2)


def test_a_family_that_gives_back_has_a_sheet_of_pairs_and_none_of_noise(
    photos: Path, tmp_path: Path
) -> None:
    run = tmp_path / "recon"
    done("fit", "recon", "--data", photos, "--out", run, "--side", 16, "--steps", 4, "--device", "cpu")
    with Image.open(run / "sheet.png") as image:
        shown = np.asarray(image)
    places = [2 + 66 * n for n in range(12)]
    first = [shown[2:66:4, x : x + 64 : 4] for x in places]
    tiles = open_source(str(photos), 16, seed=0, split=Split.TRAIN).images
    known = [any((tile == t).all() for t in tiles) for tile in first]
    assert known == [True, False] * 6, "each original, then what was made of it"
    refused = assay("sheet", run)
    assert isinstance(refused.exception, BadRequest)
    assert "gives pictures back" in str(refused.exception)


def test_quality_is_a_table_that_never_says_fid(run: Path, photos: Path) -> None:
    table = done("quality", run, "--data", photos, "--count", 24, "--device", "cpu")
    assert "KID" in table
    assert "not examined: FD of" in table
    assert "FID" not in table
    biased = done("quality", run, "--data", photos, "--count", 24, "--accept-bias", "--device", "cpu")
    assert "biased: too few pictures" in biased


def test_an_export_names_every_manifest(run: Path, photos: Path, tmp_path: Path) -> None:
    lines = done("export", run, "--to", tmp_path / "out", "--count", 4, "--data", photos).splitlines()
    assert [Path(line.split(maxsplit=1)[1]).name for line in lines] == ["real", "generated"]
    assert len(list((tmp_path / "out" / "generated").glob("*.png"))) == 4


def test_every_family_has_a_line() -> None:
    from detector.generators import FAMILIES

    lines = done("families").splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(FAMILIES)
    told = {line.split()[0]: line for line in lines[1:]}
    old = {n: row.heritage for n, row in FAMILIES.items() if row.heritage}
    assert old
    assert {n for n, line in told.items() if "heritage" in line} == set(old)
    assert all(f"heritage: {why}" in told[n] for n, why in old.items())


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["fit", "vae", "--data", "cifar10", "--out", "x"], OptionRefused, "--corpus"),
        (["fit", "vae", "--data", "nowhere", "--out", "x"], FileFailed, "no folder"),
        (["fit", "nobody", "--data", "PHOTOS", "--out", "x"], ModelUnavailable, "no family"),
        (["sample", "nowhere", "--out", "x.npz"], ModelUnavailable, "no generator"),
        (["quality", "nowhere", "--data", "PHOTOS"], ModelUnavailable, "no generator"),
        (["export", "nowhere", "--to", "x"], ModelUnavailable, "no generator"),
        (["auto", "--data", "nowhere", "--out", "x"], FileFailed, "no folder"),
        (["auto", "--data", ".", "--out", "x"], TooFewPictures, "no JPEG, PNG or WebP"),
    ],
    ids=lambda v: "-".join(v[:2]) if isinstance(v, list) else "",
)
def test_what_is_missing_is_one_typed_sentence_and_leaves_nothing(
    arguments: list[str], error: type[DetectorError], says: str, photos: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    found = assay(*(str(photos) if a == "PHOTOS" else a for a in arguments))
    assert isinstance(found.exception, error)
    assert says in found.exception.detail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["fit", "vae", "--data", "x", "--out", "y", "--steps", "0"], ["sample", "x", "--out", "y.png"]],
    ids=["no steps", "no npz"],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    found = assay(*arguments)
    assert getattr(found.exception, "exit_code", found.exit_code) == 2


# Ctrl-C right after the first line of the log, however fast or slow the machine is.
INTERRUPTED = """
import os, signal
from detector.zoo.fitting.checkpoint import Log
add = Log.add
def add_and_be_interrupted(log, line):
    add(log, line)
    os.kill(os.getpid(), signal.SIGINT)
Log.add = add_and_be_interrupted
from authn.cli import main
main()
"""


@pytest.mark.slow
def test_an_interrupted_fit_says_so_and_goes_on_where_it_was(photos: Path, tmp_path: Path) -> None:
    """SIGINT answers with exit code 130 and one sentence; the same command then ends in the weights of a fit
    that nobody interrupted."""
    command = ["fit", "dcgan", "--data", str(photos), "--steps", "120", "--side", "16", "--device", "cpu"]
    run = tmp_path / "run"
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "lab", *command, "--out", str(run)],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.splitlines()[-1] == "interrupted; run the same command again to go on"
    assert not (run / "card.json").exists()
    assert json.loads((run / "log.jsonl").read_text().splitlines()[-1])["steps"] < 120
    resumed = done(*command, "--out", run).split()[1]
    assert resumed == done(*command, "--out", tmp_path / "whole").split()[1]
