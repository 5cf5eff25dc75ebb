"""``assay audit``: report on every file of a folder or archive; run it again to go on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authn.cli.fail_on import FailOn, found_in
from authn.cli.given import Instant, forensics_option, with_forensics
from authn.cli.out import is_terminal, redraw, say, say_json
from authn.cli.papers import language_option
from authn.cli.under_policy import policy_option, with_policy
from authn.core.config import Settings, load_settings
from authn.core.errors import FileUnusable
from authn.core.evidence import Outcome
from authn.core.instants import utc_now
from authn.core.media import MediaLimits
from authn.devices import DeviceRecord
from authn.examine.pooling import is_debugged, readable_paths, without_secrets

if TYPE_CHECKING:
    from authn.audit.conduct import Finished
    from authn.audit.run import Engine
    from authn.audit.source import Source
    from authn.devices import RegistryView
    from authn.examine.request import Examines
    from authn.tlog.format.note import SigningKey

RUNS_FOLDER = Path("runs")
DEFAULT_POLICY = "default"
POLICY_FINDING, PARTIAL = 1, 3
BAR_CHARACTERS = 30
PLAIN_EVERY_S = 10.0
LEAST_ROWS_FOR_SPEED = 20

Roots = tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be audited, and how."""

    source: str | None
    files_from: str | None
    nul: bool
    jobs: int | None
    as_of: datetime | None
    limit: int | None
    refresh: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    sign_key: Path | None
    no_sign: bool
    thumbnails: bool
    engine: str
    language: str


@click.command()
@click.argument("source", required=False)
@click.option(
    "--files-from",
    metavar="LIST",
    help="In place of SOURCE: a file or address with a name a line, or - for stdin. Names are paths, objects "
    "in buckets, and addresses.",
)
@click.option("-0", "--null", "nul", is_flag=True, help="The names of the list end with a NUL.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the run; default: runs/NAME. One that holds this audit already is resumed.",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Workers side by side; default: one per core.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="Workers of this machine, or those of a Ray cluster that is there (ray start).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("--html/--no-html", default=True, help="Write summary.html and the contact sheets, or not.")
@language_option
@click.option("--thumbnails/--no-thumbnails", default=True, help="Small pictures on the sheets, or none.")
@click.option(
    "--fail-on",
    type=FailOn(),
    help=f"{FailOn.HELP} Default: never; under a policy that was chosen, refuted.",
)
@click.option(
    "--signer-roots",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PEM",
    help="Roots for signers, in place of the configured ones. May be repeated.",
)
@click.option(
    "--tsa-roots",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PEM",
    help="Roots for time-stamp authorities, in place of the configured ones. May be repeated.",
)
@policy_option
@click.option("--as-of", type=Instant(), help="Judge as of this time; default: when the audit was planned.")
@click.option("--no-heuristics", is_flag=True, help="Cryptographic evidence only; loads no model.")
@forensics_option
@click.option(
    "--refresh", is_flag=True, help="Take in what was added, changed or removed since it was planned."
)
@click.option("--include", multiple=True, metavar="GLOB", help="Only names that match; may be repeated.")
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="No names that match, nor folders; may be repeated."
)
@click.option(
    "--sign-key",
    type=click.Path(path_type=Path),
    metavar="PEM",
    help="Ed25519 key that signs that nothing was left out; default: this home's, made at its first audit.",
)
@click.option("--no-sign", is_flag=True, help="State it without a signature.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Examine only the first N inputs.")
@click.pass_context
def audit(
    ctx: click.Context,
    /,
    out: Path | None,
    as_json: bool,
    html: bool,
    fail_on: frozenset[str] | None,
    signer_roots: Roots,
    tsa_roots: Roots,
    no_heuristics: bool,
    forensics: bool | None,
    policy: str | None,
    **options: Any,
) -> None:
    """Report on every file of SOURCE: a folder, a zip, a tar, or a bucket (s3://, gs://, az://).

    An interrupted audit goes on when the same command is run again. What was added to SOURCE meanwhile is
    said; --refresh takes it in and keeps the reports of unchanged files. Each file is examined alone:
    receipts and manifest stores that lie beside files are counted and not read; `assay verify` takes them in.

    Exits 0; 1 where --fail-on applies, or what --policy asks for; 3 when some input has no report; 4 when it
    cannot run; 130 when interrupted.
    """
    from authn.audit.conduct import Order, conduct
    from authn.audit.plan import Question
    from authn.audit.select import Selection

    settings, wanted = with_policy(load_settings(ctx.obj), policy), Wanted(**options)
    settings = with_forensics(settings, forensics, no_heuristics=no_heuristics)
    what = _source(wanted)
    signer_roots, tsa_roots = _absolute(signer_roots), _absolute(tsa_roots)
    heuristics = settings.heuristics and not no_heuristics
    facts = _facts(settings, signer_roots, tsa_roots, heuristics)
    select = Selection(include=wanted.include, exclude=wanted.exclude)
    folder = out or RUNS_FOLDER / what.run_name
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    order = Order(
        opens=partial(what.open, limits, leave_out=folder.absolute(), select=select),
        folder=folder,
        question=Question(source=what.question, facts=(*facts, *select.says), limit=wanted.limit),
        build=partial(_open_examiner, without_secrets(settings), signer_roots, tsa_roots, heuristics),
        readable=readable_paths(settings),
        talks=is_debugged(),
        devices=partial(_devices, settings),
        limits=limits,
        readers_per_worker=what.readers_per_worker,
        as_of=wanted.as_of,
        jobs=wanted.jobs or os.cpu_count() or 1,
        timeout_s=settings.max_request_seconds,
        memory_bytes=settings.worker_memory_bytes,
        page=html,
        language=wanted.language,
        thumbnails=wanted.thumbnails,
        refresh=wanted.refresh,
        engine=_engine(wanted.engine),
        key=partial(_key, settings, wanted),
    )
    finished = conduct(order, clock=utc_now, progress=_Shown())
    _print(finished, as_json=as_json, page=html)
    ctx.exit(_exit_code(finished, fail_on, chosen=settings.policy != DEFAULT_POLICY or policy is not None))


