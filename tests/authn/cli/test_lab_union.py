"""``assay lab union`` on digits: what it prints and leaves, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from detector.core.errors import OptionRefused, TooFewPictures
from tests.detector.made import noise_digits

SMALL = "--data mnist --side 16 --labels 20 --samples 60 --families vae,dcgan --seeds 2 --steps 12 20"


def union(corpus: Path, run: Path, *more: object) -> Result:
    arguments = ["lab", "union", *SMALL.split(), "--corpus", corpus, "--out", run, *more]
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    noise_digits(tmp_path, 60)
    return tmp_path


def test_the_answer_stands_on_top_and_every_arm_below(corpus_dir: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    found = union(corpus_dir, run)
    assert found.exit_code == 0, (found.output, found.exception)
    written = json.loads((run / "union.json").read_text())
    assert found.stdout == (run / "union.md").read_text()
    assert found.stdout.startswith("# Does a classifier gain by the union of 2 generators?")
    assert written["answers"][0]["answer"] in found.stdout.splitlines()[0].lower()
    assert all(f"| {arm} |" in found.stdout for arm in written["arms"])
    assert written["arms"]["real"]["value"] > 0.2, "chance is 0.1"
    assert union(corpus_dir, run).stdout == found.stdout


def test_what_cannot_be_is_one_sentence_and_leaves_nothing(noise: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    few = union(noise, run)
    assert isinstance(few.exception, TooFewPictures)
    assert "class 0 has 6 training pictures" in few.exception.detail
    one = union(noise, run, "--families", "vae")
    assert isinstance(one.exception, OptionRefused)
    assert not run.exists()
