"""No command writes over a photo, or over anything that is not its own, whatever name it is told."""

from __future__ import annotations

import ast
import errno
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from authn.cli import cli
from authn.cli.target import Kind, create, refuse_other
from authn.core.errors import BadRequest
from tests.doubles.interrupts import every_line
from tests.doubles.photos import photo
from tests.house.source import modules, named, parsed

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


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that a dying process closes
@pytest.mark.parametrize("links", [True, False], ids=["a disk", "a card without hard links"])
def test_ctrl_c_leaves_the_whole_result_or_nothing_under_its_name(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_new: Path, _old: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", none)
    target, whole, lines = tmp_path / "a.zip", b"a result", 0

    def act(_line: int) -> None:
        target.unlink(missing_ok=True)
        create(target, whole)

    within = ("cli/target.py", "durable.py:create_durably", "durable.py:_new_file")
    for line, interrupted in every_line(act, *within):
        left = contents(tmp_path)
        assert left.get("a.zip", whole) == whole, f"line {line}"
        assert "a.zip" in left or (interrupted and not left), f"line {line}"
        for name in left.keys() - {"a.zip"}:
            (tmp_path / name).unlink()
        lines = line
    assert lines > 10


def writes(node: ast.AST) -> bool:
    """A file under its last name, which an interruption would leave empty or half."""
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    given = [*node.args, *(k.value for k in node.keywords)]
    modes = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    opened = name == "open" and any(set(mode) & set("wx+") and len(mode) < 4 for mode in modes)
    return opened or name in ("write_new", "write_text", "write_bytes")


def test_no_command_writes_a_result_under_its_last_name() -> None:
    commands = [path for path in modules() if named(path).startswith("authn/cli/")]
    assert len(commands) > 40
    assert [named(p) for p in commands if any(writes(node) for node in ast.walk(parsed(p)))] == []
