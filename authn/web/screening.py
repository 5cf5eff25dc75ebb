"""What every request has to satisfy before any view sees it.

In this order: the front took it in (``authn.web.front``); no page of another site made a browser send it; it
carries no parameter that nobody asked for; its content is as it is, and what its digests say.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import http_sf
from flask import Flask, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from authn.core.errors import AuthnError, BadRequest, CrossSite

REFUSAL = "assay.refusal"  # in the environment of a request that the front did not take in: what to raise
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Sent by the site itself, or by a person's own hand.
OWN_SITES = frozenset({"same-origin", "none"})
# endpoint -> what may stand in its query. Addresses that are shared and embedded get additions from others
# (campaigns, trackers), which mean nothing there.
PARAMETERS: Mapping[str, frozenset[str]] = {
    "api.verify": frozenset({"as_of", "format", "forensics", "heuristics", "preview"}),
    "comparisons.compare": frozenset({"as_of", "forensics", "heuristics"}),
    "batches.create": frozenset({"as_of", "forensics", "heuristics", "preview"}),
    "api.verifications": frozenset({"cursor", "limit"}),
    "pages.examine": frozenset({"lang"}),
    "pages.views_page": frozenset({"lang"}),
    "views.draw": frozenset({"lang"}),
    "beside.compare": frozenset({"lang"}),
    "beside.bundle": frozenset({"lang"}),
    "recovery.by_binding": frozenset({"alg", "value", "maxResults"}),
    "recovery.by_large_binding": frozenset({"maxResults"}),
    "recovery.by_content": frozenset({"alg", "hintAlg", "hintValue", "maxResults"}),
    "recovery.manifest": frozenset({"returnActiveManifest"}),
}
SHARED = ("pages.", "beside.", "static")
DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
MAX_FIELD_CHARACTERS = 2048


def register(app: Flask, public_url: str) -> None:
    """Before the gate; ``screen_details`` comes after it."""
    own = urlsplit(public_url).netloc

    def screen() -> None:
        raise_refusal()
        _screen_site(own)

    app.before_request(screen)


def screen_details() -> None:
    """Parameters, coding and digests, once it is clear that the caller may ask. Raises ``BadRequest``, and
    what becomes 415."""
    endpoint = request.endpoint
    if endpoint is None:  # the router refuses it itself
        return
    if not (request.method in SAFE and endpoint.startswith(SHARED)):
        only(request.args, PARAMETERS.get(endpoint, frozenset()), "parameter")
    _screen_coding()
    _screen_content()


def raise_refusal() -> None:
    """Raises what the front wrote beside a request that it did not take in."""
    why: AuthnError | HTTPException | None = request.environ.get(REFUSAL)
    if why is not None:
        raise why


def only(given: MultiDict[str, Any], known: Iterable[str], what: str) -> None:
    """Raises ``BadRequest`` for a name that is not known, and for one that stands twice."""
    known = sorted(known)
    for name, values in given.lists():
        if name not in known:
            those = f"; known are {', '.join(known)}" if known else ", and none is known here"
            raise BadRequest(f"unknown {what} {name[:40]!r}{those}")
        if len(values) > 1:
            raise BadRequest(f"the {what} {name!r} stands twice")


def _screen_site(own: str) -> None:
    """Browsers say for whom they act; programs do not, and none of this is about them.

    Raises ``CrossSite``. Older browsers send Origin alone, and browsers without a secure connection too.
    """
    if request.method in SAFE:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site not in OWN_SITES:
        raise CrossSite("a page of another site may not send this")
    if site is None and origin is not None and _netloc(origin) not in (request.host.lower(), own.lower()):
        raise CrossSite("a page of another site may not send this")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _screen_coding() -> None:
    """Nothing is unpacked here: of a body that unpacks without limit nobody could say how large it is."""
    codings = [part.strip().lower() for part in request.headers.get("Content-Encoding", "").split(",")]
    if request.content_length and {*codings} - {"", "identity"}:
        raise UnsupportedMediaType("send the body as it is, without Content-Encoding")


def _screen_content() -> None:
    """Content-Digest and Repr-Digest (RFC 9530), and Digest, which was before them. Raises ``BadRequest``.

    Algorithms that are not known are passed over, as the standard wants.
    """
    for field in ("Content-Digest", "Repr-Digest"):
        for given in request.headers.getlist(field):
            _compare(field, _structured(field, given))
    for given in request.headers.getlist("Digest"):
        _compare("Digest", _old(given))


def _compare(field: str, digests: Mapping[str, bytes]) -> None:
    for name, expected in digests.items():
        if name in DIGESTS and not hmac.compare_digest(
            DIGESTS[name](request.get_data(cache=True)).digest(), expected
        ):
            raise BadRequest(f"{field} ({name}) is not that of the content; was it changed on its way?")


def _structured(field: str, text: str) -> dict[str, bytes]:
    refusal = BadRequest(f"{field} is no dictionary of byte sequences")
    if len(text) > MAX_FIELD_CHARACTERS or not text.isascii():
        raise refusal
    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="dictionary")
    except (ValueError, binascii.Error, OverflowError) as e:
        raise refusal from e
    found = {name: value for name, (value, _) in cast(dict[str, tuple[Any, object]], parsed).items()}
    if not all(isinstance(value, bytes) for value in found.values()):
        raise refusal
    return found


def _old(text: str) -> dict[str, bytes]:
    found = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            found[name.lower()] = base64.b64decode(value, validate=True) if name.lower() in DIGESTS else b""
        except ValueError as e:  # a character beyond ASCII is one of another kind
            raise BadRequest("Digest is not base64") from e
    return found
