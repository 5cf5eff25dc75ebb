"""``assay config``: what is set, and by what."""

from __future__ import annotations

import click

from authn.cli.out import say, say_json
from authn.core.config import load_settings
from authn.core.setting_rows import SETTINGS


@click.group()
def config() -> None:
    """Show settings and where each comes from."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(config_file: str | None, as_json: bool) -> None:
    """Print every setting with its value and its origin; secrets are masked."""
    settings = load_settings(config_file)
    rows = [(row.name, settings.shown(row.name), settings.origin(row.name)) for row in SETTINGS]
    if as_json:
        say_json({name: {"value": value, "origin": origin} for name, value, origin in rows})
        return
    width = max(len(f"{name} = {value}") for name, value, _ in rows)
    for name, value, origin in rows:
        say(f"{f'{name} = {value}':{min(width, 60)}}  ({origin})")