def _source(wanted: Wanted) -> Source:
    """Raises click's usage error unless there is one source."""
    from authn.audit.source import Source

    if (wanted.source is None) == (wanted.files_from is None):
        raise click.UsageError("name either a SOURCE or a list (--files-from)")
    if wanted.files_from is not None:
        return Source.list_of(wanted.files_from, nul=wanted.nul)
    if wanted.nul:
        raise click.UsageError("-0 is about a list (--files-from)")
    return Source.named(wanted.source or "")


def _engine(name: str) -> Engine:
    from authn.audit.cluster import examined_on_cluster
    from authn.audit.run import examined_here

    return examined_on_cluster if name == "ray" else examined_here


def _key(settings: Settings, wanted: Wanted) -> SigningKey | None:
    from authn.audit.complete import home_key, load_key

    if wanted.no_sign:
        return None
    if wanted.sign_key is not None:
        return load_key(wanted.sign_key)
    try:
        return home_key(settings.home)
    except FileUnusable as e:
        say(f"note: the statement of completeness has no signature ({e.detail})", err=True)
        return None


def _absolute(roots: Roots) -> Roots:
    return tuple(path.absolute() for path in roots)


def _open_examiner(
    settings: Settings,
    signer_roots: Roots,
    tsa_roots: Roots,
    heuristics: bool,
    registry: RegistryView | None,
) -> Examines:
    """Runs in each worker."""
    from authn.examine.opening import open_examiner

    return open_examiner(
        settings,
        signer_roots=signer_roots or None,
        tsa_roots=tsa_roots or None,
        registry=registry,
        heuristics=heuristics,
    )


def _devices(settings: Settings) -> Iterable[DeviceRecord] | None:
    from authn.examine.pooling import registry_if_any

    registry = registry_if_any(settings)
    return None if registry is None else registry.list()


def _facts(
    settings: Settings, signer_roots: Roots, tsa_roots: Roots, heuristics: bool
) -> tuple[tuple[str, str], ...]:
    """What decides the reports besides the inputs, as digests: on resumption it must be the same.

    The examiner itself is asked, with a probe, which roots, policy and engines its reports name.
    """
    from authn.core.media import media_of
    from authn.examine.request import PROBE, PROBE_NAME
    from authn.pki.roots import load_crls

    examiner = _open_examiner(settings, signer_roots, tsa_roots, False, None)
    tool = examiner.examine(media_of(PROBE, PROBE_NAME)).tool
    return (
        ("version", tool.version),
        ("engines", " ".join(f"{name} {version}" for name, version in tool.engines)),
        ("signer_roots", tool.signer_roots_sha256 or "none"),
        ("tsa_roots", tool.tsa_roots_sha256 or "none"),
        ("policy", tool.policy_sha256),
        ("detector", _detectors(settings) if heuristics else "no heuristics"),
        *((("forensics", "asked for"),) if heuristics and settings.forensics else ()),
        ("limits", f"{settings.max_media_bytes} bytes, {settings.max_pixels} pixels"),
        ("crls", " ".join(c.sha256 for c in load_crls(settings.crls)) or "none"),
    )


