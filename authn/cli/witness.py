"""``assay witness``: sign what other people's logs show, so that they cannot show two histories."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.out import say, say_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authn.tlog.format.cosignature import Cosigner
    from authn.tlog.witness.witness import KnownLog, Witness

KEY, NAME, DATABASE = "witness.key.pem", "witness.name", "witness.db"

home_option = click.option(
    "--home",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the witness's key and memory.",
)


@click.group()
def witness() -> None:
    """Witness other people's logs: sign only what continues what was signed before."""


@witness.command()
@home_option
@click.option("--name", required=True, help="Name of the witness, for example witness.example.org/w1.")
@click.option("--post-quantum", is_flag=True, help="An ML-DSA-44 key in place of Ed25519.")
def init(home: Path, name: str, post_quantum: bool) -> None:
    """Make the witness's key and print its public half, which logs' policies name."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from authn.core.errors import NoteError
    from authn.tlog.format.note import check_name
    from authn.tlog.witness.witness import Witness
    from signer.core.durable import create_durably

    try:
        check_name(name)
    except NoteError as e:
        raise click.UsageError(e.detail) from e
    key = MLDSA44PrivateKey.generate() if post_quantum else Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_durably(home / NAME, f"{name}\n".encode())
        Witness(home / DATABASE, (), ())
        create_durably(home / KEY, pem)
    except FileExistsError as e:
        raise click.UsageError(f"{home} holds a witness already") from e
    except OSError as e:
        raise click.UsageError(f"{home} cannot be written: {e.strerror}") from e
    say(str(_cosigner(home).verifier))


@witness.command()
@home_option
@click.option(
    "--listen", default="127.0.0.1:8319", show_default=True, help="HOST:PORT; port 0 takes a free one."
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    metavar='"VKEY [ORIGIN]"',
    help="Public key of a log, and its origin where that is not the key's name; repeatable.",
)
def serve(home: Path, listen: str, logs: tuple[str, ...]) -> None:
    """Answer logs until Ctrl-C or SIGTERM.

    A witness is worth something only where somebody else than the log's operator runs it. Never restore its
    folder from a backup: it would forget what it has signed.
    """
    from authn.web.witness import serve_witness

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise click.UsageError("--listen is HOST:PORT")
    serve_witness(partial(_open, home, logs), host.strip("[]"), int(port))


@witness.command()
@home_option
def evidence(home: Path) -> None:
    """Print what logs signed and cannot both be true; exit code 1 when there is a split view."""
    _cosigner(home)  # a folder without a witness gets no database
    kept = _remembering(home, ()).evidence()
    for item in kept:
        what = "two roots for one size" if item.split_view else "not shown to continue"
        say(f"# {item.origin}: {what}")
        say_block(f"## held\n{item.held}\n## offered\n{item.offered}")
    if any(item.split_view for item in kept):
        click.get_current_context().exit(1)


def _open(home: Path, logs: tuple[str, ...]) -> Witness:
    from authn.core.errors import FileUnusable, NoteError
    from authn.tlog.witness.witness import parse_log

    try:
        known = [parse_log(text) for text in logs]
    except NoteError as e:
        raise FileUnusable(f"the key of a log cannot be read: {e.detail}") from e
    return _remembering(home, known, _cosigner(home))


def _remembering(home: Path, logs: Sequence[KnownLog], *signers: Cosigner) -> Witness:
    """A key whose memory was lost would sign what contradicts what it signed before."""
    from authn.core.errors import HomeUnfit
    from authn.tlog.witness.witness import Witness

    if not (home / DATABASE).is_file():
        raise HomeUnfit(
            f"{home / DATABASE} is missing, so nobody knows what this witness has signed; "
            "its key may sign no more: `assay witness init` makes another witness"
        )
    return Witness(home / DATABASE, logs, signers)


def _cosigner(home: Path) -> Cosigner:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from authn.core.errors import FileUnusable, HomeUnfit
    from authn.tlog.format.cosignature import Cosigner

    try:
        name = (home / NAME).read_text(encoding="utf-8").strip()
        key = load_pem_private_key((home / KEY).read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise HomeUnfit(f"{home} holds no witness; assay witness init makes one") from e
    if not isinstance(key, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise FileUnusable(f"the key of the witness in {home} is of another kind")
    return Cosigner(name=name, key=key, clock=lambda: int(time.time()))
