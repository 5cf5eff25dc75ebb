"""Writes the generated half of docs/cli.md from the program's own help: ``python -m tests.house.cli_doc``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from authn.cli import cli
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "cli.md"
MARK = "<!-- From here on generated from the program's own help: python -m tests.house.cli_doc -->"
WIDTH = 96


def commands(
    command: click.Command = cli, path: tuple[str, ...] = ("assay",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, groups before their members."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            assert member is not None, name
            yield from commands(member, (*path, name))


def help_text(path: tuple[str, ...], command: click.Command) -> str:
    context: click.Context | None = None
    for word in path[:-1]:
        context = click.Context(click.Group(word), info_name=word, parent=context)
    own = click.Context(
        command, info_name=path[-1], parent=context, terminal_width=WIDTH, max_content_width=WIDTH
    )
    own.help_option_names = ["-h", "--help"]
    return command.get_help(own)


def generated() -> str:
    parts = [MARK, ""]
    for path, command in commands():
        parts += [f"## {' '.join(path)}", "", "```text", help_text(path, command), "```", ""]
    return "\n".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text(encoding="utf-8").partition(MARK)[1:] != (MARK, generated()[len(MARK) :]))
    written = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(written + generated(), encoding="utf-8")
