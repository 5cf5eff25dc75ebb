"""A copy of a log, below an address or in a folder (C2SP tlog-tiles)."""

from __future__ import annotations

from pathlib import Path

from authn.core.errors import BadRequest
from authn.core.exchange import HttpAnswer
from authn.tlog.monitor.remote import RemoteLog


def open_copy(place: str) -> RemoteLog:
    """``place`` is a folder, or an address that begins with http. Raises ``BadRequest``."""
    if place.startswith(("http://", "https://")):
        return RemoteLog(place)
    folder = Path(place)
    if not (folder / "checkpoint").is_file():
        raise BadRequest(f"{folder} holds no copy of a log: there is no checkpoint in it")

    def get(name: str, max_bytes: int) -> HttpAnswer:
        path = folder / name.lstrip("/")
        if not path.is_file():
            return HttpAnswer(status=404, content_type="", content=b"")
        with path.open("rb") as f:
            content = f.read(max_bytes + 1)
        return HttpAnswer(status=200, content_type="", content=content)

    return RemoteLog("", get)
