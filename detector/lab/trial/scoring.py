"""Every picture of a trial, in every view, as each detector answers it: the path of the service, from a file
to a ``Score``. What is scored is kept line by line, so that a trial goes on where it was interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.core.lines import Log
from detector.core.progress import Report
from detector.lab.steps.scores import STORED
from detector.lab.steps.views import file_of
from detector.lab.trial.pictures import Picture, bytes_of
from detector.models.card import ModelCard, dump_card
from detector.models.condition import Condition, condition_of
from detector.models.score import Score
from detector.pixels.decode import Pixels, decode
from detector.pixels.orientation import orientation_of
from detector.pixels.upright import upright

ABSTAINED = "abstain"
UNREADABLE = "unreadable"


class Scores(Protocol):
    """A loaded detector, whatever it is made of."""

    @property
    def card(self) -> ModelCard: ...
    def turned(self, pixels: Pixels, data: bytes, media_type: str) -> Pixels: ...
    def score_pixels(self, pixels: Pixels, condition: Condition, *, band: bool) -> Score: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One picture in one view by one detector. ``answer`` is that of ``Score``, ``ABSTAINED`` where the
    question does not apply, or ``UNREADABLE`` where the pixels cannot be decoded; both without numbers.
    ``log10_ratio`` is the likelihood ratio that a report would print; ``side`` and ``quality`` as in
    ``Condition``, ``distance`` and ``kind`` as in ``Score``."""

    sha256: str
    name: str
    view: str
    detector: str
    card_sha256: str
    answer: str
    reason: str
    logit: float | None
    log10_ratio: float | None
    distance: float | None
    side: int | None
    quality: int | None
    media_type: str
    kind: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.sha256, self.view, self.card_sha256


def card_digest(card: ModelCard) -> str:
    """Weights, calibration and operating points: whatever decides an answer."""
    return hashlib.sha256(dump_card(card).encode()).hexdigest()


def score_pictures(
    detectors: Sequence[Scores], pictures: Sequence[Picture], views: Sequence[str], path: Path, report: Report
) -> tuple[Scored, ...]:
    """One for each picture, view and detector, in that order. Lines of other pictures, views or cards in
    ``path`` are left alone. Raises ``FileFailed`` where it cannot be read or written, ``CorpusError`` for a
    picture that changed meanwhile."""
    digests = {d.card.model_id: card_digest(d.card) for d in detectors}
    with Log(path) as log:
        kept = {s.key: s for s in _read(log.lines)}
        for n, picture in enumerate(pictures):
            wanted = [
                (v, d) for v in views for d in detectors
                if (picture.sha256, v, digests[d.card.model_id]) not in kept
            ]  # fmt: skip
            found = list(_scores(picture, wanted, digests)) if wanted else []
            log.add(asdict(s) for s in found)
            kept |= {s.key: s for s in found}
            report("scoring pictures", n + 1, len(pictures))
    return tuple(
        kept[p.sha256, v, digests[d.card.model_id]] for p in pictures for v in views for d in detectors
    )


def _read(lines: Sequence[dict[str, Any]]) -> Iterator[Scored]:
    for line in lines:
        try:
            yield Scored(**line)
        except TypeError:  # of another version of this program
            continue


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What a detector is given; ``pixels`` as they are decoded."""

    data: bytes
    pixels: Pixels
    condition: Condition


_Refused = PixelsUnreadable | NotApplicable


def _scores(
    picture: Picture, wanted: Sequence[tuple[str, Scores]], digests: dict[str, str]
) -> Iterator[Scored]:
    files = {view: _seen(picture, view) for view in dict.fromkeys(view for view, _ in wanted)}
    for view, detector in wanted:
        file, card = files[view], detector.card
        answer, reason, score = _asked(detector, file)
        condition = file.condition if isinstance(file, _File) else None
        yield Scored(
            sha256=picture.sha256, name=picture.name, view=view, detector=card.model_id,
            card_sha256=digests[card.model_id], answer=answer, reason=reason,
            logit=None if score is None else score.logit,
            log10_ratio=None if score is None or score.ratio is None else score.ratio.log10,
            distance=None if score is None else score.distance,
            side=None if condition is None else condition.side,
            quality=None if condition is None else condition.quality,
            media_type=picture.media_type if condition is None else condition.media_type,
            kind=None if score is None or score.kind is None else score.kind.value,
        )  # fmt: skip


def _seen(picture: Picture, view: str) -> _File | _Refused:
    """The file in that view, or why it cannot be shown so."""
    data, media_type = bytes_of(picture), picture.media_type
    try:
        pixels = decode(data, media_type)
        if view != STORED:  # platforms turn a picture before they encode it again
            data, media_type = file_of(upright(pixels, orientation_of(data, media_type)), view)
            pixels = decode(data, media_type)
    except (PixelsUnreadable, NotApplicable) as e:
        return e
    return _File(
        data=data, pixels=pixels, condition=condition_of(data, media_type, side=min(pixels.shape[:2]))
    )


def _asked(detector: Scores, file: _File | _Refused) -> tuple[str, str, Score | None]:
    try:
        if not isinstance(file, _File):
            raise file
        pixels = detector.turned(file.pixels, file.data, file.condition.media_type)
        score = detector.score_pixels(pixels, file.condition, band=False)
    except NotApplicable as e:
        return ABSTAINED, e.detail, None
    except PixelsUnreadable as e:
        return UNREADABLE, e.detail, None
    return score.answer.value, score.reason, score
