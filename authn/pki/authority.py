"""The service's own authorities: a root and an issuing authority for devices, and a root and one stamper.

Two separate trees, because whoever may say "this device is ours" must not thereby say what time it is.
Made on the first opening, whole or not at all, and no key is ever overwritten: where part of the folder is
missing, opening fails and names the part. The roots' private keys are used only then, and to renew the
certificate of the issuing authority; they may be moved off the machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from authn.core.config import Settings
from authn.core.errors import FileUnusable, HomeUnfit
from authn.core.keys import spki_sha256
from authn.pki import profile
from authn.pki.clock import SteadyClock, assumed_synchronised, kernel_clock_is_synchronised
from authn.pki.own_roots import DEVICE_ROOT, TSA_ROOT, own_roots, read_certificate
from authn.pki.profile import Issuer, StatusAddresses, status_addresses
from authn.pki.tsa import TimestampAuthority
from signer.core.durable import rename_durably, sync_folder, write_durably, write_new
from signer.core.errors import SignerError
from signer.core.locks import lock_file
from signer.keys import create_key, open_key
from signer.keys.software import file_key_uri

DEVICE_ISSUING, TSA = "device-issuing", "tsa"
ROOT_YEARS = 10
ISSUING_YEARS = 3
TSA_YEARS = 10
# What has to be there to work; the keys of the two roots may lie in a safe.
REQUIRED_FILES = (
    *(f"{role}.pem" for role in (DEVICE_ROOT, DEVICE_ISSUING, TSA_ROOT, TSA)),
    *(f"{role}{suffix}" for role in (DEVICE_ISSUING, TSA) for suffix in (".key.pem", ".pin")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Issues to devices and stamps time. Holds private keys: it stays in the process that opened it."""

    device_roots: tuple[x509.Certificate, ...]
    tsa_roots: tuple[x509.Certificate, ...]
    issuer: Issuer
    stamper: Issuer
    certificate_days: int
    clock_synchronised: Callable[[], bool]
    clock: SteadyClock
    addresses: StatusAddresses | None = None

    @property
    def issuing(self) -> x509.Certificate:
        return self.issuer.certificate

    def issue_device(
        self, csr: bytes, device_id: str, name: str, now: datetime
    ) -> tuple[x509.Certificate, ...]:
        """A chain, leaf first, without the root. Raises ``EnrolmentRefused`` (see ``profile.parse_csr``)
        or ``Unavailable`` when the issuing authority's time is over."""
        leaf = profile.device_certificate(
            name,
            device_id,
            profile.parse_csr(csr),
            self.issuer,
            now,
            days=self.certificate_days,
            addresses=self.addresses,
        )
        return leaf, self.issuing

    def timestamp_authority(self) -> TimestampAuthority:
        """The RFC 3161 authority on this home's stamping key."""
        return TimestampAuthority(
            self.stamper.certificate,
            self.stamper.key,
            clock=self.clock,
            clock_synchronised=self.clock_synchronised,
        )


def open_authority(settings: Settings, now: datetime | None = None) -> Authority:
    """Open the authorities of the home, or make them if there are none. Two processes at once are safe.

    Raises ``Unavailable``: the folder is incomplete, cannot be written, or its parts do not fit together.
    """
    now = now or datetime.now(UTC)
    folder = settings.home / "pki"
    with _locked(settings.home):
        if not folder.exists():
            _make(folder, now)
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise HomeUnfit(
            f"the folder {folder} is incomplete, {', '.join(missing)} is missing: restore it from a backup; "
            "keys are never made anew over old ones"
        )
    roots = own_roots(settings.home)
    issuer, stamper = _open_issuer(folder, DEVICE_ISSUING), _open_issuer(folder, TSA)
    _verify_below(issuer.certificate, roots.device[0])
    _verify_below(stamper.certificate, roots.tsa[0])
    return Authority(
        device_roots=roots.device,
        tsa_roots=roots.tsa,
        issuer=issuer,
        stamper=stamper,
        certificate_days=settings.certificate_days,
        clock_synchronised=(
            kernel_clock_is_synchronised if settings.require_clock_sync else assumed_synchronised
        ),
        clock=SteadyClock(),
        addresses=status_addresses(settings.public_url),
    )


