"""What ``sign``, ``stamp``, ``watch`` and ``capture`` share: this home's device, spool and authority.

Light on purpose: the service's own authority is opened only when a stamp is fetched and no URL is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import ec

from authn.cli.out import say
from authn.core.config import Settings, load_settings
from authn.core.errors import AuthnError, SettingsError
from signer.capture import SignedBefore, SignedCapture, sign_file, signed_before
from signer.client import Client
from signer.core.errors import (
    DeviceUnusable,
    KeyRefused,
    KeyUnavailable,
    SignerError,
    SpoolError,
    TimestampUnavailable,
    UnreadableMedia,
)
from signer.device import DeviceIdentity, choose_identity
from signer.freshness import remember_checkpoint
from signer.http_signature import RequestSigner
from signer.keys import open_key
from signer.proof.certificates import Certificate, read_pem
from signer.spool import Fetch, Spool, StampRun

Roots = tuple[Certificate, ...]
_NO_ROOTS = "no root of a time-stamp authority is known here to verify a stamp by; name one in tsa_roots"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSession:
    settings: Settings
    identity: DeviceIdentity
    spool: Spool


def open_session(config_file: str | None, device_name: str | None) -> CaptureSession:
    """The named device, or the only one. Takes up first what an earlier run left unfinished.

    Raises ``SettingsError``, ``DeviceUnusable``, ``SpoolError``.
    """
    settings = load_settings(config_file)
    identity = choose_identity(settings.home / "devices", device_name)
    spool = Spool(settings.home / "spool")
    spool.recover()
    return CaptureSession(settings=settings, identity=identity, spool=spool)


def make_out_folder(out: Path | None) -> None:
    """The folder for signed copies, if one was asked for. Raises ``click.BadParameter``."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise click.BadParameter(f"{out} cannot be made: {e.strerror}", param_hint="--out") from e


# What the next photo would meet as well; everything else is about one photo and ends with it.
_ENDS_ALL = (DeviceUnusable, KeyUnavailable, KeyRefused, SpoolError)


def sign_one(
    photo: Path, session: CaptureSession, key: ec.EllipticCurvePrivateKey, out: Path | None
) -> SignedCapture | SignerError:
    """The capture, or why there is none; the next photo is not touched by it. Raises ``DeviceUnusable``,
    ``KeyUnavailable``, ``KeyRefused``, ``SpoolError``."""
    try:
        return sign_file(photo, session.identity, spool=session.spool, key=key, out=out)
    except _ENDS_ALL:
        raise
    except SignerError as e:
        return e
    except MemoryError:
        return UnreadableMedia(f"{photo.name} needs more memory than there is")


def signed_earlier(photo: Path, session: CaptureSession, target: Path | None) -> SignedBefore | None:
    """What this device signed before; it waits for its time-stamp also where it was copied or moved since."""
    before = signed_before(photo, session.identity, out=target)
    if before is not None and not before.stamped:
        session.spool.add(before.entry)
    return before


def stamp_waiting(session: CaptureSession) -> StampRun:
    """Try to stamp what waits of this device. Raises ``SpoolError``; an unreachable authority is a result."""
    waiting = session.spool.pending(session.identity.device_id)
    if not waiting:
        return StampRun()
    try:
        fetch, roots = _authority(session)
    except TimestampUnavailable as e:
        return StampRun(waiting=tuple(replace(entry, reason=e.detail) for entry in waiting))
    if not roots:
        return StampRun(waiting=tuple(replace(entry, reason=_NO_ROOTS) for entry in waiting))
    run = session.spool.stamp_all(fetch, roots, device_id=session.identity.device_id)
    _learn_checkpoint(session)
    return run


def _learn_checkpoint(session: CaptureSession) -> None:
    """The next captures commit to the newest checkpoint of the service's log that witnesses have signed, else
    to the newest of all; nothing waits for it."""
    service_url = session.identity.service_url or session.settings.service_url
    if service_url:
        log, client = f"{service_url.rstrip('/')}/log", Client()
        note = client.checkpoint(f"{log}/witnessed") or client.checkpoint(f"{log}/checkpoint")
        remember_checkpoint(session.identity.folder, note)


def print_stamping(run: StampRun) -> None:
    """Who waits and who never will goes to stderr, with the reason once for all who share it."""
    for entry in run.aside:
        say(f"cannot be stamped: {entry.path}: {entry.reason}", err=True)
    for reason in dict.fromkeys(entry.reason for entry in run.waiting):
        count = sum(entry.reason == reason for entry in run.waiting)
        say(f"waiting for a time-stamp: {count} ({reason}); run `assay stamp` later", err=True)


def _authority(session: CaptureSession) -> tuple[Fetch, Roots]:
    """Where to get a stamp, a URL in the settings first; and the roots that verifiers of this home go by,
    wherever the stamp is from: one that they do not know would be stapled for nothing."""
    settings, identity = session.settings, session.identity
    roots = (*identity.tsa_roots, *_read_roots(settings.tsa_roots))
    if settings.tsa_url:
        return _over_http(settings.tsa_url), (*roots, *_roots_of_this_home(settings))
    if identity.tsa_url:
        own = identity.service_url and identity.tsa_url.startswith(f"{identity.service_url.rstrip('/')}/")
        return _over_http(identity.tsa_url, identity if own else None), roots
    if service_url := identity.service_url or settings.service_url:
        return _over_http(f"{service_url.rstrip('/')}/tsa", identity), roots
    return _of_this_home(settings)


def request_signer(identity: DeviceIdentity) -> Callable[[], RequestSigner]:
    """How this device signs its requests to its service; the key is opened when it is called."""
    return lambda: RequestSigner(key=open_key(identity.key_uri), clock=lambda: datetime.now(UTC))


def _over_http(url: str, identity: DeviceIdentity | None = None) -> Fetch:
    """Requests to an authority of somebody else's are never signed."""
    client = Client(signer=request_signer(identity) if identity else None)
    return lambda request: client.stamp(url, request)


def _of_this_home(settings: Settings) -> tuple[Fetch, Roots]:
    if not (settings.home / "pki").is_dir():  # opening it would make a new authority
        raise TimestampUnavailable("no time-stamp authority is known: neither tsa_url nor one in this home")
    from authn.pki.authority import open_authority

    try:
        authority = open_authority(settings)
        return authority.timestamp_authority().respond, authority.tsa_roots
    except AuthnError as e:
        raise TimestampUnavailable(f"this home's time-stamp authority cannot be used: {e.detail}") from e


def _roots_of_this_home(settings: Settings) -> Roots:
    from authn.pki.own_roots import own_roots

    try:
        return own_roots(settings.home).tsa
    except AuthnError as e:
        raise TimestampUnavailable(f"this home's own roots cannot be read: {e.detail}") from e


def _read_roots(paths: tuple[Path, ...]) -> Roots:
    roots: list[Certificate] = []
    for path in paths:
        try:
            roots += read_pem(path.read_bytes())
        except OSError as e:
            raise SettingsError(f"tsa_roots: {path} cannot be read: {e.strerror}") from e
        except ValueError as e:
            raise SettingsError(f"tsa_roots: {path} holds no certificates") from e
    return tuple(roots)
