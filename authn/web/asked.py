"""What is asked about a file, in the query or in the form beside it."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from authn.core.errors import BadRequest
from authn.service.examinations import Asked
from authn.web.answers import asking, viewer
from authn.web.uploads import parse_as_of, parse_flag

FORMS = ("report", "crjson", "bundle")
QUESTIONS = ("as_of", "forensics", "heuristics", "preview")


def form_of(given: MultiDict[str, str]) -> str:
    """In what form the answer is to be. Raises ``BadRequest``."""
    forms = given.getlist("format") or [FORMS[0]]
    if len(forms) > 1 or forms[0] not in FORMS:
        raise BadRequest(f"format is one of {', '.join(FORMS)}, once")
    return forms[0]


def asked_for(given: MultiDict[str, str]) -> Asked:
    """What is asked about a file, and by whom. Raises ``BadRequest``."""
    for name in QUESTIONS:
        if len(given.getlist(name)) > 1:
            raise BadRequest(f"{name} stands twice, in the query and in the form")
    heuristics = parse_flag("heuristics", given.get("heuristics"))
    preview = parse_flag("preview", given.get("preview")) or False
    forensics = parse_flag("forensics", given.get("forensics"))
    if forensics and heuristics is False:
        raise BadRequest("forensics asks for more heuristic sources, and heuristics for none")
    return Asked(
        as_of=parse_as_of(given.get("as_of")),
        heuristics=heuristics,
        preview=preview,
        owner=asking(),
        viewer=viewer(),
        forensics=forensics,
    )
