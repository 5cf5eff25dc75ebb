"""The workflow: a photo becomes a signed file, whole or not at all."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from signer.capture import sign_file, sign_frame
from signer.core.errors import (
    AlreadySigned,
    DeviceUnusable,
    InputRefused,
    KeyUnavailable,
    SignerError,
    SigningFailed,
    SpoolError,
    UnreadableMedia,
    UnsupportedMedia,
)
from signer.device import next_counter
from signer.spool import Spool
from tests.doubles.devices import Camera
from tests.doubles.keys import ScriptedKey
from tests.doubles.photos import photo, sound
from tests.doubles.pki import new_key
from tests.doubles.readers import read_with_c2pa, read_with_encypher
from tests.programs import require_program

ES256 = ec.ECDSA(hashes.SHA256())
MADE = {
    "a.jpg": photo("JPEG"),
    "a.png": photo("PNG"),
    "a.webp": photo("WEBP"),
    "a.tif": photo("TIFF"),
    "a.avif": photo("AVIF"),
    "a.wav": sound(),
}
OF_OTHERS = (
    "sample1.avif", "sample1.heif", "sample1.webp", "test.webp", "test_xmp.webp", "test.tiff",
    "libpng-test.png", "IMG_0003.jpg",
)  # fmt: skip


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(photo())
    return path


def round_trip(camera: Camera, path: Path) -> None:
    """Sign, read with both engines, stamp, read again: trusted by both, equally long, bound to its bytes."""
    done = sign_file(path, camera.identity, spool=camera.spool, key=camera.key)
    signed = path.read_bytes()
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    stamped = path.read_bytes()
    assert [entry.id for entry in run.stamped] == [done.entry.id]
    assert len(stamped) == len(signed)
    for data in (signed, stamped):
        for reading in (
            read_with_c2pa(data, done.media_type, camera.pki),
            read_with_encypher(data, done.media_type, camera.pki),
        ):
            assert (reading.state, reading.failure) == ("Trusted", ())
    ours = read_with_c2pa(stamped, done.media_type, camera.pki)
    theirs = read_with_encypher(stamped, done.media_type, camera.pki)
    assert {"timeStamp.validated", "timeStamp.trusted"} <= set(ours.success)
    assert {"timeStamp.validated", "timeStamp.trusted"} <= {*theirs.success, *theirs.informational}
    assert no_litter(path.parent)


def no_litter(folder: Path) -> bool:
    return not [p for p in folder.rglob("*") if p.name.endswith(".tmp")]


@pytest.mark.parametrize("name", MADE)
def test_every_kind_is_signed_stamped_and_trusted_by_both_readers(
    camera: Camera, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(MADE[name])
    round_trip(camera, tmp_path / name)


@pytest.mark.parametrize("name", OF_OTHERS)
def test_files_of_other_makers_are_signed_too(
    camera: Camera, tmp_path: Path, suites: Path, name: str
) -> None:
    shutil.copy(suites / "c2pa/c2pa-rs-fixtures" / name, tmp_path / name)
    round_trip(camera, tmp_path / name)


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "sound.m4a", "film.avi"])
def test_films_and_sound_are_signed_too(camera: Camera, tmp_path: Path, name: str) -> None:
    program = require_program("ffmpeg")
    source = "sine=d=0.3" if name.startswith("sound") else "testsrc=d=0.4:s=64x64:r=5"
    command = [program, "-loglevel", "error", "-f", "lavfi", "-i", source, str(tmp_path / name)]
    subprocess.run(command, check=True)
    round_trip(camera, tmp_path / name)


def test_the_device_assertion_counts_and_its_nonce_is_fresh(camera: Camera, tmp_path: Path) -> None:
    said = []
    for i in range(3):
        path = tmp_path / f"{i}.jpg"
        path.write_bytes(photo())
        sign_file(path, camera.identity, spool=camera.spool)
        manifest = read_with_c2pa(path.read_bytes(), "image/jpeg", camera.pki).manifest
        said.append(manifest["assertion_store"]["org.assay.device"])
    assert [device["counter"] for device in said] == [1, 2, 3]
    assert {device["device_id"] for device in said} == {"id-of-cam"}
    assert len({device["nonce"] for device in said}) == 3
    assert all(len(bytes.fromhex(device["nonce"])) == 32 for device in said)


def test_the_result_says_what_was_done(camera: Camera, shot: Path) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    done = sign_file(shot, camera.identity, spool=camera.spool, now=noon)
    assert (done.path, done.media_type, done.device_id, done.counter) == (shot, "image/jpeg", "id-of-cam", 1)
    assert done.captured_at == noon
    assert camera.spool.pending() == (done.entry,)


def test_a_file_that_already_carries_a_manifest_is_refused(camera: Camera, shot: Path) -> None:
    sign_file(shot, camera.identity, spool=camera.spool)
    before = shot.read_bytes()
    with pytest.raises(AlreadySigned):
        sign_file(shot, camera.identity, spool=camera.spool)
    assert shot.read_bytes() == before
    assert next_counter(camera.identity.folder) == 2  # a refusal uses up no number


@pytest.mark.parametrize(
    "name", ["C.jpg", "E-sig-CA.jpg", "no_alg.jpg", "prerelease.jpg", "cloud.jpg", "video1.mp4", "legacy.mp4"]
)
def test_manifests_of_others_broken_remote_or_old_are_never_overwritten(
    camera: Camera, tmp_path: Path, suites: Path, name: str
) -> None:
    shutil.copy(suites / "c2pa/c2pa-rs-fixtures" / name, tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(AlreadySigned):
        sign_file(tmp_path / name, camera.identity, spool=camera.spool)
    assert (tmp_path / name).read_bytes() == before


def broken_inputs(folder: Path) -> Iterator[tuple[Path, type[InputRefused]]]:
    (folder / "empty.jpg").touch()
    yield folder / "empty.jpg", UnreadableMedia
    yield folder / "absent.jpg", UnreadableMedia
    (folder / "photo.jpg").write_bytes(photo())
    (folder / "link.jpg").symlink_to(folder / "photo.jpg")
    yield folder / "link.jpg", UnreadableMedia
    (folder / "folder.jpg").mkdir()
    yield folder / "folder.jpg", UnreadableMedia
    os.mkfifo(folder / "pipe.jpg")
    yield folder / "pipe.jpg", UnreadableMedia
    (folder / "text.jpg").write_bytes(b"not a photo")
    yield folder / "text.jpg", UnsupportedMedia
    (folder / "cut.jpg").write_bytes(photo()[:-300])
    yield folder / "cut.jpg", UnreadableMedia
    (folder / "bomb.tiff").write_bytes(b"II*\0\x08\0\0\0" + b"\xff\xff" * 40)
    yield folder / "bomb.tiff", UnreadableMedia
    with (folder / "huge.jpg").open("wb") as f:
        f.write(photo())
        f.truncate(300 << 20)  # sparse
    yield folder / "huge.jpg", UnreadableMedia


def test_bad_input_ends_in_its_typed_error_and_changes_nothing(camera: Camera, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for path, error in broken_inputs(tmp_path / "in"):
        with pytest.raises(error) as caught:
            sign_file(path, camera.identity, spool=camera.spool)
        assert path.name in caught.value.detail
    assert camera.spool.pending() == ()
    assert (tmp_path / "in" / "photo.jpg").read_bytes() == photo()
    assert no_litter(tmp_path)


def test_the_photo_keeps_its_mode_and_its_time(camera: Camera, shot: Path) -> None:
    shot.chmod(0o640)
    os.utime(shot, ns=(10**18, 10**18))
    sign_file(shot, camera.identity, spool=camera.spool)
    status = shot.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o640, 10**18)


def test_stamping_keeps_the_time_too(camera: Camera, shot: Path) -> None:
    os.utime(shot, ns=(10**18, 10**18))
    sign_file(shot, camera.identity, spool=camera.spool)
    camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert shot.stat().st_mtime_ns == 10**18


def test_a_copy_has_the_time_of_its_photo(camera: Camera, shot: Path, tmp_path: Path) -> None:
    os.utime(shot, ns=(10**18, 10**18))
    sign_file(shot, camera.identity, spool=camera.spool, out=tmp_path / "signed.jpg")
    assert (tmp_path / "signed.jpg").stat().st_mtime_ns == 10**18


def test_out_writes_a_new_file_and_leaves_the_photo(camera: Camera, shot: Path, tmp_path: Path) -> None:
    done = sign_file(shot, camera.identity, spool=camera.spool, out=tmp_path / "signed.jpg")
    assert shot.read_bytes() == photo()
    assert done.path == tmp_path / "signed.jpg"
    assert read_with_c2pa(done.path.read_bytes(), "image/jpeg", camera.pki).state == "Trusted"
    assert no_litter(tmp_path)


@pytest.mark.parametrize("taken_by", ["file", "dangling link"])
def test_out_never_overwrites(camera: Camera, shot: Path, tmp_path: Path, taken_by: str) -> None:
    out = tmp_path / "signed.jpg"
    if taken_by == "file":
        out.write_bytes(b"precious")
    else:
        out.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputRefused, match="nothing is overwritten"):
        sign_file(shot, camera.identity, spool=camera.spool, out=out)
    assert out.is_symlink() or out.read_bytes() == b"precious"
    assert not (tmp_path / "elsewhere").exists()


def test_out_in_a_folder_that_is_not_there_fails(camera: Camera, shot: Path, tmp_path: Path) -> None:
    with pytest.raises(SigningFailed):
        sign_file(shot, camera.identity, spool=camera.spool, out=tmp_path / "no" / "x.jpg")
    assert camera.spool.pending() == ()


def test_a_frame_never_lies_on_the_disk_unsigned(camera: Camera, tmp_path: Path) -> None:
    done = sign_frame(photo(), tmp_path / "frame.jpg", camera.identity, spool=camera.spool)
    assert read_with_c2pa(done.path.read_bytes(), "image/jpeg", camera.pki).state == "Trusted"
    with pytest.raises(InputRefused):
        sign_frame(photo(), tmp_path / "frame.jpg", camera.identity, spool=camera.spool)


def test_a_name_that_is_no_text_is_signed(camera: Camera, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    path.write_bytes(photo())
    sign_file(path, camera.identity, spool=camera.spool)
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert [Path(entry.path) for entry in run.stamped] == [path]


def test_a_photo_that_changes_while_it_is_signed_is_not_replaced(camera: Camera, shot: Path) -> None:
    newer = photo(seed=1)

    def save_then_sign(data: bytes) -> bytes:
        shot.write_bytes(newer)
        return camera.key.sign(data, ES256)

    key = ScriptedKey(camera.key, save_then_sign)
    with pytest.raises(UnreadableMedia, match="changed"):
        sign_file(shot, camera.identity, spool=camera.spool, key=key)
    assert shot.read_bytes() == newer
    assert camera.spool.pending() == ()
    assert no_litter(shot.parent)


def test_a_key_that_fails_leaves_the_photo_and_skips_a_number(camera: Camera, shot: Path) -> None:
    def fail(data: bytes) -> bytes:
        raise SigningFailed("the token refused to sign")

    with pytest.raises(SigningFailed, match="token"):
        sign_file(shot, camera.identity, spool=camera.spool, key=ScriptedKey(camera.key, fail))
    assert shot.read_bytes() == photo()
    assert sign_file(shot, camera.identity, spool=camera.spool).counter == 2


def test_a_key_of_another_device_fails(camera: Camera, shot: Path) -> None:
    with pytest.raises(SigningFailed):
        sign_file(shot, camera.identity, spool=camera.spool, key=new_key())
    assert shot.read_bytes() == photo()


def test_a_key_or_counter_or_spool_that_cannot_be_had_leaves_the_photo(
    camera: Camera, shot: Path, tmp_path: Path
) -> None:
    (tmp_path / "occupied").write_bytes(b"")
    cases: tuple[tuple[type[SignerError], Camera], ...] = (
        (
            KeyUnavailable,
            replace(camera, identity=replace(camera.identity, key_uri="file:/no/key?pin=env:X")),
        ),
        (DeviceUnusable, replace(camera, identity=replace(camera.identity, folder=tmp_path / "none"))),
        (SpoolError, replace(camera, spool=Spool(tmp_path / "occupied"))),
    )
    for error, broken in cases:
        key = None if error is KeyUnavailable else camera.key
        with pytest.raises(error):
            sign_file(shot, broken.identity, spool=broken.spool, key=key)
        assert shot.read_bytes() == photo()
        assert no_litter(tmp_path)


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """The disk is full as far as this process can tell: a longer file raises EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("to", ["in place", "out"])
def test_a_disk_that_is_full_half_way_leaves_the_photo_and_no_litter(
    camera: Camera, shot: Path, tmp_path: Path, to: str
) -> None:
    out = tmp_path / "out.jpg" if to == "out" else None
    with file_size_limit(8000), pytest.raises(SigningFailed):
        sign_file(shot, camera.identity, spool=camera.spool, key=camera.key, out=out)
    assert shot.read_bytes() == photo()
    assert not (tmp_path / "out.jpg").exists()
    assert camera.spool.pending() == ()
    assert no_litter(tmp_path)


