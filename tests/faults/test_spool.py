"""Faults around the spool: authorities that fail, files that move, processes that die at each step."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signer.burst import sign_burst
from signer.capture import SignedCapture, sign_file
from signer.core.errors import (
    ServiceUnavailable,
    SignerError,
    SpoolError,
    TimestampRejected,
    TimestampUnavailable,
)
from signer.proof.timestamp import build_request
from signer.spool import Entry, Spool, new_entry
from signer.staple import bytes_to_stamp, has_token
from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.interrupts import every_line
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, now


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture
def camera(tmp_path: Path, pki: TestPki) -> Camera:
    return enrolled_camera(tmp_path / "home", pki)


def shoot(camera: Camera, path: Path) -> SignedCapture:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(photo())
    return sign_file(path, camera.identity, spool=camera.spool, key=camera.key)


def refuse(error: SignerError) -> Callable[[bytes], bytes]:
    def fetch(request: bytes) -> bytes:
        raise error

    return fetch


def states(spool: Spool) -> dict[str, int]:
    return {state: len(list((spool.folder / state).glob("*"))) for state in ("intent", "pending", "aside")}


def litter(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.name.endswith(".tmp")]


def test_a_stamped_photo_leaves_the_spool(camera: Camera, tmp_path: Path) -> None:
    done = shoot(camera, tmp_path / "a.jpg")
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert run.stamped == (done.entry,)
    assert states(camera.spool) == {"intent": 0, "pending": 0, "aside": 0}
    assert has_token((tmp_path / "a.jpg").read_bytes(), "image/jpeg")


def test_an_empty_spool_is_no_error_and_asks_nobody(tmp_path: Path) -> None:
    run = Spool(tmp_path / "never made").stamp_all(refuse(TimestampUnavailable("asked")), ())
    assert (run.stamped, run.waiting, run.aside) == ((), (), ())


WRITING = ("signer/spool.py", "signer/core/durable.py")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that a dying process closes
def test_ctrl_c_at_any_line_of_making_an_entry_leaves_no_temporary_file(tmp_path: Path) -> None:
    entry = Entry(
        id="one", path=str(tmp_path / "a.jpg"), media_type="image/jpeg", imprint="00", device_id="d"
    )
    for line, _ in every_line(lambda line: Spool(tmp_path / str(line)).add(entry), *WRITING):
        assert not litter(tmp_path / str(line)), f"line {line}"
    assert line > 20
    assert states(Spool(tmp_path / str(line)))["pending"] == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that a dying process closes
def test_ctrl_c_at_any_line_around_a_photo_that_is_replaced_leaves_it_pending_or_untouched(
    camera: Camera, tmp_path: Path
) -> None:
    signed = Path(shoot(camera, tmp_path / "signed.jpg").path).read_bytes()
    path, seen = tmp_path / "a.jpg", set()

    def replace_announced(line: int) -> None:
        path.write_bytes(b"as it was")
        entry = entries[line] = entry_for(camera, path, signed)
        with Spool(tmp_path / str(line)).announced(entry):
            entry.temporary.write_bytes(signed)
            entry.temporary.replace(path)

    entries: dict[int, Entry] = {}
    for line, _ in every_line(replace_announced, *WRITING):
        replaced = path.read_bytes() == signed
        assert Spool(tmp_path / str(line)).pending() == ((entries[line],) if replaced else ()), f"line {line}"
        assert not litter(tmp_path), f"line {line}"
        seen.add(replaced)
    assert line > 20
    assert seen == {True, False}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that a dying process closes
def test_ctrl_c_at_any_line_of_a_burst_leaves_all_of_it_pending_or_nothing(
    camera: Camera, tmp_path: Path
) -> None:
    frames, seen = (photo(seed=1), photo(seed=2)), set()

    def shoot_burst(line: int) -> None:
        folder, spool = tmp_path / str(line) / "set", Spool(tmp_path / f"{line}.spool")
        sign_burst(frames, folder, camera.identity, spool=spool, key=camera.key)

    within = ("signer/burst.py", "signer/spool.py:announced", "signer/spool.py:_move")
    for line, _ in every_line(shoot_burst, *within):
        folder, spool = tmp_path / str(line) / "set", Spool(tmp_path / f"{line}.spool")
        found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        assert found in ([], ["1.jpg", "2.jpg"]), f"line {line}"
        assert len(spool.pending()) == len(found), f"line {line}"
        assert states(spool)["intent"] == 0, f"line {line}"
        assert not litter(tmp_path), f"line {line}"
        seen.add(len(found))
    assert seen == {0, 2}


@pytest.mark.parametrize("error", [TimestampUnavailable("no route"), ServiceUnavailable("no route")])
def test_an_unreachable_authority_keeps_everything_waiting_and_is_asked_once(
    camera: Camera, tmp_path: Path, error: SignerError
) -> None:
    for i in range(3):
        shoot(camera, tmp_path / f"{i}.jpg")
    asked = []

    def fetch(request: bytes) -> bytes:
        asked.append(request)
        raise error

    run = camera.spool.stamp_all(fetch, camera.pki.tsa_roots)
    assert len(asked) == 1
    assert [entry.reason for entry in run.waiting] == ["no route"] * 3
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped) == 3


def test_a_rejection_of_one_does_not_keep_the_others_waiting(camera: Camera, tmp_path: Path) -> None:
    for i in range(3):
        shoot(camera, tmp_path / f"{i}.jpg")
    answers = iter((camera.stamp, refuse(TimestampRejected("not now")), camera.stamp))
    run = camera.spool.stamp_all(lambda request: next(answers)(request), camera.pki.tsa_roots)
    assert len(run.stamped) == 2
    assert [(Path(e.path).name, e.reason) for e in run.waiting] == [("1.jpg", "not now")]


def wrong_answers(camera: Camera) -> dict[str, Callable[[bytes], bytes]]:
    clock_off = enrolled_camera(camera.home, camera.pki, "other").authority
    rejecting = type(clock_off)(clock_off.certificate, clock_off.key, clock_synchronised=lambda: False)
    return {
        "rejection": rejecting.respond,
        "rubbish": lambda request: b"rubbish",
        "nothing": lambda request: b"",
        "token for another photo": lambda request: camera.stamp(build_request(b"another", 5)),
        "replay for another nonce": lambda r: camera.stamp(r[:-4] + bytes([r[-4] ^ 1]) + r[-3:]),
        "authority under another root": enrolled_camera(camera.home, TestPki("Rogue"), "rogue").stamp,
    }


@pytest.mark.parametrize(
    "case",
    ["rejection", "rubbish", "nothing", "token for another photo", "replay for another nonce",
     "authority under another root"],
)  # fmt: skip
def test_a_wrong_answer_is_never_stapled(camera: Camera, tmp_path: Path, case: str) -> None:
    shoot(camera, tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    run = camera.spool.stamp_all(wrong_answers(camera)[case], camera.pki.tsa_roots)
    assert len(run.waiting) == 1
    assert run.waiting[0].reason
    assert (tmp_path / "a.jpg").read_bytes() == before
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped) == 1


def test_without_roots_nothing_is_stapled_because_nobody_could_verify_it(
    camera: Camera, tmp_path: Path
) -> None:
    shoot(camera, tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    run = camera.spool.stamp_all(camera.stamp, ())
    assert [("roots" in entry.reason) for entry in run.waiting] == [True]
    assert (tmp_path / "a.jpg").read_bytes() == before
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped) == 1


def change_pixels(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def change_claim(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"digitalCapture", b"digitalcapture"))


def replace_by_link(path: Path) -> None:
    path.rename(path.with_name("moved.jpg"))
    path.symlink_to("moved.jpg")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p.unlink(), "gone"),
        (lambda p: p.rename(p.with_name("moved.jpg")), "gone"),
        (lambda p: p.write_bytes(photo()), "modified"),
        (lambda p: p.write_bytes(b""), "no photo"),
        (lambda p: p.write_bytes(p.read_bytes()[:3000]), "modified"),
        (change_pixels, r"modified.*dataHash\.mismatch"),
        (change_claim, r"modified.*hashedURI\.mismatch"),
        (replace_by_link, "no photo"),
    ],
    ids=["deleted", "moved", "stripped", "emptied", "truncated", "pixels", "claim", "link"],
)
def test_a_photo_that_changed_is_kept_aside_with_the_reason_and_not_stamped(
    camera: Camera, tmp_path: Path, change: Callable[[Path], None], says: str
) -> None:
    done = shoot(camera, tmp_path / "a.jpg")
    change(tmp_path / "a.jpg")
    run = camera.spool.stamp_all(refuse(TimestampUnavailable("was asked")), camera.pki.tsa_roots)
    assert [entry.id for entry in run.aside] == [done.entry.id]
    assert camera.spool.aside() == run.aside
    assert states(camera.spool) == {"intent": 0, "pending": 0, "aside": 1}
    assert re.search(says, run.aside[0].reason)
    assert camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).aside == ()  # reported once


def test_another_signature_in_the_same_place_is_not_taken_for_the_first(
    camera: Camera, tmp_path: Path
) -> None:
    first = shoot(camera, tmp_path / "a.jpg")
    second = shoot(camera, tmp_path / "a.jpg")
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert [entry.id for entry in run.aside] == [first.entry.id]
    assert [entry.id for entry in run.stamped] == [second.entry.id]


def test_a_folder_that_is_away_keeps_waiting(camera: Camera, tmp_path: Path) -> None:
    shoot(camera, tmp_path / "card" / "a.jpg")
    (tmp_path / "card").rename(tmp_path / "unplugged")
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert "not there" in run.waiting[0].reason
    (tmp_path / "unplugged").rename(tmp_path / "card")
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped) == 1


def test_a_photo_edited_while_its_stamp_is_fetched_is_not_overwritten(camera: Camera, tmp_path: Path) -> None:
    shoot(camera, tmp_path / "a.jpg")

    def fetch(request: bytes) -> bytes:
        (tmp_path / "a.jpg").write_bytes(photo(seed=2))
        return camera.stamp(request)

    run = camera.spool.stamp_all(fetch, camera.pki.tsa_roots)
    assert "changed" in run.waiting[0].reason
    assert (tmp_path / "a.jpg").read_bytes() == photo(seed=2)
    assert litter(tmp_path) == []


def test_a_photo_stamped_by_a_process_that_died_right_after_is_not_stamped_twice(
    camera: Camera, tmp_path: Path
) -> None:
    done = shoot(camera, tmp_path / "a.jpg")
    file = camera.spool.folder / "pending" / f"{done.entry.id}.json"
    kept = file.read_bytes()
    camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    stamped = (tmp_path / "a.jpg").read_bytes()
    file.write_bytes(kept)  # as if the entry had not been dropped any more
    run = camera.spool.stamp_all(refuse(TimestampUnavailable("was asked")), ())
    assert len(run.stamped) == 1
    assert (tmp_path / "a.jpg").read_bytes() == stamped


def test_an_entry_that_another_process_works_on_is_left_to_it(camera: Camera, tmp_path: Path) -> None:
    done = shoot(camera, tmp_path / "a.jpg")
    with (camera.spool.folder / "pending" / f"{done.entry.id}.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
        assert (run.stamped, run.waiting, run.aside) == ((), (), ())
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped) == 1


def test_two_runs_at_once_stamp_each_photo_once(camera: Camera, tmp_path: Path) -> None:
    for i in range(4):
        shoot(camera, tmp_path / f"{i}.jpg")
    inner = []

    def fetch(request: bytes) -> bytes:
        if not inner:
            inner.append(Spool(camera.spool.folder).stamp_all(camera.stamp, camera.pki.tsa_roots))
        return camera.stamp(request)

    outer = camera.spool.stamp_all(fetch, camera.pki.tsa_roots)
    assert len(inner[0].stamped) == 3
    assert len(outer.stamped) == 1


def test_only_the_captures_of_the_asked_device_are_stamped(camera: Camera, tmp_path: Path) -> None:
    shoot(camera, tmp_path / "a.jpg")
    assert camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots, device_id="another").stamped == ()
    assert camera.spool.pending("another") == ()
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots, device_id="id-of-cam").stamped) == 1


def test_a_signed_photo_found_elsewhere_is_added_once_and_stamped(camera: Camera, tmp_path: Path) -> None:
    shoot(camera, tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
    for _ in range(2):
        camera.spool.add(entry_for(camera, tmp_path / "b.jpg", (tmp_path / "b.jpg").read_bytes()))
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert [Path(entry.path).name for entry in run.stamped] == ["b.jpg"]
    assert [Path(entry.path).name for entry in run.aside] == ["a.jpg"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\xff", b'{"version": 1}', b'{"version": 1, "id": 5}', b'{"version": 1, "id": "0"}',
     b'{"version": 1, "id": "../0", "path": "/a", "media_type": "", "imprint": "", "device_id": ""}'],
    ids=["empty", "list", "binary", "no fields", "number", "half", "another name"],
)  # fmt: skip
@pytest.mark.parametrize("state", ["intent", "pending"])
def test_a_damaged_entry_is_kept_aside_and_stops_nobody(
    camera: Camera, tmp_path: Path, content: bytes, state: str
) -> None:
    shoot(camera, tmp_path / "a.jpg")
    (camera.spool.folder / state / "0.json").write_bytes(content)
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped) == 1
    assert [path.read_bytes() for path in camera.spool.damaged()] == [content]
    assert camera.spool.aside() == ()


def test_an_entry_of_a_later_version_is_left_where_it_is(camera: Camera, tmp_path: Path) -> None:
    shoot(camera, tmp_path / "a.jpg")
    (camera.spool.folder / "pending" / "0.json").write_bytes(b'{"version": 9}')
    with pytest.raises(SpoolError, match="version 9"):
        camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert (camera.spool.folder / "pending" / "0.json").exists()


def entry_for(camera: Camera, path: Path, signed: bytes) -> Entry:
    return new_entry(
        path=path,
        media_type="image/jpeg",
        signed=signed,
        device_id=camera.identity.device_id,
        now=datetime.now(UTC) + timedelta(seconds=1),
    )


def dead_signer(camera: Camera, path: Path, step: int) -> Entry:
    """The disk as a signer leaves it that was killed after ``step`` (numbers of signer/spool.py)."""
    path.write_bytes(photo())
    elsewhere = path.with_name("elsewhere.jpg")
    shoot(camera, elsewhere)
    signed = elsewhere.read_bytes()
    camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    elsewhere.unlink()
    entry = entry_for(camera, path, signed)
    intent = camera.spool.folder / "intent" / f"{entry.id}.json"
    if step >= 2:
        intent.write_text(json.dumps({"version": 1} | {f: getattr(entry, f) for f in Entry.__slots__}))
    if step == 3:
        entry.temporary.write_bytes(signed[:5000])
    if step >= 4:
        path.write_bytes(signed)
    if step == 5:
        intent.rename(camera.spool.folder / "pending" / f"{entry.id}.json")
    return entry


@pytest.mark.parametrize(("step", "signed"), [(1, False), (2, False), (3, False), (4, True), (5, True)])
def test_after_a_death_at_each_step_the_photo_is_whole_and_stamped_or_untouched(
    camera: Camera, tmp_path: Path, step: int, signed: bool
) -> None:
    path = tmp_path / "a.jpg"
    dead_signer(camera, path, step)
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert len(run.stamped) == int(signed)
    assert run.aside == run.waiting == ()
    assert states(camera.spool) == {"intent": 0, "pending": 0, "aside": 0}
    assert litter(tmp_path) == []
    if signed:
        assert has_token(path.read_bytes(), "image/jpeg")
        assert bytes_to_stamp(path.read_bytes(), "image/jpeg")
    else:
        assert path.read_bytes() == photo()
        sign_file(path, camera.identity, spool=camera.spool, key=camera.key)


def test_recovery_leaves_a_living_signer_alone(camera: Camera, tmp_path: Path) -> None:
    entry = dead_signer(camera, tmp_path / "a.jpg", 3)
    with (camera.spool.folder / "intent" / f"{entry.id}.json").open("rb") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        camera.spool.recover()
        assert entry.temporary.exists()
        assert states(camera.spool)["intent"] == 1
    camera.spool.recover()
    assert not entry.temporary.exists()
    assert states(camera.spool)["intent"] == 0


def test_what_a_dead_stamper_left_beside_the_photo_is_removed(camera: Camera, tmp_path: Path) -> None:
    done = shoot(camera, tmp_path / "a.jpg")
    done.entry.temporary.write_bytes(b"half a photo")
    camera.spool.recover()
    assert litter(tmp_path) == []
    assert camera.spool.pending() == (done.entry,)


def test_an_exception_in_the_middle_leaves_neither_entry_nor_litter(camera: Camera, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    signed = tmp_path / "b.jpg"
    shoot(camera, signed)
    camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    entry = entry_for(camera, tmp_path / "a.jpg", signed.read_bytes())
    with pytest.raises(KeyboardInterrupt), camera.spool.announced(entry):
        entry.temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert states(camera.spool) == {"intent": 0, "pending": 0, "aside": 0}
    assert litter(tmp_path) == []


def test_an_exception_after_the_photo_was_replaced_still_leaves_it_pending(
    camera: Camera, tmp_path: Path
) -> None:
    shoot(camera, tmp_path / "a.jpg")
    camera.spool.stamp_all(refuse(TimestampUnavailable("later")), ())
    entry = entry_for(camera, tmp_path / "b.jpg", (tmp_path / "a.jpg").read_bytes())
    with pytest.raises(KeyboardInterrupt), camera.spool.announced(entry):
        (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
        raise KeyboardInterrupt
    assert entry in camera.spool.pending()


def test_a_spool_that_cannot_be_written_is_a_spool_error(camera: Camera, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_bytes(b"")
    with pytest.raises(SpoolError):
        Spool(tmp_path / "occupied").recover()
    with pytest.raises(SpoolError):
        Spool(tmp_path / "occupied" / "below").stamp_all(camera.stamp, camera.pki.tsa_roots)


def test_entries_are_readable_by_the_owner_alone(camera: Camera, tmp_path: Path) -> None:
    shoot(camera, tmp_path / "a.jpg")
    for path in camera.spool.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_photo_whose_certificate_ended_before_the_stamp_is_stamped_all_the_same(
    camera: Camera, tmp_path: Path
) -> None:
    """Whether that helps is for the verifier to say; the token proves when, not who."""
    brief = camera.pki.leaf(public_key=camera.key.public_key(), not_after=now() + timedelta(hours=1))
    (tmp_path / "a.jpg").write_bytes(photo())
    identity = replace(camera.identity, chain_pem=brief.chain_pem)
    sign_file(tmp_path / "a.jpg", identity, spool=camera.spool, key=camera.key)
    later = replace(camera.authority, clock=lambda: now() + timedelta(hours=2))
    assert len(camera.spool.stamp_all(later.respond, camera.pki.tsa_roots).stamped) == 1
