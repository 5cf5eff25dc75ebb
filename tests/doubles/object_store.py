"""A small object store over real HTTP, as S3, Google Cloud Storage or Azure speak; fails where a test says.

Listing with pages, HEAD and GET with If-Match and Range, errors in their XML. Objects are in memory. What is
answered as Azure was compared with Azurite 3: its listing names entity tags without quotes, its answers with.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET, KEY, ACCOUNT = "archive", "AKIDTEST", "account"
SIGNED = {"s3": f"Credential={KEY}/", "az": f"SharedKey {ACCOUNT}:", "gs": ""}
NOBODY = {"s3": "InvalidAccessKeyId", "az": "AuthorizationFailure", "gs": "AccessDenied"}
NO_BUCKET = {"s3": "NoSuchBucket", "az": "ContainerNotFound", "gs": "NoSuchBucket"}
CHANGED = "Wed, 25 Nov 2026 10:00:00 GMT"
Fault = Callable[[str], tuple[int, str] | None]


@dataclass
class ObjectStore:
    """``fault`` is asked about every path: an HTTP status and S3's code, or None. ``asked`` are the paths of
    objects that were asked for."""

    objects: dict[str, bytes] = field(default_factory=dict)
    fault: Fault = lambda _path: None
    asked: list[str] = field(default_factory=list)
    page: int = 2
    address: str = ""
    cloud: str = "s3"

    @property
    def environment(self) -> dict[str, str]:
        """What a client of the cloud needs to come here."""
        if self.cloud == "gs":
            key = {"gcs_base_url": self.address, "disable_oauth": True}
            words = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
            return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key | words)}
        if self.cloud == "az":
            return {
                "AZURE_STORAGE_ENDPOINT": f"{self.address}/{ACCOUNT}",
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0",
                "AZURE_ALLOW_HTTP": "true",
            }
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-central-1",
        }


def tag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


@contextmanager
def serving(store: ObjectStore) -> Iterator[ObjectStore]:
    class Handler(_Handler):
        held = store

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    held: ObjectStore
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        cloud = self.held.cloud
        path = unquote(url.path).removeprefix(f"/{ACCOUNT}" if cloud == "az" else "")
        bucket, _, name = path.lstrip("/").partition("/")
        query = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
        if (fault := self.held.fault(name)) is not None:
            self._error(*fault)
        elif SIGNED[cloud] not in self.headers.get("Authorization", ""):
            self._error(403, NOBODY[cloud])
        elif bucket != BUCKET:
            self._error(404, NO_BUCKET[cloud])
        elif "list-type" in query or "comp" in query:
            self._list(query)
        else:
            self._object(name)

    def _list(self, query: dict[str, str]) -> None:
        names = sorted(n for n in self.held.objects if n.startswith(query.get("prefix", "")))
        after = query.get("continuation-token", query.get("marker", ""))
        rest = [n for n in names if n > after]
        shown, more = rest[: self.held.page], len(rest) > self.held.page
        if self.held.cloud == "az":
            self._list_blobs(shown, shown[-1] if more else "")
            return
        parts = [
            f"<Contents><Key>{escape(n)}</Key><LastModified>2026-11-25T10:00:00.000Z</LastModified>"
            f"<ETag>{escape(tag(d))}</ETag><Size>{len(d)}</Size></Contents>"
            for n in shown
            for d in (self.held.objects[n],)
        ]
        token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        head = f"<Name>{BUCKET}</Name><KeyCount>{len(shown)}</KeyCount><IsTruncated>{str(more).lower()}"
        self._answer(
            200, f"<ListBucketResult>{head}</IsTruncated>{token}{''.join(parts)}</ListBucketResult>".encode()
        )

    def _list_blobs(self, shown: list[str], after: str) -> None:
        blobs = "".join(
            f"<Blob><Name>{escape(n)}</Name><Properties><Last-Modified>{CHANGED}</Last-Modified>"
            f"<Etag>{tag(d).strip(chr(34))}</Etag><Content-Length>{len(d)}</Content-Length>"
            "<Content-Type>application/octet-stream</Content-Type></Properties></Blob>"
            for n in shown
            for d in (self.held.objects[n],)
        )
        text = f"<Blobs>{blobs}</Blobs><NextMarker>{escape(after)}</NextMarker>"
        self._answer(200, f"<EnumerationResults>{text}</EnumerationResults>".encode())

    def _object(self, name: str) -> None:
        self.held.asked.append(name)
        data = self.held.objects.get(name)
        if data is None:
            self._error(404, "NoSuchKey")
            return
        wanted = self.headers.get("If-Match")
        if wanted is not None and wanted != tag(data):
            self._error(412, "PreconditionFailed")
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        part = data[int(span[1]) : int(span[2]) + 1] if span else data
        extra = {"ETag": tag(data), "Last-Modified": CHANGED}
        if span:
            extra["Content-Range"] = f"bytes {span[1]}-{int(span[1]) + len(part) - 1}/{len(data)}"
        self._answer(206 if span else 200, part, extra)

    def _error(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
