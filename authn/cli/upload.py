"""``assay upload``: hand signed, stamped captures to the service and keep its receipts beside them."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.capturing import open_session, request_signer
from authn.cli.out import say
from authn.core.errors import AuthnError, NoteError, ReceiptRefused
from authn.core.evidence import Outcome
from authn.core.homes import own_address
from authn.core.media import media_of
from authn.provenance.logs import LogTrust, log_axis, parse_log_keys
from authn.provenance.own import read_own
from authn.tlog.format.text import RECEIPT_SUFFIX
from signer.client import Client, Uploaded
from signer.core.durable import write_durably
from signer.core.errors import ServiceUnavailable, SignerError
from signer.device import LOG_KEY_FILE
from signer.formats import media_type_of
from signer.mediafile import read_media_file


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option("--device", "device_name", help="Whose service; needed where several devices are enrolled.")
@click.option("--service", "service_url", help="The service, in place of the device's own.")
@click.pass_context
def upload(
    ctx: click.Context, photos: tuple[Path, ...], device_name: str | None, service_url: str | None
) -> None:
    """Have captures verified and logged; PHOTO.tlog-proof is written once the receipt holds.

    The log's key is remembered when the device is enrolled, or at the first receipt; another key later is
    refused. A device that was enrolled in the home of a service uploads to it. Exit code 0 when every
    photo has its receipt, 3 when one was refused, 4 when the service could not be reached.
    """
    session = open_session(ctx.obj, device_name)
    url = service_url or session.identity.service_url or session.settings.service_url
    url = url or own_address(session.settings)
    if not url:
        raise click.UsageError("no service is known: enrol with --service, or give --service here")
    client = Client(service_url=url, signer=request_signer(session.identity))
    code = 0
    for photo in photos:
        try:
            others = _one(photo, client, session.identity.folder / LOG_KEY_FILE)
            say(f"logged {photo}")
            if others:
                entries = ", ".join(map(str, others))
                say(
                    f"note: {photo}: other captures of this device bear the same number (entries {entries}): "
                    "was its folder restored from a copy, or is its key used elsewhere?",
                    err=True,
                )
        except ServiceUnavailable as e:
            say(f"not logged: {photo}: {e.detail} [{e.code}]", err=True)
            code = 4
        except OSError as e:
            # It may be in the log by now; sent again, it is found there.
            say(f"no receipt kept: {photo}: {e.strerror}; send it again", err=True)
            code = 4
        except (SignerError, AuthnError) as e:
            say(f"not logged: {photo}: {e.detail} [{e.code}]", err=True)
            code = max(code, 3)
    ctx.exit(code)


def _one(photo: Path, client: Client, key_file: Path) -> tuple[int, ...]:
    """The entries of other captures of the same number."""
    data = read_media_file(photo).data
    answer = client.upload(data, media_type_of(data, photo.name))
    _verify(data, photo.name, answer, key_file)
    write_durably(photo.with_name(photo.name + RECEIPT_SUFFIX), answer.receipt.encode(), mode=0o644)
    return answer.counter_also_in


def _verify(data: bytes, name: str, answer: Uploaded, key_file: Path) -> None:
    """Offline, with the key that is remembered. Raises ``ReceiptRefused``."""
    known = key_file.read_text().strip() if key_file.exists() else answer.log_key
    if known != answer.log_key:
        raise ReceiptRefused("the service's log has another key than the one that is remembered")
    try:
        trust = LogTrust(logs=parse_log_keys((known,)))
    except NoteError as e:
        raise ReceiptRefused(f"the log's key cannot be read: {e.detail}") from e
    axis = log_axis(read_own(media_of(data, name)), answer.receipt, trust)
    if axis.outcome is not Outcome.ESTABLISHED:
        raise ReceiptRefused(axis.findings[0].detail)
    if not key_file.exists():
        write_durably(key_file, known.encode() + b"\n")
