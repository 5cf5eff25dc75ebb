"""Wrong folders, torn files and places that cannot be written: one typed sentence, and no partial file."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from authn.cli.lab.group import LabGroup
from authn.core.errors import AuthnError, BadRequest, SystemLacking, Unavailable
from detector.core.errors import CorpusError, DetectorError, FileFailed, OptionRefused, TooFewPictures
from tests.conftest import ROOT

WEIGHTS = ROOT / "detector" / "models" / "weights_files"


def lab(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["lab", *map(str, arguments)])


def detail(found: Result, kind: type[Exception]) -> str:
    assert isinstance(found.exception, kind), (found.output, found.exception)
    assert isinstance(found.exception, AuthnError | DetectorError)
    return found.exception.detail


@pytest.mark.parametrize(
    "words", ["fit dcgan", "semi", "auto", "train", "lofo", "semantic", "evaluate", "quality run"]
)
def test_what_draws_at_its_end_asks_for_the_drawings_before_it_begins(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as where it is not installed
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.onnx").touch()
    (tmp_path / "run").mkdir()
    command = cli.get_command(click.Context(cli), "lab").commands[words.split()[0]]
    asked = {o.opts[0]: str(tmp_path) for o in command.params if isinstance(o, click.Option) and o.required}
    asked |= {"--encoder": str(tmp_path / "x.onnx")} if "--encoder" in asked else {}
    found = lab(*words.split(), *(w for pair in asked.items() for w in pair))
    assert "assay[lab]" in detail(found, SystemLacking)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["run", "x.onnx"]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The shipped detector as a run folder."""
    run = tmp_path / "run"
    run.mkdir()
    for name in ("traces-2.json", "traces-2.safetensors"):
        shutil.copy(WEIGHTS / name, run)
    return run


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_run_folder_below_a_file_is_one_sentence(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "INDEX.csv").write_text("path,licence,sha256,source,format\n")
    found = lab(command, "--data", tmp_path, "--out", tmp_path / "file" / "run")
    assert "file/run cannot be used: Not a directory" in detail(found, Unavailable)


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.npz"), "a.npz cannot be used: No space left"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "a file cannot be used: Input/output error"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
    ],
    ids=["full", "broken", "memory", "tensors"],
)
def test_what_the_system_refuses_is_one_sentence(raised: BaseException, says: str) -> None:
    @click.group(cls=LabGroup)
    def group() -> None: ...

    @group.command()
    def work() -> None:
        raise raised

    assert says in detail(CliRunner().invoke(group, ["work"]), Unavailable)


@pytest.mark.parametrize("command", ["train", "evaluate", "cameras"])
@pytest.mark.parametrize(
    ("index", "says"),
    [(None, "is missing"), (b"\xff\xfe\x00,", "cannot be read"), (b"", "lacks"), (b"a,b\n", "lacks")],
    ids=["none", "no text", "empty", "other columns"],
)
def test_an_index_that_is_none_is_one_sentence(
    command: str, index: bytes | None, says: str, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    if index is not None:
        (corpus / "INDEX.csv").write_bytes(index)
    out = [] if command == "cameras" else ["--out", tmp_path / "run"]
    assert f"INDEX.csv {'in corpus ' if index is not None else ''}{says}" in detail(
        lab(command, "--data", corpus, *out), CorpusError
    )


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("--data", "c", "--folder", "r", "f"),
        ("--data", "c"),
        ("--data", "c", "--model", "a", "--model", "b"),
    ],
)
def test_what_is_measured_on_is_named_once(given: tuple[str, ...]) -> None:
    assert "name " in detail(lab("evaluate", *given), BadRequest)


def test_a_trial_on_two_folders_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "fake").mkdir()
    given = ("--folder", tmp_path / "real", tmp_path / "fake", "--out", tmp_path / "out")
    assert "real holds no JPEG, PNG or WebP" in detail(lab("evaluate", *given), TooFewPictures)
    assert "'small'" in detail(lab("evaluate", *given, "--views", "stored,small"), OptionRefused)
    assert not (tmp_path / "out").exists()


