"""What the owner of devices looks for in a log: leaves about these devices and keys that nobody asked for.

An owner needs no help of the log: it has the certificates it asked for, and finds the rest by tags (decision
0007). Pure but for ``read_watch_list``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from authn.core.errors import FileUnusable
from authn.core.keys import spki_sha256
from authn.tlog.format.entry import Leaf, tag

MAX_PEM_BYTES = 1 << 20
ASKED_FOLDER = "asked"  # of a device's folder: every certificate it ever asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchList:
    """Values are as records spell them: ids, and SHA-256 in hex."""

    devices: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()

    @property
    def identities(self) -> frozenset[str]:
        """One word for each device and key that leaves are searched for."""
        return frozenset(f"device {d}" for d in self.devices) | frozenset(f"key {k}" for k in self.keys)

    def matched(self, leaf: Leaf) -> tuple[str, ...]:
        """Which of "device" and "key" the leaf is about; empty for other people's leaves."""
        named = {"device": self.devices, "key": self.keys}
        return tuple(name for name, hash_ in leaf.tags if _any(name, leaf.commit, hash_, named.get(name, ())))

    def asked_for(self, leaf: Leaf) -> bool:
        """Whether the leaf is about one of the certificates that were asked for."""
        tags = dict(leaf.tags)
        return "certificate" in tags and _any("certificate", leaf.commit, tags["certificate"], self.asked)


def read_watch_list(paths: Sequence[Path], device_ids: Iterable[str] = ()) -> WatchList:
    """From certificates that were asked for: PEM files, or folders of them, such as a device's own.

    Authorities' certificates in them are passed over. What a device keeps is a service's answer, in which
    only the first certificate was asked for: a planted one behind it must not silence a monitor. Raises
    ``Unavailable`` for what cannot be read.
    """
    read = ((_is_device(path), _certificates(file)) for path in paths for file in _files(path))
    leaves = [c for answered, found in read for c in (found[:1] if answered else found) if not _is_ca(c)]
    ids = {str(a.value) for c in leaves for a in c.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)}
    return WatchList(
        devices=frozenset((*device_ids, *ids)),
        keys=frozenset(spki_sha256(c.public_key()) for c in leaves),
        asked=frozenset(sha256(c.public_bytes(Encoding.DER)).hexdigest() for c in leaves),
    )


def _any(name: str, commit: bytes, hash_: bytes, values: Iterable[str]) -> bool:
    return any(tag(name, commit, value) == hash_ for value in values)


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        return (path,)
    if _is_device(path):
        return (path / "chain.pem", *sorted((path / ASKED_FOLDER).glob("*.pem")))
    found = tuple(sorted(path.glob("*.pem")))
    if not found:
        raise FileUnusable(f"{path} holds no certificate (*.pem)")
    return found


def _is_device(path: Path) -> bool:
    return (path / "device.json").exists()


def _certificates(file: Path) -> list[x509.Certificate]:
    try:
        with file.open("rb") as f:
            return x509.load_pem_x509_certificates(f.read(MAX_PEM_BYTES))
    except OSError as e:
        raise FileUnusable(f"{file} cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise FileUnusable(f"{file} holds no certificates in PEM") from e


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
    except (ValueError, UnsupportedAlgorithm) as e:
        raise FileUnusable("a certificate that was asked for has extensions that cannot be read") from e
