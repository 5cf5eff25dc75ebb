"""The one way from a command to a terminal.

File names, device names, certificates and the words of engines are chosen by strangers, and a terminal obeys
what it is sent. So lines leave through ``say`` and blocks through ``say_block``, which show control and
direction characters instead of sending them; JSON leaves as ASCII. Only ``hand_over`` writes as it is what a
caller asked for as data, and never unseen to a terminal.
"""

from __future__ import annotations

import json
import sys
from typing import TextIO

import click

from authn.core.visible import visible, visible_block

MAX_LINE_CHARACTERS = 4000
MAX_BLOCK_CHARACTERS = 4_000_000


def say(line: object = "", *, err: bool = False) -> None:
    """One line, whatever is in it."""
    click.echo(visible(str(line), MAX_LINE_CHARACTERS), err=err)


def say_block(text: str, *, err: bool = False) -> None:
    """Several lines, of which each line feed is ours or harmless; ends with one."""
    click.echo(visible_block(text.removesuffix("\n"), MAX_BLOCK_CHARACTERS), err=err)


def say_json(value: object) -> None:
    """One line of JSON; what is not ASCII is escaped, and so is the one control character that JSON is not
    bound to escape."""
    click.echo(json.dumps(value).replace("\x7f", "\\u007f"))


def hand_over(data: str | bytes) -> None:
    """What was asked for, byte for byte where something reads it that is no terminal.

    Raises click's usage error for what is no text where a terminal would have to show it.
    """
    if not is_terminal(sys.stdout):
        click.echo(data, nl=False)
    elif isinstance(data, bytes):
        raise click.UsageError("this is no text for a terminal; name a file with --out, or use a pipe")
    else:
        say_block(data)


def is_terminal(stream: TextIO | None) -> bool:
    """None is a stream that the caller closed."""
    return stream is not None and stream.isatty()


def redraw(line: str, *, last: bool) -> None:
    """Put a line over the last one on stderr, as progress does; ``last`` ends it."""
    click.echo(f"\r{visible(line, MAX_LINE_CHARACTERS)}", nl=last, err=True)


def say_usage(error: click.ClickException) -> None:
    """What click says of a wrong call, which quotes what was typed."""
    text = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            say_block(text, err=True)
            return
        say_block(error.ctx.get_usage(), err=True)
        say(f"Try '{error.ctx.command_path} --help' for help.", err=True)
        say(err=True)
    shown = text.replace(error.message, visible(error.message, MAX_LINE_CHARACTERS))
    say_block(f"Error: {shown}", err=True)
