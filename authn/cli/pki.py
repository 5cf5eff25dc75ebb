"""``assay pki``: the revocation list and the issuing authority of this home, without a running service."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.out import hand_over, say
from authn.cli.target import Kind, refuse_other
from authn.core.config import load_settings
from authn.core.homes import refuse_device_home, require_authorities


@click.group()
def pki() -> None:
    """Publish and show what was revoked; renew the issuing authority."""


@pki.command()
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; default: standard output.")
@click.pass_obj
def crl(config_file: str | None, out: Path | None) -> None:
    """Write the current signed revocation list (DER).

    It is made anew where the last one is ten minutes old or something was revoked since. An existing list
    is replaced; any other file is left and the call refused.
    """
    from authn.core.instants import utc_now
    from authn.pki.authority import open_authority
    from authn.service.wiring import open_revocations
    from signer.core.durable import write_durably

    settings = load_settings(config_file)
    refuse_device_home(settings)
    if out is not None:
        refuse_other(out, Kind.CRL)
    published = open_revocations(settings).current_crl(open_authority(settings).issuer, utc_now())
    if out is None:
        hand_over(published.der)
        return
    try:
        write_durably(out, published.der, mode=0o644)
    except OSError as e:
        raise click.UsageError(f"{out} cannot be written: {e.strerror}") from e
    say(f"list {published.number}, the next one by {published.next_update:%Y-%m-%d %H:%M:%S}Z", err=True)


@pki.command()
@click.pass_obj
def renew(config_file: str | None) -> None:
    """Give the issuing authority a new certificate, for the same name and key.

    The key of the device root has to be in the home for it. Start the service again afterwards: until then it
    issues below the old certificate. Nothing that was issued before has to change.
    """
    from authn.core.instants import utc_now
    from authn.pki.authority import renew_issuing

    settings = load_settings(config_file)
    require_authorities(settings)
    new = renew_issuing(settings, utc_now())
    say(f"the issuing authority is valid until {new.not_valid_after_utc:%Y-%m-%d}")


@pki.command()
@click.argument("file", type=click.Path(path_type=Path))
def show(file: Path) -> None:
    """Show a revocation list (PEM or DER), without judging who signed it."""
    from authn.pki.roots import load_crls

    (found,) = load_crls((file,))
    say(f"issuer       {found.parsed.issuer.rfc4514_string()}")
    say(f"number       {found.number}")
    say(f"this update  {found.this_update:%Y-%m-%d %H:%M:%S}Z")
    say(f"next update  {found.next_update:%Y-%m-%d %H:%M:%S}Z")
    for entry in found.entries.values():
        since = f"invalid since {entry.invalid_since:%Y-%m-%d %H:%M:%S}Z"
        say(f"{entry.serial:x}  revoked {entry.revoked_at:%Y-%m-%d %H:%M:%S}Z  {since}  {entry.cause}")
