"""The commands ``assay lab corpus``: pictures that detectors learn from, by their manifest. The pictures are
other people's and never part of the product; the manifest is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.lab.options import FOLDER
from authn.cli.out import say
from authn.cli.progress import Progress
from authn.core.errors import BadRequest
from authn.core.extras import need

if TYPE_CHECKING:
    from detector.data.bringing import Brought
    from detector.data.checks import Checked
    from detector.data.manifest import Row
    from detector.data.sheets import Shown

SHIPPED = "shipped"
GITHUB = "https://github.com/"

manifest_argument = click.argument("manifest", metavar="MANIFEST")
source_option = click.option(
    "--source", default="", metavar="TEXT", help="Only sources or origins with TEXT."
)
learnable_option = click.option(
    "--learnable", is_flag=True, help="Only pictures whose licence lets the shipped weights learn from them."
)


@click.group()
def corpus() -> None:
    """Bring, check and extend the pictures that detectors learn from.

    MANIFEST is a CSV file, which may be packed by xz, or the word "shipped": the one of the detectors that
    ship.
    """


def _rows(manifest: str) -> tuple[Row, ...]:
    from detector.data.manifest import read_manifest, shipped_manifest

    return shipped_manifest() if manifest == SHIPPED else read_manifest(Path(manifest))


@corpus.command("list")
@manifest_argument
@click.option(
    "--by", default="source", show_default=True,
    type=click.Choice(["source", "repository", "generator", "family", "kind", "licence", "terms", "format"]),
    help="What to count.",
)  # fmt: skip
@source_option
@learnable_option
def list_(manifest: str, by: str, source: str, learnable: bool) -> None:
    """Count a manifest's pictures, and say which may be learned from and which are kept for the test."""
    from detector.data.bringing import chosen
    from detector.data.licences import may_learn, terms_of
    from detector.data.splits import test_source

    rows = chosen(_rows(manifest), source=source, learnable=learnable)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_keys()[by](row) or "-", []).append(row)
    say(f"{'real':>6} {'fake':>6} {'learn':>6} {'test':>6}  {by}")
    for name, mine in sorted(groups.items(), key=lambda p: (-len(p[1]), p[0])):
        terms = terms_of(mine[0].licence) if by in {"licence", "terms"} else None
        why = {"licence": terms.name, "terms": terms.why}[by] if terms else ""
        say(_counts(mine, name + (f"  ({why})" if why else "")))
    say(_counts(rows, f"all, {len({r.source for r in rows})} sources"))
    taught = Counter(r.fake for r in rows if may_learn(r.licence) and not test_source(r.source))
    say(f"a recipe is chosen on {taught[False]} real and {taught[True]} fake pictures of these")


def _keys() -> dict[str, Callable[[Row], str]]:
    from detector.data.families import family_of
    from detector.data.licences import terms_of

    return {
        "source": lambda r: r.source,
        "repository": lambda r: r.repository or r.origin,
        "generator": lambda r: r.generator,
        "family": lambda r: family_of(r.generator),
        "kind": lambda r: r.kind,
        "licence": lambda r: r.licence,
        "terms": lambda r: t.name if (t := terms_of(r.licence)) else "nobody read them",
        "format": lambda r: r.format,
    }


def _counts(rows: Iterable[Row], name: str) -> str:
    from detector.data.licences import may_learn
    from detector.data.splits import test_source

    mine = list(rows)
    fake = sum(r.fake for r in mine)
    learn = sum(may_learn(r.licence) for r in mine)
    test = sum(test_source(r.source) for r in mine)
    return f"{len(mine) - fake:6} {fake:6} {learn:6} {test:6}  {name}"


