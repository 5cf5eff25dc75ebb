"""``assay lab corpus``: pictures by their manifest, from a folder of one's own to sheets of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.detector.data.test_checks import picture
from tests.detector.made import encoded
from tests.doubles.commands import Shell

OURS = ("--label", "real", "--source", "Ann", "--licence", "CC0-1.0", "--kind", "photo")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (folder := tmp_path / "mine").mkdir()
    for n in range(3):
        (folder / f"{n}.jpg").write_bytes(encoded(picture(n)))
    return folder


def test_pictures_are_added_brought_checked_and_shown(shell: Shell, mine: Path, tmp_path: Path) -> None:
    corpus, manifest = ("lab", "corpus"), tmp_path / "m.csv"
    added = shell(*corpus, "add", manifest, mine, *OURS)
    assert (added.code, added.out) == (0, "3 added, 0 refused\n")
    again = shell(*corpus, "add", manifest, mine, *OURS)
    assert again.code == 1
    assert again.out.count("the manifest holds it already, of Ann") == 3
    out = tmp_path / "out"
    first = shell(*corpus, "bring", manifest, out, "--folder", mine)
    assert (first.code, first.out) == (0, f"3 brought\n{out / 'brought.csv'}\n")
    assert shell(*corpus, "bring", manifest, out, "--mirrors", mine).out.startswith("3 there\n")
    checked = shell(*corpus, "check", manifest, out, "--sheets", tmp_path / "found")
    assert (checked.code, checked.out.splitlines()[1]) == (0, "3 pictures of 1 sources, 3 files read")
    shown = shell(*corpus, "sheet", manifest, out, "--to", tmp_path / "sheets", "--at-most", 2)
    assert (shown.code, shown.out.count("sheet-")) == (0, 1)
    assert (tmp_path / "sheets" / "index.csv").read_text().count("Ann") == 2
    none = shell(*corpus, "sheet", manifest, out, "--to", tmp_path / "none", "--source", "nobody at all")
    assert (none.code, "no picture of the manifest is selected" in none.err) == (2, True)
    listed = shell(*corpus, "list", manifest, "--learnable", "--source", "ANN", "--by", "kind")
    assert listed.out.splitlines()[1].split() == ["3", "0", "3", "0", "photo"]


def test_a_check_ends_with_1_where_something_was_found_that_is_not_accepted(
    shell: Shell, mine: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.csv"
    unread = ("--label", "real", "--source", "Ann", "--licence", "ask me")
    said = shell("lab", "corpus", "add", manifest, mine, *unread)
    assert "nothing that ships learns from them" in said.err
    check = ("lab", "corpus", "check", manifest)
    found = shell(*check)
    assert found.code == 1
    assert "licence: 3 pictures under a licence that nobody read: ask me" in found.out
    assert shell(*check, "--accept", "licence").code == 1
    assert shell(*check, "--accept", "licence", "--accept", "kind").code == 0


def test_the_shipped_manifest_is_listed_with_what_may_be_learned_from(shell: Shell) -> None:
    by_terms = shell("lab", "corpus", "list", "shipped", "--by", "terms")
    assert by_terms.code == 0
    (others,) = [line for line in by_terms.out.splitlines() if "of other authors" in line]
    assert others.split()[2] == "0", "nothing is learned from them"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("list", "none.csv"), 4, "none.csv cannot be read"),
        (("bring", "shipped", "out"), 2, "nowhere to bring pictures from"),
        (("check", "shipped", "--sheets", "x"), 2, "contact sheets need OUT"),
        (("add", "shipped", ".", *OURS), 2, "the shipped manifest is not written to"),
        (("add", "m.csv", "nowhere", *OURS), 4, "nowhere is no folder"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: tuple[str, ...], code: int, says: str, shell: Shell
) -> None:
    ended = shell("lab", "corpus", *words)
    assert (ended.code, ended.out) == (code, "")
    assert says in ended.err


def test_a_malformed_manifest_is_refused_with_its_line(shell: Shell, mine: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    shell("lab", "corpus", "add", manifest, mine, *OURS)
    manifest.write_text(manifest.read_text().replace("CC0-1.0,288", "CC0-1.0,wide", 1))
    ended = shell("lab", "corpus", "list", manifest)
    assert (ended.code, ended.err) == (
        4, "assay: m.csv, line 2: width is 'wide', no number above zero [assay.detector.manifest]\n",
    )  # fmt: skip
