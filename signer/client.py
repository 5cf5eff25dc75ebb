"""HTTP towards a verifier and a time-stamp authority, on urllib alone: enrol a device, fetch a time-stamp.

Nothing that comes back is trusted here: answers are capped and parsed strictly, a time-stamp is verified by
whoever asked for it. Redirects are refused, because they would let one server send a device's requests to
another. Only http and https are spoken.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from signer.core.errors import (
    ServiceRefused,
    ServiceUnavailable,
    SignerError,
    TimestampRejected,
    TimestampUnavailable,
)
from signer.freshness import MAX_NOTE_BYTES
from signer.http_signature import RequestSigner, target_uri

DEFAULT_TIMEOUT_S = 10.0
UPLOAD_TIMEOUT_S = 90.0  # a service examines what it gets before it answers
SLOWEST_BYTES_PER_S = 16 << 10
MAX_ANSWER_BYTES = 1 << 20
MIN_CHALLENGE_BYTES = 16
MAX_OTHERS = 20
MAX_TIMESTAMP_BYTES = 64 << 10
_CHUNK_BYTES = 16 << 10
_SENT_AT_ONCE = 64 << 10
_USER_AGENT = "assay-signer"
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """``chain_pem`` is leaf first; roots, log key and level are what the service says they are. Services of
    version 0.1.0 name no log key."""

    device_id: str
    name: str
    assurance_level: int
    chain_pem: bytes
    tsa_url: str
    signer_roots_pem: bytes
    tsa_roots_pem: bytes
    log_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentChallenge:
    """``text`` goes into the certificate request, ``value`` (the same, decoded) into an attestation.
    ``formats`` are those that the service takes; ``answer`` is empty but for formats of two steps."""

    text: str
    value: bytes
    formats: tuple[str, ...]
    answer: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """``receipt`` is a C2SP tlog-proof, ``log_key`` the vkey it should verify with. ``counter_also_in``:
    entries of other captures of the device that bear the same number."""

    receipt: str
    log_key: str
    counter_also_in: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Needs no connection to exist.

    ``timeout_s`` bounds the whole exchange, not only each read; ``upload_timeout_s`` does for an upload. Both
    are beside the time that the bytes of a request need on a link of ``SLOWEST_BYTES_PER_S``, on which a
    service may keep silent as long as without them.

    ``signer`` opens the device's key; it is called where a service wants to know who asks, and not before,
    but for an upload: no service takes one that is not signed.
    """

    service_url: str = ""
    timeout_s: float = DEFAULT_TIMEOUT_S
    upload_timeout_s: float = UPLOAD_TIMEOUT_S
    signer: Callable[[], RequestSigner] | None = None

    def ask_challenge(self, token: str, request: Mapping[str, object]) -> EnrolmentChallenge:
        """Something fresh for an enrolment to answer; ``request`` is empty, or the first step of a format of
        two. Raises as ``enrol``."""
        return _parse_challenge(self._enrolment("/v1/enrolment/challenge", request, token))

    def enrol(
        self,
        name: str,
        csr_pem: bytes,
        token: str,
        *,
        challenge: str,
        attestation: Mapping[str, object],
    ) -> Enrolment:
        """Register a device. Raises ``ServiceUnavailable`` (try again) or ``ServiceRefused`` (the service's
        own words)."""
        body = {
            "name": name,
            "csr": csr_pem.decode("ascii"),
            "challenge": challenge,
            "attestation": attestation,
        }
        return _parse_enrolment(self._enrolment("/v1/enrolment", body, token))

    def _enrolment(self, path: str, document: Mapping[str, object], token: str) -> bytes:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return self._created(path, json.dumps(document).encode(), headers, "refused ({})")

    def _created(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        refusal: str,
        *,
        sign_at_once: bool = False,
    ) -> bytes:
        """What the service answers, having made what it was asked for; ``refusal`` is what it did otherwise,
        with a place for the status."""
        try:
            url = f"{self.service_url.rstrip('/')}{path}"
            answer = self._send("POST", url, body, headers, MAX_ANSWER_BYTES, sign_at_once=sign_at_once)
        except _NoAnswerError as e:
            raise ServiceUnavailable(f"the service could not be reached: {e}") from e
        if answer.status in _TRY_AGAIN:
            raise ServiceUnavailable(f"the service answered {answer.status}: {_problem(answer.body)}")
        if answer.status != http.HTTPStatus.CREATED:
            raise ServiceRefused(f"the service {refusal.format(answer.status)}: {_problem(answer.body)}")
        return answer.body

    def stamp(self, tsa_url: str, request_der: bytes) -> bytes:
        """A TimeStampResp, not looked into. Raises ``TimestampUnavailable`` (try again) or
        ``TimestampRejected``. RFC 3161 section 3.4."""
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        try:
            answer = self._send("POST", tsa_url, request_der, headers, MAX_TIMESTAMP_BYTES)
        except _NoAnswerError as e:
            raise TimestampUnavailable(f"the time-stamp authority could not be reached: {e}") from e
        if answer.status in _TRY_AGAIN:
            raise TimestampUnavailable(f"the time-stamp authority answered {answer.status}")
        if answer.status != http.HTTPStatus.OK or answer.media_type != "application/timestamp-reply":
            raise TimestampRejected(
                f"{tsa_url} answered {answer.status} {answer.media_type}, which is no time-stamp reply"
            )
        return answer.body

    def upload(self, data: bytes, media_type: str) -> Uploaded:
        """Hand a signed and stamped capture to the service. Raises ``ServiceUnavailable`` (try again) and
        ``ServiceRefused`` with its reason. What comes back is verified by whoever asked."""
        patient = replace(self, timeout_s=self.upload_timeout_s)
        headers = {"Content-Type": media_type}
        answer = patient._created("/v1/captures", data, headers, "answered {}", sign_at_once=True)
        try:
            document = json.loads(answer)
            others = tuple(int(index) for index in document.get("counter_also_in", ())[:MAX_OTHERS])
            receipt, log_key = str(document["receipt"]), str(document["log_key"])
            return Uploaded(receipt=receipt, log_key=log_key, counter_also_in=others)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise ServiceRefused("the service's answer holds no receipt") from e

    def checkpoint(self, url: str) -> str:
        """The newest checkpoint note of a log, not looked into; empty where there is none to be had, since
        nothing waits for it."""
        try:
            answer = self._send("GET", url, None, {"Accept": "text/plain"}, MAX_NOTE_BYTES)
            return answer.body.decode() if answer.status == http.HTTPStatus.OK else ""
        except (_NoAnswerError, UnicodeDecodeError):
            return ""

    def _send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        max_bytes: int,
        *,
        sign_at_once: bool = False,
    ) -> _Answer:
        """``sign_at_once`` where an unsigned request is refused anyway: a photo is not sent twice."""
        if self.signer is None or not sign_at_once:
            answer = self._send_once(method, url, body, headers, max_bytes)
            if answer.status != http.HTTPStatus.UNAUTHORIZED or self.signer is None:
                return answer
        _refuse_other_schemes(url)
        try:
            signed = self.signer().headers(method, target_uri(url), body, headers.get("Content-Type"))
        except SignerError as e:
            raise _NoAnswerError(f"it wants a signed request, and {e.detail}") from e
        answer = self._send_once(method, url, body, {**headers, **signed}, max_bytes)
        if answer.status == http.HTTPStatus.UNAUTHORIZED:
            # a clock can be set right: nothing is lost for good
            raise _NoAnswerError(f"it does not take this device's signature: {_problem(answer.body)}")
        return answer

    def _send_once(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], max_bytes: int
    ) -> _Answer:
        _refuse_other_schemes(url)
        deadline = time.monotonic() + self.timeout_s + len(body or b"") / SLOWEST_BYTES_PER_S
        length = {} if body is None else {"Content-Length": str(len(body))}
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            url,
            data=None if body is None else _pieces(body, deadline),
            headers={"User-Agent": _USER_AGENT, **length, **headers},
            method=method,
        )
        try:
            with urllib.request.build_opener(_EveryStatus).open(request, timeout=self.timeout_s) as response:
                content = _read(response, max_bytes, deadline)
                media_type = response.headers.get_content_type()
                return _Answer(status=response.status, media_type=media_type, body=content)
        except urllib.error.URLError as e:
            raise _NoAnswerError(str(e.reason)) from e
        except (OSError, http.client.HTTPException, ValueError) as e:
            raise _NoAnswerError(str(e) or type(e).__name__) from e


