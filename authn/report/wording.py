"""Every word that a report says to a person, in one table.

Neutral: no scale, no traffic light, no word that judges a picture. Each answer stands beside what it does
not prove. The words never decide anything; outcomes come from the evidence, texts only name them.
Labels follow the C2PA user-experience guidance ("not perceived to be on a scale").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from authn.core.evidence import Axis, HeuristicOutcome, IdentityFinding, Outcome, Question


@dataclass(frozen=True, slots=True)
class Words:
    """An answer of at most eight words and one sentence on its limits."""

    answer: str
    not_proven: str


PROOF_COLUMN = "Cryptographic evidence"
PROOF_COLUMN_IS = "What signatures prove, and to whom"
GUESS_COLUMN = "Heuristic evidence"
GUESS_COLUMN_IS = "What pixels and metadata hint at"
NO_PREVIEW = "No preview: this file was not decoded to a picture"
NOT_DECODED = "No preview, not examined: {why}"
NEVER_ADDED = (
    "The two columns are different kinds of evidence. They are never added up, and there is no score."
)

AXIS_TITLES = {
    Axis.CREDENTIAL: "Credential",
    Axis.INTEGRITY: "Integrity",
    Axis.SIGNER: "Signer",
    Axis.DEVICE: "Device",
    Axis.TIME: "Time",
    Axis.REVOCATION: "Revocation",
    Axis.HISTORY: "History",
    Axis.LOG: "Public log",
}
AXIS_QUESTIONS = {
    Axis.CREDENTIAL: "Does the file carry a signed credential?",
    Axis.INTEGRITY: "Are these the bytes that were signed?",
    Axis.SIGNER: "Who signed it?",
    Axis.DEVICE: "Was it signed by a registered device?",
    Axis.TIME: "When was it signed?",
    Axis.REVOCATION: "Was the signer revoked at that time?",
    Axis.HISTORY: "What is recorded about its making?",
    Axis.LOG: "Is the signing recorded in a public log?",
}
BADGES = {
    Outcome.ESTABLISHED: "Established",
    Outcome.REFUTED: "Refuted",
    Outcome.OUTSIDE_LISTS: "Outside your lists",
    Outcome.ABSENT: "Absent",
    Outcome.NOT_EXAMINED: "Not examined",
}

_UNSEEN = "Nothing was looked at here, so nothing follows; the reason is given with it."
_NO_SIGNATURE = "Without a signature there is nothing to check; that says nothing about the picture."

AXIS_WORDS = {
    (Axis.CREDENTIAL, Outcome.ESTABLISHED): Words("Yes, it carries a signed credential",
        "Finding one does not say who signed it, or whether it fits these bytes."),
    (Axis.CREDENTIAL, Outcome.REFUTED): Words("It carries one that is damaged",
        "Damage can come from tampering or from careless software; it does not say which."),
    (Axis.CREDENTIAL, Outcome.ABSENT): Words("No credential in this file",
        "Most pictures have none, and many services strip them. Absence proves nothing."),
    (Axis.CREDENTIAL, Outcome.NOT_EXAMINED): Words("Not looked for", _UNSEEN),
    (Axis.INTEGRITY, Outcome.ESTABLISHED): Words("Unchanged since it was signed",
        "Unchanged bytes do not make the scene true: a photographed screen signs just as well."),
    (Axis.INTEGRITY, Outcome.REFUTED): Words("Changed after it was signed",
        "It does not say what changed, or why: a website that re-saves a photo changes it too."),
    (Axis.INTEGRITY, Outcome.ABSENT): Words("No signed bytes to compare with", _NO_SIGNATURE),
    (Axis.INTEGRITY, Outcome.NOT_EXAMINED): Words("Not compared", _UNSEEN),
    (Axis.SIGNER, Outcome.ESTABLISHED): Words("Signed by somebody on your lists",
        "It proves who held the key, not that its holder is honest or the scene is true."),
    (Axis.SIGNER, Outcome.REFUTED): Words("The signature does not hold",
        "It does not say who broke it: damage on the way has the same effect as forgery."),
    (Axis.SIGNER, Outcome.OUTSIDE_LISTS): Words("Signed by somebody outside your lists",
        "This is about your lists, not about the picture. A certificate can bear any name."),
    (Axis.SIGNER, Outcome.ABSENT): Words("No signature in this file", _NO_SIGNATURE),
    (Axis.SIGNER, Outcome.NOT_EXAMINED): Words("The signer was not checked", _UNSEEN),
    (Axis.DEVICE, Outcome.ESTABLISHED): Words("Yes, a device of your registry",
        "A registered device can photograph a screen, and a stolen one signs until it is revoked."),
    (Axis.DEVICE, Outcome.REFUTED): Words("The registry contradicts this device",
        "It does not say who used the key; read the findings for what the registry holds."),
    (Axis.DEVICE, Outcome.ABSENT): Words("Not a device of your registry",
        "Other people's devices are not in it; that says nothing against the picture."),
    (Axis.DEVICE, Outcome.NOT_EXAMINED): Words("The registry was not asked", _UNSEEN),
    (Axis.TIME, Outcome.ESTABLISHED): Words("Within the interval shown here",
        "It bounds when it was signed, not when the scene happened."),
    (Axis.TIME, Outcome.REFUTED): Words("Its time-stamp does not hold",
        "Without a time-stamp that holds, the time of signing is only what the signer says."),
    (Axis.TIME, Outcome.OUTSIDE_LISTS): Words("Stamped by an authority outside your lists",
        "This is about your lists: the time may be right, but nobody you know vouches for it."),
    (Axis.TIME, Outcome.ABSENT): Words("No proven time",
        "Times in metadata are claims: clocks can be wrong or set. Absence proves nothing."),
    (Axis.TIME, Outcome.NOT_EXAMINED): Words("The time was not checked", _UNSEEN),
    (Axis.REVOCATION, Outcome.ESTABLISHED): Words("Not revoked at that time",
        "A stolen key counts as good until somebody notices and reports it."),
    (Axis.REVOCATION, Outcome.REFUTED): Words("Revoked at that time",
        "It does not say that this picture was made by the wrong hands, only that it could be."),
    (Axis.REVOCATION, Outcome.ABSENT): Words("Nothing known about revocation",
        "No news of a revocation is not news that there is none."),
    (Axis.REVOCATION, Outcome.NOT_EXAMINED): Words("Revocation was not checked", _UNSEEN),
    (Axis.HISTORY, Outcome.ESTABLISHED): Words("A history is recorded and holds together",
        "It is what the signer's software recorded; a step that nobody recorded leaves no trace."),
    (Axis.HISTORY, Outcome.REFUTED): Words("The recorded history does not hold together",
        "It can concern an earlier version only; read the findings for which part."),
    (Axis.HISTORY, Outcome.ABSENT): Words("No history recorded",
        "A picture without a record may have been edited often, or never."),
    (Axis.HISTORY, Outcome.NOT_EXAMINED): Words("The history was not checked", _UNSEEN),
    (Axis.LOG, Outcome.ESTABLISHED): Words("Recorded in a public log",
        "A log proves that the record existed by then, not that what it says is true."),
    (Axis.LOG, Outcome.REFUTED): Words("The receipt does not hold for this file",
        "It does not say which is the wrong one: the receipt, the file or the log."),
    (Axis.LOG, Outcome.OUTSIDE_LISTS): Words("A receipt from a log outside your lists",
        "This is about your lists: whether that log keeps what it signs, nobody you know says."),
    (Axis.LOG, Outcome.ABSENT): Words("No receipt of a public log",
        "Most signed pictures are in no log; that says nothing against them."),
    (Axis.LOG, Outcome.NOT_EXAMINED): Words("No public log was asked", _UNSEEN),
}  # fmt: skip

_OUTSIDE = Words("It leads to nobody on your lists", "This is about your lists, not about the picture.")
DISAGREEMENT_CODE = "assay.engines.disagreement"
DISAGREEMENT = Words(
    "Independent readers disagree about this",
    "While they differ nothing is established; the findings name what they differ about.",
)
# (axis, code of one of its findings) -> words that say it better than the outcome alone; first match wins.
# Used only where the axis is not established, so that no code can make an answer sound stronger.
REFINED_WORDS = (
    (Axis.INTEGRITY, "assay.integrity.leavesOut", Words(
        "Only part of the file was signed",
        "What was left out may have changed.")),
    (Axis.SIGNER, "claimSignature.mismatch", Words(
        "The signature does not fit the claim",
        "It does not say who changed the claim, or whether the name in it is right.")),
    (Axis.SIGNER, "signingCredential.expired", Words(
        "The certificate had run out by then",
        "An expired certificate is no sign of forgery; without a proven time it cannot count.")),
    (Axis.SIGNER, "signingCredential.invalid", Words(
        "This certificate may not sign pictures",
        "It was issued for another purpose; it does not say who used it.")),
    (Axis.CREDENTIAL, "manifest.inaccessible", Words(
        "It is kept elsewhere and was not fetched",
        "Assay asks no address that a file names; what lies there is not known here.")),
    (Axis.CREDENTIAL, "assay.credential.unreadable", Words(
        "The readers could not read the file",
        "A format that a reader does not know, and damage, look the same from here.")),
    (Axis.TIME, "timeStamp.mismatch", Words(
        "Its time-stamp belongs to other bytes",
        "It does not say how it came here; the time of signing is not proven.")),
    (Axis.INTEGRITY, "claimSignature.mismatch", Words(
        "The credential itself was changed",
        "Once the signed list of hashes cannot be relied on, the bytes cannot be compared.")),
    (Axis.DEVICE, "assay.device.revoked", Words(
        "A device that was revoked by then",
        "It does not say that this picture came from the wrong hands, only that it could.")),
)  # fmt: skip

QUESTION_TITLES = {
    Question.SYNTHETIC: "made by a generator",
    Question.EDITED: "edited after capture",
    Question.RECAPTURED: "a picture of a picture",
    Question.WRONG_SENSOR: "taken by another camera",
}
QUESTIONS = {
    Question.SYNTHETIC: "Are there traces of a generator?",
    Question.EDITED: "Are there traces of editing?",
    Question.RECAPTURED: "Is it a photo of a screen or print?",
    Question.WRONG_SENSOR: "Does another camera's sensor fit better?",
}
HEURISTIC_BADGES = {
    HeuristicOutcome.SUPPORTS: "Points to it",
    HeuristicOutcome.AGAINST: "No sign of it",
    HeuristicOutcome.INCONCLUSIVE: "Undecided",
    HeuristicOutcome.ABSTAIN: "No answer",
}
_UNDECIDED = "An undecided answer leans neither way; do not read it as half of one."
_ABSTAINS = "The question could not be put to this file; nothing follows from that."
_NOTHING_TO_GO_BY = Words(
    "It found nothing to go by",
    "Nothing follows from that: it makes the file neither more nor less credible.",
)
_NOT_VOUCHED = Words(
    "No answer that anything vouches for",
    "Too little was measured of pictures like this one; nothing follows from that.",
)
PART_ANSWER = "Read together with another, in {joint}"
PART_NOT_PROVEN = "Its ratio is one of those that are joined; by itself it has no answer."
_WARNS_ONLY = "Finding no trace makes nothing more credible: {}"

HEURISTIC_WORDS = {
    (Question.SYNTHETIC, HeuristicOutcome.SUPPORTS): Words("Yes, traces of a generator",
        "Detectors err on retouched, small or much compressed photos; it accuses nobody."),
    (Question.SYNTHETIC, HeuristicOutcome.AGAINST): Words("None that this detector knows",
        _WARNS_ONLY.format("a newer generator leaves traces that nobody trained on.")),
    (Question.EDITED, HeuristicOutcome.SUPPORTS): Words("Yes, traces of editing",
        "Cropping, resizing or sending a photo leaves the same traces as deceit."),
    (Question.EDITED, HeuristicOutcome.AGAINST): Words("None that this analysis knows",
        _WARNS_ONLY.format("careful editing leaves none.")),
    (Question.RECAPTURED, HeuristicOutcome.SUPPORTS): Words("Yes, traces of a screen or print",
        "Fine patterns in a scene can look like a screen."),
    (Question.RECAPTURED, HeuristicOutcome.AGAINST): Words("None that this analysis knows",
        _WARNS_ONLY.format("a good print photographed well leaves none.")),
    (Question.WRONG_SENSOR, HeuristicOutcome.SUPPORTS): Words("Yes, the claimed camera fits badly",
        "Scaling and phone processing blur a sensor's fingerprint."),
    (Question.WRONG_SENSOR, HeuristicOutcome.AGAINST): Words("No, nothing contradicts the claimed camera",
        _WARNS_ONLY.format("a fingerprint can be copied into a picture.")),
    **{
        (q, HeuristicOutcome.INCONCLUSIVE): Words("Could be either", _UNDECIDED)
        for q in Question
    },
    **{
        (q, HeuristicOutcome.ABSTAIN): Words("No answer for this file", _ABSTAINS)
        for q in Question
    },
}  # fmt: skip
# A source that reads what a file says about itself is not a measurement of its pixels.
METADATA_WORDS = {
    (Question.SYNTHETIC, HeuristicOutcome.SUPPORTS): Words("The file says it was generated",
        "A marker is text: anybody can write it or take it away."),
    (Question.SYNTHETIC, HeuristicOutcome.AGAINST): Words("The file says nothing of a generator",
        _WARNS_ONLY.format("a marker is easily removed.")),
    (Question.EDITED, HeuristicOutcome.SUPPORTS): Words("The file says it was edited",
        "Every photo desk's software writes this; it does not say what was edited."),
    (Question.EDITED, HeuristicOutcome.AGAINST): Words("The file says nothing of editing",
        _WARNS_ONLY.format("metadata is easily removed.")),
}  # fmt: skip

ASSURANCE_LEVEL = "Assurance level"
ASSURANCE_LIMIT = "What the level leaves open"
ATTESTATION = "Attestation"
NOT_ATTESTED = "none: nobody but the device says where its key is"
# Sentences that no policy can change. They stand first, one for each axis that is refuted (decision 0015).
AXIS_REFUTED = "{axis} refuted: {answer}."
NOT_RELIED_ON = "{axis} not to be relied on: {detail}."
REFUTED_BESIDE = "Refuted: {axes}."
NOT_RELIED_ON_BESIDE = "Not to be relied on: {axes}."
WITHHELD = "What else holds is said axis by axis, not in one sentence."
# Where no other sentence holds.
ABSENT_ALONE = "{answer}. That proves nothing about it."
ESTABLISHED_ALONE = "Established: {axes}. No sentence of the policy says more."
NO_STATEMENT = "Nothing about this file is established by a signature."
LIMITS_TITLE = "What this report does not establish"
IDENTITY_TITLE = "Named by identity assertions; nobody on your lists vouches for that"
IDENTITY_KINDS = {
    "x509": "by a certificate for identities",
    "identity_claims_aggregation": "by a service that collects accounts",
    "unknown": "in a way that is not known here",
}
IDENTITY_FINDINGS = {
    IdentityFinding.HOLDS: "its signature holds",
    IdentityFinding.FAILS: "it does not hold",
    IdentityFinding.NOT_EXAMINED: "not examined",
}
IDENTITY_NOT_PROVEN = "Anybody can name anybody so. It counts on no axis, whether it holds or not."
WHO_SIGNS = "Said by the signer, not proven by the signature"


def axis_words(axis: Axis, outcome: Outcome, codes: Iterable[str]) -> Words:
    """Words for one axis; ``codes`` are those of its findings."""
    if outcome not in (Outcome.ESTABLISHED, Outcome.OUTSIDE_LISTS):
        present = frozenset(codes)
        for refined_axis, code, words in REFINED_WORDS:
            if refined_axis is axis and code in present:
                return words
        if outcome is Outcome.NOT_EXAMINED and DISAGREEMENT_CODE in present:
            return DISAGREEMENT
    return AXIS_WORDS.get((axis, outcome), _OUTSIDE)


def heuristic_words(question: Question, outcome: HeuristicOutcome, kind: str, *, applicable: bool) -> Words:
    """Words for one heuristic answer; ``kind`` and ``applicable`` are the source's own."""
    if outcome is HeuristicOutcome.ABSTAIN and applicable:
        return _NOT_VOUCHED if kind == "learned" else _NOTHING_TO_GO_BY
    if kind == "metadata":
        return METADATA_WORDS.get((question, outcome), HEURISTIC_WORDS[question, outcome])
    return HEURISTIC_WORDS[question, outcome]
