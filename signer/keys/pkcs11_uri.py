"""PKCS#11 URIs (RFC 7512): which object on which token, through which module, with which PIN.

Strict: an attribute that is not understood is refused, because ignoring it would widen the selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, unquote_to_bytes

from signer.core.errors import KeyUnavailable
from signer.keys.secret import read_secret

_PATH = ("token", "serial", "object", "id", "type")
_QUERY = ("module-path", "pin-value", "pin-source")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """``token`` or ``serial`` names the token, ``object`` or ``id`` the key on it."""

    module_path: str
    token: str | None
    serial: bytes | None
    object: str | None
    id: bytes | None
    pin_value: str | None
    pin_source: str | None

    def pin(self) -> str:
        """Raises ``KeyUnavailable`` where the URI names none or it cannot be read."""
        if self.pin_value is not None:
            return self.pin_value
        if self.pin_source is None:
            raise KeyUnavailable("the pkcs11 URI names neither pin-value nor pin-source")
        source = self.pin_source
        return read_secret(f"file:{source}" if source.startswith("/") else source)


def parse_pkcs11_uri(uri: str) -> TokenKey:
    """Raises ``KeyUnavailable`` for anything that is not understood completely."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "pkcs11":
        raise KeyUnavailable("not a pkcs11 URI")
    path_text, _, query_text = rest.partition("?")
    path = attributes("pkcs11", path_text, ";", _PATH)
    query = attributes("pkcs11", query_text, "&", _QUERY)
    if path.get("type", "private") != "private":
        raise KeyUnavailable("the pkcs11 URI must name a private key")
    if not {"token", "serial"} & path.keys() or not {"object", "id"} & path.keys():
        raise KeyUnavailable("the pkcs11 URI must name token= or serial=, and object= or id=")
    if not query.get("module-path"):
        raise KeyUnavailable("the pkcs11 URI names no module-path=")
    if {"pin-value", "pin-source"} <= query.keys():
        raise KeyUnavailable("the pkcs11 URI names both pin-value and pin-source")  # RFC 7512 section 2.4
    return TokenKey(
        module_path=unquote(query["module-path"]),
        token=_text(path.get("token")),
        serial=_bytes(path.get("serial")),
        object=_text(path.get("object")),
        id=_bytes(path.get("id")),
        pin_value=_text(query.get("pin-value")),
        pin_source=_text(query.get("pin-source")),
    )


def attributes(scheme: str, text: str, separator: str, known: tuple[str, ...]) -> dict[str, str]:
    """Still percent-encoded. Raises ``KeyUnavailable`` for one that is not known or stands twice."""
    found: dict[str, str] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if name not in known or not equals:
            raise KeyUnavailable(f"the {scheme} URI holds {name[:40]!r}, which is not understood")
        if name in found:
            raise KeyUnavailable(f"the {scheme} URI holds {name} twice")
        found[name] = value
    return found


def _text(value: str | None) -> str | None:
    return None if value is None else unquote(value)


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else unquote_to_bytes(value)
