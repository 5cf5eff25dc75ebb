"""Tokens of people, from an issuer on this machine."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from authn.core.errors import CredentialsRefused, SettingsError, Unavailable
from authn.service.access import Kind, Principal
from authn.service.access.oidc import IssuerKeys, TokenIssuer, parse_grants
from tests.doubles.http_server import Answer, serving

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
RSA = RSAKey.generate_key(2048, {"kid": "two"})
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example.org",
    "aud": "assay",
    "sub": "alice",
    "exp": NOW_S + 600,
    "nbf": NOW_S,
    "iat": NOW_S,
    "scope": "openid devices:read",
}


def jwks(*keys: Any) -> str:
    return json.dumps({"keys": [k.as_dict(private=False) for k in keys]})


def token(claims: dict[str, Any] = CLAIMS, key: Any = KEY, **header: Any) -> str:
    algorithm = "RS256" if key is RSA else "ES256"
    return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key)


def confused(secret: bytes, algorithm: str = "HS256") -> str:
    """HS256 with a public key as the secret, which the library itself refuses to make."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": algorithm, "kid": "one"}, CLAIMS)
    )
    mac = base64.urlsafe_b64encode(hmac.digest(secret, head + b"." + body, "sha256")).rstrip(b"=")
    return b".".join((head, body, mac)).decode()


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(jwks(KEY, RSA))
    return path


@pytest.fixture
def issuer(keys_file: Path) -> TokenIssuer:
    return open_with(IssuerKeys(str(keys_file)))


def open_with(keys: IssuerKeys, scopes: str = "") -> TokenIssuer:
    return TokenIssuer(
        issuer="https://login.example.org", audience="assay", keys=keys, grants=parse_grants(scopes)
    )


@pytest.mark.parametrize("key", [KEY, RSA])
def test_a_token_says_who_asks_and_what_they_may(issuer: TokenIssuer, key: Any) -> None:
    principal = issuer.verify(token(key=key), NOW)
    assert (principal.kind, principal.id) == (Kind.PERSON, "alice")
    assert principal.scopes == {"devices:read"}


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://login.example.org/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ["assay", "another"]},
        {"aud": {"assay": 1}},
        {"azp": "another"},
        {"azp": 1},
        {"exp": NOW_S - 60},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("nan")},
        {"nbf": NOW_S + 61},
        {"nbf": "x"},
        {"iat": NOW_S + 61},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(issuer: TokenIssuer, change: dict[str, Any]) -> None:
    with pytest.raises(CredentialsRefused):
        issuer.verify(token({**CLAIMS, **change}), NOW)


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "exp"])
def test_a_token_without_a_claim_is_refused(issuer: TokenIssuer, missing: str) -> None:
    with pytest.raises(CredentialsRefused):
        issuer.verify(token({k: v for k, v in CLAIMS.items() if k != missing}), NOW)


def test_a_token_for_several_says_who_uses_it(issuer: TokenIssuer) -> None:
    both = {**CLAIMS, "aud": ["assay", "another"], "azp": "assay"}
    assert issuer.verify(token(both), NOW).id == "alice"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.", "..", "é", "x" * 9000, "e30.e30.e30.e30.e30"])
def test_what_is_no_token_is_refused(issuer: TokenIssuer, text: str) -> None:
    with pytest.raises(CredentialsRefused):
        issuer.verify(text, NOW)


def test_a_token_does_not_choose_how_it_is_verified(issuer: TokenIssuer) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "one"})
    shared = OctKey.import_key("a secret that is long enough for HS256", {"kid": "one"})
    unsigned = confused(b"", algorithm="none").rpartition(".")[0] + "."
    tokens = [
        token(key=stranger),
        token(key=stranger, jwk=stranger.as_dict(private=False)),
        token(key=ECKey.generate_key("P-256", {"kid": "three"})),
        jwt.encode({"alg": "HS256", "kid": "one"}, CLAIMS, shared),
        confused(KEY.as_pem(private=False)),
        unsigned,
        token()[:-4] + "AAAA",
        token().replace(".", ".e", 1),
    ]
    for text in tokens:
        with pytest.raises(CredentialsRefused):
            issuer.verify(text, NOW)


def test_a_shared_secret_in_the_set_is_no_key(keys_file: Path) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    rows = json.loads(jwks(KEY))["keys"] + [secret.as_dict(private=True)]
    keys_file.write_text(json.dumps({"keys": rows}))
    text = jwt.encode({"alg": "HS256", "kid": "shared"}, CLAIMS, secret)
    with pytest.raises(CredentialsRefused):
        open_with(IssuerKeys(str(keys_file))).verify(text, NOW)


def test_claims_are_worth_what_the_settings_say(keys_file: Path) -> None:
    issuer = open_with(
        IssuerKeys(str(keys_file)),
        "groups:curators=verifications:create verifications:read; email:a@b.org=devices:read",
    )
    assert issuer.verify(token(), NOW).scopes == set()
    both = {**CLAIMS, "groups": ["curators", 7], "email": "a@b.org"}
    assert issuer.verify(token(both), NOW).scopes == {
        "verifications:create", "verifications:read", "devices:read"
    }  # fmt: skip


@pytest.mark.parametrize("text", ["x", "a:b", "a=devices:read", ":b=devices:read", "a:b=", "a:b=root"])
def test_a_mapping_that_means_nothing_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_grants(text)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"keys": 1}', '{"keys": [{}]}', '{"keys": ["x"]}', "x" * 300_000]
)
def test_without_readable_keys_the_service_says_so(keys_file: Path, content: str) -> None:
    keys_file.write_text(content)
    with pytest.raises(Unavailable):
        open_with(IssuerKeys(str(keys_file))).verify(token(), NOW)


def test_keys_that_are_new_are_found_and_an_issuer_that_is_down_locks_nobody_out(keys_file: Path) -> None:
    clock = [0.0]
    issuer = open_with(IssuerKeys(str(keys_file), monotonic=lambda: clock[0]))
    issuer.verify(token(), NOW)
    new = ECKey.generate_key("P-256", {"kid": "new"})
    keys_file.write_text(jwks(KEY, new))
    with pytest.raises(CredentialsRefused, match="does not have"):
        issuer.verify(token(key=new), NOW)  # asked for a moment ago
    clock[0] = 31.0
    issuer.verify(token(key=new), NOW)
    keys_file.unlink()
    clock[0] = 1000.0
    issuer.verify(token(key=new), NOW)


def test_keys_come_over_http(keys_file: Path) -> None:
    with serving(lambda _: Answer(body=jwks(KEY).encode())) as url:
        assert open_with(IssuerKeys(url)).verify(token(), NOW).id == "alice"


def test_no_two_people_are_called_the_same_however_long_their_subjects_are() -> None:
    def name(subject: str) -> str:
        return Principal(kind=Kind.PERSON, id=subject, scopes=frozenset()).name

    names = [name("u" * n + who) for n in (0, 100, 121, 250) for who in ("alice", "bob")]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 128
    assert name("alice") == "person:alice"
