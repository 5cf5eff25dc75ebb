"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that is sent again is done once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from flask import Response, request

from authn.core.errors import BadRequest, NotFound, RepeatInFlight, Unavailable
from authn.core.instants import instant
from authn.core.media import Media
from authn.service.examinations import Asked
from authn.service.repeats import Answered, Held, Repeats
from authn.store.engine import Also
from authn.web.answers import asking, json_text, services

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
REPORTS = "/v1/verifications/"
KEPT_HEADERS = ("Location", "Preference-Applied", "Retry-After")
_KEY = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e][\x20\x21\x23-\x5b\x5d-\x7e]{0,254})"?')


def media_key(media: Media) -> Sequence[Sequence[str]]:
    """One file, for ``fingerprint``."""
    store = "" if media.sidecar is None else hashlib.sha256(media.sidecar).hexdigest()
    return ((media.name, media.claimed_type or "", media.sha256, store),)


def fingerprint(files: Sequence[Sequence[str]], asked: Asked) -> str:
    """What makes two requests the same: route, files, what was asked. Not how a form was written, which
    differs each time."""
    as_of = None if asked.as_of is None else instant(asked.as_of)
    whole = [request.endpoint, files, as_of, asked.heuristics, asked.preview]
    if asked.forensics is not None:
        whole.append(asked.forensics)
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def once(same: str, answer: Callable[[Also | None], Response]) -> Response:
    """The answer, or that of the request with the same key before. ``answer`` calls what it is given in the
    transaction that keeps what it found out, which then keeps nothing where another has the key meanwhile.
    Raises ``BadRequest``, ``RepeatDiffers``, ``RepeatInFlight``, and what ``answer`` raises."""
    key = _key()
    if key is None:
        return answer(None)
    repeats, caller = services().repeats, asking() or f"address:{request.remote_addr or ''}"[:128]
    mine = repeats.begin(caller, key, same)
    if isinstance(mine, Answered):
        return _replayed(mine)
    kept = False
    try:
        response = answer(partial(repeats.still_mine, mine))
        kept = response.status_code < 300 and repeats.keep(mine, _kept(response))
        if kept or response.status_code >= 300:
            return response
    except RepeatInFlight:  # nothing was kept
        pass
    finally:
        if not kept:
            with suppress(Unavailable):  # then its lease ends
                repeats.release(mine)
    return _of_the_other(repeats, mine)


def _of_the_other(repeats: Repeats, lost: Held) -> Response:
    """Of whoever has the key since this process lost it. Raises as ``once``."""
    found = repeats.begin(lost.caller, lost.key, lost.fingerprint)
    if isinstance(found, Answered):
        return _replayed(found)
    repeats.release(found)
    raise RepeatInFlight("another request with this Idempotency-Key ended without an answer; send it again")


def _key() -> str | None:
    given = request.headers.get(HEADER)
    if given is None:
        return None
    matched = _KEY.fullmatch(given.strip())
    if matched is None:
        raise BadRequest(f"{HEADER} is one string of 1 to 255 printable ASCII characters")
    return matched[1]


def _kept(response: Response) -> Answered:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    is_report = response.headers.get("Location", "").startswith(REPORTS)
    return Answered(
        status=response.status_code, headers=headers, body=None if is_report else response.get_data()
    )


def _replayed(before: Answered) -> Response:
    if before.body is not None:
        response = Response(before.body, before.status, content_type="application/json")
    else:
        id_ = before.headers["Location"].removeprefix(REPORTS)
        try:
            response = json_text(services().verifications.get(id_, services().clock()).report)
        except NotFound as e:
            raise NotFound("the report that was the answer has expired or been deleted") from e
    response.headers.update(before.headers)
    response.headers[REPLAYED] = "true"
    return response
