"""The roots that the reader of a report decided to rely on: one set for signers, another for time-stamps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authn.errors import Unavailable
from authn.pki.crl import MAX_CRL_BYTES, Crl, CrlRefused, read_crl
from signer.certificates import read_certificate

MAX_PEM_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoots:
    """Two lists that are never joined: a time-stamp authority must not vouch for a camera, nor a camera
    authority for the time. ``crls``: what the reader knows about revocations, in place of a network."""

    signer: tuple[x509.Certificate, ...] = ()
    tsa: tuple[x509.Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()


def load_roots(files: Iterable[Path]) -> tuple[x509.Certificate, ...]:
    """All certificates of these PEM files, each once. Raises ``Unavailable`` naming the file."""
    found: dict[bytes, x509.Certificate] = {}
    for file in files:
        try:
            if file.stat().st_size > MAX_PEM_BYTES:
                raise Unavailable(f"{file} is too large for a file of root certificates")
            pem = file.read_bytes()
            for listed in x509.load_pem_x509_certificates(pem):
                der = listed.public_bytes(Encoding.DER)
                found[der] = read_certificate(der, least_serial=0)
        except OSError as e:
            raise Unavailable(f"root certificates cannot be read from {file}: {e.strerror}") from e
        except (ValueError, x509.InvalidVersion) as e:
            raise Unavailable(f"{file} holds no usable PEM certificates: {e}") from e
    return tuple(found.values())


def load_crls(files: Iterable[Path]) -> tuple[Crl, ...]:
    """One list of each file, PEM or DER. Raises ``Unavailable`` naming the file: a report must not quietly
    lose what its reader knows."""
    found = []
    for file in files:
        try:
            if file.stat().st_size > MAX_CRL_BYTES:
                raise Unavailable(f"{file} is too large for a revocation list")
            found.append(read_crl(file.read_bytes()))
        except OSError as e:
            raise Unavailable(f"the revocation list {file} cannot be read: {e.strerror}") from e
        except CrlRefused as e:
            raise Unavailable(f"the revocation list {file} is refused: {e}") from e
    return tuple(found)


def roots_pem(roots: Iterable[x509.Certificate]) -> str:
    return "".join(c.public_bytes(Encoding.PEM).decode() for c in roots)


def roots_digest(roots: Iterable[x509.Certificate]) -> str | None:
    """SHA-256 over the sorted DER of the certificates, so that the order of files does not matter."""
    ders = sorted(c.public_bytes(Encoding.DER) for c in roots)
    return hashlib.sha256(b"".join(ders)).hexdigest() if ders else None
