"""The client against a real HTTP server that answers well, badly, slowly or not at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from signer.client import MAX_TIMESTAMP_BYTES, Client
from signer.core.errors import (
    KeyUnavailable,
    ServiceRefused,
    ServiceUnavailable,
    SignerError,
    TimestampRejected,
    TimestampUnavailable,
)
from signer.http_signature import RequestSigner, target_uri
from tests.doubles.devices import Camera
from tests.doubles.http_server import Answer, Asked, serving
from tests.doubles.photos import photo
from tests.waiting import PATIENCE_S

REPLY = {"Content-Type": "application/timestamp-reply"}
NONE = {"fmt": "none"}
CHALLENGE = {"challenge": "A" * 43, "formats": ["none"], "answer": {}}
ENROLLED = {
    "device_id": "d-1",
    "name": "cam",
    "assurance_level": 0,
    "chain": "leaf\nissuing\n",
    "tsa_url": "http://service/tsa",
    "signer_roots": "root\n",
    "tsa_roots": "time root\n",
}


def enrol(url: str, timeout_s: float = PATIENCE_S) -> object:
    client = Client(service_url=url, timeout_s=timeout_s)
    return client.enrol("cam", b"-----CSR-----", "secret-token", challenge="fresh", attestation=NONE)


def stamp(url: str, timeout_s: float = PATIENCE_S) -> object:
    return Client(timeout_s=timeout_s).stamp(url, b"query")


def test_enrolling_sends_request_and_token_and_returns_what_the_service_says() -> None:
    asked: list[Asked] = []

    def service(request: Asked) -> Answer:
        asked.append(request)
        return Answer(status=201, body=json.dumps(ENROLLED).encode())

    with serving(service) as url:
        done = Client(service_url=f"{url}/").enrol(
            "cam", b"-----CSR-----", "secret-token", challenge="fresh", attestation=NONE
        )
    assert (done.device_id, done.name, done.tsa_url) == ("d-1", "cam", "http://service/tsa")
    assert (done.chain_pem, done.signer_roots_pem, done.tsa_roots_pem) == (
        b"leaf\nissuing\n", b"root\n", b"time root\n",
    )  # fmt: skip
    assert asked[0].path == "/v1/enrolment"
    assert asked[0].headers["Authorization"] == "Bearer secret-token"
    assert json.loads(asked[0].body) == {
        "name": "cam",
        "csr": "-----CSR-----",
        "challenge": "fresh",
        "attestation": {"fmt": "none"},
    }


def test_a_stamp_is_fetched_over_http_and_fits(camera: Camera, tmp_path: Path) -> None:
    from signer.capture import sign_file

    (tmp_path / "a.jpg").write_bytes(photo())
    sign_file(tmp_path / "a.jpg", camera.identity, spool=camera.spool)

    def authority(request: Asked) -> Answer:
        assert request.headers["Content-Type"] == "application/timestamp-query"
        return Answer(headers=REPLY, body=camera.stamp(request.body))

    with serving(authority) as url:
        client = Client()
        run = camera.spool.stamp_all(lambda q: client.stamp(f"{url}/tsa", q), camera.pki.tsa_roots)
    assert len(run.stamped) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_a_refusal_carries_the_services_own_words(status: int) -> None:
    problem = json.dumps({"type": "urn:x", "title": "No", "detail": "the token\n is not ours"}).encode()
    with serving(lambda _: Answer(status=status, body=problem)) as url:
        with pytest.raises(ServiceRefused, match="the token is not ours"):
            enrol(url)
        with pytest.raises(TimestampRejected, match=str(status)):
            stamp(url)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_service_in_trouble_is_worth_another_try(status: int) -> None:
    with serving(lambda _: Answer(status=status, body=b"<html>")) as url:
        with pytest.raises(ServiceUnavailable):
            enrol(url)
        with pytest.raises(TimestampUnavailable):
            stamp(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    followed: list[Asked] = []

    def target(request: Asked) -> Answer:
        followed.append(request)
        return Answer(status=201, headers=REPLY, body=json.dumps(ENROLLED).encode())

    with serving(target) as elsewhere:
        away = Answer(status=status, headers={"Location": f"{elsewhere}/x"})
        with serving(lambda _: away) as url:
            with pytest.raises(ServiceRefused):
                enrol(url)
            with pytest.raises(TimestampRejected):
                stamp(url)
    assert followed == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"null", b"not JSON", b"\xff", b"[" * 100_000,
     json.dumps(ENROLLED | {"chain": None}).encode(), json.dumps(ENROLLED | {"device_id": ""}).encode(),
     json.dumps(ENROLLED | {"assurance_level": 5}).encode(),
     json.dumps(ENROLLED | {"assurance_level": True}).encode()],
    ids=["empty", "list", "no fields", "null", "text", "binary", "deep", "wrong type", "no id", "level 5",
         "no number"],
)  # fmt: skip
def test_an_answer_that_is_no_enrolment_is_refused(body: bytes) -> None:
    with serving(lambda _: Answer(status=201, body=body)) as url, pytest.raises(ServiceRefused):
        enrol(url)


def test_a_challenge_comes_with_its_bytes_and_the_formats_that_the_service_takes() -> None:
    asked: list[Asked] = []

    def service(request: Asked) -> Answer:
        asked.append(request)
        return Answer(status=201, body=json.dumps(CHALLENGE).encode())

    with serving(service) as url:
        found = Client(service_url=url).ask_challenge("secret-token", {"fmt": "tpm"})
    assert (found.text, found.value, found.formats) == ("A" * 43, bytes(32), ("none",))
    assert (asked[0].path, json.loads(asked[0].body)) == ("/v1/enrolment/challenge", {"fmt": "tpm"})


@pytest.mark.parametrize(
    "changed",
    [{"challenge": "AAAA"}, {"challenge": "*" * 43}, {"challenge": 1}, {"formats": 1}, {"formats": [1]},
     {"answer": []}, {"answer": {"a": 1}}],
    ids=["short", "no base64", "no text", "no list", "no names", "no object", "no texts"],
)  # fmt: skip
def test_an_answer_that_is_no_challenge_is_refused(changed: dict[str, object]) -> None:
    body = json.dumps(CHALLENGE | changed).encode()
    with serving(lambda _: Answer(status=201, body=body)) as url, pytest.raises(ServiceRefused):
        Client(service_url=url).ask_challenge("secret-token", {})


def test_an_answer_of_another_media_type_is_no_time_stamp() -> None:
    with (
        serving(lambda _: Answer(headers={"Content-Type": "text/html"}, body=b"login")) as url,
        pytest.raises(TimestampRejected, match="text/html"),
    ):
        stamp(url)


def test_an_answer_without_end_is_cut_off() -> None:
    endless = Answer(headers=REPLY, pieces=tuple(bytes(4096) for _ in range(MAX_TIMESTAMP_BYTES // 1024)))
    with serving(lambda _: endless) as url, pytest.raises(TimestampUnavailable, match="longer"):
        stamp(url)


def test_an_answer_that_trickles_is_given_up() -> None:
    sent: list[float] = []
    pieces = (b"x",) * 1200  # for a minute

    def before_each() -> None:
        time.sleep(0.05)
        sent.append(time.monotonic())

    trickle = Answer(headers=REPLY, pieces=pieces, before_each=before_each)
    with serving(lambda _: trickle) as url, pytest.raises(TimestampUnavailable, match="too long"):
        stamp(url, timeout_s=0.3)
    assert len(sent) < len(pieces)


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServiceUnavailable):
            enrol(url, timeout_s=0.2)
        with pytest.raises(TimestampUnavailable):
            stamp(url, timeout_s=0.2)


def test_a_photo_may_take_longer_on_its_way_than_a_service_may_be_silent() -> None:
    patience_s = 3.0
    body = bytes(24 << 20)  # more than the buffers of two sockets hold
    received = []

    def slow_link(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as stream:
            while stream.readline().strip():  # the head
                pass
            begun = time.monotonic()
            while sum(received) < len(body) and (piece := stream.read(len(body) // 96)):
                received.append(len(piece))
                time.sleep(max(0.0, begun + patience_s * 1.2 * len(received) / 96 - time.monotonic()))
            answer = json.dumps({"receipt": "the receipt", "log_key": "its key"}).encode()
            connection.sendall(
                b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
            )

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 512 << 10)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=slow_link, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        uploaded = Client(service_url=url, upload_timeout_s=patience_s).upload(body, "image/jpeg")
        thread.join()
    assert uploaded.receipt == "the receipt"
    assert sum(received) == len(body)


def test_a_service_that_takes_no_more_of_a_photo_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServiceUnavailable, match="timed out"):
            Client(service_url=url, upload_timeout_s=0.2).upload(bytes(32 << 20), "image/jpeg")


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with socket.socket() as taken:  # ours, so that nobody else comes to listen there
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServiceUnavailable):
            enrol(url)
        with pytest.raises(TimestampUnavailable):
            stamp(url)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/", "", "http://", "http://[::1", "data:,x", "http://h:0/"]
)
def test_only_http_and_https_are_spoken(url: str) -> None:
    for ask in (enrol, stamp):
        with pytest.raises(SignerError) as caught:
            ask(url)
        assert isinstance(caught.value, ServiceUnavailable | TimestampUnavailable)


def test_a_reply_that_is_no_http_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as strange:

        def answer() -> None:
            connection, _ = strange.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(TimestampUnavailable):
            stamp(f"http://127.0.0.1:{strange.getsockname()[1]}")
        thread.join()


def opened() -> RequestSigner:
    return RequestSigner(key=ec.generate_private_key(ec.SECP256R1()), clock=lambda: datetime.now(UTC))


def test_a_service_that_asks_who_it_is_gets_the_request_signed() -> None:
    asked: list[Asked] = []

    def service(request: Asked) -> Answer:
        asked.append(request)
        return Answer(headers=REPLY, body=b"reply") if "Signature" in request.headers else Answer(status=401)

    with serving(service) as url:
        assert Client(signer=opened).stamp(f"{url}/tsa", b"query") == b"reply"
    first, second = (request.headers for request in asked)
    assert "Signature" not in first
    assert '"@target-uri" "content-digest" "content-type"' in second["Signature-Input"]


def test_a_photo_is_signed_for_at_once_and_sent_only_once() -> None:
    asked: list[Asked] = []

    def service(request: Asked) -> Answer:
        asked.append(request)
        return Answer(status=201, body=b'{"receipt": "the receipt", "log_key": "its key"}')

    with serving(service) as url:
        Client(service_url=url, signer=opened).upload(photo(), "image/jpeg")
    (only,) = asked
    assert "Signature" in only.headers
    assert only.body == photo()


def test_a_signature_that_is_not_taken_is_no_reason_to_give_up() -> None:
    refusal = Answer(status=401, body=b'{"detail":"older than five minutes"}')
    with serving(lambda _: refusal) as url, pytest.raises(TimestampUnavailable, match="older than five"):
        Client(signer=opened).stamp(url, b"query")


def test_a_key_that_cannot_be_opened_is_no_reason_to_give_up() -> None:
    def locked() -> RequestSigner:
        raise KeyUnavailable("the token is not there")

    with serving(lambda _: Answer(status=401)) as url, pytest.raises(TimestampUnavailable, match="not there"):
        Client(signer=locked).stamp(url, b"query")


def test_a_key_that_cannot_be_opened_leaves_an_upload_for_later_and_sends_nothing() -> None:
    def locked() -> RequestSigner:
        raise KeyUnavailable("the token is not there")

    def service(_: Asked) -> Answer:
        raise AssertionError("nothing is sent")

    with serving(service) as url, pytest.raises(ServiceUnavailable, match="not there"):
        Client(service_url=url, signer=locked).upload(b"photo", "image/jpeg")


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://Host", "http://host/"),
        ("http://h:80/a?b=%20#c", "http://h/a?b=%20"),
        ("https://h:443", "https://h/"),
        ("https://h:80/", "https://h:80/"),
        ("http://[::1]:8318/x", "http://[::1]:8318/x"),
    ],
)
def test_what_is_signed_is_the_address_as_the_server_sees_it(url: str, seen: str) -> None:
    assert target_uri(url) == seen
