"""The root certificates that a home was given, for whoever verifies and makes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from authn.core.errors import FileUnusable

DEVICE_ROOT, TSA_ROOT = "device-root", "tsa-root"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoots:
    """The roots this home was given, for verifiers; both empty where no authority was ever made."""

    device: tuple[x509.Certificate, ...] = ()
    tsa: tuple[x509.Certificate, ...] = ()


def own_roots(home: Path) -> OwnRoots:
    """The home's root certificates; makes nothing. Raises ``Unavailable`` when they cannot be read."""
    folder = home / "pki"
    if not folder.exists():
        return OwnRoots()
    return OwnRoots(
        device=(read_certificate(folder / f"{DEVICE_ROOT}.pem"),),
        tsa=(read_certificate(folder / f"{TSA_ROOT}.pem"),),
    )


def read_certificate(path: Path) -> x509.Certificate:
    """From PEM. Raises ``Unavailable``."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as e:
        raise FileUnusable(f"{path} cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise FileUnusable(f"{path} is not a PEM certificate") from e
