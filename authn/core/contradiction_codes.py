"""The codes of contradictions, which reports, policies and ``--fail-on`` name.

What each is found by stands in the table of ``authn.examine.contradictions``, a row for each code; the codes
are here, since a policy that names one is read where nothing is examined.
"""

from __future__ import annotations

from enum import StrEnum

from authn.core.evidence import HeuristicEvidence, Question


class ContradictionCode(StrEnum):
    WRONG_SENSOR = "assay.contradiction.wrongSensor"
    CAPTURED_BUT_MARKED = "assay.contradiction.capturedButMarked"
    REGISTERED_BUT_MARKED = "assay.contradiction.registeredButMarked"
    REGISTERED_BUT_CLAIMED_GENERATED = "assay.contradiction.registeredButClaimedGenerated"
    CAPTURED_BUT_GENERATED = "assay.contradiction.capturedButGenerated"
    CAPTURED_BUT_RECAPTURED = "assay.contradiction.capturedButRecaptured"
    UNEDITED_BUT_DIFFERENT = "assay.contradiction.uneditedButDifferent"
    UNEDITED_BUT_COPIED = "assay.contradiction.uneditedButCopied"
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
# What a source is asked from which one side of it can come; those with EXIF on a side rest on whoever reads
# the metadata, whatever that one is asked.
_ASKS = {
    ContradictionCode.WRONG_SENSOR: Question.WRONG_SENSOR,
    ContradictionCode.CAPTURED_BUT_MARKED: Question.SYNTHETIC,
    ContradictionCode.REGISTERED_BUT_MARKED: Question.SYNTHETIC,
    ContradictionCode.CAPTURED_BUT_GENERATED: Question.SYNTHETIC,
    ContradictionCode.MARKED_BUT_CAMERA: Question.SYNTHETIC,
    ContradictionCode.CAPTURED_BUT_RECAPTURED: Question.RECAPTURED,
    ContradictionCode.UNEDITED_BUT_DIFFERENT: Question.EDITED,
    ContradictionCode.UNEDITED_BUT_COPIED: Question.EDITED,
    ContradictionCode.UNEDITED_BUT_EDITOR_NAMED: Question.EDITED,
    ContradictionCode.UNEDITED_BUT_OTHER_TABLES: Question.EDITED,
}
_OF_EXIF = frozenset({ContradictionCode.GENERATED_BUT_CAMERA, ContradictionCode.TAKEN_AFTER_STAMP})


def could_show(guess: HeuristicEvidence, code: ContradictionCode) -> bool:
    """Whether what the source was asked is a side of this contradiction."""
    if code in _OF_EXIF:
        return guess.kind == "metadata"
    return _ASKS.get(code) is guess.question
