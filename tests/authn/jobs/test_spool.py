"""What is kept for jobs: private, whole or not there, gone afterwards."""

from __future__ import annotations

import hashlib
import os
import resource
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authn.core.errors import FileUnusable, InputLost, SpoolFull
from authn.jobs.spool import MEDIA, SIDECAR, STRAY_AFTER_S, Spool

ID, OTHER = "a" * 32, "b" * 32
SHA256 = hashlib.sha256(b"photo").hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "jobs"


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond a kilobyte, which the kernel refuses much as it does where there is no room. No
    fixture: what pytest prints may go to a file too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_only_its_owner_can_read_what_waits(folder: Path) -> None:
    spool = Spool(folder)
    spool.keep(ID, b"photo", b"store")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert spool.load(ID, SHA256, hashlib.sha256(b"store").hexdigest()) == (b"photo", b"store")
    spool.drop(ID)
    spool.drop(ID)
    assert list(folder.iterdir()) == []


def test_a_disk_without_room_is_told_and_keeps_no_half_of_it(folder: Path) -> None:
    spool = Spool(folder)
    with full_disk():
        with pytest.raises(SpoolFull):
            spool.keep(ID, b"photo", bytes(10_000))
        with pytest.raises(SpoolFull):
            spool.keep(ID, bytes(10_000))
        assert list(folder.iterdir()) == []
        spool.keep(OTHER, b"photo")


def test_a_folder_that_is_none_is_no_full_disk(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"")
    with pytest.raises(FileUnusable):
        Spool(folder).keep(ID, b"photo")


def test_what_was_changed_or_taken_away_is_not_examined_as_if_it_were_the_upload(folder: Path) -> None:
    spool = Spool(folder)
    with pytest.raises(InputLost):
        spool.load(ID, SHA256)
    spool.keep(ID, b"photo")
    (folder / f"{ID}.media").write_bytes(b"other")
    with pytest.raises(InputLost, match="changed"):
        spool.load(ID, SHA256)


def test_what_a_crash_left_is_swept_up_by_its_age_and_what_is_needed_stays(folder: Path) -> None:
    spool = Spool(folder)
    assert spool.sweep(lambda _: ()) == 0  # no folder yet
    for id_ in (ID, OTHER, "c" * 32):
        spool.keep(id_, b"photo", b"store")
    half = folder / f".{'d' * 32}.media.0123.tmp"  # of a write that was killed
    half.write_bytes(b"ph")
    (folder / "README").write_bytes(b"somebody else's")
    now = time.time()
    for path in folder.iterdir():
        then = now if path.name.startswith("c") else now - STRAY_AFTER_S - 1
        os.utime(path, (then, then))
    assert spool.sweep(lambda ids: {ID} & set(ids)) == 2
    assert sorted(path.name[:2] for path in folder.iterdir()) == ["RE", "aa", "aa", "cc", "cc"]


@pytest.mark.parametrize("found", [None, b"another"])
def test_a_manifest_store_that_is_gone_or_changed_is_lost_as_the_photo_would_be(
    folder: Path, found: bytes | None
) -> None:
    spool = Spool(folder)
    spool.keep(ID, b"photo", b"store")
    beside = folder / f"{ID}{SIDECAR}"
    beside.unlink() if found is None else beside.write_bytes(found)
    with pytest.raises(InputLost):
        spool.load(ID, SHA256, hashlib.sha256(b"store").hexdigest())


def test_what_cannot_be_deleted_stops_no_sweep(folder: Path) -> None:
    spool, now = Spool(folder), time.time()
    spool.keep(OTHER, b"photo")
    (folder / f"{ID}{MEDIA}").mkdir()  # nobody can unlink a folder
    for path in folder.iterdir():
        os.utime(path, (now - STRAY_AFTER_S - 1,) * 2)
    spool.sweep(lambda _: ())
    assert [path.name for path in folder.iterdir()] == [f"{ID}{MEDIA}"]
