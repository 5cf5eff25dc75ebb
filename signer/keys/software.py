"""Keys in a file: encrypted PKCS#8 (RFC 5958), opened with a passphrase kept elsewhere.

Whoever reads both files owns the device: assurance level 0. Creating never overwrites: the finished file is
linked under its name, which the file system refuses when the name is taken.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from signer.core.durable import create_durably
from signer.core.errors import KeyAbsent, KeyRefused, KeyUnavailable
from signer.keys.secret import read_secret

_MAX_KEY_BYTES = 65536
_PIN_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Location:
    path: Path
    pin: str  # a reference, not the secret


def file_key_uri(key: Path, pin: Path) -> str:
    """The URI of a key file whose passphrase lies in another file; both paths must be absolute."""
    return f"file:{quote(str(key))}?pin=file:{quote(str(pin))}"


def open_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """See ``signer.keys.open_key``. A key file without encryption is refused."""
    location = _parse(uri)
    try:
        with location.path.open("rb") as f:
            pem = f.read(_MAX_KEY_BYTES)
    except FileNotFoundError as e:
        raise KeyAbsent(f"the key file {location.path} cannot be read: {e.strerror}") from e
    except OSError as e:
        raise KeyUnavailable(f"the key file {location.path} cannot be read: {e.strerror}") from e
    passphrase = read_secret(location.pin).encode()
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError as e:  # pyca's answer to a passphrase for a key that is not encrypted
        raise KeyRefused(f"the key file {location.path} is not encrypted") from e
    except UnsupportedAlgorithm as e:
        raise KeyRefused(f"the key file {location.path} holds a kind of key that is not known") from e
    except ValueError as e:
        raise KeyUnavailable(f"{location.path}: wrong passphrase, or no PKCS#8 key file") from e
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyRefused(f"the key in {location.path} is not on P-256")
    return key


def create_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """See ``signer.keys.create_key``. A passphrase file that does not exist is made, with a random one."""
    location = _parse(uri)
    scheme, _, pin_path = location.pin.partition(":")
    if location.path.exists():
        raise KeyUnavailable(f"{location.path} exists; a key is never overwritten")
    if scheme == "file" and not Path(pin_path).exists():
        _write_new(Path(pin_path), secrets.token_urlsafe(_PIN_BYTES).encode() + b"\n")
    passphrase = read_secret(location.pin).encode()
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    _write_new(location.path, pem)
    return key


def _parse(uri: str) -> _Location:
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.netloc or parts.fragment or not path.startswith("/"):
        raise KeyUnavailable("a key file is named as file:/absolute/key.pem?pin=...")
    if not parts.query.startswith("pin=") or "&" in parts.query:
        raise KeyUnavailable("a key file needs exactly one pin=env:NAME or pin=file:/absolute/path")
    return _Location(path=Path(path), pin=unquote(parts.query.removeprefix("pin=")))


def _write_new(path: Path, content: bytes) -> None:
    """Readable by the owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_durably(path, content)
    except FileExistsError as e:
        raise KeyUnavailable(f"{path} exists; a key is never overwritten") from e
    except OSError as e:
        raise KeyUnavailable(f"{path} cannot be written: {e.strerror}") from e
