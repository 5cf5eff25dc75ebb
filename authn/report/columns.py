"""What stands in the two columns of a page: cards that say something, and folds of those that do not.

Nothing is left out: what is folded is one click away, and its names stand in the fold's own line.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from authn.core.evidence import Axis, HeuristicOutcome, Outcome
from authn.core.visible import visible
from authn.report import cards, drawings
from authn.report.calibration_strip import Histogram, histogram_of
from authn.report.cards import MAX_ROWS, Card, Document
from authn.report.drawings import Strip
from authn.report.language import t
from authn.report.overlays import Figure, figures_of
from authn.report.score_maps import Shown, shown_maps
from authn.report.vouching import joint_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofColumn:
    """``folds``: a title and the cards behind it."""

    speaking: tuple[Card, ...]
    folds: tuple[tuple[str, tuple[Card, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One answer of a source with its drawings."""

    card: Card
    strip: Histogram | None
    strips: tuple[Strip | None, ...]
    map: Shown | None
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessFold:
    title: str
    guesses: tuple[Guess, ...]

    @property
    def names(self) -> str:
        """Each source once, with the number of its answers where it has several: as many as the title has."""
        answers = Counter(g.card.title for g in self.guesses)
        return ", ".join(name if n == 1 else f"{name} ({n})" for name, n in answers.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessColumn:
    speaking: tuple[Guess, ...]
    folds: tuple[GuessFold, ...]

    @property
    def all(self) -> tuple[Guess, ...]:
        return (*self.speaking, *(g for fold in self.folds for g in fold.guesses))


def proof_column(report: Document) -> ProofColumn:
    """What is refuted stands first. An absent axis is folded, the credential's never. What was not examined
    is folded only where the file carries no credential: beside one it can matter."""
    outcomes = {axis: cards.outcome_of(axis, report["cryptographic"]["axes"][axis.value]) for axis in Axis}
    bare = outcomes[Axis.CREDENTIAL] is Outcome.ABSENT
    quiet = {Outcome.ABSENT, Outcome.NOT_EXAMINED} if bare else {Outcome.ABSENT}
    drawn = tuple(zip(outcomes.items(), cards.proof_cards(report), strict=True))
    first = sorted(drawn, key=lambda d: d[0][1] is not Outcome.REFUTED)
    speaking = tuple(c for (axis, o), c in first if axis is Axis.CREDENTIAL or o not in quiet)
    folds = tuple(
        (t(f"fold.{outcome.value}", n=len(silent)), silent)
        for outcome in (Outcome.ABSENT, Outcome.NOT_EXAMINED)
        if (silent := tuple(c for (_, o), c in drawn if o is outcome and c not in speaking))
    )
    return ProofColumn(speaking=speaking, folds=folds)


def _does_not_point(guess: Guess) -> bool:
    return guess.card.mark != HeuristicOutcome.SUPPORTS.value


def _fold_of(detector: Document, guess: Guess) -> HeuristicOutcome | None:
    """Behind which fold an answer stands, if any: no answer, and the parts of a joint one; undecided about a
    signal of which nothing was found, so that there is nothing to look at."""
    if detector["outcome"] == HeuristicOutcome.ABSTAIN.value or joint_of(detector) is not None:
        return HeuristicOutcome.ABSTAIN
    drawn = guess.strip or any(guess.strips) or guess.map or guess.figures
    if cards.is_undecided_signal(detector) and not drawn and not cards.tells(detector):
        return HeuristicOutcome.INCONCLUSIVE
    return None


def guess_column(report: Document, maps: str | None, *, preview: bool) -> GuessColumn:
    """What says nothing is folded; what points to something comes first, for it is what a person is to look
    at."""
    detectors = report["heuristic"]["detectors"][:MAX_ROWS]
    shown, figures = shown_maps(report, maps, preview=preview), figures_of(maps if preview else None)
    guesses = [
        Guess(
            card=card,
            strip=histogram_of(d),
            strips=(drawings.ratio_strip(d), drawings.stability_strip(d)),
            map=where,
            figures=figures.of(card.title),
        )
        for d, card, where in zip(detectors, cards.guess_cards(report), shown, strict=True)
    ]
    placed = [(_fold_of(d, g), g) for d, g in zip(detectors, guesses, strict=True)]
    folds = tuple(
        GuessFold(title=t(f"fold.{kind.value}", n=len(behind)), guesses=behind)
        for kind in (HeuristicOutcome.INCONCLUSIVE, HeuristicOutcome.ABSTAIN)
        if (behind := tuple(g for fold, g in placed if fold is kind))
    )
    return GuessColumn(
        speaking=tuple(sorted((g for fold, g in placed if fold is None), key=_does_not_point)), folds=folds
    )


def recovered(report: Document) -> tuple[str, ...]:
    """What looks like this file and was signed here; it proves nothing about this file."""
    return tuple(visible(str(r["text"])) for r in (report.get("recovered") or ())[:MAX_ROWS])
