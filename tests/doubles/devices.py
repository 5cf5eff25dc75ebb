"""An enrolled device without a service: key, certificate, counter and spool, all real, in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from authn.pki.tsa import TimestampAuthority
from signer.device import DeviceIdentity, save_identity
from signer.keys import create_key
from signer.keys.software import file_key_uri
from signer.spool import Spool
from tests.doubles.pki import TestPki, pem_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """``identity`` signs with ``key``; ``stamp`` is the real authority of ``pki`` as a function."""

    pki: TestPki
    home: Path
    identity: DeviceIdentity
    key: ec.EllipticCurvePrivateKey
    spool: Spool
    authority: TimestampAuthority

    def stamp(self, request: bytes) -> bytes:
        return self.authority.respond(request)


def enrolled_camera(home: Path, pki: TestPki, name: str = "cam", **urls: str) -> Camera:
    """``home`` as `assay device enrol` leaves it, with certificates of ``pki``."""
    folder = home / "devices" / name
    uri = file_key_uri(folder / "key.pem", folder / "key.pin")
    key = create_key(uri)
    leaf = pki.leaf(name, public_key=key.public_key())
    stamper = pki.tsa_leaf()
    identity = save_identity(
        folder,
        device_id=f"id-of-{name}",
        name=name,
        key_uri=uri,
        chain_pem=leaf.chain_pem,
        tsa_roots_pem=pem_of(*pki.tsa_roots),
        **urls,
    )
    return Camera(
        pki=pki,
        home=home,
        identity=identity,
        key=key,
        spool=Spool(home / "spool"),
        authority=TimestampAuthority(stamper.certificate, stamper.ec_key),
    )
