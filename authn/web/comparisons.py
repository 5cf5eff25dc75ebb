"""Two files side by side over HTTP: a signed original, which is verified first, and what became of it."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import CombinedMultiDict

from authn.core.evidence import NotExamined
from authn.core.plain import Json
from authn.core.score_map import ORIGINAL
from authn.report.overlays import kept_maps
from authn.service.examinations import Compared
from authn.store.verifications import StoredVerification
from authn.web.answers import json_answer, services, uncached
from authn.web.asked import asked_for
from authn.web.uploads import read_pair

comparisons = Blueprint("comparisons", __name__, url_prefix="/v1/comparisons")
comparisons.after_request(uncached)
FIELDS = ("as_of", "forensics", "heuristics")


@comparisons.post("")
def compare() -> Response:
    """Verify ``original``, examine ``file``, and say where their pixels differ."""
    asked_for(request.args)
    media, original = read_pair(request, services().settings, fields=FIELDS)
    asked = asked_for(CombinedMultiDict([request.args, request.form]))
    return json_answer(_view(services().examinations.compared(media, original, asked)))


def _view(found: Compared) -> dict[str, Json]:
    return {
        "original": _report(found.original),
        "file": _report(found.file),
        "difference": _difference(found.file.maps),
    }


def _report(stored: StoredVerification) -> dict[str, Json]:
    axes = json.loads(stored.report)["cryptographic"]["axes"]
    return {
        "sha256": stored.subject_sha256,
        "integrity": axes["integrity"]["outcome"],
        "signer": axes["signer"]["outcome"],
        "verification": url_for("api.verification", verification_id=stored.id),
        "page": url_for("pages.report", report_id=stored.id),
    }


def _difference(maps: str | None) -> dict[str, Json]:
    """Squares are [x, y, side, largest difference in it], in pixels of the upright picture and levels of
    255. ``reduced``: at the size of the smaller one; ``place``: where in the original a crop begins."""
    kept = kept_maps(maps)
    found = kept.of(ORIGINAL)
    if found is None:
        return {"compared": False, "why": kept.unreadable or "there is no preview of this file"}
    if isinstance(found, NotExamined):
        return {"compared": False, "why": found.why}
    return {
        "compared": True,
        "width": found.width,
        "height": found.height,
        "reduced": found.reduced,
        "place": None if found.place is None else list(found.place),
        "pixels_that_differ": found.smooth,
        "squares": [[s.x, s.y, s.side, round(s.logit)] for s in found.squares],
    }
