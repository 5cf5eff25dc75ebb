"""SIGKILL at random moments of signing and stamping: nothing is half, nothing is lost, nothing is left."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signer.capture import sign_file
from signer.core.errors import AlreadySigned
from signer.device import next_counter
from signer.proof.container import read_manifest
from signer.staple import has_token
from tests.conftest import ROOT
from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of
from tests.doubles.readers import read_with_c2pa

pytestmark = pytest.mark.timeless

ROUNDS = 30
PHOTOS_PER_ROUND = 6


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    return enrolled_camera(tmp_path / "home", TestPki())


def start(camera: Camera, photos: Path, tsa: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.faults.killed_signer", str(camera.home), str(photos), str(tsa)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def first_lines(process: subprocess.Popen[bytes], count: int) -> bytes:
    """However slow the machine is, something was done before the kill."""
    assert process.stdout is not None
    return b"".join(process.stdout.readline() for _ in range(count))


def write_authority(camera: Camera, path: Path) -> Path:
    key = camera.authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key + pem_of(camera.authority.certificate))
    return path


@pytest.mark.slow
def test_killed_at_any_moment_every_photo_is_whole_and_nothing_is_lost(
    camera: Camera, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    tsa = write_authority(camera, tmp_path / "tsa.pem")
    photos = tmp_path / "photos"
    photos.mkdir()
    original = photo("PNG", 320, 240)
    moments = random.Random(2026)
    numbers: list[int] = []
    for i in range(ROUNDS):
        for j in range(PHOTOS_PER_ROUND):
            (photos / f"{i:02}-{j}.png").write_bytes(original)
        killed = [start(camera, photos, tsa) for _ in range(1 + i % 2)]
        told = [first_lines(killed[0], moments.randrange(1, PHOTOS_PER_ROUND))]
        time.sleep(moments.uniform(0.0, 0.02))
        for process in killed:
            process.kill()
        for process in killed:
            said, complained = process.communicate()
            assert complained == b""
            told.append(said)
        numbers += [
            int(line.split()[1]) for said in told for line in said.splitlines() if line.startswith(b"signed ")
        ]

    waiting = {Path(entry.path).name for entry in camera.spool.pending()}
    run = camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots)
    record_property("acknowledged", len(numbers))
    assert run.waiting == run.aside == camera.spool.aside() == ()
    assert len(waiting | {Path(e.path).name for e in run.stamped}) == len(run.stamped)
    assert len(set(numbers)) == len(numbers) > ROUNDS  # no number twice, and it really worked in between
    assert next_counter(camera.identity.folder) > max(numbers)
    assert [p for p in tmp_path.rglob("*") if p.name.endswith(".tmp")] == []

    untouched = 0
    for path in sorted(photos.iterdir()):
        data = path.read_bytes()
        if data == original:
            untouched += 1
            continue
        assert has_token(data, "image/png"), path.name
        reading = read_with_c2pa(data, "image/png", camera.pki)
        assert (reading.state, reading.failure) == ("Trusted", ()), path.name
    assert untouched < ROUNDS * PHOTOS_PER_ROUND
    for path in sorted(photos.iterdir()):  # and what was not signed can still be signed
        if read_manifest(path.read_bytes(), "image/png") is None:
            sign_file(path, camera.identity, spool=camera.spool, key=camera.key)
        else:
            with pytest.raises(AlreadySigned):
                sign_file(path, camera.identity, spool=camera.spool, key=camera.key)
