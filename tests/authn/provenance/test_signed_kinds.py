"""What we sign we verify: of every kind that is signed there is a report, and it finds the bytes intact, of
pictures too whose pixels nobody may decode."""

from __future__ import annotations

from pathlib import Path

import pytest

from authn.core.evidence import Axis, Outcome
from authn.core.media import MediaLimits, media_of
from authn.core.report import Report
from authn.sources import HeuristicSource
from authn.sources.compression import CompressionSource
from authn.sources.learned import LearnedSource
from authn.sources.metadata import MetadataSource
from authn.sources.symmetry import SymmetrySource
from detector.models.registry import DEFAULT_MODEL
from signer.capture import sign_file
from tests.doubles import makers
from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.oversized import OVERSIZED
from tests.doubles.photos import photo
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
def camera(pki: TestPki, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    return enrolled_camera(tmp_path_factory.mktemp("home"), pki)


def report_on(
    camera: Camera,
    path: Path,
    sources: tuple[HeuristicSource, ...] = (),
    limits: MediaLimits | None = None,
) -> Report:
    """The file after it was signed and stamped in its place."""
    sign_file(path, camera.identity, spool=camera.spool, key=camera.key)
    assert camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).waiting == ()
    media = media_of(path.read_bytes(), path.name, limits)
    return examiner_for(camera.pki, sources=sources).examine(media)


def outcomes(camera: Camera, path: Path) -> dict[Axis, Outcome]:
    return of_axes(report_on(camera, path))


def of_axes(report: Report) -> dict[Axis, Outcome]:
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


SOURCES = (LearnedSource(), SymmetrySource(), MetadataSource(), CompressionSource())


@pytest.mark.parametrize("name", sorted(OVERSIZED.keys() - {"wide.gif"}))  # GIF is not signed here
def test_a_signed_picture_over_the_limit_of_pixels_is_established_and_not_decoded(
    camera: Camera, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(OVERSIZED[name]())
    report = report_on(camera, tmp_path / name, SOURCES)
    assert set(of_axes(report).values()) == {Outcome.ESTABLISHED}
    closed = {n.what: n.why for n in report.not_examined if "pixels; the" in n.why or "pixels, and" in n.why}
    assert set(closed) == {"pixels", DEFAULT_MODEL, "symmetry"}
    assert len(set(closed.values())) == 1
    assert {g.detector for g in report.heuristic} == {"metadata", "compression"}


def test_a_limit_that_was_lowered_later_takes_no_signature_away(camera: Camera, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    report = report_on(camera, tmp_path / "a.jpg", SOURCES, MediaLimits(max_pixels=1000))
    assert set(of_axes(report).values()) == {Outcome.ESTABLISHED}
    why = "it declares 96 x 64 pixels; the limit is 1000"
    told = {(n.what, n.why) for n in report.not_examined}
    assert told >= {("pixels", why), (DEFAULT_MODEL, why), ("symmetry", why)}
