"""The device's folder: the record, the choice among several, and a counter that never goes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signer.core.errors import DeviceUnusable
from signer.device import choose_identity, enrolled_names, next_counter, open_identity
from signer.proof.certificates import read_foreign
from tests.conftest import ROOT
from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.pki import Issued, TestPki, issue, name, new_key
from tests.doubles.spellings import relabelled, respelt

COUNTING = """
import sys
from pathlib import Path
from signer.device import next_counter

while True:
    print(next_counter(Path(sys.argv[1])), flush=True)
"""


def test_a_saved_device_is_opened_as_it_was(camera: Camera, pki: TestPki) -> None:
    again = open_identity(camera.identity.folder)
    assert again == camera.identity
    assert again.tsa_roots == pki.tsa_roots
    assert again.service_url == again.tsa_url == ""


def test_roots_for_the_time_are_taken_as_they_were_issued(camera: Camera, pki: TestPki) -> None:
    """One with an underscore in a PrintableString, which a strict reader refuses."""
    text = "Time_Root_2026"
    key = new_key()
    plain = issue(name(text), key.public_key(), issuer=None, issuer_key=key, ca=True)
    odd = read_foreign(respelt(plain, Issued(certificate=plain, key=key), relabelled(text)))
    folder = camera.identity.folder
    (folder / "tsa-roots.pem").write_bytes(odd.public_bytes(Encoding.PEM))
    assert open_identity(folder).tsa_roots == (odd,)


def test_the_record_is_plain_and_holds_no_secret(camera: Camera) -> None:
    record = json.loads((camera.identity.folder / "device.json").read_text())
    assert set(record) == {"version", "device_id", "name", "key_uri", "service_url", "tsa_url"}
    assert (camera.identity.folder / "key.pin").read_text().strip() not in json.dumps(record)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '"x"', "{}", '{"version": 1}', '{"version": 2, "device_id": "d"}'],
)
def test_a_damaged_record_is_unusable(camera: Camera, content: str) -> None:
    (camera.identity.folder / "device.json").write_text(content)
    with pytest.raises(DeviceUnusable):
        open_identity(camera.identity.folder)


def test_a_record_of_a_later_version_is_not_guessed_at(camera: Camera) -> None:
    record = json.loads((camera.identity.folder / "device.json").read_text())
    (camera.identity.folder / "device.json").write_text(json.dumps(record | {"version": 2}))
    with pytest.raises(DeviceUnusable, match="version 1"):
        open_identity(camera.identity.folder)


def test_a_missing_chain_is_unusable(camera: Camera) -> None:
    (camera.identity.folder / "chain.pem").unlink()
    with pytest.raises(DeviceUnusable, match=r"chain\.pem"):
        open_identity(camera.identity.folder)


def test_the_only_device_needs_no_name(camera: Camera) -> None:
    assert choose_identity(camera.home / "devices", None) == camera.identity


def test_without_a_device_the_error_says_how_to_enrol(tmp_path: Path) -> None:
    assert enrolled_names(tmp_path / "devices") == ()
    with pytest.raises(DeviceUnusable, match="assay device enrol"):
        choose_identity(tmp_path / "devices", None)


def test_among_several_devices_the_error_names_them(camera: Camera, pki: TestPki) -> None:
    other = enrolled_camera(camera.home, pki, "second").identity
    with pytest.raises(DeviceUnusable, match="cam, second"):
        choose_identity(camera.home / "devices", None)
    assert choose_identity(camera.home / "devices", "second") == other


@pytest.mark.parametrize("name", ["nobody", "..", "../devices/cam", "cam/", ""])
def test_only_the_name_of_an_enrolled_device_chooses_it(camera: Camera, name: str) -> None:
    with pytest.raises(DeviceUnusable, match="no device"):
        choose_identity(camera.home / "devices", name)


def test_the_counter_starts_at_one_and_goes_on_after_enrolling_again(camera: Camera, pki: TestPki) -> None:
    assert [next_counter(camera.identity.folder) for _ in range(3)] == [1, 2, 3]
    (camera.identity.folder / "key.pem").unlink()
    again = enrolled_camera(camera.home, pki).identity
    assert next_counter(again.folder) == 4


@pytest.mark.parametrize(
    "damage",
    [b"", b"5\n", b"00000000000000000005 0000000000000000\n", b"\xff" * 40, b"-1 x\n"],
    ids=["empty", "edited", "torn", "rubbish", "negative"],
)
def test_a_damaged_counter_stops_the_device_rather_than_count_twice(camera: Camera, damage: bytes) -> None:
    next_counter(camera.identity.folder)
    (camera.identity.folder / "counter").write_bytes(damage)
    with pytest.raises(DeviceUnusable, match="damaged"):
        next_counter(camera.identity.folder)


def test_a_deleted_counter_does_not_start_again(camera: Camera) -> None:
    (camera.identity.folder / "counter").unlink()
    with pytest.raises(DeviceUnusable, match="enrol again"):
        next_counter(camera.identity.folder)


def test_a_number_is_on_the_disk_before_it_is_given_out(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.pread(fd, 20, 0)))
    number = next_counter(camera.identity.folder)
    assert [int(line) for line in synced] == [number]


def test_processes_that_are_killed_while_counting_never_share_a_number(camera: Camera) -> None:
    command = [sys.executable, "-c", COUNTING, str(camera.identity.folder)]
    counters = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(3)]
    numbers: list[int] = []
    for process in counters:
        assert process.stdout is not None
        numbers += [int(process.stdout.readline()) for _ in range(20)]
    for process in counters:
        process.kill()
        rest, _ = process.communicate()
        numbers += [int(line) for line in rest.splitlines()]
    assert len(numbers) >= 60
    assert len(set(numbers)) == len(numbers)
    assert next_counter(camera.identity.folder) > max(numbers)
