"""What is sent to addresses that strangers name does not come to our own machines."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from authn.core.errors import Unreachable, WebhookRefused
from authn.core.outward import checked, parse_networks, post
from tests.doubles.http_server import Answer, Asked, serving

LOCAL = parse_networks("127.0.0.0/8")


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://0/"),
        *("https://10.1.2.3/", "https://192.168.0.1/", "https://172.16.0.1/", "https://100.64.0.1/"),
        *("https://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "https://[fc00::1]/"),
        *("https://[::ffff:127.0.0.1]/", "https://[::ffff:8.8.8.8]/", "https://[64:ff9b::7f00:1]/"),
        *("https://[2002:7f00:1::]/", "https://224.0.0.1/", "https://255.255.255.255/", "https://0x7f.1/"),
        *("https://2130706433/", "https://[::]/", "https://240.0.0.1/", "https://[2001:0:7f00:1::]/"),
    ],
)
def test_addresses_of_our_own_are_refused_however_they_are_written(url: str) -> None:
    with pytest.raises(WebhookRefused):
        checked(url, ())


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.org/", "file:///etc/passwd", "//example.org/", "https://", "https://a b/", ""),
        *("https://user@example.org/", "https://user:pass@example.org/", "https://example.org/#x"),
        *("https://example.org:0/", "https://example.org:99999/", "https://[::1/", "https://example.org/\n"),
        *("https://exämple.org/", f"https://example.org/{'a' * 2000}", "http://8.8.8.8/"),
    ],
)
def test_what_is_no_address_for_notices_is_refused(url: str) -> None:
    with pytest.raises(WebhookRefused):
        checked(url, ())


def test_a_public_address_is_taken_and_a_network_that_is_allowed_too() -> None:
    assert checked("https://8.8.8.8/x", ()).port == 443
    assert checked("http://127.0.0.1:81/x", LOCAL).port == 81
    with pytest.raises(WebhookRefused):
        checked("http://10.0.0.1/", LOCAL)


def lookups(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name means what is said, one answer after the other."""
    asked: list[str] = []
    real, left = socket.getaddrinfo, list(answers)

    def look_up(host: str, port: int, *given: object, **named: object) -> object:
        if host != "receiver.test":
            return real(host, port, *given, **named)  # type: ignore[arg-type]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(WebhookRefused):
        checked("https://receiver.test/", ())


def test_a_name_that_means_another_address_a_moment_later_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Asked] = []
    with serving(lambda asked: seen.append(asked) or Answer(status=204)) as url:
        port = url.rpartition(":")[2]
        asked = lookups(monkeypatch, ["127.0.0.1"], ["10.255.255.1"])
        target = checked(f"http://receiver.test:{port}/hook?a=b", LOCAL)
        assert post(target, b"{}", {"webhook-id": "1"}, 60) == 204
    assert asked == ["receiver.test"]
    assert (seen[0].path, seen[0].headers["Host"]) == ("/hook?a=b", f"receiver.test:{port}")


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    seen: list[str] = []

    def answer(asked: Asked) -> Answer:
        seen.append(asked.path)
        return Answer(status=307, headers={"Location": "/elsewhere"})

    with serving(answer) as url:
        assert post(checked(f"{url}/a", LOCAL), b"{}", {}, 60) == 307
    assert seen == ["/a"]


def test_a_receiver_that_drips_or_hangs_is_given_up_in_time() -> None:
    done = threading.Event()
    with serving(lambda _: (done.wait(60), Answer())[1]) as url:  # after a minute it does answer
        with pytest.raises(Unreachable):
            post(checked(url, LOCAL), b"{}", {}, 0.3)
        done.set()
    with pytest.raises(Unreachable):
        post(checked(url, LOCAL), b"{}", {}, 5)  # nobody listens any more


@contextmanager
def tls_server(folder: Path, name: str) -> Iterator[tuple[int, Path]]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    )
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    pem = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            raw, _ = listener.accept()
            try:
                with context.wrap_socket(raw, server_side=True) as tls:
                    received = b""  # all of it: what is closed with bytes unread resets the connection
                    while not received.endswith(b"{}") and (piece := tls.recv(65536)):
                        received += piece
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], folder / "cert.pem"
    thread.join()
    listener.close()


def test_the_certificate_has_to_be_that_of_the_name_not_of_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server(tmp_path, "receiver.test") as (port, certificate):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        lookups(monkeypatch, ["127.0.0.1"])
        assert post(checked(f"https://receiver.test:{port}/", LOCAL), b"{}", {}, 60) == 200
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            post(checked(f"https://127.0.0.1:{port}/", LOCAL), b"{}", {}, 60)
