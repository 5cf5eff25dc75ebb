"""What IPTC's digital source types say, in words: the end of a sentence that begins "the signer claims"."""

from __future__ import annotations

import re
from collections.abc import Mapping

CLAIMED: Mapping[str, str] = {
    "digitalCapture": "that a camera took it",
    "computationalCapture": "that a camera took and computed it",
    "trainedAlgorithmicMedia": "that a trained model generated it",
    "compositeWithTrainedAlgorithmicMedia": "that a trained model generated parts of it",
    "algorithmicMedia": "that an algorithm generated it",
    "compositeSynthetic": "that parts of it are synthetic",
    "compositeCapture": "that it was put together from captures",
    "virtualRecording": "that it records a virtual scene",
    "humanEdits": "that a person edited it",
    "algorithmicallyEnhanced": "that an algorithm enhanced it",
    "screenCapture": "that it is a picture of a screen",
}
# A claim of an action, whole: titles, names and actions are a signer's to choose, and could hold these words.
_STATED = re.compile(r"[\w.-]+, source type (\w+)(, at [\dTZ:.+-]+)?", re.ASCII)


def claimed(source_type: str) -> str:
    """In words where they are known, else the term itself."""
    return CLAIMED.get(source_type, source_type)


def meaning(label: str, statement: str) -> str:
    """What the source type in a claim of a report says; "" where it is of no action or names none that is
    known."""
    found = _STATED.fullmatch(statement) if label == "action" else None
    return CLAIMED.get(found[1], "") if found else ""
