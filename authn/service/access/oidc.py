"""Tokens of people, signed by an OpenID Connect issuer (OpenID Connect Core 3.1.3.7, RFC 9068).

Nothing in a token chooses how it is verified: algorithms, issuer and audience are pinned, keys come from the
place that the settings name, and addresses in a token's header are never fetched.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from authn.core.config import Settings
from authn.core.errors import CredentialsRefused, SettingsError, Unreachable
from authn.core.exchange import exchange
from authn.service.access import Kind, Principal
from authn.service.access.scopes import SCOPES

ALGORITHMS = ("ES256", "RS256", "PS256")
MAX_TOKEN_CHARACTERS = 8000
MAX_KEYS_BYTES = 256 * 1024
KEYS_LAST_S = 300.0
# A token with an unknown key asks for new keys, but not more often than this.
FETCH_AT_MOST_EVERY_S = 30.0
FETCH_TIMEOUT_S = 5.0
SKEW_S = 60
MAX_SUBJECT_CHARACTERS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Whoever has ``value`` in ``claim`` (a text, words in a text, or a list) gets ``scopes``."""

    claim: str
    value: str
    scopes: frozenset[str]


class IssuerKeys:
    """A JWK set from an address or a file, kept for five minutes. Shared by the threads of a process."""

    def __init__(self, source: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._tried_at: float | None = None

    def find(self, key_id: str | None) -> KeySet:
        """The keys with this id; all of them for a token that names none, where there is only one key.

        Raises ``CredentialsRefused`` for an id that is not there, ``Unavailable`` when there are no keys.
        """
        with self._lock:
            if self._keys is None or self._is_older_than(KEYS_LAST_S) or not _fitting(self._keys, key_id):
                self._renew()
            if self._keys is None:
                raise Unreachable("the keys of the token's issuer cannot be read; try again")
            if not (found := _fitting(self._keys, key_id)):
                raise CredentialsRefused("the token is signed with a key that its issuer does not have")
            return KeySet(found)

    def _is_older_than(self, seconds: float) -> bool:
        return self._tried_at is None or self._monotonic() - self._tried_at > seconds

    def _renew(self) -> None:
        """Old keys stay when new ones cannot be had: an issuer that is down locks nobody out."""
        if not self._is_older_than(FETCH_AT_MOST_EVERY_S):
            return
        self._tried_at = self._monotonic()
        try:
            self._keys = _parse_keys(_read(self._source))
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, JoseError):
            return


