"""What Asset Rubrics say of a credential, put into its report: beside the axes, in the part that is of this
run alone, since c2pa-rs judges crJSON at the clock's time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from authn.core.evidence import Axis, NotExamined, Outcome
from authn.core.plain import Json
from authn.core.report import Report, RubricLabel
from authn.examine.request import MAX_CRJSON_BYTES

NOT_WRITTEN = NotExamined(what="rubrics", why="c2pa-rs cannot write this credential as crJSON")


def with_labels(
    report: Report,
    crjson: bytes | None,
    labels: Callable[[Json], tuple[RubricLabel, ...]],
    unwritten: tuple[RubricLabel, ...] = (),
) -> tuple[Report, bool]:
    """With these labels behind those that it has, and whether there is crJSON. None where there is no
    credential; of one that cannot be written so they are not examined, the report says that, and the labels
    are ``unwritten``."""
    try:
        document = None if crjson is None or len(crjson) > MAX_CRJSON_BYTES else json.loads(crjson)
    except (ValueError, RecursionError):
        document = None
    absent = report.cryptographic.axis(Axis.CREDENTIAL).outcome is Outcome.ABSENT
    found = labels(document) if document is not None else () if absent else unwritten
    labelled = replace(report, run=replace(report.run, rubrics=(*(report.run.rubrics or ()), *found)))
    if document is None and not absent and NOT_WRITTEN not in report.not_examined:
        labelled = replace(labelled, not_examined=(*report.not_examined, NOT_WRITTEN))
    return labelled, document is not None
