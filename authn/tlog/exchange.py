"""One HTTP exchange with somebody else's machine, within a time and a size, following no redirect."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

CHUNK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """Whatever the status."""

    status: int
    content_type: str
    content: bytes


def exchange(url: str, body: bytes | None, *, timeout_s: float, max_bytes: int) -> HttpAnswer:
    """POST ``body``, or GET where it is None; ``timeout_s`` is for all of it.

    Raises ``OSError``, also for what is no address, ``TimeoutError`` among them, and ``HTTPException``.
    """
    deadline = time.monotonic() + timeout_s
    try:
        return _exchange(url, body, deadline, timeout_s, max_bytes)
    except (ValueError, OverflowError) as e:  # a name that DNS cannot have, a port beyond the last
        raise OSError("this is no address") from e


def _exchange(url: str, body: bytes | None, deadline: float, timeout_s: float, max_bytes: int) -> HttpAnswer:
    headers = {} if body is None else {"Content-Type": "text/plain"}
    request = urllib.request.Request(  # noqa: S310 - _Opener knows http and https alone
        url, data=body, method="GET" if body is None else "POST", headers=headers
    )
    try:
        with _opener().open(request, timeout=timeout_s) as response:
            return _read(response, deadline, max_bytes)
    except urllib.error.HTTPError as e:
        with e:
            return _read(e, deadline, max_bytes)


def _opener() -> urllib.request.OpenerDirector:
    """Without handlers for files, and without one for redirects that follows them."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _NoRedirect(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


def _read(response: Any, deadline: float, max_bytes: int) -> HttpAnswer:
    content = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        content += chunk
        if len(content) > max_bytes:
            raise OSError("the answer is too long")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took too long")
    return HttpAnswer(
        status=response.status,
        content_type=response.headers.get("Content-Type", ""),
        content=bytes(content),
    )