def _detectors(settings: Settings) -> str:
    from authn.examine.detectors import learned_detectors

    return "; ".join(
        f"{d.name}, unavailable" if d.lacks else _detector(d.name) for d in learned_detectors(settings)
    )


def _detector(name: str) -> str:
    from detector.core.errors import ModelUnavailable
    from detector.models.card import open_card

    try:
        return f"{name} {open_card(name).weights_sha256}"
    except ModelUnavailable:
        return f"{name}, unavailable"


class _Shown:
    """Progress on stderr: a bar on a terminal, now and then a line elsewhere."""

    def __init__(self) -> None:
        self._total = self._rows = self._before = self._width = 0
        self._started_s: float | None = None
        self._bar = is_terminal(sys.stderr)
        self._next_line_s = 0.0

    def listing(self) -> None:
        say("listing the inputs", err=True)

    def listed(self, inputs: int) -> None:
        if self._bar:
            redraw(f"{inputs} inputs", last=False)

    def planned(self, inputs: int, *, resumed: bool) -> None:
        self._total = inputs
        say(f"{'going on with' if resumed else 'planned'} {inputs} inputs", err=True)

    def drifted(self, sentence: str) -> None:
        say(f"note: {sentence}", err=True)

    def refreshed(self, kept: int) -> None:
        say(f"refreshed: {kept} rows are kept, each report as of its own time", err=True)

    def rows(self, count: int) -> None:
        if self._started_s is None:  # those that were there before
            self._started_s, self._before = time.monotonic(), count
        self._rows += count
        now = time.monotonic()
        if self._bar:
            self._draw()
        elif self._rows >= self._total or now >= self._next_line_s:
            say(f"{self._rows} of {self._total} rows{self._left()}", err=True)
            self._next_line_s = now + PLAIN_EVERY_S

    def _draw(self) -> None:
        filled = BAR_CHARACTERS * self._rows // max(1, self._total)
        bar = "#" * filled + "." * (BAR_CHARACTERS - filled)
        line = f"[{bar}] {self._rows} of {self._total}{self._left()}"
        redraw(f"{line:{self._width}}", last=self._rows >= self._total)
        self._width = len(line)

    def _left(self) -> str:
        """How long the rest takes at the speed so far; nothing before there is one."""
        elapsed_s = time.monotonic() - (self._started_s or 0.0)
        done = self._rows - self._before
        if self._rows >= self._total or done < LEAST_ROWS_FOR_SPEED or elapsed_s < 1:
            return ""
        return (
            f", {done / elapsed_s:.0f} a second, {_duration((self._total - self._rows) * elapsed_s / done)}"
        )


def _duration(seconds: float) -> str:
    """In the two largest units that say something."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days} d {h} h left"
    if hours:
        return f"{hours} h {m} min left"
    return f"{m} min {s} s left" if m else f"{s} s left"


def _print(finished: Finished, *, as_json: bool, page: bool) -> None:
    if as_json:
        say_json(finished.summary)
        return
    counted = finished.tally
    others = f", {counted.not_media} of other kinds" if counted.not_media else ""
    not_examined = counted.not_reported - counted.not_media
    say(f"{finished.inputs} inputs: {counted.reported} reports, {not_examined} not examined{others}")
    for axis, outcomes in counted.axes:
        shown = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in outcomes if count)
        say(f"  {axis:11} {shown}")
    for detector, outcomes in counted.detectors:
        shown = ", ".join(f"{count} {outcome}" for outcome, count in outcomes if count)
        say(f"  {detector}: {shown}")
    if counted.beside:
        say(
            f"receipts or manifest stores beside files, which were not read: {counted.beside}; "
            "assay verify takes them in"
        )
    say(f"{counted.contradictory} reports with a contradiction")
    for code, count in counted.contradictions:
        say(f"  {code}: {count}")
    say(f"in {finished.run.folder}{os.sep}{'summary.html' if page else 'results.jsonl'}")


def _exit_code(finished: Finished, fail_on: frozenset[str] | None, *, chosen: bool) -> int:
    """``chosen``: whether the caller chose a policy, whose codes then count unless told otherwise."""
    if fail_on is None:
        fail_on = frozenset({Outcome.REFUTED.value} if chosen else ())
    code = POLICY_FINDING if fail_on & found_in(finished.tally) else 0
    code = max(code, finished.tally.exit_code if fail_on else 0)
    return code or (PARTIAL if finished.partial else 0)
