"""What comes in from a device: its wish to be enrolled, with proof that it holds its key."""

from __future__ import annotations

import contextlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection

from authn.core.config import MIN_TOKEN_CHARACTERS, Settings
from authn.core.errors import AttestationRefused, CredentialsMissing, EnrolmentRefused, FileUnusable
from authn.devices import DeviceRecord
from authn.devices.registry import EnrolledDevice, Evidence, Registry
from authn.pki.authority import Authority
from authn.pki.profile import parse_csr
from signer.core.digest import sha256_of
from signer.core.durable import create_durably

TOKEN_BYTES = 32
TOKEN_FILE = "enrolment-token"  # noqa: S105 a file's name


class Intake:
    """Enrols devices. Who may ask is decided by the caller: see ``verify_token``."""

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
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if evidence is not None and evidence.attested.spki != spki:
            raise AttestationRefused("the attestation is for another key than the certificate request")

        def admit(connection: Connection, known: DeviceRecord | None) -> None:
            vouched = evidence is not None and evidence.attested.level > 0
            if known is None and not vouched and not self._unattested:
                raise AttestationRefused("this service takes no new key that nobody vouches for")
            within(connection)

        enrolled = self._registry.enrol(
            name=name,
            spki_sha256=sha256_of(spki).value.hex(),
            now=now,
            issue=lambda device_id: self._authority.issue_device(csr, device_id, name, now),
            evidence=evidence,
            admit=admit,
        )
        self._log_queued()
        return enrolled


def verify_token(given: str, expected: str) -> None:
    """Raises ``CredentialsMissing`` for none, else ``EnrolmentRefused``; takes the same time wherever the two
    differ."""
    if not given:
        raise CredentialsMissing("send the enrolment token: Authorization: Bearer <token>")
    if not hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode()):
        raise EnrolmentRefused("the enrolment token is not the service's")


def open_enrolment_token(settings: Settings) -> str:
    """The token of the settings, else of the home's file, which is made if there is none (mode 0600).

    Raises ``Unavailable``.
    """
    if settings.enrolment_token:
        return settings.enrolment_token
    path = settings.home / TOKEN_FILE
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # another process was first; its token is the one
                create_durably(path, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n")
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise FileUnusable(f"the enrolment token {path} cannot be read or made: {e}") from e
    if len(token) < MIN_TOKEN_CHARACTERS:
        raise FileUnusable(f"the enrolment token in {path} is shorter than {MIN_TOKEN_CHARACTERS} characters")
    return token