class TokenIssuer:
    """Verifies bearer tokens of one issuer."""

    def __init__(self, *, issuer: str, audience: str, keys: IssuerKeys, grants: tuple[Grant, ...]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._grants = grants

    def verify(self, token: str, now: datetime) -> Principal:
        """Raises ``CredentialsRefused``, and ``Unavailable`` while the issuer's keys cannot be had."""
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise CredentialsRefused("the token is too long or not ASCII")
        claims = _claims(verify_jws(token, self._keys))
        _check_times(claims, now.timestamp())
        self._check_parties(claims)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
            raise CredentialsRefused("the token names no subject")
        return Principal(kind=Kind.PERSON, id=subject, scopes=granted(self._grants, claims))

    def _check_parties(self, claims: Mapping[str, object]) -> None:
        if claims.get("iss") != self._issuer:
            raise CredentialsRefused("the token is of another issuer")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if self._audience not in audiences:
            raise CredentialsRefused("the token is meant for somebody else")
        party = claims.get("azp")
        if party is None and len(audiences) > 1:
            raise CredentialsRefused("a token for several audiences has to say who uses it (azp)")
        if party is not None and party != self._audience:
            raise CredentialsRefused("the token was given to another client (azp)")


def verify_jws(token: str, keys: IssuerKeys) -> bytes:
    """The payload of a compact JWS (RFC 7515) with a signature of one of the issuer's keys.

    Raises ``CredentialsRefused``, and ``Unavailable`` while the keys cannot be had.
    """

    def key_of(signature: Any) -> KeySet:
        key_id = signature.headers().get("kid")
        if key_id is not None and not isinstance(key_id, str):
            raise CredentialsRefused("the token's kid is no text")
        return keys.find(key_id)

    try:
        payload: bytes = jws.deserialize_compact(token, key_of, algorithms=list(ALGORITHMS)).payload
    except (JoseError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise CredentialsRefused("the token is malformed or its signature does not hold") from e
    return payload


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError) as e:
        raise CredentialsRefused("the token is malformed or its signature does not hold") from e
    if not isinstance(claims, dict):
        raise CredentialsRefused("the token is malformed or its signature does not hold")
    return claims


def open_issuer(settings: Settings) -> TokenIssuer | None:
    """None where no issuer is configured. Raises ``SettingsError``."""
    grants = parse_grants(settings.oidc_scopes)
    if not settings.oidc_issuer:
        return None
    return TokenIssuer(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        keys=IssuerKeys(settings.oidc_jwks),
        grants=grants,
    )


def parse_grants(text: str) -> tuple[Grant, ...]:
    """``claim:value=scope scope; ...``. Raises ``SettingsError``."""
    grants = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        who, _, what = part.rpartition("=")
        claim, _, value = who.partition(":")
        scopes = frozenset(what.split())
        if not claim.strip() or not value.strip() or not scopes or scopes - set(SCOPES):
            raise SettingsError(f"oidc_scopes: {part!r} is not claim:value=scope, or names no known scope")
        grants.append(Grant(claim=claim.strip(), value=value.strip(), scopes=scopes))
    return tuple(grants)


def granted(grants: tuple[Grant, ...], claims: Mapping[str, object]) -> frozenset[str]:
    """Without grants the claim ``scope`` (RFC 9068, 2.2.3) counts, as far as it names scopes of ours."""
    if not grants:
        return frozenset(SCOPES).intersection(_words(claims.get("scope")))
    found = [g.scopes for g in grants if g.value in _words(claims.get(g.claim))]
    return frozenset().union(*found)


def _words(claim: object) -> tuple[str, ...]:
    if isinstance(claim, str):
        return (claim, *claim.split())
    return tuple(c for c in claim if isinstance(c, str)) if isinstance(claim, list) else ()


def _check_times(claims: Mapping[str, object], now_s: float) -> None:
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if any(isinstance(t, bool) or not isinstance(t, int | float) for t in times.values()):
        raise CredentialsRefused("a time in the token is no number")
    numbers = {name: float(t) for name, t in times.items() if isinstance(t, int | float)}
    if "exp" not in numbers:
        raise CredentialsRefused("a token has to end (exp)")
    if not now_s < numbers["exp"] + SKEW_S:
        raise CredentialsRefused("the token has expired")
    if any(not now_s > numbers[name] - SKEW_S for name in ("nbf", "iat") if name in numbers):
        raise CredentialsRefused("the token is not valid yet")


def _fitting(keys: KeySet, key_id: str | None) -> list[Any]:
    if key_id is None:
        return list(keys.keys) if len(keys.keys) == 1 else []
    return [key for key in keys.keys if key.kid == key_id]


def _parse_keys(text: bytes) -> KeySet:
    """Public signing keys only: a symmetric key in the set would let anybody who reads it sign."""
    rows = json.loads(text)["keys"]
    usable = [r for r in rows if r["kty"] in ("EC", "RSA") and r.get("use", "sig") == "sig"]
    return KeySet.import_key_set({"keys": usable})


def _read(source: str) -> bytes:
    if not source.startswith(("http://", "https://")):
        content = Path(source).read_bytes()
    else:
        answer = exchange(source, None, timeout_s=FETCH_TIMEOUT_S, max_bytes=MAX_KEYS_BYTES)
        if answer.status // 100 != 2:
            raise OSError("the keys are not served")
        content = answer.content
    if len(content) > MAX_KEYS_BYTES:
        raise ValueError("too many keys")
    return content
