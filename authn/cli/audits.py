"""``assay audit``: an audit, and what is done with a finished one. What is no subcommand is a source."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authn.cli.audit import audit as run_command
from authn.cli.given import read_log_keys
from authn.cli.out import hand_over, say, say_block, say_json
from authn.core.config import Settings, load_settings
from authn.core.homes import LOG_VKEY

if TYPE_CHECKING:
    from authn.tlog.format.note import Verifier

Folder = click.Path(path_type=Path, exists=True, file_okay=False)
DEFAULT = "run"
DOES_NOT_HOLD = 1
CANNOT = 4


class AuditGroup(click.Group):
    """``assay audit SOURCE`` is ``assay audit run SOURCE``."""

    default = DEFAULT

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first and first not in self.commands and first not in ("-h", "--help"):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


@click.group(cls=AuditGroup)
def audit() -> None:
    """Report on every file of a folder, an archive, a bucket or a list; check, compare and export audits.

    `assay audit SOURCE` is `assay audit run SOURCE`; a folder that is called like a command is named with its
    path (./verify).
    """


audit.add_command(run_command, DEFAULT)


@audit.command()
@click.argument("run", type=Folder)
@click.option(
    "--key", "keys", multiple=True, metavar="VKEY", help="Whose statement counts, beside this home's."
)
@click.option("--source/--no-source", default=True, help="Compare with the source as it is now, or not.")
@click.option("--contents", is_flag=True, help="Read every file again and compare its bytes too.")
@click.option(
    "--log-key",
    "log_keys",
    multiple=True,
    metavar="VKEY",
    help="Log whose receipts count, beside this home's.",
)
@click.option("--logged", is_flag=True, help="It has to be in one of these logs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(
    ctx: click.Context,
    run: Path,
    keys: tuple[str, ...],
    source: bool,
    contents: bool,
    log_keys: tuple[str, ...],
    logged: bool,
    as_json: bool,
) -> None:
    """Check that RUN is complete and as it was signed, and what its source has become since.

    Exits 0 when all of it holds, 1 when something does not, 4 when it cannot be checked.
    """
    from authn.audit.check import WORDS, check_run, check_source
    from authn.audit.complete import VKEY_FILE
    from authn.audit.logged import check_logged
    from authn.audit.plan import run_of
    from authn.audit.source import source_of
    from authn.core.media import MediaLimits

    settings = load_settings(ctx.obj)
    own = settings.home / VKEY_FILE
    known = (*keys, *([own.read_text().strip()] if own.is_file() else []))
    checked = check_run(run, read_log_keys(known))
    in_log = check_logged(run, _logs(settings, log_keys), checked, asked=logged)
    what = source_of(run_of(run).question) if source else None
    if what is not None:
        limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
        inputs = what[0].open(limits, leave_out=run.absolute(), select=what[1])
        try:
            check_source(run, inputs, checked, contents=contents)
        finally:
            inputs.close()
    elif contents:
        raise click.UsageError("the bytes of this source cannot be read again from here")
    if as_json:
        found = {kind: {"count": n, "names": names} for kind, (n, names) in checked.found.items()}
        said = {"inputs": checked.size, "root": checked.root.hex(), "signer": checked.signer}
        place = None if in_log is None else {"log": in_log.origin, "index": in_log.index}
        say_json({**said, "found": found, "source_compared": what is not None, "logged": place})
    else:
        say(f"{checked.size} inputs, root {checked.root.hex()}, signed by {checked.signer or 'nobody known'}")
        if in_log is not None:
            say(f"entry {in_log.index} of the log {in_log.origin}")
        for kind, (count, names) in checked.found.items():
            say(f"  {count} x {WORDS[kind]}{': ' if names else ''}{', '.join(names)}")
        since = "nothing has changed" if what is not None else "what became of its source was not looked at"
        say("it does not hold" if checked.found else f"complete: nothing was left out, and {since}")
    ctx.exit(DOES_NOT_HOLD if checked.found else CANNOT if source and what is None else 0)


@audit.command(name="log")
@click.argument("run", type=Folder)
@click.pass_obj
def log_(config_file: str | None, run: Path) -> None:
    """Have the signed statement of RUN logged in this home's transparency log, with a receipt beside it.

    The log says afterwards that the statement was there when it had that size; of the files it says nothing.
    The same command goes on after an interruption and logs nothing twice.
    """
    from contextlib import closing

    from authn.audit.logged import RECEIPT_FILE, log_statement
    from authn.core.homes import require_authorities
    from authn.service.wiring import open_transparency_log

    settings = load_settings(config_file)
    require_authorities(settings)
    with closing(open_transparency_log(settings, None)) as opened:
        receipt = log_statement(run, opened.append)
        say(f"entry {receipt.index} of the log {opened.origin}, receipt in {run / RECEIPT_FILE}")


def _logs(settings: Settings, typed: tuple[str, ...]) -> tuple[Verifier, ...]:
    """Those that were named, and this home's own where it has one."""
    own = settings.home / "pki" / LOG_VKEY
    return read_log_keys((*typed, *([own.read_text().strip()] if own.is_file() else [])))


