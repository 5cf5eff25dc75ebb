"""``assay access``: keys for machines that use the service of this home."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from authn.cli.out import say, say_json
from authn.core.config import load_settings
from authn.core.homes import refuse_device_home, require_registry
from authn.core.instants import instant, utc_now
from authn.core.visible import visible
from authn.service.access.scopes import SCOPES, parse_scopes

if TYPE_CHECKING:
    from authn.service.access.keys import ApiKey, ApiKeys

DAYS = 365


@click.group()
def access() -> None:
    """Keys for machines that use the service."""


@access.group()
def key() -> None:
    """Make, list and revoke keys."""


@key.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, metavar="SCOPE", help="May be repeated.")
@click.option("--days", type=click.IntRange(1, 3650), default=DAYS, show_default=True, help="Until it ends.")
@click.pass_obj
def create(config_file: str | None, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Make a key and print it, this once.

    It goes into the header of a request: Authorization: Bearer KEY. `assay access scopes` lists the scopes.
    """
    now = utc_now()
    refuse_device_home(load_settings(config_file))
    new = _keys(config_file).create(name, parse_scopes(scopes), now, now + timedelta(days=days))
    say(new.text)
    say(f"key {new.id}; it is not shown again", err=True)


@key.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_obj
def list_(config_file: str | None, as_json: bool) -> None:
    """List the keys, without their secrets."""
    for found in _kept_keys(config_file).list():
        if as_json:
            say_json(_fields(found))
        else:
            say(f"{found.id}  {found.name:24} {_status(found)}  {' '.join(sorted(found.scopes))}")


@key.command()
@click.argument("id_", metavar="ID")
@click.pass_obj
def revoke(config_file: str | None, id_: str) -> None:
    """Refuse a key from now on."""
    _kept_keys(config_file).revoke(id_, utc_now())
    say(f"revoked {id_}")


@access.command(name="log")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option(
    "--holds", metavar="SEQ:SHA256", help="Fail unless this row, noted earlier, is in it unchanged."
)
@click.pass_obj
def log_(config_file: str | None, as_json: bool, holds: str | None) -> None:
    """Print who was let in where and who was not, checking that nothing was changed or left out.

    The last row's SEQ:SHA256 comes on stderr: keep it somewhere else, and later ask with --holds whether the
    log still begins as it did. Exit code 4 where it does not continue itself, 1 where it lacks that row.
    """
    from authn.service.access.journal import START, Journal
    from authn.store.engine import open_engine

    settings = load_settings(config_file)
    require_registry(settings)
    last, kept = f"0:{START}", holds is None
    for row in Journal(open_engine(settings.database)).verify():
        last = f"{row.seq}:{row.sha256}"
        kept = kept or last == holds
        d = row.decision
        line = {"seq": row.seq, "sha256": row.sha256, **asdict(d)}
        shown = visible(f"{d.at}  {d.who or '-':40} {d.method:6} {d.route:24} {d.outcome}", 400)
        say_json(line) if as_json else say(shown)
    say(f"all in order up to {last}", err=True)
    if not kept and last != holds:
        say(f"assay: the access log does not hold {holds}", err=True)
        click.get_current_context().exit(1)


@access.command(name="scopes")
def scopes_() -> None:
    """List the scopes that a key can have."""
    for name, what in SCOPES.items():
        say(f"{name:22} {what}")


def _kept_keys(config_file: str | None) -> ApiKeys:
    """Raises ``Unavailable`` where none can have been made."""
    require_registry(load_settings(config_file))
    return _keys(config_file)


def _keys(config_file: str | None) -> ApiKeys:
    from authn.service.access.keys import ApiKeys
    from authn.store.engine import open_engine

    return ApiKeys(open_engine(load_settings(config_file).database))


def _status(found: ApiKey) -> str:
    if found.revoked_at:
        return f"revoked {found.revoked_at:%Y-%m-%d}"
    ended = found.expires_at is not None and found.expires_at <= utc_now()
    end = f"{found.expires_at:%Y-%m-%d}" if found.expires_at else "never"
    used = f"last used {found.used_at:%Y-%m-%d}" if found.used_at else "never used"
    return f"{'ended' if ended else 'ends'} {end}, {used}"


def _fields(found: ApiKey) -> dict[str, str | list[str] | None]:
    times = {name: getattr(found, name) for name in ("created_at", "expires_at", "revoked_at", "used_at")}
    return {
        "id": found.id,
        "name": found.name,
        "scopes": sorted(found.scopes),
        **{name: instant(time) if time else None for name, time in times.items()},
    }
