"""``assay capture --burst`` and ``assay burst``: photos that are signed as one set, and how they move."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from signer.claim import BURST_ASSERTION, MOST_IN_BURST
from tests.detector.made import encoded
from tests.doubles.bursts import frame
from tests.doubles.commands import Shell
from tests.doubles.devices import enrolled_camera
from tests.doubles.pki import TestPki
from tests.doubles.readers import read_with_c2pa

FLAT = [encoded(frame(moved=(x, 0.0, 0.0)), quality=88) for x in (0.0, 0.12, 0.24)]
DEEP = [encoded(frame(moved=(x, 0.0, 0.0), near=0.6), quality=88) for x in (0.0, 0.08)]


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def shot(shell: Shell, pki: TestPki, frames: list[bytes], name: str) -> Path:
    """The folder of a set that was signed; what was said of it lies beside it."""
    if not (shell.home / "devices").exists():
        enrolled_camera(shell.home, pki)
    photos = []
    for i, data in enumerate(frames):
        photos.append(shell.cwd / f"{name}-{i}.jpg")
        photos[-1].write_bytes(data)
    ended = shell("capture", *photos, "--burst", len(photos), "--out", name, "--no-stamp")
    assert ended.code == 0, ended.said
    (shell.cwd / f"{name}.txt").write_text(ended.out)
    assert [p.read_bytes() for p in photos] == frames
    return shell.cwd / name


def test_a_flat_thing_from_two_places_points_to_a_recapture_and_the_set_is_whole(
    shell: Shell, pki: TestPki
) -> None:
    folder = shot(shell, pki, FLAT, "flat")
    assert "points to a photo of a screen or print: one flat thing" in (shell.cwd / "flat.txt").read_text()
    again = shell("burst", folder / "2.jpg", folder / "1.jpg", folder / "3.jpg")
    assert again.code == 0, again.said
    assert "3 photos, signed as one set" in again.out
    assert "points to a photo of a screen or print" in again.out


def test_one_flat_pair_decides_no_set(shell: Shell, pki: TestPki) -> None:
    folder = shot(shell, pki, FLAT[:2], "pair")
    ended = shell("burst", folder / "1.jpg", folder / "2.jpg")
    assert (ended.code, "undecided: some pairs of the photos move" in ended.out) == (0, True), ended.said


def test_depth_is_undecided_and_a_set_that_is_not_whole_is_none(shell: Shell, pki: TestPki) -> None:
    deep, flat = shot(shell, pki, DEEP, "deep"), shot(shell, pki, FLAT, "flat")
    whole = shell("burst", deep / "1.jpg", deep / "2.jpg")
    assert (whole.code, "undecided: near and far" in whole.out) == (0, True), whole.said
    for photos, why in (
        ((deep / "1.jpg",), "2 photos were signed in this set"),
        ((deep / "1.jpg", flat / "2.jpg"), "different sets"),
        ((deep / "1.jpg", deep / "1.jpg"), "not just these"),
        ((deep / "1.jpg", shell.cwd / "deep-1.jpg"), "not signed as one of a set"),
    ):
        ended = shell("burst", *photos)
        assert (ended.code, why in ended.out) == (1, True), ended.said


def test_each_names_all_by_the_digests_that_their_bindings_hold(shell: Shell, pki: TestPki) -> None:
    folder = shot(shell, pki, FLAT, "flat")
    for i in range(3):
        shown = read_with_c2pa((folder / f"{i + 1}.jpg").read_bytes(), "image/jpeg", pki).manifest
        assert BURST_ASSERTION in json.dumps(shown)
        assert all(sha256(f).hexdigest() in json.dumps(shown) for f in FLAT)
    report = json.loads(shell("verify", "--json", "--no-heuristics", folder / "1.jpg").out)
    said = [c["statement"] for c in report["cryptographic"]["claims"] if c["label"] == "burst"]
    assert said == ["photo 1 of 3 that were signed as a set"]


def test_what_is_no_burst_is_refused_and_nothing_is_signed(shell: Shell, pki: TestPki) -> None:
    enrolled_camera(shell.home, pki)
    for name, data in (("a.jpg", FLAT[0]), ("b.jpg", FLAT[0]), ("c.png", encoded(frame(), "PNG"))):
        (shell.cwd / name).write_bytes(data)
    for photos, count, why in (
        (("a.jpg",), 2, "say --burst 1"),
        (("a.jpg", "b.jpg"), 2, "are the same"),
        (("a.jpg", "c.png"), 2, "JPEG photos"),
    ):
        ended = shell("capture", *photos, "--burst", count, "--out", "set", "--no-stamp")
        assert ended.code != 0
        assert why in ended.said
        assert not (shell.cwd / "set").exists()
    assert not list((shell.home / "spool").glob("*.json"))


def test_a_photo_that_was_changed_or_signed_before_is_in_no_set_and_nothing_is_left(
    shell: Shell, pki: TestPki
) -> None:
    folder = shot(shell, pki, FLAT, "flat")
    whole = (folder / "2.jpg").read_bytes()
    changed = shell.cwd / "changed.jpg"
    changed.write_bytes(whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:])
    ended = shell("burst", folder / "1.jpg", changed, folder / "3.jpg")
    assert (ended.code, "changed.jpg: the bytes are not those that were signed" in ended.out) == (1, True)
    before = sorted(p.name for p in shell.cwd.iterdir())
    waiting = len(list((shell.home / "spool" / "pending").iterdir()))
    photos = shell.cwd / "flat-0.jpg", folder / "2.jpg"
    ended = shell("capture", *photos, "--burst", 2, "--out", "again", "--no-stamp")
    assert ended.code != 0
    assert "carries a manifest already" in ended.said
    assert sorted(p.name for p in shell.cwd.iterdir()) == before
    assert len(list((shell.home / "spool" / "pending").iterdir())) == waiting
    assert not list((shell.home / "spool" / "intent").iterdir())


def test_more_photos_than_a_set_has_are_refused(shell: Shell) -> None:
    ended = shell("burst", *["a.jpg"] * (MOST_IN_BURST + 1))
    assert (ended.code, "at most 8" in ended.said) == (2, True), ended.said
