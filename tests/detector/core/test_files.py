"""A file is whole or not there."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import FileFailed
from detector.core.files import new_folder, write_arrays, write_json, write_whole
from detector.models.weights import save_tensors

WRITERS: dict[str, Callable[[Path, int], object]] = {
    "bytes": lambda path, n: write_whole(path, bytes([n])),
    "json": lambda path, n: write_json(path, {"n": n}),
    "arrays": lambda path, n: write_arrays(path, {"n": np.array(n)}),
    "tensors": lambda path, n: save_tensors({"n": torch.tensor([n])}, path),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_disk_that_is_full_leaves_what_was_there_before(write, tmp_path, monkeypatch):
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "below" / "kept"
    write(path, 1)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileFailed, match=r"kept cannot be written: No space left"):
        write(path, 2)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["kept"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_folder_that_cannot_be_made_is_one_sentence(write, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileFailed, match="cannot be written"):
        write(tmp_path / "file" / "kept", 1)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_folder_reaches_the_disk_after_the_file(write, tmp_path, monkeypatch):
    synced: list[str] = []
    sync = os.fsync

    def watched(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        sync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    write(tmp_path / "below" / "kept", 1)
    assert synced == [f".kept.{os.getpid()}.part", "below"]


def test_arrays_and_json_come_back_as_they_were(tmp_path):
    write_arrays(tmp_path / "a.npz", {"three": np.arange(3), "text": np.array("ä")})
    with np.load(tmp_path / "a.npz") as found:
        assert found["three"].tolist() == [0, 1, 2]
        assert str(found["text"]) == "ä"
    write_json(tmp_path / "a.json", [1, {"b": None}])
    assert json.loads((tmp_path / "a.json").read_text()) == [1, {"b": None}]


def test_arrays_that_cannot_be_stored_leave_nothing(tmp_path):
    class Torn:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_arrays(tmp_path / "a.npz", {"whole": np.arange(3), "torn": Torn()})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_its_name_when_all_went_well(tmp_path):
    with new_folder(tmp_path / "below" / "out") as folder:
        (folder / "a").write_bytes(b"x")
        assert not (tmp_path / "below" / "out").exists()
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()] == ["below/out/a"]


def test_a_folder_that_was_not_filled_is_not_there(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as folder:
        (folder / "a").write_bytes(b"x")
        raise RuntimeError("in the middle")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_not_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_bytes(b"x")
    with (
        pytest.raises(FileFailed, match="out cannot be written: Directory not empty"),
        new_folder(tmp_path / "out"),
    ):
        pass
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "mine"]
