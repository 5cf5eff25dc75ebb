"""Signed requests against the RFC's example, an independent implementation, and what can be wrong."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, algorithms
from http_message_signatures.resolvers import MappingKeyResolver
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from authn.core.errors import CredentialsRefused
from authn.devices.registry import Registry
from authn.service.access import Kind
from authn.service.access.requests import (
    DeviceRequests,
    SignedRequest,
    parse_signature,
    signature_base,
    verify_content,
    verify_signature,
)
from signer.client import SLOWEST_BYTES_PER_S
from signer.http_signature import RequestSigner, key_id
from tests.doubles.pki import TestPki

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
URL = "https://assay.example.org/tsa?x=%20y"
TYPE = "application/timestamp-query"
BODY = b"\x30\x03\x02\x01\x01"
KEY = ec.generate_private_key(ec.SECP256R1())
# RFC 9421, B.1.3 and B.2.4
RFC_KEY = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
"""
RFC_COMPONENTS = {
    "@status": "200",
    "content-type": "application/json",
    "content-digest": "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWd"
    "XymyU0rjJuahq4l5aGgfLQ==:",
    "content-length": "23",
}
RFC_PARAMETERS = (
    '("@status" "content-type" "content-digest" "content-length")'
    ';created=1618884473;keyid="test-key-ecc-p256"'
)
RFC_SIGNATURE = base64.b64decode(
    "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="
)


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry(engine)


@pytest.fixture
def devices(engine: Engine, registry: Registry) -> DeviceRequests:
    pki = TestPki()
    registry.enrol(name="camera", spki_sha256=key_id(KEY), now=NOW, issue=lambda _: pki.leaf(key=KEY).chain)
    return DeviceRequests(engine, registry)


def signed(content: bytes | None = BODY, key: ec.EllipticCurvePrivateKey = KEY, at: datetime = NOW):
    content_type = None if content is None else TYPE
    fields = RequestSigner(key=key, clock=lambda: at).headers("POST", URL, content, content_type)
    return SignedRequest(
        method="POST",
        target_uri=URL,
        signature_input=fields["Signature-Input"],
        signature=fields["Signature"],
        content_type=content_type,
        content_digest=fields.get("Content-Digest"),
        has_content=bool(content),
        content_bytes=len(content or b""),
    )


def test_the_example_of_the_rfc_verifies() -> None:
    key = load_pem_public_key(RFC_KEY)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    verify_signature(key, signature_base(RFC_COMPONENTS, RFC_PARAMETERS), RFC_SIGNATURE)
    with pytest.raises(CredentialsRefused):
        verify_signature(
            key, signature_base({**RFC_COMPONENTS, "@status": "201"}, RFC_PARAMETERS), RFC_SIGNATURE
        )


