"""The whole-picture detector of one's own photos and fakes: the recipe of the one that ships, on two folders.

Sub-folders of the first level are what may not be parted: sources of photos, generators of fakes. A photo is
a photo, unless its sub-folder is called art, render, screenshot or scan. Nothing is kept aside for a test
that is opened once: all that is said of such a detector is what heads make of pictures whose source and
generator they never saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from detector.core.errors import (
    CalibrationError,
    FileFailed,
    LabError,
    ModelUnavailable,
    NotApplicable,
    PixelsUnreadable,
    TooFewPictures,
)
from detector.core.files import write_json, write_whole
from detector.core.progress import Report
from detector.data.families import family_of
from detector.data.manifest import REAL_KINDS, Row
from detector.lab.semantic import WholeRun, save_heads, taught_digest
from detector.lab.steps.scores import write_scores
from detector.lab.trial.pictures import Picture, bytes_of, gather
from detector.lab.whole.card import Tables, card_of
from detector.models.card import FOLDER, ModelCard, dump_card
from detector.models.encoder_file import INSTALL
from detector.models.semantic import Encoder, open_encoder
from detector.pixels.decode import decode

OWN_WHOLE = "own-whole-1"
MIN_SOURCES = 4  # with fewer sub-folders photos are parted by their digests
_PARTS = 8
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_LICENCE = "one's own pictures"


def run_own(photos: Path, fakes: Path, encoder: Encoder, run: Path, *, report: Report) -> ModelCard:
    """Weights, card and score table in ``run``; goes on after an interruption with what was embedded. Raises
    ``LabError`` for folders that cannot be used, ``TooFewPictures`` for fewer than two generators, and
    ``CalibrationError``."""
    found = gather(photos, fakes, report=report)
    rows, unread = _rows(found.pictures)
    families = {family_of(r.generator) for r in rows if r.fake}
    if len(families) < 2:
        raise TooFewPictures(
            f"{fakes} holds pictures of {len(families)} kind of generator, a sub-folder each; each is left "
            "out in turn, so two are needed"
        )
    _link(rows, found.pictures, run / "pictures")
    whole = WholeRun(rows=rows, folder=run / "pictures", run=run, report=report)
    skipped = whole.embed(encoder)
    aside = {s.path: s.reason for s in found.skipped} | unread | {s.sha256: s.why for s in skipped}
    write_json(run / "skipped.json", aside)
    report("teaching", 0, 1)
    taught = whole.taught_by(rows)
    table = whole.left_out_table(taught)
    write_scores(table, run / "left-out.csv")
    digest = save_heads(taught.heads, run / f"{OWN_WHOLE}.safetensors")
    tables = Tables(left_out=table, first=(), test=())
    card = card_of(OWN_WHOLE, digest, taught.rows, (), tables, taught_digest(taught.rows))
    card = replace(card, recipe=FOLDER)
    write_whole(run / f"{OWN_WHOLE}.json", dump_card(card).encode())
    report("teaching", 1, 1)
    return card


def _rows(pictures: Sequence[Picture]) -> tuple[tuple[Row, ...], dict[str, str]]:
    """A row for every picture that decodes; and of the others why not."""
    few = len({p.source for p in pictures if not p.fake}) < MIN_SOURCES
    rows, unread = [], {}
    for picture in pictures:
        try:
            height, width = decode(data := bytes_of(picture), picture.media_type).shape[:2]
        except (PixelsUnreadable, NotApplicable) as e:
            unread[picture.name] = e.detail
            continue
        part = f" {int(picture.sha256[:8], 16) % _PARTS}" if few and not picture.fake else ""
        kind = picture.source if picture.source in REAL_KINDS else "photo"
        row = Row(
            fake=picture.fake, kind="" if picture.fake else kind, source=picture.source + part,
            generator=picture.source if picture.fake else "", licence=_LICENCE, width=width, height=height,
            size=len(data), format=_FORMATS[picture.media_type], luminance_sum=None, dhash=0, photo_like="",
            origin=f"folder:{picture.name.partition('/')[0]}", sha256=picture.sha256, note="",
        )  # fmt: skip
        rows.append(row)
    return tuple(rows), unread


def _link(rows: Sequence[Row], pictures: Sequence[Picture], folder: Path) -> None:
    """Every picture under the name that a corpus keeps it by. Raises ``FileFailed``."""
    places = {p.sha256: p.path for p in pictures}
    try:
        for row in rows:
            link = folder / row.file
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(places[row.sha256].absolute())
    except OSError as e:
        raise FileFailed(f"{folder} cannot be made: {e.strerror}") from e


def own_text(card: ModelCard) -> str:
    """What to look at first, as Markdown: pictures of left-out sources and generators, view by view."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: ModelCard) -> Iterator[str]:
    sources = Counter(s.fake for s in card.sets)
    yield f"Taught by {sources[False]} parts of the photos and {sources[True]} generators; every picture"
    yield "below is scored by heads that saw neither its part nor a generator of its family."
    yield ""
    yield "| view | real | generated | mean AUC of generators | Cllr | answered, real | answered, generated |"
    yield "|---|---|---|---|---|---|---|"
    for j in card.judged:
        answers = {a.fake: a.answered.value for a in j.answers if a.kind is None}
        area = f"{j.macro_auc.value:.3f} [{j.macro_auc.low:.3f}, {j.macro_auc.high:.3f}]"
        shares = " | ".join(f"{answers.get(fake, 0.0):.3f}" for fake in (False, True))
        yield f"| {j.view} | {j.real} | {j.generated} | {area} | {j.cllr.value:.3f} | {shares} |"
    yield ""
    silent = [c.kind for c in card.guarantees.supports if c.log10_ratio is None] if card.guarantees else []
    if silent:
        named = ", ".join(k.value if k else "any kind" for k in silent)
        yield f"Too few pictures vouch for an answer to: {named}. There it stays silent."


def whole_text(photos: Path, fakes: Path | None, encoder: Path | None, run: Path, report: Report) -> str:
    """Makes the detector, or says in a sentence why there is none; the text of its section in a report."""
    if fakes is None:
        return "Not made: it learns from whole pictures of other people's generators, and none were named.\n"
    if encoder is None:
        return f"Not made: the image encoder is not installed here (`{INSTALL}`).\n"
    try:
        card = run_own(photos, fakes, open_encoder(encoder), run, report=report)
    except (LabError, CalibrationError, ModelUnavailable) as e:
        return f"Not made: {e.detail}.\n"
    return f"{own_text(card)}\nCard: `whole/{OWN_WHOLE}.json`; weights SHA-256 `{card.weights_sha256}`.\n"
