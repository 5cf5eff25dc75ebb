"""TPM key URIs: which key, in which TPM, with which PIN.

``tpm2:/abs/key.pem?pin=...`` is a file with the key wrapped by the TPM, useless elsewhere;
``tpm2:0x81000100?pin=...`` is a persistent handle. ``tcti=`` says how the TPM is reached (else the variable
``TPM2TOOLS_TCTI``, else the kernel's resource manager), ``owner=`` and ``endorsement=`` name the secrets of
these hierarchies where they have one. PINs are references: ``env:NAME`` or ``file:/abs/path``. Strict, as
``pkcs11_uri``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from signer.core.errors import KeyUnavailable
from signer.keys.pkcs11_uri import attributes
from signer.keys.secret import read_secret

DEFAULT_TCTI = "device:/dev/tpmrm0"
TCTI_VARIABLE = "TPM2TOOLS_TCTI"
MAX_AUTH_BYTES = 32  # the size of the key's name algorithm, TPM 2.0 Part 1 section 19.6.5
_HANDLE = re.compile(r"0x[0-9a-fA-F]{8}")
_OWNER_HANDLES = range(0x8100_0000, 0x8180_0000)  # TPM 2.0 Part 2 section 7.2: the others are the platform's
_QUERY = ("pin", "tcti", "owner", "endorsement")


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmKey:
    """Exactly one of ``path`` and ``handle``; the secrets are references."""

    path: Path | None
    handle: int | None
    tcti: str
    pin_reference: str | None
    owner_reference: str | None
    endorsement_reference: str | None

    def pin(self) -> bytes:
        """Empty where the URI names none. Raises ``KeyUnavailable``."""
        return _auth(self.pin_reference, "PIN")

    def owner(self) -> bytes:
        """Empty where the URI names none. Raises ``KeyUnavailable``."""
        return _auth(self.owner_reference, "owner secret")

    def endorsement(self) -> bytes:
        """Empty where the URI names none. Raises ``KeyUnavailable``."""
        return _auth(self.endorsement_reference, "endorsement secret")


def parse_tpm2_uri(uri: str) -> TpmKey:
    """Raises ``KeyUnavailable`` for anything that is not understood completely."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "tpm2":
        raise KeyUnavailable("not a tpm2 URI")
    place_text, _, query_text = rest.partition("?")
    place = unquote(place_text)
    query = {name: unquote(value) for name, value in attributes("tpm2", query_text, "&", _QUERY).items()}
    if empty := [name for name, value in query.items() if not value]:
        raise KeyUnavailable(f"the tpm2 URI holds {empty[0]!r}, which is not understood")
    handle = int(place, 16) if _HANDLE.fullmatch(place) else None
    if handle is None and (not place.startswith("/") or place.startswith("//") or "\0" in place):
        raise KeyUnavailable("a TPM key is named as tpm2:/absolute/key.pem or tpm2:0x81...... (a handle)")
    if handle is not None and handle not in _OWNER_HANDLES:
        raise KeyUnavailable("a persistent TPM key has a handle from 0x81000000 to 0x817fffff")
    return TpmKey(
        path=Path(place) if handle is None else None,
        handle=handle,
        tcti=query.get("tcti") or os.environ.get(TCTI_VARIABLE) or DEFAULT_TCTI,
        pin_reference=query.get("pin"),
        owner_reference=query.get("owner"),
        endorsement_reference=query.get("endorsement"),
    )


def _auth(reference: str | None, what: str) -> bytes:
    """A TPM drops zero bytes at the end of a secret, so one that ends so would match others."""
    if reference is None:
        return b""
    secret = read_secret(reference).encode()
    if len(secret) > MAX_AUTH_BYTES:
        raise KeyUnavailable(f"the {what} is longer than a TPM takes ({MAX_AUTH_BYTES} bytes)")
    if secret.endswith(b"\0"):
        raise KeyUnavailable(f"the {what} ends in a zero byte, which a TPM drops")
    return secret