class Message:
    """A request as http-message-signatures wants it."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.method, self.url, self.headers, self.body = "POST", URL, headers, BODY


def test_an_independent_implementation_accepts_what_devices_sign() -> None:
    fields = RequestSigner(key=KEY, clock=lambda: datetime.now(UTC)).headers("POST", URL, BODY, TYPE)
    keys = MappingKeyResolver(public_keys={key_id(KEY): KEY.public_key()}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ECDSA_P256_SHA256, key_resolver=keys)
    (found,) = verifier.verify(Message({**fields, "Content-Type": TYPE}), max_age=timedelta(minutes=5))
    assert set(found.covered_components) == {
        '"@method"', '"@target-uri"', '"content-digest"', '"content-type"', '"@signature-params"'
    }  # fmt: skip


def test_what_an_independent_implementation_signs_is_accepted(devices: DeviceRequests) -> None:
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    message = Message({"Content-Type": TYPE, "Content-Digest": f"sha-256=:{digest}:"})
    keys = MappingKeyResolver(public_keys={}, private_keys={key_id(KEY): KEY})
    HTTPMessageSigner(signature_algorithm=algorithms.ECDSA_P256_SHA256, key_resolver=keys).sign(
        message,
        key_id=key_id(KEY),
        created=NOW,
        nonce="0123456789abcdef",
        covered_component_ids=("content-type", "@target-uri", "@method", "content-digest"),
        use_existing_digest=True,
    )
    request = SignedRequest(
        method="POST",
        target_uri=URL,
        signature_input=message.headers["Signature-Input"],
        signature=message.headers["Signature"],
        content_type=TYPE,
        content_digest=message.headers["Content-Digest"],
        has_content=True,
    )
    principal, nonce = devices.verify(request, NOW)
    assert (principal.kind, nonce) == (Kind.DEVICE, "0123456789abcdef")


@pytest.mark.parametrize("content", [BODY, b"", None])
def test_a_device_is_known_by_its_signature(
    devices: DeviceRequests, registry: Registry, content: bytes | None
) -> None:
    principal, nonce = devices.verify(signed(content), NOW)
    assert principal.id == registry.find("camera").device_id
    devices.use(principal.id, nonce, NOW, len(BODY))


def test_a_request_is_taken_once_by_whichever_process(devices: DeviceRequests, engine: Engine) -> None:
    principal, nonce = devices.verify(signed(), NOW)
    devices.use(principal.id, nonce, NOW, len(BODY))
    another = DeviceRequests(engine, Registry(engine))
    with pytest.raises(CredentialsRefused, match="made before"):
        another.use(principal.id, nonce, NOW + timedelta(minutes=5), len(BODY))
    devices.use("another-device", nonce, NOW, len(BODY))


def test_a_nonce_is_remembered_longer_than_its_request_is_accepted(devices: DeviceRequests) -> None:
    """Also for the device whose clock is the most ahead that is allowed."""
    request = signed(at=NOW + timedelta(seconds=60))
    principal, nonce = devices.verify(request, NOW)
    devices.use(principal.id, nonce, NOW, len(BODY))
    last = NOW + timedelta(minutes=6)
    devices.verify(request, last)
    with pytest.raises(CredentialsRefused, match="made before"):
        devices.use(principal.id, nonce, last, len(BODY))
    with pytest.raises(CredentialsRefused, match="older"):
        devices.verify(request, last + timedelta(seconds=1))


def test_a_film_that_was_an_hour_on_its_way_is_taken_once_and_a_word_is_not(devices: DeviceRequests) -> None:
    """At 16 KiB a second or faster; what is signed is sent from then on, so the time is the link's."""
    film = replace(signed(), content_bytes=3600 * SLOWEST_BYTES_PER_S)
    arrived = NOW + timedelta(hours=1, minutes=5)
    with pytest.raises(CredentialsRefused, match="older"):
        devices.verify(signed(), arrived)
    principal, nonce = devices.verify(film, arrived)
    early = NOW - timedelta(minutes=1)
    devices.use(principal.id, nonce, early, film.content_bytes)
    with pytest.raises(CredentialsRefused, match="made before"):
        devices.use(principal.id, nonce, arrived, film.content_bytes)
    with pytest.raises(CredentialsRefused, match="older"):
        devices.verify(film, arrived + timedelta(seconds=1))


@pytest.mark.parametrize(("seconds", "why"), [(-301, "older"), (61, "future")])
def test_a_request_of_another_time_is_refused(devices: DeviceRequests, seconds: int, why: str) -> None:
    with pytest.raises(CredentialsRefused, match=why):
        devices.verify(signed(at=NOW + timedelta(seconds=seconds)), NOW)


def test_a_revoked_device_is_refused(devices: DeviceRequests, registry: Registry) -> None:
    registry.revoke("camera", reason="lost", now=NOW)
    with pytest.raises(CredentialsRefused, match="revoked"):
        devices.verify(signed(), NOW)


def test_a_key_that_is_not_enrolled_is_refused(devices: DeviceRequests) -> None:
    with pytest.raises(CredentialsRefused, match="no device"):
        devices.verify(signed(key=ec.generate_private_key(ec.SECP256R1())), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"target_uri": URL + "1"},
        {"target_uri": URL.replace("https", "http")},
        {"content_type": "text/plain"},
        {"content_type": f'{TYPE}\n"@method": POST'},
        {"content_digest": "sha-256=:AAAA:"},
        {"content_digest": None},
        {"content_type": None},
        {"has_content": False, "content_digest": None},
    ],
    ids=str,
)
def test_a_request_that_was_changed_is_refused(devices: DeviceRequests, change: dict[str, object]) -> None:
    with pytest.raises(CredentialsRefused):
        devices.verify(replace(signed(), **change), NOW)