def test_a_card_that_is_no_text_is_one_sentence(finished: Path, tmp_path: Path) -> None:
    (finished / "traces-2.json").write_bytes(b"\xff\xfe")
    assert "no text" in detail(lab("card", "--run", finished), BadRequest)
    assert "no text" in detail(lab("adopt", "--run", finished, "--to", tmp_path), BadRequest)


def test_weights_are_adopted_into_a_folder_that_is_there(finished: Path, tmp_path: Path) -> None:
    assert "is no folder" in detail(lab("adopt", "--run", finished, "--to", tmp_path / "none"), BadRequest)
    assert not (tmp_path / "none").exists()
    there = tmp_path / "there"
    there.mkdir()
    assert lab("adopt", "--run", finished, "--to", there).exit_code == 0
    assert sorted(p.name for p in there.iterdir()) == ["traces-2.json", "traces-2.safetensors"]


def _npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def _plain() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


def _torn() -> bytes:
    digits = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    data = bytearray(_npz(x_train=digits, y_train=np.arange(40) % 10))
    data[3000:3100] = bytes(100)
    return bytes(data)


DIGITS = {
    "no archive": (b"PK\x03\x04 and nothing else", "no readable"),
    "torn": (_torn(), "no readable"),
    "one array": (_plain(), "no readable"),
    "not finite": (_npz(x_train=np.full((20, 28, 28), np.nan), y_train=np.zeros(20)), "does not hold"),
}


@pytest.mark.parametrize("name", DIGITS)
def test_digits_that_cannot_be_read_are_one_sentence(name: str, tmp_path: Path) -> None:
    data, says = DIGITS[name]
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "any.npz").write_bytes(data)
    assert says in detail(lab("semi", "--corpus", tmp_path, "--out", tmp_path / "run"), CorpusError)
    assert not (tmp_path / "run").exists()


def test_a_heatmap_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    from PIL import Image

    photo = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photo)
    found = lab("heatmap", photo, "--out", photo / "map.png")
    assert "map.png cannot be written" in detail(found, FileFailed)


def test_a_benchmark_is_refused_in_a_sentence_before_anything_is_asked(tmp_path: Path) -> None:
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "note.jpg").write_text("no picture")
    folders = ("--folder", tmp_path / "real", tmp_path / "fake")
    rest = ("--no-ours", "--out", tmp_path / "out")
    assert "name either --folder" in detail(lab("benchmark", *rest), BadRequest)
    assert "goes with --manifest" in detail(lab("benchmark", *folders, "--test-only", *rest), BadRequest)
    assert "'cnn' is no NAME=VALUE" in detail(
        lab("benchmark", *folders, "--detector", "cnn", *rest), BadRequest
    )
    one = ("--detector", "cnn=cnn {path}")
    assert "no detector is called so" in detail(
        lab("benchmark", *folders, *one, "--unit", "x=score", *rest), BadRequest
    )
    assert "no unit is called 'percent'" in detail(
        lab("benchmark", *folders, *one, "--unit", "cnn=percent", *rest), OptionRefused
    )
    assert "real holds no JPEG" in detail(lab("benchmark", *folders, *one, *rest), TooFewPictures)
    assert not (tmp_path / "out").exists()


def test_weights_that_stay_and_weights_that_are_trained_on_exclude_each_other(tmp_path: Path) -> None:
    found = lab(
        "traces", "--manifest", tmp_path / "m.csv", "--pictures", tmp_path, "--autoencoder", tmp_path,
        "--backbone", tmp_path / "a", "--start", tmp_path / "b", "--out", tmp_path / "run",
    )  # fmt: skip
    assert "either --backbone" in detail(found, BadRequest)
    assert not (tmp_path / "run").exists()


def test_a_table_compared_with_none_is_one_sentence(tmp_path: Path) -> None:
    found = lab("compare", tmp_path / "before.csv", tmp_path / "after.csv")
    assert "before.csv" in detail(found, DetectorError)