def renew_issuing(settings: Settings, now: datetime) -> x509.Certificate:
    """A new certificate for the issuing authority, with its name and its key as they are.

    So everything below the old one stays good, and revocation lists go on. The old one is kept beside it.
    Raises ``Unavailable`` where the root's key is not in the folder, or the root itself ends too soon.
    """
    folder = settings.home / "pki"
    old = open_authority(settings, now).issuing
    if not all((folder / f"{DEVICE_ROOT}{suffix}").is_file() for suffix in (".key.pem", ".pin")):
        raise HomeUnfit(
            f"the key of the device root is not in {folder}: bring {DEVICE_ROOT}.key.pem and "
            f"{DEVICE_ROOT}.pin back for this, and take them away afterwards"
        )
    (common_name,) = (str(a.value) for a in old.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    key, root = _open_issuer(folder, DEVICE_ISSUING).key, _open_issuer(folder, DEVICE_ROOT)
    new = profile.issuing_certificate(
        common_name,
        key.public_key(),
        root,
        now,
        years=ISSUING_YEARS,
        start=old.not_valid_before_utc,  # lists say from when on they keep expired certificates
    )
    if new.not_valid_after_utc <= old.not_valid_after_utc or new.subject != old.subject:
        raise HomeUnfit(_nothing_gained(new, old, root.certificate))
    kept = folder / f"{DEVICE_ISSUING}.{old.serial_number:x}.pem"
    try:
        with _locked(settings.home):
            write_durably(kept, old.public_bytes(Encoding.PEM), mode=0o644)
            write_durably(folder / f"{DEVICE_ISSUING}.pem", new.public_bytes(Encoding.PEM), mode=0o644)
    except OSError as e:
        raise FileUnusable(f"the certificate cannot be written in {folder}: {e.strerror}") from e
    return new


def _nothing_gained(new: x509.Certificate, old: x509.Certificate, root: x509.Certificate) -> str:
    ends = root.not_valid_after_utc
    if new.not_valid_after_utc < ends and new.subject == old.subject:
        return f"the issuing authority is valid until {old.not_valid_after_utc:%F} already: nothing to renew"
    return f"the device root ends {ends:%F}: a new root is needed"


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = lock_file(home / "pki.lock")
    except OSError as e:
        raise FileUnusable(f"the home {home} cannot be used: {e.strerror}") from e
    with held:
        yield


def _make(folder: Path, now: datetime) -> None:
    """Everything in a folder beside the final one, then one rename: there is no half-made state to use."""
    new = folder.with_name("pki.new")
    try:
        if new.exists():  # a maker died here; nothing was ever issued below these keys
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        issuing = partial(profile.issuing_certificate, years=ISSUING_YEARS)
        _make_tree(new, now, (DEVICE_ROOT, DEVICE_ISSUING), ("device root", "device issuing"), issuing)
        stamping = partial(profile.timestamp_certificate, years=TSA_YEARS)
        _make_tree(new, now, (TSA_ROOT, TSA), ("time-stamp root", "time-stamp authority"), stamping)
        sync_folder(new)
        rename_durably(new, folder)
    except OSError as e:
        raise FileUnusable(f"the authorities cannot be made in {folder.parent}: {e.strerror}") from e


def _make_tree(
    folder: Path,
    now: datetime,
    roles: tuple[str, str],
    names: tuple[str, str],
    certify: Callable[..., x509.Certificate],
) -> None:
    """A root and what it certifies, each with a key of its own; ``names`` are for people."""
    root_key, key = (_new_key(folder, role) for role in roles)
    root_name, name = (
        f"Assay {n} {_short(k.public_key())}" for n, k in zip(names, (root_key, key), strict=True)
    )
    root = profile.root_certificate(root_name, root_key, now, years=ROOT_YEARS)
    below = certify(name, key.public_key(), Issuer(certificate=root, key=root_key), now)
    for role, certificate in zip(roles, (root, below), strict=True):
        _write_certificate(folder, role, certificate)


def _key_uri(folder: Path, role: str) -> str:
    return file_key_uri((folder / f"{role}.key.pem").absolute(), (folder / f"{role}.pin").absolute())


def _new_key(folder: Path, role: str) -> ec.EllipticCurvePrivateKey:
    try:
        return create_key(_key_uri(folder, role))
    except SignerError as e:
        raise FileUnusable(f"the key of {role} cannot be made: {e.detail}") from e


def _open_issuer(folder: Path, role: str) -> Issuer:
    certificate = read_certificate(folder / f"{role}.pem")
    try:
        key = open_key(_key_uri(folder, role))
    except SignerError as e:
        raise FileUnusable(f"the key of {role} cannot be opened: {e.detail}") from e
    if key.public_key() != certificate.public_key():
        raise HomeUnfit(f"the key of {role} in {folder} does not belong to its certificate")
    return Issuer(certificate=certificate, key=key)


def _verify_below(certificate: x509.Certificate, root: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature) as e:
        raise HomeUnfit(f"{certificate.subject.rfc4514_string()} was not issued by the root beside it") from e


def _write_certificate(folder: Path, role: str, certificate: x509.Certificate) -> None:
    write_new(folder / f"{role}.pem", certificate.public_bytes(Encoding.PEM), mode=0o644)


def _short(key: ec.EllipticCurvePublicKey) -> str:
    """Tells the authorities of two installations apart for people."""
    return spki_sha256(key)[:8]
