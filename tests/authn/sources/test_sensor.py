"""The sensor of a key: asked for only where its fingerprint is kept, and never a reason for trust."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from authn.confinement.confined import Confined
from authn.core.config import load_settings
from authn.core.evidence import Axis, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.keys import spki_sha256
from authn.core.report import report_json
from authn.devices import RegistryView
from authn.devices.fingerprints import Fingerprints
from authn.examine.pooling import readable_paths
from authn.service.wiring import check_services
from authn.sources.sensor import NO_KEY, NO_PRINT, NOT_ITS, SensorSource
from detector.forensics.sensor_print import build, look_of
from tests.doubles.makers import saved
from tests.doubles.photos import photo
from tests.doubles.pki import Issued, TestPki
from tests.doubles.sensors import Sensor, jpeg
from tests.doubles.signed import Registered, examiner_for, media, signed_photo

OURS, OTHER = Sensor(1), Sensor(2)


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture(scope="module")
def leaf(pki: TestPki) -> Issued:
    return pki.leaf()


@pytest.fixture(scope="module")
def home(leaf: Issued, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    found = build([look_of(OURS.photo(n), "image/jpeg") for n in range(10)])
    Fingerprints(folder).write(spki_sha256(leaf.certificate.public_key()), found, always=False)
    return folder


def answer(home: Path, data: bytes, name: str = "photo.jpg") -> HeuristicEvidence:
    (found,) = SensorSource(home).examine(media(data, name))
    return found


def test_a_photo_of_its_sensor_is_said_to_contradict_nothing(home: Path, leaf: Issued) -> None:
    found = answer(home, signed_photo(leaf, data=OURS.photo(50)))
    assert (found.outcome, found.question) == (HeuristicOutcome.AGAINST, Question.WRONG_SENSOR)
    assert found.llr is None


def test_a_stolen_key_stays_established_and_is_contradicted_by_the_sensor(
    home: Path, pki: TestPki, leaf: Issued
) -> None:
    examiner = examiner_for(pki, registry=Registered(leaf), sources=(SensorSource(home),))
    report = examiner.examine(media(signed_photo(leaf, data=OTHER.photo(50))))
    axes = (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER, Axis.DEVICE)
    assert {report.cryptographic.axis(a).outcome for a in axes} == {Outcome.ESTABLISHED}
    (found,) = report.contradictions
    assert found.code == "assay.contradiction.wrongSensor"
    assert (
        found.text
        == "The key of camera-0 signed this file; sensor finds signs that it comes from another sensor."
    )
    plain = examiner_for(pki, registry=Registered(leaf)).examine(
        media(signed_photo(leaf, data=OTHER.photo(50)))
    )
    assert [s.value for s in report.statements] == [s.value for s in plain.statements]


def test_of_other_keys_and_unsigned_files_nobody_says_anything(home: Path, pki: TestPki) -> None:
    assert answer(home, OTHER.photo(50)).reason == NO_KEY
    assert answer(home, signed_photo(pki.leaf(), data=OTHER.photo(50))).reason == NO_PRINT


def test_only_devices_that_were_chosen_are_compared_unasked(home: Path, leaf: Issued, tmp_path: Path) -> None:
    data = media(signed_photo(leaf, data=OTHER.photo(50)))
    key = spki_sha256(leaf.certificate.public_key())
    assert SensorSource(home, always=True).examine(data) == ()
    found = Fingerprints(home).read(key)
    assert found is not None
    chosen = Fingerprints(tmp_path)
    chosen.write(key, found, always=False)
    chosen.write(key, found, always=True)
    assert len(list(chosen.folder.iterdir())) == 1
    assert [g.outcome for g in SensorSource(tmp_path, always=True).examine(data)] == [
        HeuristicOutcome.SUPPORTS
    ]
    assert SensorSource(tmp_path).examine(data) == ()
    assert chosen.delete(key)
    assert not chosen.delete(key)


def test_two_bodies_of_one_model_are_told_apart(
    corpus_dir: Path, pki: TestPki, leaf: Issued, tmp_path: Path
) -> None:
    folder = corpus_dir / "camera" / "prnu_nikon_d70"
    if not folder.is_dir():
        pytest.skip(f"no photos of two bodies of one model at {folder}")
    ours, theirs = (sorted((folder / f"device{n}" / "flat").iterdir()) for n in (0, 1))
    signed = [signed_photo(leaf, data=_middle(p)) for p in ours]
    found = build([look_of(data, "image/jpeg") for data in signed])
    Fingerprints(tmp_path).write(spki_sha256(leaf.certificate.public_key()), found, always=False)
    examiner = examiner_for(pki, registry=Registered(leaf), sources=(SensorSource(tmp_path),))
    natural = min((folder / "device0" / "natural").iterdir())
    for photo_file, codes in ((theirs[0], ["assay.contradiction.wrongSensor"]), (natural, [])):
        report = examiner.examine(media(signed_photo(leaf, data=_middle(photo_file))))
        assert report.cryptographic.axis(Axis.DEVICE).outcome is Outcome.ESTABLISHED
        assert [c.code for c in report.contradictions] == codes


def _middle(file: Path) -> bytes:
    """1,024 pixels a side, so that the test is short."""
    with Image.open(file) as image:
        left, top = (image.width - 1024) // 16 * 8, (image.height - 1024) // 16 * 8
        return jpeg(np.asarray(image.convert("RGB").crop((left, top, left + 1024, top + 1024))), 98)


def _screenshot() -> bytes:
    flat = np.full((768, 1024, 3), 240, np.uint8)
    flat[100:200, 100:900] = 20
    return saved(Image.fromarray(flat), "PNG")


def _gif() -> bytes:
    frames = [Image.fromarray(OTHER.exposure(n)).convert("P") for n in range(2)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (saved(Image.fromarray(OTHER.exposure(81)).convert("L"), "JPEG"), "grey.jpg"),
        (saved(Image.fromarray(OTHER.exposure(81)).convert("CMYK"), "JPEG"), "cmyk.jpg"),
        (saved(Image.fromarray(OTHER.exposure(81)).convert("RGBA"), "PNG"), "alpha.png"),
        (saved(Image.fromarray(OTHER.exposure(81)[:, :, 0].astype(np.uint16) * 257), "PNG"), "deep.png"),
        (saved(Image.new("RGB", (640, 512)), "PNG"), "black.png"),
        (saved(Image.new("RGB", (640, 512), "white"), "PNG"), "white.png"),
        (saved(Image.new("RGB", (9, 7)), "PNG"), "tiny.png"),
        (saved(Image.new("RGB", (5000, 600), "grey"), "PNG"), "wide.png"),
        (photo(), "small.jpg"),
        (_screenshot(), "screenshot.png"),
        (_gif(), "moving.gif"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_whatever_picture_it_gets_it_accuses_none_that_it_cannot_judge(
    home: Path, leaf: Issued, data: bytes, name: str
) -> None:
    kind = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}[name[-3:]]
    found = answer(home, signed_photo(leaf, data=data, media_type=kind), name)
    if name in ("grey.jpg", "cmyk.jpg", "alpha.png", "deep.png"):  # another sensor's photo after all
        assert found.outcome in (HeuristicOutcome.SUPPORTS, HeuristicOutcome.ABSTAIN)
    else:
        assert found.outcome is HeuristicOutcome.ABSTAIN
        assert found.raw is None
        assert all(dict(f.facts)["pce"] is None for f in found.findings)
    assert found.reason
    assert found.raw is None or np.isfinite(found.raw)


def test_a_broken_fingerprint_is_a_source_that_failed_and_the_rest_stands(
    pki: TestPki, leaf: Issued, tmp_path: Path
) -> None:
    kept = Fingerprints(tmp_path)
    kept.folder.mkdir()
    (kept.folder / f"{spki_sha256(leaf.certificate.public_key())}.npz").write_bytes(b"not one")
    examiner = examiner_for(pki, registry=Registered(leaf), sources=(SensorSource(tmp_path),))
    report = report_json(examiner.examine(media(signed_photo(leaf, data=OURS.photo(50)))))
    assert [n["what"] for n in report["not_examined"]].count("sensor") == 1  # type: ignore[index,union-attr,call-overload]


def _listed(_registry: RegistryView | None, *, home: Path) -> Callable[[str], str]:
    """In a held process: what it finds under the key that it is asked for."""
    return lambda key: str(Fingerprints(home).read(key) is not None)


def test_a_service_that_runs_sees_a_fingerprint_that_is_made_later(tmp_path: Path) -> None:
    settings = load_settings(environ={}, home=tmp_path / "home")
    check_services(settings)
    kept, readable = Fingerprints(settings.home), readable_paths(settings)
    assert not kept.any, "an empty folder is no fingerprint"
    held = Confined(
        partial(_listed, home=settings.home), question=str, answer=str, timeout_s=20, memory_bytes=2**29,
        readable=readable,
    )  # fmt: skip
    with held:
        assert held.ask("ab") == "False"
        kept.write("ab", build([look_of(OURS.photo(n), "image/jpeg") for n in range(10)]), always=True)
        assert held.ask("ab") == "True"
    assert kept.any
    for folder in (settings.home, kept.folder):
        assert folder.stat().st_mode & 0o077 == 0, "nobody else looks into a home"


def test_a_manifest_that_was_moved_into_a_photo_does_not_ask_which_camera_took_it(
    home: Path, leaf: Issued
) -> None:
    published, anonymous = signed_photo(leaf, data=OURS.photo(50)), OURS.photo(77)
    store = published[: len(published) - len(OURS.photo(50)) + 2][2:]
    found = answer(home, anonymous[:2] + store + anonymous[2:])
    assert (found.outcome, found.reason, found.findings) == (HeuristicOutcome.ABSTAIN, NOT_ITS, ())


def test_a_photo_that_was_changed_after_it_was_signed_is_not_compared(home: Path, leaf: Issued) -> None:
    changed = bytearray(signed_photo(leaf, data=OURS.photo(50)))
    changed[-40] ^= 1
    assert answer(home, bytes(changed)).reason == NOT_ITS
