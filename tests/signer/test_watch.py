"""The hot folder: complete files once, unfinished ones never, failures again only when they change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from signer.core.errors import UnreadableMedia
from signer.watch import HotFolder, watch

SETTLE_S = 2.0


@pytest.fixture
def hot(tmp_path: Path) -> HotFolder:
    return HotFolder(tmp_path, SETTLE_S)


def settled(hot: HotFolder, at: float = 100.0) -> list[str]:
    hot.scan(at)
    return [path.name for path in hot.scan(at + SETTLE_S)]


def offered(hot: HotFolder, content: bytes = b"x") -> Path:
    """The one photo, which was offered once."""
    photo = hot.folder / "a.jpg"
    photo.write_bytes(content)
    assert settled(hot) == ["a.jpg"]
    return photo


def test_a_file_is_offered_only_when_it_stood_still(hot: HotFolder, tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    assert hot.scan(0) == ()
    assert hot.scan(1.9) == ()
    photo.write_bytes(b"xx")  # still growing
    assert hot.scan(2.5) == ()
    assert hot.scan(4.0) == ()
    assert hot.scan(4.5) == (photo,)


def test_a_change_without_growth_starts_the_wait_again(hot: HotFolder, tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    hot.scan(0)
    os.utime(photo, ns=(1, 1))
    assert hot.scan(2) == ()
    assert hot.scan(4) == (photo,)


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.jpg",
        "a.jpg.part",
        "a.JPG.PART",
        "a.tmp",
        "a.crdownload",
        "a.jpg~",
        ".a.jpg.Xy12",
        "a.filepart",
    ],
)
def test_unfinished_and_hidden_files_are_never_offered(hot: HotFolder, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b.jpg").write_bytes(b"x")
    assert settled(hot) == ["b.jpg"]


def test_folders_links_and_empty_files_are_never_offered(hot: HotFolder, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "sub" / "a.jpg")
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    assert settled(hot) == []
    assert not hot.unsettled()


def test_what_is_renamed_into_place_is_offered_under_its_last_name(hot: HotFolder, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"x")
    assert settled(hot) == []
    (tmp_path / "a.part").rename(tmp_path / "a.jpg")
    assert settled(hot, 200) == ["a.jpg"]


def test_a_handled_file_comes_back_only_when_it_changes(hot: HotFolder, tmp_path: Path) -> None:
    photo = offered(hot)
    photo.write_bytes(b"signed")
    hot.handled(photo, rewritten=True)
    assert settled(hot, 200) == []
    photo.write_bytes(b"edited later")
    assert settled(hot, 300) == ["a.jpg"]


def test_what_was_written_while_a_file_was_refused_counts_as_a_change(hot: HotFolder, tmp_path: Path) -> None:
    photo = offered(hot, b"half")
    photo.write_bytes(b"whole now")
    hot.handled(photo, rewritten=False)
    assert settled(hot, 200) == ["a.jpg"]


def test_a_file_that_vanishes_is_forgotten(hot: HotFolder, tmp_path: Path) -> None:
    photo = offered(hot)
    photo.unlink()
    hot.handled(photo, rewritten=True)
    assert hot.scan(300) == ()
    assert not hot.unsettled()


def test_a_folder_that_goes_away_is_reported(hot: HotFolder, tmp_path: Path) -> None:
    tmp_path.rmdir()
    with pytest.raises(UnreadableMedia):
        hot.scan(0)


class Time:
    """A clock that only sleeping moves; ``events`` happen at their moment."""

    def __init__(self, events: dict[float, Callable[[], object]] | None = None) -> None:
        self.now = 0.0
        self.events = events or {}

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [m for m in self.events if m <= self.now]:
            self.events.pop(moment)()


def test_once_ends_when_everything_settled_even_what_arrives_meanwhile(
    hot: HotFolder, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    time = Time({1.0: lambda: (tmp_path / "b.jpg").write_bytes(b"x")})
    seen: list[str] = []
    watch(hot, lambda p: bool(seen.append(p.name)), once=True, clock=time.clock, sleep=time.sleep)
    assert seen == ["a.jpg", "b.jpg"]
    assert time.now < 10


def test_the_watch_goes_on_until_it_is_interrupted(hot: HotFolder, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    time = Time({9.0: interrupt, 4.0: lambda: (tmp_path / "late.jpg").write_bytes(b"x")})
    seen: list[str] = []
    idles: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        watch(
            hot,
            lambda p: bool(seen.append(p.name)),
            idle=lambda: idles.append(time.now),
            clock=time.clock,
            sleep=time.sleep,
        )
    assert seen == ["late.jpg"]
    assert len(idles) == 9
