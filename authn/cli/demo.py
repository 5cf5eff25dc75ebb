"""``assay demo``: the whole job on one photo, in under three minutes."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authn.cli.out import is_terminal, say
from authn.core.extras import need
from authn.core.instants import utc_now

if TYPE_CHECKING:
    from authn.demo.show import Show, Shown

AXES = ("integrity", "signer", "device", "time")
COLUMNS = ("file", *AXES, "heuristics (they only warn or abstain)")


@click.command()
@click.option(
    "--photo",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Your own photo (JPEG, PNG, WebP or TIFF) instead of the sample.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where everything goes; an earlier demo there is replaced.",
)
@click.option(
    "--batch", is_flag=True, help="End after the audit, as happens anyway where there is no terminal."
)
@click.option("--keep-serving", is_flag=True, help="Stay until Ctrl-C also where there is no terminal.")
def demo(photo: Path | None, folder: Path, batch: bool, keep_serving: bool) -> None:
    """Start a service, enrol a device, sign a photo, change it, add a generated one, verify and audit.

    Then it stays, with a page to try things on, until Ctrl-C. Uses no network but this machine's own, and no
    other Assay home than its own.
    """  # fmt: skip
    if batch and keep_serving:
        raise click.UsageError("give --batch or --keep-serving, not both")
    stays = keep_serving or (not batch and is_terminal(sys.stdin) and is_terminal(sys.stdout))
    need("detect", "serve", "lab")
    from authn.demo.show import run_demo

    folder = folder.absolute()

    def look(show: Show) -> None:
        _print(show, folder)
        if stays:
            _wait(show.address)

    with _ended_like_ctrl_c():
        run_demo(folder, photo, clock=utc_now, say=_say, look=look, stays=stays)
    if not stays:
        say("the service of the demo has ended; this starts it again:")
        say(f"    ASSAY_HOME={shlex.quote(str(folder / 'service'))} {shlex.quote(sys.argv[0])} serve")


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM ends what was started, too: else the service outlives its demo."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(step: str) -> None:
    say(f"* {step}", err=True)


def _print(show: Show, folder: Path) -> None:
    say()
    for line in table([COLUMNS, *(_row(s) for s in show.shown)]):
        say(line)
    say()
    for s in show.shown:
        say(f"{s.variant.file_name}: {s.variant.says}")
        for contradiction in s.report["contradictions"]:
            say(f"    contradiction: {contradiction['text']}")
    say()
    for s in (show.shown[0], *show.shown[-2:]):
        say(f"what those that look at pixels say of {s.variant.file_name}:")
        for line in learned_lines(s.report):
            say(f"    {line}")
    say()
    say("An absent credential proves nothing, and nothing here adds proof and guess together.")
    say(f"reports: {folder / 'reports'}")
    say(f"audit:   {show.audit['inputs']} files, {folder / 'audit' / 'summary.html'}")
    say(f"done in {show.elapsed_s:.0f} s")


def _row(shown: Shown) -> tuple[str, ...]:
    axes = shown.report["cryptographic"]["axes"]
    outcomes = (axes[a]["outcome"].replace("_", " ") for a in AXES)
    return shown.variant.file_name, *outcomes, _heuristics(shown.report)


def _heuristics(report: dict[str, Any]) -> str:
    """Words only: who answered its own question, and how many had nothing to say."""
    detectors = [d for d in report["heuristic"]["detectors"] if d["part_of"] is None]
    spoken = [
        f'{d["id"]} {d["outcome"]} "{d["question"].replace("_", " ")}"'
        for d in detectors
        if d["outcome"] in ("supports", "against")
    ]
    silent = [
        f"{count} {word}"
        for word in ("inconclusive", "abstain")
        if (count := sum(d["outcome"] == word for d in detectors))
    ]
    known = {d["id"] for d in report["heuristic"]["detectors"]} | set(report["cryptographic"]["axes"])
    failed = [n["what"] for n in report["not_examined"] if n["what"] not in known]
    return ", ".join((*spoken, *silent, *(f"{what} not examined" for what in failed)))


def learned_lines(report: dict[str, Any]) -> list[str]:
    """What each learned detector answered, with its ratio where it has one; then those that did not run, and
    why."""
    lines = []
    for d in report["heuristic"]["detectors"]:
        if d["kind"] == "learned":
            ratio = f", likelihood ratio 10^{d['llr']['log10']:+.2f}" if d["llr"] else ""
            lines.append(f"{d['id']}: {d['outcome']}{ratio}; {d['reason']}")
    known = {d["id"] for d in report["heuristic"]["detectors"]} | set(report["cryptographic"]["axes"])
    return lines + [
        f"{n['what']}: not examined; {n['why']}" for n in report["not_examined"] if n["what"] not in known
    ]


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell; a rule below the first row."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]


def _wait(address: str) -> None:
    try:
        say(f"The service runs on at {address}/ until Ctrl-C.")
        say(f"The page of the demo: {address}/demo/")
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say()
