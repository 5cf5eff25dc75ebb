"""Sources say what is in them; nothing in them is followed, unpacked to disk or believed."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authn.audit.inputs import Entry, Inputs, TarInputs, ZipInputs, open_inputs
from authn.audit.names import name_of, shown
from authn.audit.select import Selection
from authn.core.errors import AuditError, UnreadableMedia
from authn.core.media import MediaLimits

LIMITS = MediaLimits(max_bytes=10_000)


def listed(source: Path, limits: MediaLimits = LIMITS, leave_out: Path | None = None) -> dict[str, Entry]:
    opened = open_inputs(source, limits, leave_out=leave_out)
    try:
        return {e.name: e for e in opened.entries()}
    finally:
        opened.close()


def reason(entry: Entry) -> str:
    assert entry.skipped is not None
    return entry.skipped.detail


def refusal(opened: Inputs, name: str) -> str:
    """What reading this input ends with."""
    (entry,) = (e for e in tuple(opened.entries()) if e.name == name)
    assert entry.skipped is None
    with pytest.raises(UnreadableMedia) as refused:
        opened.read(entry)
    opened.close()
    return refused.value.detail


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as t:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return path


def contents(opened: Inputs) -> dict[str, bytes]:
    return {e.name: opened.read(e) for e in tuple(opened.entries()) if e.skipped is None}


def test_a_folder_is_listed_in_a_fixed_order_and_nothing_is_read(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.jpg").write_bytes(b"two")
    (tmp_path / "one.jpg").write_bytes(b"one")
    (tmp_path / "one.jpg").chmod(0)
    found = listed(tmp_path)
    assert list(found) == ["one.jpg", "b/two.jpg"]
    assert found["b/two.jpg"].size == 3
    assert found["b/two.jpg"].mark == str((tmp_path / "b" / "two.jpg").stat().st_mtime_ns)


def test_a_folder_of_very_many_names_is_sorted_on_disk_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(50):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/%02d\xff.jpg" % (i * 7 % 50))).write_bytes(b"x")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jpg").write_bytes(b"x")
    whole = list(listed(tmp_path))
    monkeypatch.setattr("authn.audit.walk.MAX_NAMES_IN_MEMORY", 8)
    assert list(listed(tmp_path)) == whole == [*sorted(whole[:50]), "deep/a.jpg"]


def test_links_and_special_files_are_listed_with_the_reason_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file-link").symlink_to(outside / "secret")
    (folder / "folder-link").symlink_to(outside)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe")
    found = listed(folder)
    assert set(found) == {"file-link", "folder-link", "dangling", "pipe"}
    assert all("link" in reason(found[n]) for n in ("file-link", "folder-link", "dangling"))
    assert "not a regular file" in reason(found["pipe"])


def test_a_file_over_the_limit_is_listed_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as f:
        f.truncate(5 * 2**40)
    found = listed(tmp_path)
    assert "limit" in reason(found["big"])
    assert found["big"].skipped is not None
    assert found["big"].skipped.code == "assay.media.tooLarge"


@contextlib.contextmanager
def nobody() -> Iterator[Path]:
    """A folder of a user who is not root, while being that user: root may read everything."""
    with tempfile.TemporaryDirectory() as name:
        mine = os.geteuid()
        if mine == 0:
            os.chown(name, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(mine)


def test_what_may_not_be_read_is_listed() -> None:
    with nobody() as folder:
        (folder / "locked").mkdir(mode=0)
        (folder / "closed.jpg").write_bytes(b"x")
        (folder / "closed.jpg").chmod(0)
        found = listed(folder)
        said = refusal(open_inputs(folder, LIMITS), "closed.jpg")
        (folder / "locked").chmod(0o700)
    assert "Permission denied" in said
    assert "Permission denied" in reason(found["locked/"])


def test_the_run_folder_inside_the_source_is_not_an_input(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "run.json").write_text("{}")
    assert list(listed(tmp_path, leave_out=tmp_path / "runs")) == ["photo.jpg"]


def test_a_name_that_is_not_utf8_is_shown_and_still_found(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"x")
    opened = open_inputs(tmp_path, LIMITS)
    (entry,) = opened.entries()
    assert entry.name == "caf\\xe9.jpg"
    assert opened.read(entry) == b"x"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_gives_back_the_bytes_of_its_members(tmp_path: Path, kind: str) -> None:
    members = {"a.jpg": b"a" * 5000, "empty.jpg": b"", "deep/b.png": os.urandom(3000)}
    path = tmp_path / f"photos.{kind}"
    if kind == "zip":
        zipped(path, members)
    else:
        tarred(path, members, "w:" + kind.partition(".")[2])
    opened = open_inputs(path, LIMITS)
    assert contents(opened) == members
    entries = {e.name: e for e in opened.entries()}
    assert opened.read(entries["a.jpg"]) == members["a.jpg"], "reading backwards works too"
    assert {n: e.size for n, e in entries.items()} == {n: len(d) for n, d in members.items()}
    opened.close()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_hostile_member_name_is_a_name_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    names = ["../../escaped.jpg", "/etc/passwd", "a\\..\\b.jpg", "new\nline.jpg", "x" * 200 + ".jpg"]
    path = tmp_path / "in" / f"photos.{kind}"
    path.parent.mkdir()
    (zipped if kind == "zip" else tarred)(path, dict.fromkeys(names, b"bytes"))
    opened = open_inputs(path, LIMITS)
    assert set(contents(opened)) == set(names)
    opened.close()
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", f"photos.{kind}"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_two_inputs(tmp_path: Path) -> None:
    path = tmp_path / "twins.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("a.jpg", b"first")
        z.writestr("a.jpg", b"second")
    opened = open_inputs(path, LIMITS)
    assert [opened.read(e) for e in opened.entries()] == [b"first", b"second"]


def test_a_member_over_the_limit_is_not_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {"bomb.jpg": bytes(20_000_000), "small.jpg": b"x"})
    found = listed(path)
    assert "limit" in reason(found["bomb.jpg"])
    assert found["small.jpg"].skipped is None


def test_a_member_that_unpacks_to_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.zip", {"liar.jpg": bytes(5_000_000)})
    raw = bytearray(path.read_bytes())
    local, central = raw.index(b"PK\x03\x04"), raw.index(b"PK\x01\x02")
    raw[local + 22 : local + 26] = raw[central + 24 : central + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(raw)
    assert "cannot be unpacked" in refusal(open_inputs(path, LIMITS), "liar.jpg")


def test_an_archive_of_many_small_bombs_is_cut_off(tmp_path: Path) -> None:
    members = {f"{i}.jpg": bytes(9_000) for i in range(4)}
    path = zipped(tmp_path / "many.zip", members)
    zipfound = tuple(ZipInputs(path, LIMITS, min_unpacked_bytes=25_000).entries())
    assert [e.skipped is None for e in zipfound] == [True, True, False, False]
    assert "unpacks to more than" in reason(zipfound[3])
    path = tarred(tmp_path / "many.tar.gz", members, "w:gz")
    tarfound = tuple(TarInputs(path, LIMITS, min_unpacked_bytes=25_000).entries())
    assert [e.skipped is None for e in tarfound] == [True, True, True, False]
    assert tarfound[3].name == "(the rest of the archive)"
    assert "unpacks to more than" in reason(tarfound[3])


def test_a_damaged_member_is_listed_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("bad.jpg", b"A" * 100)
        z.writestr("good.jpg", b"B" * 100)
    path.write_bytes(path.read_bytes().replace(b"A" * 100, b"A" * 99 + b"C"))
    assert "CRC" in refusal(open_inputs(path, LIMITS), "bad.jpg")
    opened = open_inputs(path, LIMITS)
    assert [opened.read(e) for e in opened.entries() if e.name == "good.jpg"] == [b"B" * 100]


def test_an_encrypted_member_is_listed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "secret.zip", {"a.jpg": b"x"})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    assert reason(listed(path)["a.jpg"]) == "it is encrypted"


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as t:
        info = tarfile.TarInfo("link.jpg")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        t.addfile(info)
    assert "link" in reason(listed(path)["link.jpg"])
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as z:
        member = zipfile.ZipInfo("link.jpg")
        member.external_attr = 0o120777 << 16
        z.writestr(member, "/etc/passwd")
    assert "link" in reason(listed(path)["link.jpg"])


def test_a_cut_off_tar_says_that_the_rest_is_missing(tmp_path: Path) -> None:
    path = tarred(tmp_path / "cut.tar", {"a.jpg": bytes(3000), "b.jpg": bytes(3000)})
    path.write_bytes(path.read_bytes()[: 512 + 3072 + 512 + 100])
    found = listed(path)
    assert found["a.jpg"].skipped is None
    assert "ends after" in refusal(open_inputs(path, LIMITS), "b.jpg")


def test_a_tar_header_of_absurd_length_does_not_fill_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 * 2**30
    path = tmp_path / "absurd.tar.gz"
    with gzip.open(path, "wb") as f:
        f.write(info.tobuf(tarfile.GNU_FORMAT))
        f.write(bytes(10 * tarfile.RECORDSIZE))
    assert "absurd length" in reason(listed(path)["(the rest of the archive)"])


def test_what_is_no_folder_and_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff" + bytes(1000))
    with pytest.raises(AuditError, match="assay verify"):
        open_inputs(tmp_path / "photo.jpg", LIMITS)
    with pytest.raises(AuditError, match="No such file"):
        open_inputs(tmp_path / "nothing", LIMITS)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(AuditError, match="archive"):
        open_inputs(tmp_path / "broken.zip", LIMITS)


def test_a_file_that_shrank_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"long enough")
    opened = open_inputs(tmp_path, LIMITS)
    (entry,) = opened.entries()
    (tmp_path / "a.jpg").write_bytes(b"short")
    with pytest.raises(UnreadableMedia, match="ends after 5 of 11"):
        opened.read(entry)


NAMES = ["a.jpg", "caf\udce9.jpg", r"caf\xe9.jpg", r"a\..\b.jpg", "new\nline", "é", "\\x5c", "\udcff\\xff"]


def test_every_name_that_a_file_can_have_is_shown_apart_and_found_again() -> None:
    assert [name_of(shown(name)) for name in NAMES] == NAMES
    assert len({shown(name) for name in NAMES}) == len(NAMES)
    assert all(shown(name).encode() for name in NAMES)


@given(st.binary(min_size=1, max_size=12).filter(lambda raw: b"\0" not in raw))
def test_names_of_any_bytes_survive(raw: bytes) -> None:
    assert os.fsencode(name_of(shown(os.fsdecode(raw)))) == raw


@pytest.mark.parametrize(
    ("include", "exclude", "name", "taken"),
    [
        ((), (), "a/b.jpg", True),
        (("*.jpg",), (), "a/b/C.JPG", True),
        (("*.jpg",), (), "a/b.png", False),
        (("/*.jpg",), (), "a/b.jpg", False),
        (("a/*.jpg",), (), "a/b/c.jpg", False),
        (("a/**",), (), "a/b/c.jpg", True),
        ((), ("**/cache/**",), "x/cache/y.jpg", False),
        ((), ("**/cache/**",), "cache/y.jpg", False),
        ((), ("**/cache/**",), "x/cached.jpg", True),
        (("img_[0-9].*",), (), "IMG_7.jpg", True),
        (("img_[!0-9].*",), (), "IMG_7.jpg", False),
        (("a[b.jpg",), (), "a[b.jpg", True),
        (("*.jpg", "*.png"), ("*_small.*",), "x_small.png", False),
    ],
)
def test_patterns_take_and_leave_out(
    include: tuple[str, ...], exclude: tuple[str, ...], name: str, taken: bool
) -> None:
    assert Selection(include=include, exclude=exclude).takes(name) is taken


def test_a_selection_holds_in_folders_and_in_archives(tmp_path: Path) -> None:
    for place in ("keep", "cache"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.jpg").write_bytes(b"x")
        (tmp_path / place / "a.txt").write_bytes(b"x")
    zipped(tmp_path / "more.zip", {"b.jpg": b"x", "b.txt": b"x"})
    select = Selection(include=("*.jpg",), exclude=("cache",))
    opened = open_inputs(tmp_path, LIMITS, select=select)
    assert [e.name for e in opened.entries()] == ["more.zip/b.jpg", "keep/a.jpg"]
    assert [ref for ref, _ in opened.places()] == ["more.zip", "keep/a.jpg"]
    opened = open_inputs(tmp_path / "more.zip", LIMITS, select=select)
    assert [e.name for e in opened.entries()] == ["b.jpg"]
