"""What comes in from a device, its wish to be enrolled with proof that it holds its key, and what it gets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from sqlalchemy import Connection

from authn.core.errors import AttestationRefused, EnrolmentRefused
from authn.core.keys import spki_of, spki_sha256
from authn.devices import DeviceRecord
from authn.devices.registry import EnrolledDevice, Evidence, Registry
from authn.pki.authority import Authority
from authn.pki.profile import LEAF_SKEW, common_name_of, parse_csr

# Whoever saw a renewal request can send it again. It gets him nothing but the certificate that is there.
RENEWABLE_AFTER = timedelta(hours=1)


class Intake:
    """Enrols devices. Who may ask is decided by the caller: see ``tokens.verify_token``."""

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        log_queued: Callable[[], int] = lambda: 0,
        *,
        unattested: bool = True,
        origin: str = "",
    ) -> None:
        """``log_queued`` is ``Log.append_queued``; without it certificates wait in the log's queue.
        ``unattested`` admits new keys that nobody vouches for. With an ``origin``, requests that were made
        for another service are refused."""
        self._authority = authority
        self._registry = registry
        self._log_queued = log_queued
        self._unattested = unattested
        self._origin = origin

    def enrol(
        self,
        name: str,
        csr: bytes,
        now: datetime,
        *,
        evidence: Evidence | None = None,
        within: Callable[[Connection], None] = lambda _connection: None,
    ) -> EnrolledDevice:
        """A certificate for the key that signed ``csr`` (PKCS#10), and the device's row, together.

        The same name and key again is a renewal. ``within`` runs in the transaction and may refuse by
        raising. The certificate is handed out when it is in the log. Raises ``EnrolmentRefused`` as
        ``profile.parse_csr``, and as ``Registry.enrol``; ``AttestationRefused``; ``LogHalted``.
        """
        key = parse_csr(csr, origin=self._origin)
        if evidence is not None and evidence.attested.spki != spki_of(key):
            raise AttestationRefused("the attestation is for another key than the certificate request")

        def admit(connection: Connection, known: DeviceRecord | None) -> None:
            vouched = evidence is not None and evidence.attested.level > 0
            if known is None and not vouched and not self._unattested:
                raise AttestationRefused("this service takes no new key that nobody vouches for")
            within(connection)

        enrolled = self._registry.enrol(
            name=name,
            spki_sha256=spki_sha256(key),
            now=now,
            issue=lambda device_id: self._authority.issue_device(csr, device_id, name, now),
            evidence=evidence,
            admit=admit,
        )
        self._log_queued()
        return enrolled

    def renew(self, csr: bytes, now: datetime) -> x509.Certificate:
        """A new certificate for an enrolled key, proven by the signature on the request; within an hour of
        the newest certificate that one again. Raises ``EnrolmentRefused`` for a key or name that is not
        enrolled, and as ``enrol``."""
        device = self._registry.device_by_key(spki_sha256(parse_csr(csr)))
        if device is None:
            raise EnrolmentRefused("this key belongs to no enrolled device: enrol it first")
        if common_name_of(csr) not in ("", device.name):
            raise EnrolmentRefused("the request is for another name than the key was enrolled under")
        newest = self._registry.newest_certificate(device.device_id)
        if device.revoked_at is None and newest is not None and _is_fresh(newest, device, now):
            self._log_queued()  # it may have been issued while the log took nothing
            return newest
        return self.enrol(device.name, csr, now).chain[0]


def _is_fresh(certificate: x509.Certificate, device: DeviceRecord, now: datetime) -> bool:
    revoked = {c.serial for c in device.revoked_certificates}
    issued_at = certificate.not_valid_before_utc + LEAF_SKEW
    return now - issued_at < RENEWABLE_AFTER and f"{certificate.serial_number:x}" not in revoked
