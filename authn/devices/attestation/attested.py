"""What every format of attestation is asked, what it answers, and what the operator accepts.

A verifier is a pure function: it gets everything that it may rely on in ``Asked`` and returns ``Attested`` or
raises ``AttestationRefused``. The table of formats stands in this package's ``__init__``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509

from authn.core.errors import AttestationRefused

Fact = str | int | bool | None
MAX_CERTIFICATES = 8
MAX_CERTIFICATE_BYTES = 24_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """``level`` (0 to 4, ``authn.devices.ASSURANCE_LEVELS``) is what this evidence supports for the key
    ``spki`` (SubjectPublicKeyInfo, DER); ``facts`` are what it says about where the key is."""

    fmt: str
    level: int
    spki: bytes
    facts: tuple[tuple[str, Fact], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AndroidTerms:
    """Whose applications may hold a key (``signatures``: SHA-256 of their certificates; no ``packages``: all
    of theirs) and where Google's list of revoked keys lies. ``root_keys``: SubjectPublicKeyInfo, DER."""

    root_keys: tuple[bytes, ...] = ()
    signatures: tuple[bytes, ...] = ()
    packages: tuple[str, ...] = ()
    status_lists: tuple[Path, ...] = ()
    status_hours: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAuthnTerms:
    """``origin`` is the address of the service as a browser writes it, ``rp_id`` its host. Roots are kept
    apart by what they vouch for: keys in hardware, or merely keys of a known implementation."""

    origin: str = ""
    rp_id: str = ""
    hardware_roots: tuple[x509.Certificate, ...] = ()
    other_roots: tuple[x509.Certificate, ...] = ()
    apple_roots: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the operator accepts; ``none`` among ``formats`` admits keys that nobody vouches for."""

    formats: frozenset[str] = frozenset({"none"})
    android: AndroidTerms = field(default_factory=AndroidTerms)
    webauthn: WebAuthnTerms = field(default_factory=WebAuthnTerms)
    tpm_roots: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """``challenge`` is ours and unused; ``state`` is what the format's ``prepare`` kept beside it."""

    challenge: bytes
    at: datetime
    terms: Terms
    state: bytes = b""


class Verifier(Protocol):
    """``sent`` is the JSON object under ``attestation``; a verifier refuses members that it does not know."""

    def __call__(self, sent: Mapping[str, object], asked: Asked) -> Attested: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """``answer`` goes to the device beside the challenge, ``state`` is kept with it and never shown."""

    answer: Mapping[str, str]
    state: bytes


class Preparer(Protocol):
    """For formats of two steps: ``sent`` is the JSON object with which the challenge was asked for."""

    def __call__(self, sent: Mapping[str, object], challenge: bytes, terms: Terms) -> Prepared: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    verify: Verifier
    prepare: Preparer | None = None


def members(sent: Mapping[str, object], *names: str) -> tuple[object, ...]:
    """The values of exactly these members beside ``fmt``. Raises ``AttestationRefused``."""
    if strangers := sent.keys() - {"fmt", *names}:
        raise AttestationRefused(f"the attestation has an unknown member {min(strangers)[:40]!r}")
    if missing := [name for name in names if name not in sent]:
        raise AttestationRefused(f"the attestation lacks the member {missing[0]!r}")
    return tuple(sent[name] for name in names)


def base64_chain(value: object) -> tuple[bytes, ...]:
    """Certificates (DER) as JOSE writes them (RFC 7515, 4.1.6). Raises ``AttestationRefused``."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CERTIFICATES:
        raise AttestationRefused(f"x5c is a list of 1 to {MAX_CERTIFICATES} certificates")
    if not all(isinstance(v, str) and len(v) <= 2 * MAX_CERTIFICATE_BYTES for v in value):
        raise AttestationRefused("a certificate in x5c is not a text of base64, or is too long")
    try:
        return tuple(base64.b64decode(v, validate=True) for v in value)
    except (binascii.Error, ValueError) as e:
        raise AttestationRefused("a certificate in x5c is not base64") from e


def base64url(value: object, name: str, most: int) -> bytes:
    """Without padding, at most ``most`` bytes. Raises ``AttestationRefused``."""
    if not isinstance(value, str) or len(value) > most * 4 // 3 + 4 or not value.isascii() or "=" in value:
        raise AttestationRefused(f"{name} is not a text of base64url without padding, or is too long")
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as e:
        raise AttestationRefused(f"{name} is not base64url") from e