def test_two_processes_signing_one_photo_sign_it_once(camera: Camera, shot: Path) -> None:
    def meanwhile_another_tries(data: bytes) -> bytes:
        with pytest.raises(UnreadableMedia, match="another process"):
            sign_file(shot, camera.identity, spool=camera.spool, key=camera.key)
        return camera.key.sign(data, ES256)

    key = ScriptedKey(camera.key, meanwhile_another_tries)
    sign_file(shot, camera.identity, spool=camera.spool, key=key)
    assert len(camera.spool.pending()) == 1
    assert len(camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped) == 1


@pytest.mark.parametrize("name", [name for name in MADE if name != "a.wav"])
def test_signing_and_stamping_change_no_pixel(camera: Camera, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(MADE[name])
    before = Image.open(tmp_path / name).convert("RGB").tobytes()
    sign_file(tmp_path / name, camera.identity, spool=camera.spool)
    camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    assert Image.open(tmp_path / name).convert("RGB").tobytes() == before


def test_the_second_picture_of_a_phone_photo_is_still_found(camera: Camera, tmp_path: Path) -> None:
    """Its offset (MPF, CIPA DC-007) counts from a marker behind the manifest, so it stays right."""
    first, second = (Image.open(io.BytesIO(photo(seed=seed))) for seed in (1, 2))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    with Image.open(tmp_path / "a.jpg") as unsigned:
        unsigned.seek(1)
        expected = unsigned.tobytes()
    sign_file(tmp_path / "a.jpg", camera.identity, spool=camera.spool)
    with Image.open(tmp_path / "a.jpg") as signed:
        signed.seek(1)
        assert signed.tobytes() == expected
