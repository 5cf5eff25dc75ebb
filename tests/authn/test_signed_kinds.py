"""What we sign we verify: of every kind that is signed there is a report, and it finds the bytes intact."""

from __future__ import annotations

from pathlib import Path

import pytest

from authn.evidence import Axis, Outcome
from authn.media import media_of
from signer.capture import sign_file
from tests.doubles import makers
from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for

MADE = makers.PHOTOS | makers.FILMS
_AXES = (Axis.INTEGRITY, Axis.SIGNER, Axis.TIME)
FOUND = (
    "containers/float_rgb.tif", "containers/two_page.tif", "containers/gainmap_gammazero_libavif.avif",
    "heic-iloc/iloc_v1_bo4_two.heic", "not-a-credential/scan_64_pages.tif",
    "not-a-credential/jpegxt_three_boxes.jpg",
)  # fmt: skip


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture(scope="module")
def camera(pki: TestPki, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    return enrolled_camera(tmp_path_factory.mktemp("home"), pki)


def outcomes(camera: Camera, path: Path) -> dict[Axis, Outcome]:
    """Of the file after it was signed and stamped in its place."""
    sign_file(path, camera.identity, spool=camera.spool, key=camera.key)
    assert camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).waiting == ()
    report = examiner_for(camera.pki).examine(media_of(path.read_bytes(), path.name))
    return {axis: report.cryptographic.axis(axis).outcome for axis in _AXES}


@pytest.mark.parametrize("name", MADE)
def test_every_kind_that_is_signed_is_established_by_the_report(
    camera: Camera, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(MADE[name]())
    found = outcomes(camera, tmp_path / name)
    assert set(found.values()) == {Outcome.ESTABLISHED}, found


@pytest.mark.parametrize("name", FOUND)
def test_files_that_were_signed_and_then_not_verified_are(
    camera: Camera, tmp_path: Path, suites: Path, name: str
) -> None:
    path = tmp_path / Path(name).name
    path.write_bytes((suites / "found" / name).read_bytes())
    found = outcomes(camera, path)
    assert set(found.values()) == {Outcome.ESTABLISHED}, found