@corpus.command()
@manifest_argument
@click.argument("out", type=FOLDER)
@click.option("--mirrors", type=FOLDER, help="Folder of git repositories named owner+name, bare or not.")
@click.option(
    "--folder", "folders", type=FOLDER, multiple=True, help="Unpacked packages, or any folder; repeatable."
)
@click.option(
    "--clone", "cloned", is_flag=True, help="Clone what no mirror holds, into --mirrors, else OUT/mirrors."
)
@click.option("--clone-from", metavar="ADDRESS", default=GITHUB, show_default=True, help="Where to clone.")
@source_option
@learnable_option
def bring(
    manifest: str, out: Path, mirrors: Path | None, folders: tuple[Path, ...], cloned: bool, clone_from: str,
    source: str, learnable: bool,
) -> None:  # fmt: skip
    """Bring pictures into OUT, as LABEL/SHA256.SUFFIX, each whole and with the digest of the manifest.

    What is there and right is kept; after an interruption the same command goes on. OUT/brought.csv says what
    became of each picture.
    """
    from detector.data.bringing import Places, chosen
    from detector.data.bringing import bring as brought

    if not (mirrors or folders or cloned):
        raise BadRequest("nowhere to bring pictures from; give --mirrors, --folder or --clone")
    rows = chosen(_rows(manifest), source=source, learnable=learnable)
    places = Places(mirrors=mirrors, folders=folders, clone_from=clone_from if cloned else None)
    with Progress() as report:
        _say_brought(brought(rows, out, places, report), out)


def _say_brought(done: Brought, out: Path) -> None:
    from detector.data.bringing import REPORT_NAME, State

    total: Counter[State] = Counter()
    for name, states in done.counts().items():
        total += states
        if set(states) - {State.THERE, State.BROUGHT}:
            words = ", ".join(f"{n} {state.value}" for state, n in sorted(states.items()))
            say(f"{name}: {words}" + (f" ({done.why[name]})" if name in done.why else ""))
    say(", ".join(f"{n} {state.value}" for state, n in sorted(total.items())) or "no picture was asked for")
    say(out / REPORT_NAME)


@corpus.command()
@manifest_argument
@click.argument("out", type=FOLDER, required=False)
@click.option("--sheets", type=FOLDER, help="Draw contact sheets of what was found into this folder.")
@click.option(
    "--accept", multiple=True,
    type=click.Choice(["leak", "twice", "field", "licence", "kind", "doubt", "file"]),
    help="Findings that do not count for the exit code; repeatable.",
)  # fmt: skip
@source_option
@learnable_option
def check(
    manifest: str,
    out: Path | None,
    sheets: Path | None,
    accept: tuple[str, ...],
    source: str,
    learnable: bool,
) -> None:
    """Say what speaks against a corpus; with OUT, where its files were brought to, against its files too.

    Leaks between the splits, pictures twice, fields of a file that tell the label without pixels, licences
    that nobody read, kinds, labels that a file contradicts. Ends with 1 where something was found.
    """
    need("detect")
    from detector.data.bringing import chosen
    from detector.data.checks import check as checked

    if sheets is not None and out is None:
        raise BadRequest("contact sheets need OUT, the folder with the pictures")
    rows = chosen(_rows(manifest), source=source, learnable=learnable)
    with Progress() as report:
        found = checked(rows, out, report)
        if sheets is not None and out is not None:
            _sheets_of(found, rows, out, sheets, report)
    say(f"{len(rows)} pictures of {len({r.source for r in rows})} sources, {found.files} files read")
    say(f"{'by picture':>10} {'by source':>10}  AUC of the label by a field alone")
    for one in found.told:
        say(f"{one.by_picture:10.3f} {one.by_source:10.3f}  {one.field}")
    for finding in found.findings:
        say(f"{finding.concern.value}: {finding.text}")
    if any(f.concern.value not in accept for f in found.findings):
        click.get_current_context().exit(1)


def _sheets_of(found: Checked, rows: Iterable[Row], out: Path, to: Path, report: Progress) -> None:
    """What was found of single pictures; a kind that lacks and a licence are no matter of looking."""
    from detector.data.sheets import Shown

    by_digest = {r.sha256: r for r in rows}
    lists: dict[str, list[Shown]] = {}
    for finding in found.findings:
        if finding.concern.value in {"leak", "twice", "doubt", "file"}:
            shown = [Shown(row=by_digest[p], why=finding.text) for p in finding.pictures]
            lists.setdefault(finding.concern.value, []).extend(shown)
    _draw(lists, out, to, report)


