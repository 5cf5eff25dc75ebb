"""The keys of a backup: one encrypted part, opened with a passphrase and nothing else.

AES-256-GCM below a key that scrypt makes of the passphrase (RFC 7914, 64 MiB): who steals a backup has to
pay that for each guess. The parameters stand beside it, so that they can grow.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from authn.core.errors import BackupRefused, BadRequest

ABOUT = b"assay backup keys 1"
MIN_PASSPHRASE_CHARACTERS = 16
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 16, 12, 32
WORK = {"n": 1 << 16, "r": 8, "p": 1}
MOST_WORK = {"n": 1 << 20, "r": 16, "p": 4}  # a stranger's list must not cost more


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """``name`` is relative to the home."""

    name: str
    content: bytes
    mode: int


def parse_passphrase(text: str) -> bytes:
    """The first line of a file. Raises ``BadRequest``."""
    line = text.partition("\n")[0].strip()
    if len(line) < MIN_PASSPHRASE_CHARACTERS:
        raise BadRequest(f"a passphrase for a backup has {MIN_PASSPHRASE_CHARACTERS} characters or more")
    return line.encode("utf-8", "surrogateescape")


def seal(files: tuple[KeyFile, ...], passphrase: bytes) -> tuple[dict[str, Any], bytes]:
    """How it is encrypted, and the encrypted files."""
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    how = {"cipher": "AES-256-GCM", "kdf": "scrypt", **WORK, "salt": salt.hex(), "nonce": nonce.hex()}
    return how, AESGCM(_key(passphrase, salt, WORK)).encrypt(nonce, _packed(files), ABOUT)


def unseal(how: Mapping[str, Any], sealed: bytes, passphrase: bytes) -> tuple[KeyFile, ...]:
    """Raises ``BackupRefused`` for another passphrase, which cannot be told from damage."""
    try:
        work = {name: int(how[name]) for name in WORK}
        if any(not 0 < work[name] <= most for name, most in MOST_WORK.items()):
            raise BackupRefused("the backup's keys are encrypted in a way that this version does not know")
        key = _key(passphrase, bytes.fromhex(how["salt"]), work)
        return _unpacked(AESGCM(key).decrypt(bytes.fromhex(how["nonce"]), sealed, ABOUT))
    except InvalidTag as e:
        raise BackupRefused("the keys do not open: another passphrase, or the backup is damaged") from e
    except (ValueError, KeyError, TypeError, tarfile.TarError) as e:
        raise BackupRefused("the backup's keys cannot be read") from e


def _key(passphrase: bytes, salt: bytes, work: Mapping[str, int]) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, **work).derive(passphrase)


def _packed(files: tuple[KeyFile, ...]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for file in files:
            info = tarfile.TarInfo(file.name)
            info.size, info.mode = len(file.content), file.mode
            tar.addfile(info, io.BytesIO(file.content))
    return out.getvalue()


def _unpacked(packed: bytes) -> tuple[KeyFile, ...]:
    found = []
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            if stream is None:
                raise BackupRefused("the backup's keys cannot be read")
            found.append(KeyFile(name=member.name, content=stream.read(), mode=member.mode & 0o777))
    return tuple(found)