@audit.command()
@click.argument("old", type=Folder)
@click.argument("new", type=Folder)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def diff(old: Path, new: Path, as_json: bool) -> None:
    """What changed from the audit OLD to the audit NEW: files, and what is said of them."""
    from authn.audit.diff import differences
    from authn.audit.plan import run_of
    from authn.audit.results import RESULTS_FILE, read_rows

    for run in (old, new):
        run_of(run)  # a folder that holds no audit differs from nothing
    kinds: Counter[str] = Counter()
    for d in differences(read_rows(old / RESULTS_FILE), read_rows(new / RESULTS_FILE)):
        kinds[d.kind] += 1
        if as_json:
            changes = [{"what": w, "before": b, "now": n} for w, b, n in d.changes]
            say_json({"name": d.name, "kind": d.kind, "changes": changes})
        else:
            said = "; ".join(f"{w}: {b or 'nothing'} -> {n or 'nothing'}" for w, b, n in d.changes)
            say(f"{d.kind:6}{d.name}{'  ' if said else ''}{said}")
    if not as_json:
        counted = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        say(counted or "the same files, and the same is said of them")


@audit.command()
@click.argument("run", type=Folder)
@click.option("--format", "form", type=click.Choice(["csv", "parquet", "sarif"]), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
def export(run: Path, form: str, out: Path) -> None:
    """Write the rows of RUN for other programs: a table, or findings for code hosts (SARIF)."""
    from importlib.metadata import version

    from authn.audit.export import WRITERS
    from authn.audit.plan import run_of
    from authn.audit.results import RESULTS_FILE, read_rows

    run_of(run)  # of a folder that holds no audit there is nothing to write
    more: dict[str, Any] = {"version": version("assay")} if form == "sarif" else {}
    WRITERS[form](read_rows(run / RESULTS_FILE), out, **more)


@audit.command()
@click.argument("run", type=Folder)
@click.argument("name")
@click.option("--html", is_flag=True, help="The report as a page.")
@click.option("--json", "as_json", is_flag=True, help="The row as it stands.")
def show(run: Path, name: str, html: bool, as_json: bool) -> None:
    """The report on the file that RUN has under NAME."""
    from authn.audit.plan import run_of
    from authn.audit.results import RESULTS_FILE, read_rows, row_line
    from authn.core.errors import NotFound
    from authn.report.html import render_report
    from authn.report.text import render_document

    run_of(run)
    row = next((r for r in read_rows(run / RESULTS_FILE) if r["subject"]["name"] == name), None)
    if row is None:
        raise NotFound(f"{run} has no row of {name}")
    if as_json:
        hand_over(row_line(row) + "\n")
    elif "error" in row:
        say(f"{name}: {row['error']['detail']} ({row['error']['code']})")
    elif html:
        hand_over(render_report(row))
    else:
        say_block(render_document(row))