def _draw(lists: dict[str, list[Shown]], out: Path, to: Path, report: Progress) -> None:
    from detector.data.sheets import write_index, write_sheets

    for name, shown in lists.items():
        for path in write_sheets(shown, out, to, name, report):
            say(path)
    say(write_index(lists.items(), to))


@corpus.command()
@manifest_argument
@click.argument("folder", type=FOLDER)
@click.option("--label", required=True, type=click.Choice(["real", "fake"]))
@click.option("--source", required=True, help="Who made them: a photographer, a repository. Never parted.")
@click.option("--licence", required=True, help="The terms, as their author gives them.")
@click.option(
    "--kind", default="", help="photo, art, render, screenshot, scan; t2i, gan, edit, upscale, video_frame."
)
@click.option("--generator", default="", help="What made generated pictures.")
@click.option("--origin", default="", help="github:owner/name@commit or the like. Else the folder's name.")
@click.option("--note", default="", help="What else is to be known.")
def add(
    manifest: str, folder: Path, label: str, source: str, licence: str, kind: str, generator: str,
    origin: str, note: str,
) -> None:  # fmt: skip
    """Add the pictures of FOLDER to MANIFEST, which is written whole or not at all; one that is not there
    begins.

    A picture is refused that does not decode, is animated, has a side below 256 pixels, or is in the manifest
    already, also made anew. Ends with 1 where one was.
    """
    need("detect")
    from detector.data.adding import Said
    from detector.data.adding import add as added
    from detector.data.licences import may_learn

    if manifest == SHIPPED:
        raise BadRequest("the shipped manifest is not written to; name a file of your own")
    said = Said(
        fake=label == "fake", source=source, licence=licence, kind=kind, generator=generator, origin=origin,
        note=note,
    )  # fmt: skip
    with Progress() as report:
        found = added(Path(manifest), folder, said, report)
    for name, why in found.refused:
        say(f"refused: {name}: {why}")
    say(f"{len(found.rows)} added, {len(found.refused)} refused")
    if found.rows and not may_learn(licence):
        say("their licence is in no table: they measure, and nothing that ships learns from them", err=True)
    if found.refused:
        click.get_current_context().exit(1)


@corpus.command()
@manifest_argument
@click.argument("out", type=FOLDER)
@click.option("--to", type=FOLDER, required=True, help="Folder for the sheets and their index.")
@click.option("--label", type=click.Choice(["real", "fake"]))
@click.option("--kind", help="Only this kind; an empty word: those without one.")
@click.option("--generator", default="", metavar="TEXT", help="Only generators with TEXT.")
@click.option("--at-most", type=click.IntRange(1), help="So many of each source, spread over its rows.")
@source_option
@learnable_option
def sheet(
    manifest: str, out: Path, to: Path, label: str | None, kind: str | None, generator: str,
    at_most: int | None, source: str, learnable: bool,
) -> None:  # fmt: skip
    """Draw contact sheets of a selection, for looking at a source before it is believed."""
    from detector.data.bringing import chosen
    from detector.data.sheets import Shown

    rows = [
        r
        for r in chosen(_rows(manifest), source=source, learnable=learnable)
        if label in {None, r.label} and kind in {None, r.kind} and generator.lower() in r.generator.lower()
    ]
    if not rows:
        raise BadRequest("no picture of the manifest is selected")
    with Progress() as report:
        _draw({"sheet": [Shown(row=r) for r in _spread(rows, at_most)]}, out, to, report)


def _spread(rows: Iterable[Row], at_most: int | None) -> list[Row]:
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    return [
        r for mine in by_source.values() for r in mine[:: max(1, -(-len(mine) // (at_most or len(mine))))]
    ]
