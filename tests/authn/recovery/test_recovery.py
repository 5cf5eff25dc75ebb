"""A photo that lost its credential is found again, said to look like the signed one, and nothing more."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image
from sqlalchemy import func, select, update

from authn.core.evidence import Outcome
from authn.core.likeness import LABEL, Viewer
from authn.core.media import media_of
from authn.demo.variants import strip_metadata
from authn.examine.looks import looks_of
from authn.provenance.logs import LogTrust, log_axis
from authn.provenance.own import read_own
from authn.service.access import Kind, Principal
from authn.service.recovering import SCOPE, viewer_of
from authn.store.engine import reading, writing
from authn.store.schema import picture_hashes, picture_manifests
from authn.tlog.log.reader import destroy_salt
from tests.authn.web.test_captures import Camera
from tests.doubles.homes import Home, open_home
from tests.doubles.photos import photo


def opened(folder: Path, **given: object) -> Home:
    return open_home(folder, recovery="manifests", **given)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = opened(tmp_path / "home")
    with closing(home.services):
        yield home


def camera(home: Home, name: str = "camera") -> Camera:
    key = ec.generate_private_key(ec.SECP256R1())
    return Camera(home, name, key, home.enrol(name, key).get_json())


def report_on(home: Home, data: bytes, media_type: str = "image/jpeg") -> dict[str, Any]:
    answer = home.client.post("/v1/verifications", data=data, content_type=media_type)
    assert answer.status_code == 200
    report: dict[str, Any] = answer.get_json()
    return report


def stored(home: Home) -> tuple[int, int]:
    with reading(home.services.engine) as connection:
        tables = picture_hashes, picture_manifests
        counts = [connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables]
    return counts[0], counts[1]


def test_a_stripped_photo_is_said_to_look_like_the_signed_one(home: Home) -> None:
    capture = camera(home).shoot(1)
    assert home.upload(capture).get_json()["recovery"] == "remembered"
    report = report_on(home, strip_metadata(capture))
    (found,) = report["recovered"]
    assert found["text"].startswith("This picture looks like a photo that was signed here at 20")
    assert (found["label"], found["distance"], found["turn"], found["part"]) == (LABEL, 0, "upright", False)


def test_what_was_recovered_raises_no_axis_and_writes_no_sentence(home: Home, tmp_path: Path) -> None:
    capture = camera(home).shoot(1)
    stripped = strip_metadata(capture)
    before = report_on(home, stripped)
    home.upload(capture)
    after = report_on(home, stripped)
    assert (before["recovered"], len(after["recovered"])) == ([], 1)
    for key in ("cryptographic", "heuristic", "statements", "not_examined"):
        assert before[key] == after[key]
    assert [c["code"] for c in after["contradictions"]] == ["assay.contradiction.strippedButRecovered"]


def test_the_answer_s_receipt_proves_that_the_photo_it_names_was_logged_here(home: Home) -> None:
    capture = camera(home).shoot(1)
    sent = home.upload(capture).get_json()
    (found,) = report_on(home, strip_metadata(capture))["recovered"]
    assert (found["log_index"], found["log_key"]) == (sent["index"], sent["log_key"])
    own, trust = read_own(media_of(capture, "photo.jpg")), LogTrust(logs=(home.services.log.verifier,))
    assert found["manifest_id"] == own.label
    assert log_axis(own, found["receipt"], trust).outcome is Outcome.ESTABLISHED


@pytest.mark.parametrize(
    ("how", "turn"),
    [
        (Image.Transpose.FLIP_LEFT_RIGHT, "mirrored"),
        (Image.Transpose.ROTATE_90, "rotated by 90 degrees"),
        (Image.Transpose.ROTATE_180, "rotated by 180 degrees"),
    ],
)
def test_a_turned_copy_is_found_and_says_how_it_is_turned(
    home: Home, how: Image.Transpose, turn: str
) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    out = io.BytesIO()
    Image.open(io.BytesIO(capture)).transpose(how).save(out, "PNG")
    (found,) = report_on(home, out.getvalue(), "image/png")["recovered"]
    assert found["turn"] == turn


def test_a_screen_that_shows_the_photo_says_that_a_part_of_it_looks_like_it(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    screen = Image.new("RGB", (900, 600), (250, 250, 250))
    screen.paste(Image.open(io.BytesIO(capture)).resize((480, 320)), (200, 180))
    out = io.BytesIO()
    screen.save(out, "PNG")
    (found,) = report_on(home, out.getvalue(), "image/png")["recovered"]
    assert found["part"]
    assert found["text"].startswith("A part of this picture looks like")


@pytest.mark.parametrize("box", [(0.02, 0.0, 1.0, 0.93), (0.08, 0.09, 0.93, 0.95)])
def test_a_crop_says_that_it_looks_like_a_crop_of_the_signed_photo(
    home: Home, box: tuple[float, float, float, float]
) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    image, out = Image.open(io.BytesIO(capture)), io.BytesIO()
    sides = (image.width, image.height) * 2
    image.crop(tuple(round(s * b) for s, b in zip(sides, box, strict=True))).save(out, "JPEG", quality=80)  # type: ignore[arg-type]
    report = report_on(home, out.getvalue())
    (found,) = report["recovered"]
    assert (found["cropped"], found["part"], found["turn"]) == (True, False, "upright")
    assert found["text"].startswith("This picture looks like a crop of a photo that was signed here at 20")
    assert found["distance"] <= 20
    schema = Path(__file__).resolve().parents[3] / "docs" / "formats" / "report.schema.json"
    jsonschema.validate(report, json.loads(schema.read_text()))


def test_a_photo_whose_white_edge_is_lost_on_a_white_page_is_found_by_its_inside(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    image = Image.open(io.BytesIO(capture))
    seen = image.crop((0, round(0.09 * image.height), round(0.92 * image.width), image.height))
    page, out = Image.new("RGB", (900, 600), "white"), io.BytesIO()
    page.paste(seen.resize((480, 320)), (200, 180))
    page.save(out, "PNG")
    (found,) = report_on(home, out.getvalue(), "image/png")["recovered"]
    assert (found["part"], found["cropped"]) == (True, True)
    assert found["text"].startswith("A part of this picture looks like")


def test_photos_of_before_there_were_inner_hashes_are_found_whole_and_not_by_a_crop(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    with writing(home.services.engine) as connection:
        connection.execute(update(picture_hashes).values(inner=None))
    image, out = Image.open(io.BytesIO(capture)), io.BytesIO()
    image.crop((0, 0, round(image.width * 0.94), round(image.height * 0.94))).save(out, "JPEG")
    assert report_on(home, out.getvalue())["recovered"] == []
    assert len(report_on(home, strip_metadata(capture))["recovered"]) == 1


def test_another_photo_and_the_signed_file_itself_are_not_recovered(home: Home) -> None:
    mine = camera(home)
    capture = mine.shoot(1)
    home.upload(capture)
    assert report_on(home, photo(seed=5))["recovered"] == []
    assert report_on(home, capture)["recovered"] == []


def test_nothing_is_stored_and_nothing_said_where_the_setting_is_off(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    with closing(home.services):
        capture = camera(home).shoot(1)
        assert "recovery" not in home.upload(capture).get_json()
        assert stored(home) == (0, 0)
        assert "recovered" not in report_on(home, strip_metadata(capture))


def test_hashes_alone_keep_no_manifest_and_only_those_of_named_devices(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", recovery="hashes", recovery_devices="camera phone")
    with closing(home.services):
        assert home.upload(camera(home).shoot(1)).get_json()["recovery"] == "remembered"
        other = home.upload(camera(home, "other").shoot(1, seed=1)).get_json()
        assert other["recovery"] == "nothing is kept of this device's captures"
        assert stored(home) == (1, 0)


def test_a_capture_that_is_sent_twice_is_remembered_once(home: Home) -> None:
    capture = camera(home).shoot(1)
    assert {home.upload(capture).get_json()["recovery"] for _ in range(2)} == {"remembered"}
    assert stored(home) == (1, 1)


def test_a_photo_whose_entry_was_forgotten_is_not_recovered(home: Home) -> None:
    capture = camera(home).shoot(1)
    index = home.upload(capture).get_json()["index"]
    destroy_salt(home.services.engine, index)
    assert report_on(home, strip_metadata(capture))["recovered"] == []


# who may see it


def test_a_device_finds_its_own_photos_and_no_others(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    looks = looks_of(media_of(strip_metadata(capture), "a.jpg"), within=True)
    recovery = home.services.recovery
    assert recovery is not None
    with reading(home.services.engine) as connection:
        own = connection.execute(select(picture_hashes.c.device_id)).scalar_one()
    assert len(recovery.look_up(looks, Viewer())) == 1
    assert len(recovery.look_up(looks, Viewer(device_id=own))) == 1
    assert recovery.look_up(looks, Viewer(device_id="another")) == ()


def test_who_sees_what_follows_from_the_setting_and_the_scope(home: Home) -> None:
    settings = home.services.settings
    machine = Principal(kind=Kind.MACHINE, id="m", scopes=frozenset({SCOPE}))
    device = Principal(kind=Kind.DEVICE, id="d", scopes=frozenset())
    stranger = replace(machine, scopes=frozenset())
    closed = replace(settings, access="required")
    assert [viewer_of(settings, p) for p in (None, stranger, device)] == [
        Viewer(),
        Viewer(),
        Viewer(device_id="d"),
    ]
    assert [viewer_of(closed, p) for p in (None, stranger, device)] == [None, None, Viewer(device_id="d")]
    assert viewer_of(closed, machine) == Viewer()


# what is no picture to compare


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


ODD = {
    "flat": (encoded(Image.new("RGB", (300, 200), (90, 120, 90))), "image/png", "too flat to compare"),
    "tiny": (encoded(Image.new("RGB", (9, 9), (9, 9, 9))), "image/png", "too few to compare"),
    "animated": (
        encoded(
            Image.open(io.BytesIO(photo())).convert("P"),
            "GIF",
            save_all=True,
            append_images=[Image.open(io.BytesIO(photo(seed=1))).convert("P")],
        ),
        "image/gif",
        "animated",
    ),
    "huge": (encoded(Image.new("L", (14000, 11000))), "image/png", "pixels"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_cannot_be_compared_is_not_examined_with_its_reason(home: Home, kind: str) -> None:
    data, media_type, why = ODD[kind]
    report = report_on(home, data, media_type)
    assert "recovered" not in report
    (entry,) = [n for n in report["not_examined"] if n["what"] == "recovery"]
    assert why in entry["why"]


def test_sounds_are_not_compared(home: Home) -> None:
    assert looks_of(media_of(b"RIFF\x24\0\0\0WAVEfmt " + bytes(60), "a.wav"), within=True).whole is None


def test_a_photo_in_heic_is_compared_by_what_it_shows(home: Home) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    image = Image.open(io.BytesIO(photo(width=192, height=128)))
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=90)
    seen = looks_of(media_of(out.getvalue(), "a.heic"), within=False).whole
    signed = looks_of(media_of(encoded(image), "a.png"), within=False).whole
    assert seen
    assert signed
    apart = int(seen.turned[0], 16) ^ int(signed.turned[0], 16)
    assert apart.bit_count() <= 20


def test_reports_with_what_was_recovered_follow_the_schema(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    report = report_on(home, strip_metadata(capture))
    assert report["recovered"]
    schema = Path(__file__).resolve().parents[3] / "docs" / "formats" / "report.schema.json"
    jsonschema.validate(report, json.loads(schema.read_text()))


def test_times_are_those_of_the_stamp_and_of_the_intake(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    (found,) = report_on(home, strip_metadata(capture))["recovered"]
    signed_at, taken_at = (datetime.fromisoformat(found[name]) for name in ("signed_at", "taken_at"))
    assert taken_at <= datetime.now(UTC)
    assert abs(taken_at - signed_at) < timedelta(minutes=5)


def test_of_a_photo_without_a_time_stamp_it_is_said_before_when_it_was_signed(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    with writing(home.services.engine) as connection:
        connection.execute(update(picture_hashes).values(signed_at=None))
    (found,) = report_on(home, strip_metadata(capture))["recovered"]
    assert found["signed_at"] is None
    when = found["taken_at"]
    assert found["text"] == f"This picture looks like a photo that was signed here before {when}."
