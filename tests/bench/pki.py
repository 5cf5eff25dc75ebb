"""What certificates cost: issuing, OCSP answers, chain checks, and a revocation list of 100,000 entries.

``python -m tests.bench.pki``; rates are per second of CPU time of one core, so that a busy machine does not
count. Signing with P-256 is the ceiling of the first two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from authn.devices.ocsp import Responder
from authn.devices.revocation import Status
from authn.pki.chains import verify_signer_path
from authn.pki.crl import Cause, RevokedEntry, build_crl, look_up, read_crl
from authn.pki.profile import Issuer, device_certificate, status_addresses
from tests.doubles.pki import TestPki

NOW = datetime.now(UTC).replace(microsecond=0)


def rate(step: Callable[[], object], count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        step()
    return count / (time.process_time() - started)


def milliseconds(step: Callable[[], object]) -> float:
    started = time.process_time()
    step()
    return (time.process_time() - started) * 1e3


def measure(count: int, entries: int) -> dict[str, float]:
    pki = TestPki()
    issuer = Issuer(certificate=pki.issuing.certificate, key=pki.issuing.ec_key)
    leaf, public_key = pki.leaf(), ec.generate_private_key(ec.SECP256R1()).public_key()
    addresses = status_addresses("https://assay.example")
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf.certificate, issuer.certificate, hashes.SHA256())
    asked = request.build().public_bytes(Encoding.DER)
    responder = Responder(issuer, lambda _serial: Status(known=True), lambda: NOW)
    found = {
        "P-256 signatures/s": rate(lambda: issuer.key.sign(b"x" * 64, ec.ECDSA(hashes.SHA256())), count),
        "certificates issued/s": rate(
            lambda: device_certificate("d", "i", public_key, issuer, NOW, days=9, addresses=addresses), count
        ),
        "OCSP answers/s": rate(lambda: responder.respond(asked), count),
        "chains verified/s": rate(
            lambda: verify_signer_path(leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW), count
        ),
    }
    return found | _list(issuer, leaf.certificate, entries)


def _list(issuer: Issuer, leaf: x509.Certificate, entries: int) -> dict[str, float]:
    revoked = [
        RevokedEntry(serial=2**150 + i, revoked_at=NOW, invalid_since=NOW, cause=Cause.KEY_COMPROMISE)
        for i in range(entries)
    ]
    made: list[bytes] = []

    def make() -> None:
        due = NOW + timedelta(days=1)
        made.append(build_crl(issuer, revoked, number=1, this_update=NOW, next_update=due))

    making = milliseconds(make)
    reading = milliseconds(lambda: read_crl(made[0]))
    crl = read_crl(made[0])
    return {
        f"list of {entries}: made, ms": making,
        f"list of {entries}: read completely, ms": reading,
        f"list of {entries}: signature and look-up, ms": milliseconds(
            lambda: look_up(crl, leaf, issuer.certificate, as_of=NOW)
        ),
        f"list of {entries}: bytes": float(len(made[0])),
    }


def main() -> None:
    for what, value in measure(2000, 100_000).items():
        print(f"{what:48} {value:12,.0f}")


if __name__ == "__main__":
    main()
