from __future__ import annotations

import pytest
from click.testing import CliRunner

from authn.cli.lab.group import lab
from authn.core.errors import BadRequest
from detector.core.errors import CorpusError, ModelUnavailable
from detector.lab.steps.card_text import card_markdown
from detector.models.card import open_card
from detector.models.registry import DEFAULT_MODEL, model_files


def run(*args: str):
    return CliRunner().invoke(lab, list(args), catch_exceptions=False)


def test_the_card_of_the_default_detector_is_printed():
    result = run("card")
    assert result.exit_code == 0
    assert result.stdout == card_markdown(open_card(DEFAULT_MODEL))


def test_an_unknown_detector_is_a_typed_error():
    with pytest.raises(ModelUnavailable):
        run("card", "--model", "nobody")


def test_a_folder_that_is_no_run_has_no_card(tmp_path):
    with pytest.raises(BadRequest, match="no card"):
        run("card", "--run", str(tmp_path))


def test_training_without_an_index_ends_with_one_typed_error(tmp_path):
    with pytest.raises(CorpusError, match=r"INDEX\.csv is missing"):
        run("train", "--data", str(tmp_path), "--out", str(tmp_path / "run"))


def test_an_unfinished_run_is_not_adopted(tmp_path):
    with pytest.raises(BadRequest, match="not a finished run"):
        run("adopt", "--run", str(tmp_path), "--to", str(tmp_path))


def test_a_finished_run_is_adopted_after_its_digest_was_compared(tmp_path):
    source, target = tmp_path / "run", tmp_path / "to"
    source.mkdir()
    target.mkdir()
    for path in model_files(DEFAULT_MODEL):
        (source / path.name).write_bytes(path.read_bytes())
    assert run("adopt", "--run", str(source), "--to", str(target)).exit_code == 0
    assert (target / f"{DEFAULT_MODEL}.safetensors").is_file()
    (source / f"{DEFAULT_MODEL}.safetensors").write_bytes(b"changed")
    with pytest.raises(ModelUnavailable, match="digest"):
        run("adopt", "--run", str(source), "--to", str(target))


def test_the_table_of_cameras_is_printed(corpus_dir):
    result = run("cameras", "--data", str(corpus_dir))
    assert '"nikon corporation nikon d70"' in result.stdout
