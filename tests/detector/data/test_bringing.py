"""Bringing pictures out of real git repositories and folders, by their digests alone."""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.errors import FileFailed
from detector.data.bringing import Places, State, bring, chosen
from detector.data.manifest import Row
from detector.data.snapshots import snapshot_of
from tests.detector.data.rows import row_of
from tests.programs import require_program

NAME = "some/pictures"
IDENTITY = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip
NEW, OLD, ODD = b"new picture", b"old picture, gone since", b"one whose name is odd"


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "protocol.file.allow=always", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, **IDENTITY})


def named(data: bytes, **values: object) -> Row:
    said = {"size": len(data), "origin": f"github:{NAME}@0123456789ab", **values}
    return replace(row_of("0", **said), sha256=hashlib.sha256(data).hexdigest())


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an older commit, a name that is no line of text, a link and a submodule."""
    require_program("git")
    top = tmp_path_factory.mktemp("host")
    work = top / "some" / "pictures"
    work.mkdir(parents=True)
    git(work, "init", "--quiet")
    (work / "old.jpg").write_bytes(OLD)
    git(work, "add", ".")
    git(work, "commit", "--quiet", "-m", "one")
    (work / "old.jpg").unlink()
    (work / "new.JPG").write_bytes(NEW)
    (work / 'a\n100644 blob 0\t"ü.png').write_bytes(ODD)
    (work / "link.png").symlink_to("/etc/passwd")
    (work / "notes.txt").write_bytes(b"no picture")
    git(work, "add", ".")
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.png")
    git(work, "commit", "--quiet", "-m", "two")
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(work, "config", name, "true")
    return top


@pytest.fixture
def mirrors(origin: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", "--bare", str(origin / NAME), "mirrors/some+pictures")
    return tmp_path / "mirrors"


ROWS = (named(NEW), named(OLD), named(ODD))


def states(done) -> list[State]:
    return [done.state(row) for row in done.rows]


def test_pictures_of_every_commit_come_whatever_they_are_called(mirrors, tmp_path):
    out = tmp_path / "out"
    assert states(bring(ROWS, out, Places(mirrors=mirrors))) == [State.BROUGHT] * 3
    assert [(out / r.file).read_bytes() for r in ROWS] == [NEW, OLD, ODD]
    assert not list(out.rglob(".*"))


def test_what_is_there_and_right_is_not_looked_for_again(mirrors, tmp_path):
    out = tmp_path / "out"
    bring(ROWS[:2], out, Places(mirrors=mirrors))
    gone = Places(mirrors=tmp_path / "no mirrors")
    assert states(bring(ROWS, out, gone)) == [State.THERE, State.THERE, State.NO_SNAPSHOT]


def test_a_file_with_other_bytes_is_replaced_where_the_right_ones_are_found_and_else_named(mirrors, tmp_path):
    out = tmp_path / "out"
    for row in ROWS[:1]:
        (out / row.label).mkdir(parents=True)
        (out / row.file).write_bytes(b"cut sho")
    assert states(bring(ROWS[:1], out, Places())) == [State.WRONG]
    assert states(bring(ROWS[:1], out, Places(mirrors=mirrors))) == [State.BROUGHT]
    assert (out / ROWS[0].file).read_bytes() == NEW


def test_the_report_says_what_became_of_each_picture(mirrors, tmp_path):
    rows = (*ROWS, named(b"never committed"), named(b"cut out", note="lossless crop of a sample grid"))
    bring(rows, tmp_path / "out", Places(mirrors=mirrors))
    with (tmp_path / "out" / "brought.csv").open(newline="") as f:
        told = {r["sha256"]: (r["state"], r["file"]) for r in csv.DictReader(f)}
    assert [told[r.sha256] for r in rows[:3]] == [("brought", r.file) for r in ROWS]
    assert [told[r.sha256] for r in rows[3:]] == [("missing", ""), ("no original", "")]


def test_an_interruption_leaves_whole_files_and_a_report_and_the_same_call_goes_on(mirrors, tmp_path):
    out = tmp_path / "out"
    other = named(b"elsewhere", origin="github:z/z@0123456789ab")

    def interrupt(what: str, done: int, total: int) -> None:
        if what.startswith(NAME):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring((*ROWS, other), out, Places(mirrors=mirrors), interrupt)
    report = (out / "brought.csv").read_text()
    assert report.count("brought") == 3
    assert report.count("not reached") == 1
    assert states(bring(ROWS, out, Places())) == [State.THERE] * 3


def test_a_repository_that_cannot_be_read_costs_its_own_pictures_only(mirrors, tmp_path):
    broken = mirrors / "a+broken"
    (broken / "objects" / "00").mkdir(parents=True)
    (broken / "HEAD").write_text("no reference\n")
    row = named(b"lost", origin="github:a/broken@0123456789ab")
    done = bring((row, *ROWS), tmp_path / "out", Places(mirrors=mirrors))
    assert states(done) == [State.FAILED, *[State.BROUGHT] * 3]
    assert done.why["a/broken"].startswith("git cat-file failed")


def test_what_a_repository_has_configured_is_not_run(mirrors, tmp_path):
    git_folder = mirrors / "some+pictures"
    ran = tmp_path / "ran"
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.alternateRefsCommand"):
        git(git_folder, "config", key, f"touch {ran}")
    git(git_folder, "config", "remote.origin.url", f"ext::touch {ran}")
    git(git_folder, "config", "remote.origin.promisor", "true")
    rows = (*ROWS, named(b"not there"))
    bring(rows, tmp_path / "out", Places(mirrors=mirrors, clone_from="https://nowhere.invalid/"))
    assert not ran.exists()


def test_a_picture_of_a_huge_size_is_not_read(mirrors, tmp_path):
    row = named(NEW, size=2**40)
    assert states(bring((row,), tmp_path / "out", Places(mirrors=mirrors))) == [State.MISSING]


def test_mirrors_may_have_a_work_tree_or_lie_a_folder_deeper(origin, mirrors, tmp_path):
    git(tmp_path, "clone", "--quiet", str(origin / NAME), "trees/a+b/repo")
    assert snapshot_of(tmp_path / "trees", "a/b") == tmp_path / "trees" / "a+b" / "repo" / ".git"
    assert snapshot_of(mirrors, NAME) == mirrors / "some+pictures"
    assert snapshot_of(mirrors, "a/b") is None


@pytest.mark.parametrize("filtered", [True, False])
def test_what_no_mirror_holds_is_cloned_and_older_commits_are_fetched_where_the_newest_lacks_a_picture(
    filtered, origin, tmp_path
):
    git(origin / NAME, "config", "uploadpack.allowFilter", str(filtered).lower())
    out = tmp_path / "out"
    host = Places(clone_from=f"file://{origin}/")
    assert states(bring(ROWS[:1], out, host)) == [State.BROUGHT]
    assert (out / "mirrors" / "some+pictures" / "shallow").exists()
    again = Places(mirrors=out / "mirrors", clone_from=f"file://{origin}/")
    assert states(bring(ROWS, out, again)) == [State.THERE, State.BROUGHT, State.BROUGHT]


def test_a_clone_that_fails_is_told_and_leaves_nothing(origin, tmp_path):
    row = named(b"x", origin="github:not/there@0123456789ab")
    done = bring((row,), tmp_path / "out", Places(clone_from=f"file://{origin}/"))
    assert states(done) == [State.FAILED]
    assert "clone failed" in done.why["not/there"]
    assert list((tmp_path / "out" / "mirrors").iterdir()) == []


def test_files_of_folders_are_found_by_their_digest_and_links_are_not_followed(tmp_path):
    package = tmp_path / "package" / "deep"
    package.mkdir(parents=True)
    (package / "name without suffix").write_bytes(NEW)
    (tmp_path / "secret").write_bytes(ODD)
    (package / "link.png").symlink_to(tmp_path / "secret")
    rows = (named(NEW, origin="debian:x"), named(ODD, origin="debian:x"))
    done = bring(rows, tmp_path / "out", Places(folders=(tmp_path / "package",)))
    assert states(done) == [State.BROUGHT, State.MISSING]
    with pytest.raises(FileFailed, match="is no folder"):
        bring(rows, tmp_path / "out", Places(folders=(tmp_path / "none",)))


def test_a_selection_is_by_words_of_source_and_origin_and_by_licence():
    rows = (
        row_of("a", source="Ann"),
        row_of("b", source="Bob", licence="MIT (repo); images from X authors"),
        row_of("c", origin="github:ann/c@0123456"),
    )
    assert [r.sha256[0] for r in chosen(rows, source="ANN")] == ["a", "c"]
    assert [r.sha256[0] for r in chosen(rows, learnable=True)] == ["a", "c"]
    assert hashlib.sha256(NEW).hexdigest() == ROWS[0].sha256
