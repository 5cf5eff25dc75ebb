"""The forms in which ``assay verify`` prints what it found about a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from authn.cli.out import say_block, say_json
from authn.core.errors import ExaminationFailed
from authn.core.evidence import Axis, Outcome
from authn.core.report import report_json
from authn.core.visible import wrapped
from authn.report.doubts import beside, doubts
from authn.report.language import speaking, t
from authn.report.text import WIDTH, render_text

if TYPE_CHECKING:
    from authn.core.report import Report
    from authn.examine.request import Examined

F = TypeVar("F", bound=Callable[..., Any])
TEXT, JSON, CRJSON = "text", "json", "crjson"
# What stands for a file without a credential; readers of crJSON take the first manifest for the active one.
NO_CREDENTIAL = {"@context": {"@vocab": "https://c2pa.org/crjson"}, "manifests": []}


def form_options(command: F) -> F:
    """``--format``, ``--json`` and ``--rubrics``."""
    form = click.option(
        "--format", "form", type=click.Choice((TEXT, JSON, CRJSON)), default=TEXT, show_default=True,
        help="crjson: the credential as C2PA's JSON, word for word as c2pa-rs found it at this time, one "
        "document per file and line.",
    )  # fmt: skip
    as_json = click.option(
        "--json", "as_json", is_flag=True, help="One JSON object per file and line; as --format json."
    )
    rubrics = click.option(
        "--rubrics",
        is_flag=True,
        help="Also say what the Asset Rubrics of C2PA say of the credential.",
    )
    return form(as_json(rubrics(command)))


def refuse_unwritten(examined: Examined) -> None:
    """Raises ``ExaminationFailed`` for a credential that has no crJSON: to print that there is none would be
    another statement."""
    credential = examined.report.cryptographic.axis(Axis.CREDENTIAL).outcome
    if examined.crjson is None and credential is not Outcome.ABSENT:
        raise ExaminationFailed("c2pa-rs cannot write the credential of this file as crJSON")


def say_report(examined: Examined, form: str, language: str) -> None:
    """In one of the forms; ``language`` is that of the text."""
    if form == CRJSON:
        say_json(NO_CREDENTIAL if examined.crjson is None else json.loads(examined.crjson))
    elif form == JSON:
        say_json(report_json(examined.report))
    else:
        with speaking(language):
            say_block(render_text(examined.report) + "".join(_labels(examined.report)))


def _labels(report: Report) -> Iterator[str]:
    if report.run.rubrics is None:
        return
    yield f"\n{t('rubrics.title')}\n"
    if found := doubts({a.axis: a for a in report.cryptographic.axes}):
        yield f"  {beside(found)}\n"
    for label in report.run.rubrics:
        value = {True: "yes", False: "no", None: "open"}[label.value]
        line = f"{t(f'rubrics.value.{value}')}  {label.id} ({label.rubric}): {label.text}"
        yield from (f"  {part}\n" for part in wrapped(line, WIDTH - 2))
    if not report.run.rubrics:
        yield f"  {t('rubrics.none')}\n"
