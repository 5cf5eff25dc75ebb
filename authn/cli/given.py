"""What a reader gives along: time, roots, revocation lists, keys of logs and witnesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.core.config import Settings
from authn.core.errors import FileUnusable, NoteError, UnreadableMedia
from authn.core.instants import utc_of
from authn.tlog.format.text import MAX_RECEIPT_CHARACTERS, RECEIPT_SUFFIX

if TYPE_CHECKING:
    from authn.devices import RegistryView
    from authn.examine.examiner import Examiner
    from authn.examine.pool import ExaminerPool
    from authn.pki.roots import TrustRoots
    from authn.provenance.logs import LogTrust
    from authn.tlog.format.note import Verifier


class Instant(click.ParamType[datetime]):
    """A time as ``authn.core.instants`` reads it."""

    name = "RFC3339"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return utc_of(str(value))
        except ValueError as e:
            self.fail(f"{value} {e}", param, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The values of ``trust_options``."""

    signer_roots: tuple[Path, ...] = ()
    tsa_roots: tuple[Path, ...] = ()
    crls: tuple[Path, ...] = ()
    log_keys: tuple[str, ...] = ()
    witness_keys: tuple[str, ...] = ()
    quorum: int = 1
    log_policy: Path | None = None
    as_of: datetime | None = None
    no_heuristics: bool = False
    forensics: bool | None = None

    def confined(self, settings: Settings, registry: RegistryView | None) -> ExaminerPool:
        """An examiner in a process of its own, which starts at the first file. Raises ``Unavailable`` for a
        file or key that cannot be read, as the methods below; so does the first examination."""
        from authn.examine.pooling import pool_over, without_secrets

        if self.log_keys or self.witness_keys or self.log_policy is not None:
            self.logs(settings)  # a contradiction between options is told before any process starts
        settings = with_forensics(settings, self.forensics, no_heuristics=self.no_heuristics)
        build = partial(_open_examiner, given=self, settings=without_secrets(settings))
        return pool_over(settings, build, registry=registry)

    def heuristics(self, settings: Settings) -> bool:
        return settings.heuristics and not self.no_heuristics

    def roots(self, settings: Settings) -> TrustRoots:
        from authn.examine.trust import open_roots

        return open_roots(
            settings,
            signer_roots=self.signer_roots or None,
            tsa_roots=self.tsa_roots or None,
            crls=self.crls,
        )

    def logs(self, settings: Settings) -> LogTrust:
        return given_logs(settings, self.log_keys, self.witness_keys, self.quorum, self.log_policy)


def with_forensics(settings: Settings, forensics: bool | None, *, no_heuristics: bool) -> Settings:
    """As ``--forensics`` asks; None: as they are. Raises click's usage error where options contradict."""
    if forensics and no_heuristics:
        raise click.UsageError("--forensics asks for more heuristic sources, --no-heuristics for none")
    if forensics is None:
        return settings
    return replace(settings, forensics=forensics, heuristics=settings.heuristics or forensics)


def forensics_option(command: Callable[..., None]) -> Callable[..., None]:
    """``forensics`` as ``with_forensics`` takes it."""
    return click.option(
        "--forensics/--no-forensics",
        default=None,
        help="Run the sources too that cost more: what a picture's past left in it. Default: as configured.",
    )(command)


def _open_examiner(registry: RegistryView | None, *, given: Given, settings: Settings) -> Examiner:
    """Runs in the confined process."""
    from authn.examine.opening import open_examiner

    return open_examiner(
        settings,
        signer_roots=given.signer_roots or None,
        tsa_roots=given.tsa_roots or None,
        crls=given.crls,
        registry=registry,
        logs=given.logs(settings),
        heuristics=given.heuristics(settings),
    )


def given_logs(
    settings: Settings,
    log_keys: tuple[str, ...],
    witness_keys: tuple[str, ...],
    quorum: int,
    log_policy: Path | None,
) -> LogTrust:
    """The values of ``log_options``. Raises ``Unavailable``; click's usage error where they contradict."""
    from authn.examine.trust import open_logs

    if log_policy is not None and (witness_keys or quorum != 1):
        raise click.UsageError(
            "a policy names the witnesses and how many are enough; leave those options out"
        )
    return open_logs(settings, log_keys, witness_keys, quorum, log_policy)


def read_log_keys(texts: tuple[str, ...]) -> tuple[Verifier, ...]:
    """Keys (vkeys) of logs that were typed. Raises ``Unavailable``: a wrong key says nothing about a file."""
    from authn.provenance.logs import parse_log_keys

    try:
        return parse_log_keys(texts)
    except NoteError as e:
        raise FileUnusable(f"the key of a log cannot be read: {e.detail}") from e


def read_receipt(file: Path, given: Path | None) -> str | None:
    """The text of the receipt that was named, or that lies beside the file as `assay upload` leaves it."""
    path = given or file.with_name(file.name + RECEIPT_SUFFIX)
    if given is None and not path.is_file():
        return None
    try:
        return path.read_bytes()[:MAX_RECEIPT_CHARACTERS].decode("utf-8", "replace")
    except OSError as e:
        raise UnreadableMedia(f"the receipt {path} cannot be read: {e.strerror}") from e


def log_options(command: Callable[..., None]) -> Callable[..., None]:
    """Whose receipts count, and which witnesses."""
    for option in (
        click.option("--log-policy", type=click.Path(path_type=Path), metavar="FILE",
                     help="C2SP tlog-policy: logs, witnesses and how many are enough, in one file."),
        click.option("--quorum", type=click.IntRange(1, 64), default=1, show_default=True,
                     help="How many of the witnesses must have seen a checkpoint before its time counts."),
        click.option("--witness-key", "witness_keys", multiple=True, metavar="VKEY",
                     help="Key of a witness whose word counts; repeatable."),
        click.option("--log-key", "log_keys", multiple=True, metavar="VKEY",
                     help="Key of a log whose receipts count, beside this home's own; repeatable."),
    ):  # fmt: skip
        command = option(command)
    return command


def beside_options(which: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What may lie beside a file: ``receipt_file`` and ``manifest_file``. ``which`` file, in words."""

    def options(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--manifest", "manifest_file", type=click.Path(path_type=Path), metavar="STORE",
                         help=f"Manifest store of {which}, kept outside it; FILE's name with .c2pa is taken "
                         "by itself."),
            click.option("--receipt", "receipt_file", type=click.Path(path_type=Path), metavar="RECEIPT",
                         help=f"Receipt of a log about {which}; FILE.tlog-proof is taken by itself."),
        ):  # fmt: skip
            command = option(command)
        return command

    return options


def trust_options(command: Callable[..., None]) -> Callable[..., None]:
    """What ``verify`` and ``bundle`` have in common."""
    for option in (
        log_options,
        forensics_option,
        click.option("--no-heuristics", is_flag=True, help="Cryptographic evidence only; loads no model."),
        click.option("--as-of", type=Instant(), help="Judge as of this time instead of now."),
        click.option("--crl", "crls", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
                     help="Revocation list (PEM or DER) of the signer's issuer. May be repeated."),
        click.option("--tsa-roots", multiple=True, type=click.Path(path_type=Path), metavar="PEM",
                     help="Roots for time-stamp authorities, in place of the configured ones; repeatable."),
        click.option("--signer-roots", multiple=True, type=click.Path(path_type=Path), metavar="PEM",
                     help="Roots for signers, in place of the configured ones; repeatable."),
    ):  # fmt: skip
        command = option(command)
    return command
