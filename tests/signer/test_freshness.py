"""A capture commits to the newest checkpoint that its device knows, and to nothing where it knows none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from signer.capture import sign_file
from signer.client import Client
from signer.freshness import MAX_NOTE_BYTES, newest_checkpoint, nonce_of, remember_checkpoint
from tests.doubles.devices import enrolled_camera
from tests.doubles.http_server import Answer, Asked, serving
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.readers import read_with_c2pa

NOTE = "log.example/1\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 log.example/1 AAAA\n"


def device_assertion(tmp_path: Path, note: str) -> dict[str, object]:
    pki = TestPki()
    camera = enrolled_camera(tmp_path, pki)
    remember_checkpoint(camera.identity.folder, note)
    file = tmp_path / "a.jpg"
    file.write_bytes(photo())
    sign_file(file, camera.identity, spool=camera.spool)
    reading = read_with_c2pa(file.read_bytes(), "image/jpeg", pki)
    assert reading.state == "Trusted"
    data = reading.manifest["assertion_store"]["org.assay.device"]
    assert isinstance(data, dict)
    return data


def test_a_capture_carries_the_checkpoint_and_its_digest_as_nonce(tmp_path: Path) -> None:
    data = device_assertion(tmp_path, NOTE)
    assert data["checkpoint"] == NOTE
    assert data["nonce"] == hashlib.sha256(NOTE.encode()).hexdigest()


def test_without_a_checkpoint_the_nonce_is_random(tmp_path: Path) -> None:
    data = device_assertion(tmp_path, "")
    assert "checkpoint" not in data
    assert len(str(data["nonce"])) == 64
    assert nonce_of("") != nonce_of("")


def test_a_note_that_is_too_long_for_a_claim_is_not_kept(tmp_path: Path) -> None:
    assert remember_checkpoint(tmp_path, NOTE)
    assert not remember_checkpoint(tmp_path, "x" * (MAX_NOTE_BYTES + 1))
    assert newest_checkpoint(tmp_path) == NOTE


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", bytes(MAX_NOTE_BYTES + 1)])
def test_a_damaged_note_stops_no_capture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint").write_bytes(content)
    assert newest_checkpoint(tmp_path) == ""


def test_the_newest_checkpoint_is_fetched_from_the_service() -> None:
    def answer(asked: Asked) -> Answer:
        assert asked.path == "/log/checkpoint"
        return Answer(body=NOTE.encode())

    with serving(answer) as url:
        assert Client().checkpoint(f"{url}/log/checkpoint") == NOTE


def test_a_service_without_a_log_is_no_error() -> None:
    assert Client(timeout_s=1).checkpoint("http://127.0.0.1:1/log/checkpoint") == ""
