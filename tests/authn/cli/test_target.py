"""No command writes over a photo, or over anything that is not its own, whatever name it is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from authn.cli import cli
from authn.cli.target import Kind, refuse_other
from authn.core.errors import BadRequest
from tests.doubles.photos import photo

OTHERS = {
    "jpeg": photo(),
    "tiff": b"II*\0\x08\0\0\0",
    "heic": b"\0\0\0\x18ftypheic",
    "webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "note": b"Shot list of Monday",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(photo())
    Image.new("RGB", (300, 300), "teal").save(tmp_path / "b.png")
    return tmp_path


def assay(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("page", ["a.jpg", "b.png", "link.html"])
def test_a_page_never_takes_the_place_of_a_photo(page: str, home: Path) -> None:
    (home / "link.html").symlink_to("b.png")
    before = contents(home)
    done = assay("verify", "--no-heuristics", "--html", page, "a.jpg")
    assert isinstance(done.exception, BadRequest)
    assert "is there already and is no HTML page" in str(done.exception)
    assert contents(home) == before


def test_a_page_replaces_an_older_page_and_an_empty_file(home: Path) -> None:
    page = home / "report.html"
    page.touch()
    for _ in range(2):
        assert assay("verify", "--no-heuristics", "--html", page, "a.jpg").exit_code == 0
    assert page.read_text().startswith("<!doctype html")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("other", OTHERS)
def test_nothing_but_its_own_kind_is_replaced(kind: Kind, other: str, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(OTHERS[other])
    with pytest.raises(BadRequest, match="is not overwritten"):
        refuse_other(there, kind)
    refuse_other(tmp_path / "free", kind)


def test_no_pipe_is_opened_and_no_device_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", Path(os.devnull), tmp_path):
        with pytest.raises(BadRequest):
            refuse_other(special, Kind.PAGE)


def test_a_list_and_a_receipt_replace_older_ones_and_no_photo(home: Path) -> None:
    assert assay("device", "enrol", "camera").exit_code == 0
    for command, name in ((("pki", "crl"), "list.crl"), (("log", "receipt", 0), "r.tlog-proof"),
                          (("log", "receipt", 0, "--cose"), "r.cose")):  # fmt: skip
        for _ in range(2):
            done = assay(*command, "--out", name)
            assert done.exit_code == 0, (command, done.output, done.exception)
        before = contents(home)
        assert isinstance(assay(*command, "--out", "a.jpg").exception, BadRequest)
        assert contents(home) == before


@pytest.mark.parametrize(
    "command",
    [
        ("heatmap", "a.jpg", "--out", "b.png"),
        ("eyes", "a.jpg", "--models", ".", "--to", "b.png"),
        ("sheet", ".", "--out", "b.png"),
        ("translate", ".", "--data", ".", "--to", "0", "--out", "b.npz"),
    ],
    ids=lambda c: c[0],
)
def test_a_drawing_of_the_laboratory_takes_only_a_free_name(command: tuple[str, ...], home: Path) -> None:
    before = contents(home)
    done = assay("lab", *command)
    assert isinstance(done.exception, BadRequest), done.output
    assert "b.png is there already" in str(done.exception)
    assert contents(home) == before
