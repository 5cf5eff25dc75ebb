"""Lists that are too long for one answer: by pages, each with the address of the next."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from flask import Response, request, url_for

from authn.core.errors import BadRequest
from authn.core.instants import instant, utc_of
from authn.core.plain import Json
from authn.store.verifications import Listed, Place
from authn.web.answers import asking, conditional, json_answer, services

DEFAULT, MOST = 50, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What was asked for: so many, behind that place."""

    limit: int
    after: Place | None


def asked_page() -> Page:
    """By ``limit`` and ``cursor`` of the query. Raises ``BadRequest``."""
    text = request.args.get("limit", str(DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST):
        raise BadRequest(f"limit is a number from 1 to {MOST}")
    cursor = request.args.get("cursor")
    return Page(limit=int(text), after=None if cursor is None else place_of(cursor))


def listed() -> Response:
    """The reports of the one who asks, without their content."""
    page = asked_page()
    found = services().verifications.owned(asking() or "", services().clock(), page.after, page.limit + 1)
    shown = found[: page.limit]
    following = cursor_of(shown[-1].created_at, shown[-1].id) if len(found) > page.limit else None
    items: list[Json] = [_item(one) for one in shown]
    response = json_answer({"verifications": items, "next_cursor": following})
    if following is not None:
        address = url_for("api.verifications", cursor=following, limit=page.limit)
        response.headers["Link"] = f'<{address}>; rel="next"'
    return conditional(response)


def cursor_of(created_at: datetime, id_: str) -> str:
    """A place in a list, as text that means nothing to anybody else."""
    return base64.urlsafe_b64encode(json.dumps([instant(created_at), id_]).encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Raises ``BadRequest``."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        created_at, id_ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return Place(created_at=utc_of(created_at), id=str(id_)[:64])
    except (ValueError, TypeError, binascii.Error, RecursionError) as e:
        raise BadRequest("cursor is none that this service gave") from e


def _item(one: Listed) -> dict[str, Json]:
    return {
        "id": one.id,
        "created_at": instant(one.created_at),
        "expires_at": instant(one.expires_at),
        "subject_sha256": one.subject_sha256,
        "verification": url_for("api.verification", verification_id=one.id),
    }
