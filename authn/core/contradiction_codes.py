"""The codes of contradictions, which reports, policies and ``--fail-on`` name.

What each is found by stands in the table of ``authn.examine.contradictions``, a row for each code; the codes
and the sources that each can come from are here, since a policy that names one is read where nothing is
examined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from authn.core.evidence import HeuristicEvidence, Question


class ContradictionCode(StrEnum):
    WRONG_SENSOR = "assay.contradiction.wrongSensor"
    CAPTURED_BUT_MARKED = "assay.contradiction.capturedButMarked"
    REGISTERED_BUT_MARKED = "assay.contradiction.registeredButMarked"
    REGISTERED_BUT_CLAIMED_GENERATED = "assay.contradiction.registeredButClaimedGenerated"
    CAPTURED_BUT_GENERATED = "assay.contradiction.capturedButGenerated"
    UNEDITED_BUT_DIFFERENT = "assay.contradiction.uneditedButDifferent"
    UNEDITED_BUT_COPIED = "assay.contradiction.uneditedButCopied"
    CAPTURED_BUT_RECAPTURED = "assay.contradiction.capturedButRecaptured"
    UNEDITED_BUT_EDITOR_NAMED = "assay.contradiction.uneditedButEditorNamed"
    UNEDITED_BUT_OTHER_TABLES = "assay.contradiction.uneditedButOtherTables"
    GENERATED_BUT_CAMERA = "assay.contradiction.generatedButCamera"
    MARKED_BUT_CAMERA = "assay.contradiction.markedButCamera"
    CLAIMED_AFTER_STAMP = "assay.contradiction.claimedAfterStamp"
    TAKEN_AFTER_STAMP = "assay.contradiction.takenAfterStamp"
    RECOVERED_BUT_MARKED = "assay.contradiction.recoveredButMarked"
    RECOVERED_BUT_GENERATED = "assay.contradiction.recoveredButGenerated"
    STRIPPED_BUT_RECOVERED = "assay.contradiction.strippedButRecovered"


# Found by a look-up among photos that were signed here, which a service makes after a report was written.
FOUND_LATER = frozenset(
    {
        ContradictionCode.RECOVERED_BUT_MARKED,
        ContradictionCode.RECOVERED_BUT_GENERATED,
        ContradictionCode.STRIPPED_BUT_RECOVERED,
    }
)
# Between two parts of the proof and the claims in it: no source need be asked.
OF_PROOF = frozenset(
    {ContradictionCode.REGISTERED_BUT_CLAIMED_GENERATED, ContradictionCode.CLAIMED_AFTER_STAMP}
)
MARK = "mark"  # beside the kinds of evidence: an invisible mark is read in pixels, and written by a program
_INVISIBLE = frozenset({"watermark"})
_OF_OTHER_ROWS = frozenset({"metadata", "compression", "copy_move"})

_Side = Callable[[HeuristicEvidence], bool]


def _asked(question: Question, *kinds: str) -> _Side:
    """``kinds``: none are any; ``MARK`` is one."""
    return lambda g: (
        g.question is question and (not kinds or (MARK if g.detector in _INVISIBLE else g.kind) in kinds)
    )


def _edited(about: Callable[[str], bool]) -> _Side:
    """``about``: whether it is about a source of that name."""
    return lambda g: g.question is Question.EDITED and about(g.detector)


def _read_exif(guess: HeuristicEvidence) -> bool:
    """Whoever reads the metadata, whatever that one is asked."""
    return guess.kind == "metadata"


_MARKED = _asked(Question.SYNTHETIC, "metadata", MARK)
_GENERATED = _asked(Question.SYNTHETIC, "learned", "signal")
# The sources from which one side of it can come.
_SIDES: Mapping[ContradictionCode, _Side] = {
    ContradictionCode.WRONG_SENSOR: _asked(Question.WRONG_SENSOR),
    ContradictionCode.CAPTURED_BUT_MARKED: _MARKED,
    ContradictionCode.REGISTERED_BUT_MARKED: _MARKED,
    ContradictionCode.CAPTURED_BUT_GENERATED: _GENERATED,
    ContradictionCode.CAPTURED_BUT_RECAPTURED: _asked(Question.RECAPTURED),
    ContradictionCode.UNEDITED_BUT_DIFFERENT: _edited(lambda source: source not in _OF_OTHER_ROWS),
    ContradictionCode.UNEDITED_BUT_COPIED: _edited(lambda source: source == "copy_move"),
    ContradictionCode.UNEDITED_BUT_EDITOR_NAMED: _edited(lambda source: source == "metadata"),
    ContradictionCode.UNEDITED_BUT_OTHER_TABLES: _edited(lambda source: source == "compression"),
    ContradictionCode.GENERATED_BUT_CAMERA: _read_exif,
    ContradictionCode.MARKED_BUT_CAMERA: _MARKED,
    ContradictionCode.TAKEN_AFTER_STAMP: _read_exif,
    ContradictionCode.RECOVERED_BUT_MARKED: _MARKED,
    ContradictionCode.RECOVERED_BUT_GENERATED: _GENERATED,
}


def could_show(guess: HeuristicEvidence, code: ContradictionCode) -> bool:
    """Whether an answer of this source can be a side of this contradiction."""
    return code in _SIDES and _SIDES[code](guess)
