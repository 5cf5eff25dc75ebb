"""The command ``assay lab benchmark``: anybody's detectors on anybody's pictures, leaks looked for first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.lab.options import FILE, FOLDER
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.core.errors import BadRequest
from authn.core.extras import need

if TYPE_CHECKING:
    from detector.core.progress import Report
    from detector.lab.benchmark.asking import Detector
    from detector.lab.benchmark.said import Unit
    from detector.lab.trial.pictures import Pictures

_DEFAULT_UNIT = "score"


@click.command()
@click.option(
    "--folder", "folders", type=(FOLDER, FOLDER), metavar="REAL FAKE",
    help="Folders of real and of generated pictures; their sub-folders are sources and generators.",
)  # fmt: skip
@click.option(
    "--manifest", "manifest", type=(FILE, FOLDER), metavar="MANIFEST PICTURES",
    help="Instead: a manifest and the folder where lab corpus bring put its pictures.",
)  # fmt: skip
@click.option("--test-only", is_flag=True, help="With --manifest: sources of the test split alone.")
@click.option(
    "--detector", "commands", multiple=True, metavar="NAME=COMMAND",
    help="A program that prints a number for {path}: cnn='python3 cnn.py {path}'. Repeatable.",
)  # fmt: skip
@click.option(
    "--function", "functions", multiple=True, metavar="NAME=MODULE:FUNCTION",
    help="A Python function of a path that returns a number. Repeatable.",
)  # fmt: skip
@click.option(
    "--scores", "tables", multiple=True, metavar="NAME=FILE",
    help="A CSV file with the columns sha256, score and, where it likes, view. Repeatable.",
)  # fmt: skip
@click.option(
    "--ours/--no-ours", default=True, show_default=True, help="Ask the detectors installed here too."
)
@click.option(
    "--unit", "units", multiple=True, metavar="NAME=UNIT",
    help="What a detector's number is: score (default), probability or log-odds. Repeatable.",
)  # fmt: skip
@click.option(
    "--taught", multiple=True, metavar="NAME=FILE",
    help="What a detector was fitted on: a manifest, or a list of SHA-256. Repeatable.",
)  # fmt: skip
@click.option(
    "--views", default="laundered,matched,jpeg-chain,half", show_default=True, metavar="LIST",
    help="How pictures are shown, of stored, laundered, matched, jpeg-chain, half, screenshot, messenger,"
    " network.",
)  # fmt: skip
@click.option(
    "--side", default=256, show_default=True, type=click.IntRange(64, 4096),
    help="Side of the square that every view but stored shows; smaller pictures are not shown.",
)  # fmt: skip
@click.option(
    "--seconds", default=60.0, show_default=True, type=click.FloatRange(0.1, 3600),
    help="How long a program or function may take for one picture.",
)  # fmt: skip
@click.option(
    "--with-leaks", is_flag=True, help="Measure although the pictures leak; the page says so on top."
)
@click.option("--out", type=FOLDER, required=True, help="Folder for the page; run again to go on.")
@click.pass_context
def benchmark(
    ctx: click.Context, folders: tuple[Path, Path] | None, manifest: tuple[Path, Path] | None,
    test_only: bool, commands: tuple[str, ...], functions: tuple[str, ...], tables: tuple[str, ...],
    ours: bool, units: tuple[str, ...], taught: tuple[str, ...], views: str, side: int,
    seconds: float, with_leaks: bool, out: Path,
) -> None:  # fmt: skip
    """Compare detectors of generated pictures: programs, Python functions, tables of scores, and ours.

    Leaks are looked for first (fields of the files that tell the label, twins, one source under two names,
    pictures that a detector was fitted on), and while there are any nothing is asked. Groups are never
    pooled. A detector that crashes, hangs or prints something else is a row of the page, never a score.
    """
    need("detect")
    from detector.lab.benchmark.run import PAGE, run_benchmark

    named = dict(_pairs(units, "--unit"))
    detectors = [*_strangers(commands, functions, tables, named, seconds), *(_own(ctx.obj) if ours else ())]
    if unknown := sorted(set(named) - {d.name for d in detectors}):
        raise BadRequest(f"--unit names {unknown[0]}, and no detector is called so")
    with Progress() as report:
        text = run_benchmark(
            _pictures(folders, manifest, test_only, report), detectors, out,
            views=[v.strip() for v in views.split(",") if v.strip()], side=side, with_leaks=with_leaks,
            taught={name: Path(path) for name, path in _pairs(taught, "--taught")}, report=report,
        )  # fmt: skip
    say_block(text)
    say(out / PAGE)


def _pictures(
    folders: tuple[Path, Path] | None, manifest: tuple[Path, Path] | None, test_only: bool, report: Report
) -> Pictures:
    from detector.lab.benchmark.material import of_manifest
    from detector.lab.trial.pictures import gather

    if (folders is None) is (manifest is None):
        raise BadRequest("name either --folder REAL FAKE or --manifest MANIFEST PICTURES")
    if manifest is not None:
        return of_manifest(*manifest, test_only=test_only, report=report)
    if test_only or folders is None:
        raise BadRequest("--test-only goes with --manifest")
    return gather(*folders, report=report)


def _strangers(
    commands: tuple[str, ...], functions: tuple[str, ...], tables: tuple[str, ...], units: dict[str, str],
    seconds: float,
) -> Iterator[Detector]:  # fmt: skip
    from detector.lab.benchmark.asking import Command, Function
    from detector.lab.benchmark.said import unit_of
    from detector.lab.benchmark.tables import read_given

    def unit(name: str) -> Unit:
        return unit_of(units.get(name, _DEFAULT_UNIT))

    for name, template in _pairs(commands, "--detector"):
        yield Command(name=name, template=template, unit=unit(name), seconds=seconds)
    for name, target in _pairs(functions, "--function"):
        yield Function(name=name, target=target, unit=unit(name), seconds=seconds)
    for name, path in _pairs(tables, "--scores"):
        yield read_given(Path(path), name=name, unit=unit(name))


def _own(config_file: str | None) -> Iterator[Detector]:
    from authn.core.config import load_settings
    from authn.examine.detectors import encoder_of
    from detector.lab.benchmark.ours import Own
    from detector.lab.trial.detectors import open_installed

    found, absent = open_installed((), encoder_of(load_settings(config_file)))
    for one in absent:
        say(f"not asked: {one.model_id}: {one.why}")
    for detector in found:
        yield Own(detector=detector)


def _pairs(given: tuple[str, ...], option: str) -> Iterator[tuple[str, str]]:
    for text in given:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise BadRequest(f"{option} {text[:60]!r} is no NAME=VALUE")
        yield name.strip(), value.strip()
