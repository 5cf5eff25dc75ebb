"""What is written of a report besides its text: one HTML page, one PDF, each in the language asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from authn.cli.target import Kind, refuse_other
from authn.core.errors import BadRequest
from authn.core.extras import need
from authn.core.media import Media, MediaLimits, unparsed_file
from authn.core.report import report_json
from authn.report.language import ENGLISH, LANGUAGES

if TYPE_CHECKING:
    from authn.examine.request import Examined

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """``page`` and ``pdf`` are where to; ``language`` is a code of ``authn.report.language``."""

    page: Path | None
    pdf: Path | None
    language: str
    original: Path | None = None

    def __bool__(self) -> bool:
        return self.page is not None or self.pdf is not None

    def read_original(self, limits: MediaLimits) -> Media | None:
        """Raises ``MediaError``, and ``BadRequest`` where there is nothing to draw it on."""
        if self.original is None:
            return None
        if not self:
            raise BadRequest("--original is drawn on a page: name one with --html")
        return unparsed_file(self.original, limits)

    def refuse_others(self) -> None:
        """Raises ``BadRequest`` where another kind of file bears a name, ``SystemLacking`` without typst."""
        if self.page is not None:
            refuse_other(self.page, Kind.PAGE)
        if self.pdf is not None:
            need("pdf")
            refuse_other(self.pdf, Kind.PDF)

    def write(self, examined: Examined) -> None:
        """Raises ``BadRequest`` for a place that cannot be written."""
        from authn.core.score_map import maps_text
        from authn.report.html import render_report
        from authn.report.pdf import render_pdf

        report, maps = report_json(examined.report), maps_text(examined.maps)
        if self.page is not None:
            text = render_report(report, examined.preview_jpeg, maps=maps, language=self.language)
            _write(self.page, text.encode())
        if self.pdf is not None:
            _write(self.pdf, render_pdf(report, examined.preview_jpeg, maps=maps, language=self.language))


def _write(path: Path, data: bytes) -> None:
    from signer.core.durable import write_durably

    try:
        write_durably(path, data, mode=0o644)
    except OSError as e:
        raise BadRequest(f"{path} cannot be written: {e.strerror}") from e


def language_option(command: F) -> F:
    """``--lang`` of a command that writes pages."""
    return click.option(
        "--lang", "language", type=click.Choice(tuple(LANGUAGES)), default=ENGLISH, show_default=True,
        help="Language of the pages; results are the same in each.",
    )(command)  # fmt: skip


def paper_options(command: F) -> F:
    """``--html``, ``--pdf`` and ``--lang``."""
    page = click.option(
        "--html", "page", type=_FILE, metavar="PAGE",
        help="Also write the report of the one FILE as one HTML page, with a small picture of it. An older "
        "page is replaced; any other file is left and the call refused.",
    )  # fmt: skip
    pdf = click.option(
        "--pdf", type=_FILE, metavar="PDF",
        help="As --html, as a PDF. Needs the extra pdf.",
    )  # fmt: skip
    language = click.option(
        "--lang", "language", type=click.Choice(tuple(LANGUAGES)), default=ENGLISH, show_default=True,
        help="Language of text, page and PDF; the JSON form is the same in each.",
    )  # fmt: skip
    original = click.option(
        "--original", type=click.Path(path_type=Path, dir_okay=False), metavar="ORIGINAL",
        help="With --html: also draw where the picture of the one FILE differs from that of ORIGINAL.",
    )  # fmt: skip
    return page(pdf(language(original(command))))
