"""The Soft Binding Resolution API as C2PA describes it, and who may ask it what."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from authn.core.media import media_of
from authn.demo.variants import strip_metadata
from authn.examine.looks import looks_of
from authn.provenance.own import read_own
from authn.service.access.keys import ApiKeys
from authn.web import create_app
from authn.web.openapi import openapi_document
from authn.web.recovery import ALG, MANIFEST_TYPE, MOST_ANSWERS
from signer.http_signature import RequestSigner
from signer.proof.jumbf import manifests
from tests.authn.web.test_captures import Camera
from tests.doubles.homes import Home, open_home
from tests.doubles.photos import photo, sound

JPEG = {"Content-Type": "image/jpeg"}
# c2pa.softBindingQueryResult of the specification, version 2.4.
QUERY_RESULT = {
    "type": "object",
    "properties": {
        "matches": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "manifestId": {"type": "string"},
                    "endpoint": {"type": "string"},
                    "similarityScore": {"type": "integer", "minimum": 0, "maximum": 100},
                },
                "required": ["manifestId"],
            },
        }
    },
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = open_home(tmp_path / "home", recovery="manifests")
    with closing(opened.services):
        yield opened


def camera(home: Home, name: str = "camera") -> Camera:
    key = ec.generate_private_key(ec.SECP256R1())
    return Camera(home, name, key, home.enrol(name, key).get_json())


def hash_of(data: bytes) -> str:
    whole = looks_of(media_of(data, "a.jpg"), within=False).whole
    assert whole
    return base64.b64encode(bytes.fromhex(whole.turned[0])).decode()


def test_a_stripped_photo_leads_to_its_manifest_and_that_verifies(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    answer = home.client.post("/v1/matches/byContent", data=strip_metadata(capture), headers=JPEG)
    assert answer.status_code == 200
    jsonschema.validate(answer.get_json(), QUERY_RESULT)
    (match,) = answer.get_json()["matches"]
    assert match["similarityScore"] == 100
    assert match["recovered"]["text"].startswith("This picture looks like a photo that was signed here at")
    assert match["recovered"]["receipt"].startswith("c2sp.org/tlog-proof@v1")
    store = home.client.get(f"/v1/manifests/{match['manifestId']}")
    assert (store.status_code, store.content_type) == (200, MANIFEST_TYPE)
    assert store.data == read_own(media_of(capture, "photo.jpg")).store


def test_the_active_manifest_can_be_had_alone(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    label = read_own(media_of(capture, "photo.jpg")).label
    alone = home.client.get(f"/v1/manifests/{label}?returnActiveManifest=true")
    assert [m.label for m in manifests(alone.data)] == [label]
    refused = home.client.get(f"/v1/manifests/{label}?returnActiveManifest=perhaps")
    assert refused.status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_hash_alone_finds_the_same_photo(home: Home, method: str) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    query = {"alg": ALG, "value": hash_of(capture)}
    if method == "GET":
        answer = home.client.get("/v1/matches/byBinding", query_string=query)
    else:
        answer = home.client.post("/v1/matches/byBinding", json=query)
    jsonschema.validate(answer.get_json(), QUERY_RESULT)
    assert [m["manifestId"] for m in answer.get_json()["matches"]] == [
        read_own(media_of(capture, "photo.jpg")).label
    ]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"value": "AAAA"}, "the one algorithm here"),
        ({"alg": "com.example.other.1", "value": "AAAA"}, "the one algorithm here"),
        ({"alg": ALG}, "0 bytes"),
        ({"alg": ALG, "value": "not base64!"}, "not base64"),
        ({"alg": ALG, "value": "AAAA"}, "3 bytes"),
        ({"alg": ALG, "value": base64.b64encode(bytes(32)).decode(), "maxResults": "0"}, "from 1 on"),
        ({"alg": ALG, "value": base64.b64encode(bytes(32)).decode(), "maxResults": "many"}, "from 1 on"),
        ({"alg": ALG, "value": base64.b64encode(bytes(32)).decode(), "limit": "5"}, "unknown parameter"),
    ],
)
def test_a_query_that_is_none_is_refused_with_its_reason(home: Home, query: dict[str, str], why: str) -> None:
    answer = home.client.get("/v1/matches/byBinding", query_string=query)
    assert answer.status_code == 400
    assert why in answer.get_json()["detail"]


def test_a_hint_finds_what_the_picture_alone_does_not(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    other, hint = photo(seed=7), {"hintAlg": ALG, "hintValue": hash_of(capture)}
    without = home.client.post("/v1/matches/byContent", data=other, headers=JPEG)
    with_hint = home.client.post("/v1/matches/byContent", data=other, headers=JPEG, query_string=hint)
    assert (len(without.get_json()["matches"]), len(with_hint.get_json()["matches"])) == (0, 1)


def test_a_photo_that_picture_and_hint_both_find_stands_once(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    near = bytes(b ^ (i < 3) for i, b in enumerate(base64.b64decode(hash_of(capture))))  # three bits away
    hint = {"hintAlg": ALG, "hintValue": base64.b64encode(near).decode()}
    answer = home.client.post(
        "/v1/matches/byContent", data=strip_metadata(capture), headers=JPEG, query_string=hint
    )
    assert [m["recovered"]["distance"] for m in answer.get_json()["matches"]] == [0]


def test_as_many_answers_come_as_are_asked_for_and_never_more_than_the_limit(home: Home) -> None:
    mine = camera(home)
    for counter in range(1, 4):
        home.upload(mine.shoot(counter))  # one scene, three captures
    query = {"alg": ALG, "value": hash_of(photo())}
    for most, found in (("2", 2), ("9" * 30, 3)):
        answer = home.client.get("/v1/matches/byBinding", query_string={**query, "maxResults": most})
        assert len(answer.get_json()["matches"]) == found
    assert MOST_ANSWERS == 50


def test_sounds_are_refused_and_flat_pictures_answered_with_the_reason(home: Home) -> None:
    refused = home.client.post("/v1/matches/byContent", data=sound(), headers={"Content-Type": "audio/x-wav"})
    assert refused.status_code == 415
    out = io.BytesIO()
    Image.new("RGB", (200, 100), (1, 2, 3)).save(out, "PNG")
    flat = home.client.post(
        "/v1/matches/byContent", data=out.getvalue(), headers={"Content-Type": "image/png"}
    )
    assert flat.get_json()["matches"] == []
    assert "too flat" in flat.get_json()["not_examined"]


def test_a_service_that_keeps_nothing_says_so(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    with closing(home.services):
        assert home.client.get("/v1/services/supportedAlgorithms").get_json()["fingerprints"] == []
        assert home.client.get("/v1/services/capabilities").get_json()["supportedCapabilities"] == []
        query = {"alg": ALG, "value": base64.b64encode(bytes(32)).decode()}
        assert home.client.get("/v1/matches/byBinding", query_string=query).status_code == 404
        assert home.client.get("/v1/manifests/urn:c2pa:1").status_code == 404


def test_a_client_learns_where_and_what_it_may_ask(home: Home) -> None:
    found = home.client.get("/.well-known/c2pa-soft-binding-resolution").get_json()
    assert (found["apiEndpoint"], found["c2paSpecificationVersion"]) == ("/v1", "2.4.0")
    able = home.client.get(found["capabilitiesEndpoint"]).get_json()
    assert able == {"c2paSpecificationVersion": "2.4.0", "supportedCapabilities": ["queryByContent"]}
    assert home.client.get(found["statusEndpoint"]).get_json()["status"] in ("ok", "degraded")
    algorithms = home.client.get("/v1/services/supportedAlgorithms").get_json()
    assert algorithms == {"watermarks": [], "fingerprints": [{"alg": ALG}]}


def test_without_the_manifest_setting_there_is_a_match_and_no_manifest(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", recovery="hashes")
    with closing(home.services):
        capture = camera(home).shoot(1)
        home.upload(capture)
        answer = home.client.post("/v1/matches/byContent", data=strip_metadata(capture), headers=JPEG)
        (match,) = answer.get_json()["matches"]
        gone = home.client.get(f"/v1/manifests/{match['manifestId']}")
        assert (gone.status_code, "was not kept" in gone.get_json()["detail"]) == (404, True)


# who may ask


def headers(mine: Camera, method: str, path: str, data: bytes | None = None) -> dict[str, str]:
    signer = RequestSigner(key=mine.key, clock=lambda: datetime.now(UTC))
    return signer.headers(method, f"http://localhost{path}", data, "image/jpeg" if data else None)


def test_where_credentials_are_needed_it_takes_the_scope_and_devices_see_their_own(home: Home) -> None:
    mine, other = camera(home), camera(home, "other")
    capture = mine.shoot(1)
    home.upload(capture)
    settings = replace(home.services.settings, access="required", public_url="http://localhost")
    closed = create_app(replace(home.services, settings=settings)).test_client()
    stripped, path = strip_metadata(capture), "/v1/matches/byContent"
    assert closed.post(path, data=stripped, headers=JPEG).status_code == 401
    key = ApiKeys(home.services.engine).create("m", frozenset({"recovery:read"}), datetime.now(UTC))
    bearer = {"Authorization": f"Bearer {key.text}", **JPEG}
    assert len(closed.post(path, data=stripped, headers=bearer).get_json()["matches"]) == 1
    for who, found in ((mine, 1), (other, 0)):
        signed = headers(who, "POST", path, stripped) | JPEG
        answer = closed.post(path, data=stripped, headers=signed)
        assert len(answer.get_json()["matches"]) == found


def test_a_device_has_its_own_photo_forgotten_and_nobody_else_does(home: Home) -> None:
    mine, other = camera(home), camera(home, "other")
    capture = mine.shoot(1)
    home.upload(capture)
    path = f"/v1/manifests/{read_own(media_of(capture, 'photo.jpg')).label}"
    assert home.client.delete(path).status_code == 401
    assert home.client.delete(path, headers=headers(other, "DELETE", path)).status_code == 404
    assert home.client.get(path).status_code == 200
    assert home.client.delete(path, headers=headers(mine, "DELETE", path)).status_code == 204
    assert home.client.get(path).status_code == 404
    answer = home.client.post("/v1/matches/byContent", data=strip_metadata(capture), headers=JPEG)
    assert answer.get_json()["matches"] == []


def test_the_description_says_what_the_answers_are(home: Home) -> None:
    capture = camera(home).shoot(1)
    home.upload(capture)
    answer = home.client.post("/v1/matches/byContent", data=strip_metadata(capture), headers=JPEG)
    document = openapi_document()
    schema = {"$ref": "#/components/schemas/Matches", "components": document["components"]}
    jsonschema.validate(answer.get_json(), schema)
