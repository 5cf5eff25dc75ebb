"""``assay lab semi`` on digits that are noise: what it prints and leaves, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from detector.core.errors import OptionRefused
from tests.detector.made import noise_digits


def semi(corpus: Path, run: Path, *more: object) -> Result:
    arguments = ["lab", "semi", "--corpus", corpus, "--out", run, "--labels", 10, "--steps", 1, *more]
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    noise_digits(tmp_path, 20)
    return tmp_path


def test_every_draw_is_a_row_and_the_mean_is_last(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    found = semi(corpus, run, "--draws", 2, "--seed", 3)
    assert found.exit_code == 0, (found.output, found.exception)
    head, first, second, mean, part = found.stdout.splitlines()
    assert head.split()[:2] == ["draw", "wrong"]
    assert [first.split()[0], second.split()[0]] == ["3", "4"]
    written = json.loads((run / "semi.json").read_text())
    assert [len(d["wrong"]) for d in written["draws"]] == [int(r.split()[1]) for r in (first, second)]
    assert f"mean error {100 * written['mean']['value']:.2f} %" in mean
    assert "a part of the published 60000 and 10000" in part
    assert all((run / f).stat().st_size for f in ("error.png", "sheet.png", "draw-3/error.jsonl"))
    assert semi(corpus, run, "--draws", 2, "--seed", 3).stdout == found.stdout


def test_labels_that_cannot_be_had_are_one_sentence(corpus: Path, tmp_path: Path) -> None:
    found = semi(corpus, tmp_path / "run", "--labels", 25)
    assert isinstance(found.exception, OptionRefused)
    assert "25 labels do not divide evenly" in found.exception.detail
    assert not (tmp_path / "run").exists()
