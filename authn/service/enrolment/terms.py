"""What the operator accepts, from the settings and the files that they name."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from authn.core.config import Settings
from authn.core.errors import FileUnusable
from authn.core.keys import spki_of
from authn.devices.attestation.android_key import FMT as ANDROID_KEY
from authn.devices.attestation.android_roots import google_root_keys
from authn.devices.attestation.android_status import read_status
from authn.devices.attestation.apple_root import apple_webauthn_root
from authn.devices.attestation.attested import AndroidTerms, Terms, WebAuthnTerms
from authn.pki.roots import load_plain_roots

DEFAULT_PORTS = {"http": 80, "https": 443}


def load_terms(settings: Settings) -> Terms:
    """Raises ``Unavailable`` for roots that cannot be read. The list of revoked Android keys is read anew for
    every attestation, because it changes."""
    origin, rp_id = origin_of(settings.public_url)
    return Terms(
        formats=frozenset(settings.attestation_formats.split()),
        android=AndroidTerms(
            root_keys=_android_root_keys(settings),
            signatures=tuple(bytes.fromhex(s) for s in settings.android_signatures.split()),
            packages=tuple(settings.android_packages.split()),
            status_lists=settings.android_status,
            status_hours=settings.android_status_hours,
        ),
        webauthn=WebAuthnTerms(
            origin=origin,
            rp_id=rp_id,
            hardware_roots=load_plain_roots(settings.webauthn_hardware_roots),
            other_roots=load_plain_roots(settings.webauthn_roots),
            apple_roots=(apple_webauthn_root(),),
        ),
        tpm_roots=load_plain_roots(settings.tpm_roots),
    )


def why_not_usable(terms: Terms, now: datetime) -> str:
    """One sentence where an accepted format cannot be examined now; empty when all can."""
    if ANDROID_KEY not in terms.formats:
        return ""
    try:
        read_status(terms.android.status_lists, now=now, hours=terms.android.status_hours)
    except FileUnusable as e:
        return e.detail
    return ""


def origin_of(url: str) -> tuple[str, str]:
    """The origin of an address as a browser writes it (RFC 6454, 6.2), and its host; empty for none."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if not host:
        return "", ""
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != DEFAULT_PORTS.get(parts.scheme):
        shown = f"{shown}:{port}"
    return f"{parts.scheme}://{shown}", host


def _android_root_keys(settings: Settings) -> tuple[bytes, ...]:
    given = load_plain_roots(settings.android_roots)
    keys = (spki_of(c.public_key()) for c in given)
    return tuple(keys) if given else google_root_keys()
