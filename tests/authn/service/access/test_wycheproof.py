"""Wycheproof's signatures against the code that verifies ours: COSE, requests, tokens, time-stamps.

Every vector ends as its authors say, but for algorithms that are not taken (``NOT_TAKEN``, with reasons).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from authn.core.errors import CredentialsRefused, Unavailable
from authn.service.access.oidc import ALGORITHMS, IssuerKeys, verify_jws
from authn.service.access.requests import verify_signature
from signer.core.errors import TimestampError
from signer.proof import cose, timestamp
from signer.proof.cose import ClaimSignature
from signer.proof.tst import ParsedToken, TstInfo

# algorithm in a JWS header -> why a good signature of that kind is refused all the same
NOT_TAKEN = {
    "HS256": "whoever can verify with a shared secret can also sign",
    "RS384": "an issuer offers RS256 (OpenID Connect Core, 15.1); fewer algorithms, fewer mistakes",
    "RS512": "as RS384",
    "PS384": "as RS384",
    "PS512": "as RS384",
    "ES512": "as RS384",
}
ES256 = -7


def vectors(suites: Path, name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for group in json.loads((suites / "wycheproof" / f"{name}_test.json").read_text())["testGroups"]:
        for test in group["tests"]:
            yield group, test


def key_of(group: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def cose_accepts(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    parsed = ClaimSignature(
        protected=b"", algorithm=ES256, signature=signature, certificates=(), tokens_v2=(), responses_v1=()
    )
    try:
        cose._verify(parsed, message, key)
    except (cose.InvalidSignature, ValueError):  # what verify_claim_signature turns into SigningFailed
        return False
    return True


def requests_accept(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    try:
        verify_signature(key, message, signature)
    except CredentialsRefused:
        return False
    return True


@pytest.mark.parametrize("accepts", [cose_accepts, requests_accept], ids=["cose", "requests"])
def test_p256_signatures_of_r_and_s_are_judged_as_their_authors_do(suites: Path, accepts: Any) -> None:
    wrong, seen = [], 0
    for group, test in vectors(suites, "ecdsa_secp256r1_sha256_p1363"):
        seen += 1
        got = accepts(key_of(group), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
        if got != (test["result"] == "valid"):
            wrong.append((test["tcId"], test["comment"]))
    assert (seen, wrong) == (262, [])


def test_p256_signatures_in_der_are_judged_as_their_authors_do(suites: Path) -> None:
    """The one over the signed attributes of a time-stamp."""
    info = TstInfo(
        gen_time=datetime(2026, 11, 24, tzinfo=UTC), accuracy_s=None, serial=1, policy="1.2",
        imprint_algorithm="sha256", imprint=bytes(32), nonce=None, tsa_name=None,
    )  # fmt: skip
    token = ParsedToken(
        info=info, certificates=(), issuer=b"", certificate_serial=1, digest_algorithm="sha256",
        signature_algorithm=bytes.fromhex("2a8648ce3d040302"), signed_attributes=b"", ess_digests=(),
        signature=b"", deviations=(),
    )  # fmt: skip
    wrong, seen = [], 0
    for group, test in vectors(suites, "ecdsa_secp256r1_sha256"):
        seen += 1
        parsed = replace(
            token, signed_attributes=bytes.fromhex(test["msg"]), signature=bytes.fromhex(test["sig"])
        )
        certificate: Any = SimpleNamespace(public_key=lambda group=group: key_of(group))
        try:
            timestamp._check_signature(parsed, certificate)
            got = True
        except TimestampError:
            got = False
        if got != (test["result"] == "valid"):
            wrong.append((test["tcId"], test["comment"]))
    assert (seen, wrong) == (484, [])


def algorithm_of(token: str) -> str:
    """Of the header, read as leniently as can be."""
    head = token.partition(".")[0]
    try:
        return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["alg"])
    except (ValueError, KeyError, TypeError):
        return ""


def test_tokens_are_judged_as_their_authors_do_but_for_algorithms_that_are_not_taken(
    suites: Path, tmp_path: Path
) -> None:
    keys_file = tmp_path / "jwks.json"
    refused_by_us: dict[str, int] = {}
    wrong, seen = [], 0
    for group, test in vectors(suites, "json_web_signature"):
        seen += 1
        keys_file.write_text(json.dumps({"keys": [group.get("public") or group["private"]]}))
        try:
            verify_jws(test["jws"], IssuerKeys(str(keys_file)))
            got = True
        except (CredentialsRefused, Unavailable):  # no usable key in the set: a shared secret, say
            got = False
        algorithm = algorithm_of(test["jws"])
        if test["result"] == "valid" and not got and algorithm in NOT_TAKEN:
            refused_by_us[algorithm] = refused_by_us.get(algorithm, 0) + 1
        elif got != (test["result"] == "valid"):
            wrong.append((test["tcId"], algorithm, test["comment"], test["result"]))
    assert (seen, wrong) == (401, [])
    assert set(refused_by_us) == set(NOT_TAKEN), "every reason has its vectors"
    assert not set(NOT_TAKEN) & set(ALGORITHMS)
