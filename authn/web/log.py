"""The log for everybody, as C2SP tlog-tiles: files that never change, and one checkpoint that does."""

from __future__ import annotations

from flask import Blueprint, Response, request

from authn.core.errors import NotFound
from authn.tlog.format.merkle import HASH_BYTES
from authn.tlog.format.tiles import MAX_LEVEL, WIDTH, TilePath, entry_bundle, parse_tile_path
from authn.tlog.log.log import Log
from authn.web.api import services

FOREVER = "public, max-age=31536000, immutable"

PROOF_TYPE, COSE_TYPE = "text/plain", "application/cose"

log = Blueprint("log", __name__, url_prefix="/log")


@log.get("/checkpoint")
def checkpoint() -> Response:
    """The newest checkpoint, signed by the log and by the witnesses that have seen it."""
    note = _log().checkpoint()
    return Response(note, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


@log.get("/witnessed")
def witnessed() -> Response:
    """The newest checkpoint that enough witnesses of the service's policy have signed."""
    note = _log().witnessed_checkpoint()
    if note is None:
        raise NotFound("no checkpoint has been signed by enough witnesses")
    return Response(note, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


@log.get("/tile/<int:level>/<path:path>")
def tile(level: int, path: str) -> Response:
    """A tile of 256 hashes, or as many of them as the path asks for."""
    wanted = _parsed(path)
    if level > MAX_LEVEL:
        raise NotFound("the log has no such tile")
    hashes = _log().reader.tile(level, wanted.index)[: wanted.width * HASH_BYTES]
    return _unchanging(hashes, len(hashes) == wanted.width * HASH_BYTES)


@log.get("/tile/entries/<path:path>")
def entries(path: str) -> Response:
    """A bundle of 256 leaves, or as many of them as the path asks for."""
    wanted = _parsed(path)
    start = wanted.index * WIDTH
    leaves = _log().reader.leaves(start, start + wanted.width)
    return _unchanging(entry_bundle(leaves), len(leaves) == wanted.width)


@log.get("/receipt/<int:index>")
def receipt(index: int) -> Response:
    """The proof that the log has an entry: a tlog-proof without its line extra, or COSE (RFC 9942)."""
    wanted = request.accept_mimetypes.best_match((PROOF_TYPE, COSE_TYPE), default=PROOF_TYPE)
    headers = {"Cache-Control": "no-cache", "Vary": "Accept"}
    if wanted == COSE_TYPE:
        cose = _log().cose_receipt(index, services().clock())
        return Response(cose, content_type=f'{COSE_TYPE}; cose-type="cose-sign1"', headers=headers)
    proof = _log().inclusion(index).text()
    return Response(proof, content_type=f"{PROOF_TYPE}; charset=utf-8", headers=headers)


def _log() -> Log:
    return services().log


def _parsed(path: str) -> TilePath:
    wanted = parse_tile_path(path)
    if wanted is None or wanted.index >= 1 << 54:  # beyond what a log, and a database's integer, can count
        raise NotFound("the log has no such tile")
    return wanted


def _unchanging(content: bytes, complete: bool) -> Response:
    if not complete:
        raise NotFound("the log has no such tile")
    return Response(content, content_type="application/octet-stream", headers={"Cache-Control": FOREVER})
