"""Files that are whole or not there, and locks that keep processes apart."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from signer.core.durable import create_durably, rename_durably, rewritten_durably, write_durably, write_new
from signer.core.locks import lock_file

Write = Callable[[Path, bytes], None]
WRITERS = pytest.mark.parametrize("write", [write_durably, create_durably, write_new])


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reached the disk, in order: names of files and folders."""
    names: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: names.append(Path(f"/proc/self/fd/{fd}").readlink().name))
    return names


@WRITERS
def test_a_file_is_for_its_owner_alone_unless_it_is_said(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "a", b"x")
    write_durably(tmp_path / "b", b"x", mode=0o644)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert modes == {"a": 0o600, "b": 0o644 & ~_umask()}


def test_content_reaches_the_disk_before_the_name_and_the_folder_after_it(
    tmp_path: Path, synced: list[str]
) -> None:
    write_durably(tmp_path / "kept", b"x")
    create_durably(tmp_path / "made", b"x")
    assert [name.rpartition(".")[2] for name in synced] == ["tmp", tmp_path.name] * 2
    assert [name[:6] for name in synced[::2]] == [".kept.", ".made."], (
        "under a name that is not the file's yet"
    )
    synced.clear()
    rename_durably(tmp_path / "kept", tmp_path / "renamed")
    assert synced == [tmp_path.name]


def test_after_an_error_the_old_file_stands_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_durably(path, b"old")
    with pytest.raises(KeyboardInterrupt), rewritten_durably(path) as f:
        f.write(b"half of the new")
        raise KeyboardInterrupt
    with pytest.raises(FileExistsError):
        create_durably(path, b"new")
    with pytest.raises(FileExistsError):
        write_new(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("kept", b"old")]


@WRITERS
def test_a_symbolic_link_is_not_written_through(write: Write, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    if write is write_durably:
        write(tmp_path / "link", b"new")
    else:
        with pytest.raises(FileExistsError):
            write(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"old"


def test_a_lock_is_held_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(FileNotFoundError):
        lock_file(path, make=False)
    with lock_file(path) as held:
        assert held.fileno()
        with pytest.raises(BlockingIOError):
            lock_file(path, wait=False)
    with lock_file(path, make=False, wait=False):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        lock_file(tmp_path / "link")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
