"""Views over HTTP: a page for people and one picture for programs; nothing is kept."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from PIL import Image

from authn.core.views import NAMES
from authn.service.services import Services
from tests.authn.web.conftest import rows
from tests.doubles.photos import photo

PHOTO = photo(width=320, height=240)


def test_the_page_has_every_view_with_its_label_and_keeps_nothing(
    client: FlaskClient, services: Services
) -> None:
    page = client.post("/views", data={"file": (io.BytesIO(PHOTO), "a<b>.jpg")})
    assert page.status_code == 200
    assert page.text.count('src="data:image/jpeg;base64,') == len(NAMES)
    assert page.text.count("A view, not evidence.") >= len(NAMES)
    assert "<script" not in page.text
    assert "a&lt;b&gt;.jpg" in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert rows(services) == (0, 0, 0)


def test_the_page_is_german_too(client: FlaskClient) -> None:
    page = client.post("/views?lang=de", data={"file": (io.BytesIO(PHOTO), "a.jpg")})
    assert '<html lang="de">' in page.text
    assert "Eine Ansicht, kein Beleg" in page.text


def test_a_drawing_is_scrolled_on_a_phone_instead_of_shrunk_until_nobody_reads_it(
    client: FlaskClient,
) -> None:
    page = client.post("/views", data={"file": (io.BytesIO(PHOTO), "a.jpg")}).text
    assert page.count('<div class="scroll" tabindex="0" role="group"') == len(NAMES)
    assert ".view .scroll img { min-width: 40rem;" in page


def test_the_start_page_offers_views_without_a_script(client: FlaskClient) -> None:
    assert 'formaction="/views"' in client.get("/").text


def test_a_program_gets_one_picture(client: FlaskClient, services: Services) -> None:
    answer = client.post("/v1/views/ela", data=PHOTO, content_type="image/jpeg")
    assert answer.status_code == 200
    assert answer.content_type == "image/png"
    assert Image.open(io.BytesIO(answer.data)).format == "PNG"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Digest"].startswith("sha-256=:")
    assert rows(services) == (0, 0, 0)


@pytest.mark.parametrize(
    ("path", "data", "status", "why"),
    [
        ("/v1/views/elan", PHOTO, 400, "no view has the name"),
        ("/v1/views/ela", photo("TIFF"), 422, "not decoded here"),
        ("/v1/views/ela?x=1", PHOTO, 400, "unknown parameter"),
        ("/v1/views/ela", b"", 422, "empty"),
        ("/v1/views/ela", PHOTO + b"\0" * 200_000, 413, "100000"),
    ],
    ids=["name", "TIFF", "parameter", "empty", "large"],
)
def test_what_cannot_be_drawn_is_refused_with_the_reason(
    client: FlaskClient, path: str, data: bytes, status: int, why: str
) -> None:
    kind = "image/tiff" if data[:2] == b"II" else "image/jpeg"
    answer = client.post(path, data=data, content_type=kind)
    assert answer.status_code == status
    assert why in answer.text
