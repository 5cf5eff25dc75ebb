"""The pages of a run: a summary, and contact sheets of all files in the order in which a person should look.

Rows are read one sheet at a time. Pages need no network; they link to the files where those lie.
"""

from __future__ import annotations

import base64
import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from authn.audit.counts import Counts
from authn.audit.file_row import NO_MEDIA, QUIET, WITHOUT_REPORT, file_row
from authn.audit.frame import environment, page_policy, page_style, review_script
from authn.audit.ledger import Ledger
from authn.audit.names import name_of
from authn.audit.plan import RunFolder, replace_file
from authn.audit.results import Row, is_not_media
from authn.audit.summary import (
    FILES_PER_SHEET,
    MAX_LISTED,
    MAX_OTHERS_LISTED,
    RunView,
    facets,
    render_summary,
)
from authn.core.visible import visible
from authn.report import wording
from authn.report.language import count, spoken, t, told

SUMMARY_PAGE = "summary.html"
SHEETS_FOLDER, REPORTS_FOLDER = "sheets", "reports"
MAX_REPORTS = 200


# What a person who knows can say of a file, with the key for it: as those who train detectors name it.
MARKS = (
    ("1", "photo", "audit.mark.photo"),
    ("2", "edited", "audit.mark.edited"),
    ("3", "generated", "audit.mark.generated"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One file on a sheet."""

    number: int
    classes: str
    name: str
    situation: str
    proof: str = ""
    guess: str = ""
    reasons: tuple[str, ...] = ()
    href: str | None = None
    report: str | None = None
    picture: str | None = None
    sha256: str = ""


def write_pages(
    work: RunFolder, ledger: Ledger, *, inputs: int, results_sha256: str, finished_at: datetime
) -> None:
    """Summary and sheets, each replaced at once, in the language that is spoken. Raises ``OSError``."""
    total = ledger.rows
    sheets = tuple(
        (f"{SHEETS_FOLDER}/{_file_name(n)}", first, min(first + FILES_PER_SHEET - 1, total))
        for n, first in enumerate(range(1, total + 1, FILES_PER_SHEET))
    )
    counted = ledger.counts.tally()
    view = RunView(
        started_at=work.started_at,
        finished_at=finished_at,
        source=work.question.source,
        counts=(
            ("audit.count.inputs", inputs),
            ("audit.count.reports", counted.reported),
            ("audit.count.not_examined", counted.not_reported - counted.not_media),
            ("audit.count.other_kinds", counted.not_media),
        ),
        skipped=tuple(_refusals(ledger.by_urgency(first=WITHOUT_REPORT, below=QUIET))),
        skipped_count=counted.not_reported - counted.not_media,
        others=tuple(
            row["subject"]["name"]
            for row in itertools.islice(ledger.by_urgency(first=NO_MEDIA), MAX_OTHERS_LISTED)
        ),
        others_count=counted.not_media,
        beside=counted.beside,
        results_sha256=results_sha256,
        sheets=sheets,
        reports=_write_reports(work, ledger),
    )
    pressing = itertools.islice(ledger.by_urgency(below=WITHOUT_REPORT), MAX_LISTED)
    replace_file(work.folder / SUMMARY_PAGE, render_summary(pressing, view, ledger.counts))
    _write_sheets(work, ledger, sheets, view.reports)


def _refusals(rows: Iterable[Row]) -> Iterator[tuple[str, str, str]]:
    for row in itertools.islice(rows, MAX_LISTED):
        yield row["subject"]["name"], row["error"]["code"], row["error"]["detail"]


def _write_sheets(
    work: RunFolder, ledger: Ledger, sheets: tuple[tuple[str, int, int], ...], reports: int
) -> None:
    folder = work.folder / SHEETS_FOLDER
    folder.mkdir(exist_ok=True)
    rows = ledger.by_urgency()
    for n, (_, first, last) in enumerate(sheets):
        others = [
            (t("audit.range", first=count(a), last=count(b)), _file_name(i))
            for i, (_, a, b) in _near(sheets, n)
        ]
        page = render_sheet(
            itertools.islice(rows, last - first + 1),
            source=work.question.source,
            first=first,
            total=sheets[-1][2],
            others=tuple(others),
            reports=reports,
            thumbnail=ledger.thumbnails.of,
            run=work.question.fingerprint,
        )
        replace_file(folder / _file_name(n), page)
    for left in folder.iterdir():  # sheets of an earlier, longer run
        if left.suffix == ".html" and left.stem.isdecimal() and int(left.stem) > len(sheets):
            left.unlink()


def _write_reports(work: RunFolder, ledger: Ledger) -> int:
    """Whole reports on what a person should look at, as pages: the first ``MAX_REPORTS``; how many."""
    from authn.report.html import render_report

    folder = work.folder / REPORTS_FOLDER
    folder.mkdir(exist_ok=True)
    count = 0
    for row in itertools.islice(ledger.by_urgency(below=WITHOUT_REPORT), MAX_REPORTS):
        count += 1
        small = ledger.thumbnails.of(row["subject"]["sha256"])
        replace_file(folder / _file_name(count - 1), render_report(row, small, language=spoken()))
    return count


def _near(sheets: tuple[tuple[str, int, int], ...], n: int) -> Iterator[tuple[int, tuple[str, int, int]]]:
    """The first, the last, and those next to this one."""
    for i in sorted({0, n - 1, n + 1, len(sheets) - 1} - {n, -1}):
        if 0 <= i < len(sheets):
            yield i, sheets[i]


def render_sheet(
    rows: Iterable[Row],
    *,
    source: str,
    first: int,
    total: int,
    others: tuple[tuple[str, str], ...] = (),
    reports: int = 0,
    thumbnail: Callable[[str], bytes | None] = lambda _sha256: None,
    run: str = "",
) -> str:
    """HTML of one sheet; ``others`` are other sheets: label and address. The first so many ``reports`` of the
    run have a page of their own; ``run`` is what marks are kept under in a browser."""
    counts = Counts()
    cards = []
    for number, row in enumerate(rows, first):
        report = f"../{REPORTS_FOLDER}/{_file_name(number - 1)}" if number <= reports else None
        cards.append(replace(_card(row, number, source, counts), report=report, **_picture(row, thumbnail)))
    return (
        environment()
        .get_template("sheet.html.j2")
        .render(
            source=visible(source, 200),
            first=first,
            last=first + len(cards) - 1,
            total=total,
            others=others,
            files=cards,
            facets=facets(counts),
            words=wording,
            run=run,
            marks=MARKS,
            script=review_script(),
            style=page_style(),
            policy=page_policy(review_script()),
        )
    )


def _picture(row: Row, thumbnail: Callable[[str], bytes | None]) -> dict[str, Any]:
    if "error" in row:
        return {}
    sha256 = row["subject"]["sha256"]
    small = thumbnail(sha256)
    return {"sha256": sha256} | ({"picture": base64.b64encode(small).decode()} if small else {})


def _card(row: Row, number: int, source: str, counts: Counts) -> Card:
    name = row["subject"]["name"]
    href = _address(source, name)
    if "error" in row:
        counts.add(row)
        kind = "media" if is_not_media(row) else "report"
        return Card(
            number=number,
            classes="refused",
            name=visible(name, 160),
            situation=t(f"audit.refused.{kind}", why=told(row["error"]["detail"], 300)),
            href=href,
        )
    shown = file_row(row)
    counts.add(row, situation=shown.situation, facets=shown.facets)
    return Card(
        number=number,
        classes=" ".join((shown.situation, *shown.facets)),
        name=shown.name,
        situation=t(f"audit.situation.{shown.situation}"),
        proof=shown.proof,
        guess=shown.guess,
        reasons=shown.reasons,
        href=href,
    )


def _address(source: str, name: str) -> str | None:
    """Of the file, or of the archive that it lies in; None where it lies in no folder of this machine."""
    if not source.startswith("/"):
        return None
    path = source if not name or Path(source).is_file() else f"{source}/{name_of(name)}"
    while len(path) >= len(source):
        try:
            return Path(path).as_uri() if stat.S_ISREG(os.lstat(path).st_mode) else None
        except NotADirectoryError:  # in an archive
            path = path.rpartition("/")[0]
        except (OSError, ValueError):
            return None
    return None


def _file_name(n: int) -> str:
    return f"{n + 1:06}.html"