class _EveryStatus(urllib.request.HTTPErrorProcessor):
    """Hands over every answer as it is: no exception by status, and no redirect is followed."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


class _NoAnswerError(Exception):
    """No usable HTTP answer; becomes the caller's typed error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    media_type: str
    body: bytes


def _pieces(body: bytes, deadline: float) -> Iterator[bytes]:
    """One after the other: a limit of time is one of each piece, and of all where one is sent at once."""
    for start in range(0, len(body), _SENT_AT_ONCE):
        if time.monotonic() > deadline:
            raise TimeoutError("the request takes too long")
        yield body[start : start + _SENT_AT_ONCE]


def _read(stream: http.client.HTTPResponse, max_bytes: int, deadline: float) -> bytes:
    """Up to the cap and the deadline: a server may send one byte at a time for ever."""
    body = bytearray()
    while chunk := stream.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise _NoAnswerError(f"the answer is longer than {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise _NoAnswerError("the answer takes too long")
    return bytes(body)


def _refuse_other_schemes(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _NoAnswerError(f"{url[:200]!r} is no http or https address")


def _problem(body: bytes) -> str:
    """The detail of an RFC 9457 problem, as printable text of bounded length."""
    try:
        document = json.loads(body)
        text = str(document.get("detail") or document.get("title") or "no reason given")
    except (ValueError, AttributeError, RecursionError):
        text = "no reason given"
    return "".join(c for c in text[:500] if c.isprintable())


def _parse_challenge(body: bytes) -> EnrolmentChallenge:
    try:
        document = json.loads(body)
        text, formats, answer = document["challenge"], document["formats"], document["answer"]
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise ServiceRefused("the service's answer is no challenge") from e
    if not isinstance(formats, list) or not isinstance(answer, dict) or len(value) < MIN_CHALLENGE_BYTES:
        raise ServiceRefused("the service's answer is no challenge")
    if not all(isinstance(text, str) for text in (*formats, *answer.values())):
        raise ServiceRefused("the service's answer is no challenge")
    return EnrolmentChallenge(text=text, value=value, formats=tuple(formats), answer=answer)


def _parse_enrolment(body: bytes) -> Enrolment:
    try:
        document = json.loads(body)
        level = document["assurance_level"]
        texts = {
            key: document[key]
            for key in ("device_id", "name", "chain", "tsa_url", "signer_roots", "tsa_roots")
        }
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise ServiceRefused("the service's answer is no enrolment") from e
    texts["log_key"] = document.get("log_key", "")
    strings = all(isinstance(value, str) for value in texts.values())
    if not strings or not texts["device_id"] or type(level) is not int or not 0 <= level <= 4:
        raise ServiceRefused("the service's answer is no enrolment")
    return Enrolment(
        device_id=texts["device_id"],
        name=texts["name"],
        assurance_level=level,
        chain_pem=texts["chain"].encode(),
        tsa_url=texts["tsa_url"],
        signer_roots_pem=texts["signer_roots"].encode(),
        tsa_roots_pem=texts["tsa_roots"].encode(),
        log_key=texts["log_key"],
    )
