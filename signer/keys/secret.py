"""Passphrases and PINs by reference, so that a key URI can stand in a settings file."""

from __future__ import annotations

import os
from pathlib import Path

from signer.core.errors import KeyUnavailable

_MAX_SECRET_BYTES = 4096


def read_secret(reference: str) -> str:
    """The secret that ``env:NAME`` or ``file:/abs/path`` names; one trailing newline is not part of it.

    Raises ``KeyUnavailable``. The message names the reference, never the secret.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and name:
        secret = os.environ.get(name, "")
        if not secret:
            raise KeyUnavailable(f"the environment variable {name} holds no PIN")
        return secret
    if scheme == "file" and name.startswith("/"):
        return _from_file(Path(name))
    raise KeyUnavailable("a PIN is named as env:NAME or file:/absolute/path")


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as f:
            raw = f.read(_MAX_SECRET_BYTES + 1)
    except OSError as e:
        raise KeyUnavailable(f"the PIN file {path} cannot be read: {e.strerror}") from e
    try:
        secret = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as e:
        raise KeyUnavailable(f"the PIN file {path} is not text") from e
    if not secret or len(raw) > _MAX_SECRET_BYTES:
        raise KeyUnavailable(f"the PIN file {path} is empty or too long")
    return secret