WRONG_INPUTS: dict[str, Callable[[str], str | None]] = {
    "absent": lambda _: None,
    "empty": lambda _: "",
    "no structured field": lambda _: "assay=(",
    "not ASCII": lambda s: s + ";x=ä",
    "endless": lambda s: s + " " * 3000,
    "an item": lambda _: "assay=1",
    "another label": lambda s: s.replace("assay=", "other="),
    "two signatures": lambda s: f"{s}, other=(\"@method\")",
    "one label twice": lambda s: f"{s}, {s}",
    "a component twice": lambda s: s.replace('"@method"', '"@method" "@method"'),
    "too little covered": lambda s: s.replace(' "content-digest"', ""),
    "nothing covered": lambda s: "assay=()" + s.partition(")")[2],
    "a component of another kind": lambda s: s.replace('"@method"', '"@status"'),
    "a component that is no text": lambda s: s.replace('"@method"', "1"),
    "a component with parameters": lambda s: s.replace('"@method"', '"@method";req'),
    "no time": lambda s: s.replace(";created", ";expires"),
    "a time that is a text": lambda s: s.replace("created=", 'created="').replace(";keyid", '";keyid'),
    "a time with a fraction": lambda s: s.replace(";keyid", ".5;keyid"),
    "a time that is true": lambda s: s.partition(";created")[0] + ";created" + s[s.index(";keyid"):],
    "no key": lambda s: s.replace(";keyid", ";tag"),
    "a key that is a path": lambda s: s.replace('keyid="', 'keyid="../'),
    "no nonce": lambda s: s.partition(";nonce")[0],
    "a short nonce": lambda s: s.partition(";nonce")[0] + ';nonce="x"',
    "another algorithm": lambda s: s + ';alg="hmac-sha256"',
    "an end that is past": lambda s: s + ";expires=1",
    "an unknown parameter": lambda s: s + ";admin",
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_INPUTS)
def test_a_signature_input_that_is_wrong_is_refused(devices: DeviceRequests, name: str) -> None:
    right = signed()
    wrong = WRONG_INPUTS[name](right.signature_input or "")
    assert wrong != right.signature_input
    with pytest.raises(CredentialsRefused):
        devices.verify(replace(right, signature_input=wrong), NOW)


@pytest.mark.parametrize(
    "signature",
    [None, "", "assay", "assay=1", "assay=:AAAA:", "assay=:!:", f"assay=:{'A' * 86}==:", "assay=(:AAAA:)"],
)
def test_a_signature_that_is_wrong_is_refused(devices: DeviceRequests, signature: str | None) -> None:
    with pytest.raises(CredentialsRefused):
        devices.verify(replace(signed(), signature=signature), NOW)


@pytest.mark.parametrize(
    "digest",
    [
        None,
        "",
        "sha-256",
        "sha-256=1",
        "sha-256=:AAAA:",
        "md5=:AAAA:",
        "sha-512=:AAAA:",
        "x" * 3000,
        "sha-256=:",
    ],
)
def test_a_content_digest_that_is_wrong_is_refused(digest: str | None) -> None:
    with pytest.raises(CredentialsRefused):
        verify_content(digest, BODY)


def test_the_digest_is_of_exactly_the_content() -> None:
    digest = signed().content_digest
    verify_content(digest, BODY)
    with pytest.raises(CredentialsRefused):
        verify_content(digest, BODY + b"\0")


TEXTS = st.text(st.characters(max_codepoint=0x100), max_size=60)
PIECES = st.sampled_from(
    (
        "assay=",
        '("@method" "@target-uri")',
        ";created=1",
        ';nonce="0123456789abcdef"',
        ";keyid=",
        "@1",
        ":AA=:",
        "=?1",
        '%"a%ff"',
        ", ",
        "(",
    )
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(TEXTS, PIECES), max_size=8).map("".join), st.one_of(TEXTS, PIECES))
def test_no_header_raises_anything_else(signature_input: str, signature: str) -> None:
    request = SignedRequest(
        method="GET", target_uri=URL, signature_input=signature_input, signature=signature
    )
    with pytest.raises(CredentialsRefused):
        parse_signature(request)
    with pytest.raises(CredentialsRefused):
        verify_content(signature_input, BODY)
