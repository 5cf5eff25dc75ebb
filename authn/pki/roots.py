"""The roots that the reader of a report decided to rely on: one set for signers, another for time-stamps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authn.core.errors import FileUnusable
from authn.pki.crl import MAX_CRL_BYTES, Crl, CrlRefused, read_crl
from signer.proof.certificates import Certificate, read_pem
from signer.proof.usages import SIGNER_USAGES

MAX_PEM_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoots:
    """Two lists that are never joined: a time-stamp authority must not vouch for a camera, nor a camera
    authority for the time. ``crls``: what the reader knows about revocations, in place of a network.
    ``usages``: what a claim signer's key may be for."""

    signer: tuple[Certificate, ...] = ()
    tsa: tuple[Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()
    usages: frozenset[x509.ObjectIdentifier] = SIGNER_USAGES


def load_roots(files: Iterable[Path]) -> tuple[Certificate, ...]:
    """All certificates of these PEM files, each once. Raises ``Unavailable`` naming the file."""
    found: dict[bytes, Certificate] = {}
    for file in files:
        try:
            if file.stat().st_size > MAX_PEM_BYTES:
                raise FileUnusable(f"{file} is too large for a file of root certificates")
            listed = read_pem(file.read_bytes())
        except OSError as e:
            raise FileUnusable(f"root certificates cannot be read from {file}: {e.strerror}") from e
        except ValueError as e:
            raise FileUnusable(f"{file} holds no usable PEM certificates: {e}") from e
        if not listed:
            raise FileUnusable(f"{file} holds no PEM certificate")
        found.update((c.public_bytes(Encoding.DER), c) for c in listed)
    return tuple(found.values())


def load_plain_roots(files: Iterable[Path]) -> tuple[x509.Certificate, ...]:
    """As ``load_roots``, for paths that only pyca walks. Raises ``Unavailable`` where it cannot read one."""
    found = []
    for root in load_roots(files):
        if not isinstance(root, x509.Certificate):
            named = root.subject.rfc4514_string()
            raise FileUnusable(f"the root {named} is not written as DER has it, and cannot be used here")
        found.append(root)
    return tuple(found)


def load_crls(files: Iterable[Path]) -> tuple[Crl, ...]:
    """One list of each file, PEM or DER. Raises ``Unavailable`` naming the file: a report must not quietly
    lose what its reader knows."""
    found = []
    for file in files:
        try:
            if file.stat().st_size > MAX_CRL_BYTES:
                raise FileUnusable(f"{file} is too large for a revocation list")
            found.append(read_crl(file.read_bytes()))
        except OSError as e:
            raise FileUnusable(f"the revocation list {file} cannot be read: {e.strerror}") from e
        except CrlRefused as e:
            raise FileUnusable(f"the revocation list {file} is refused: {e}") from e
    return tuple(found)


def roots_pem(roots: Iterable[Certificate]) -> str:
    return "".join(c.public_bytes(Encoding.PEM).decode() for c in roots)


def roots_digest(roots: Iterable[Certificate]) -> str | None:
    """SHA-256 over the sorted DER of the certificates, so that the order of files does not matter."""
    ders = sorted(c.public_bytes(Encoding.DER) for c in roots)
    return hashlib.sha256(b"".join(ders)).hexdigest() if ders else None
