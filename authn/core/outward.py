"""Sending something to an address that a stranger named, without being sent to our own machines.

The name is looked up once, every address that it has is checked, and the connection goes to one of those, so
that a name which means another address a moment later changes nothing. No redirect is followed, no proxy is
asked, and all of it has one time limit.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from authn.core.errors import Unreachable, WebhookRefused
from authn.core.exchange import Deadline

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Addresses of IPv6 that stand for one of IPv4, which may be any: mapped, 6to4, Teredo, translated (RFC 6052).
_STAND_FOR_OTHERS = tuple(
    map(ipaddress.IPv6Network, ("::ffff:0:0/96", "2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48"))
)
MAX_URL_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that was checked: connect to ``address`` and to nothing else."""

    parts: SplitResult
    address: str
    port: int


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR notation, separated by spaces. Raises ``ValueError``."""
    return tuple(ipaddress.ip_network(part) for part in text.split())


def checked(url: str, networks: Sequence[Network]) -> Target:
    """Look the name up and check what it means: ``networks`` alone may be private, and plain http goes there
    alone. Raises ``WebhookRefused`` for what may never be reached, ``Unreachable`` for a name without an
    address."""
    parts = _parts(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise Unreachable(f"{parts.hostname} has no address now") from e
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        own = any(address in network for network in networks)
        if not own and not _public(address):
            raise WebhookRefused(f"{parts.hostname} is an address of this machine or of a private network")
        if not own and parts.scheme != "https":
            raise WebhookRefused("outside the networks that the service allows, only https is used")
    return Target(parts=parts, address=str(addresses[0]), port=port)


def post(target: Target, body: bytes, headers: Mapping[str, str], timeout_s: float) -> int:
    """The status of the answer; its content is not read. Raises ``Unreachable``."""
    path = target.parts.path or "/"
    where = f"{path}?{target.parts.query}" if target.parts.query else path
    connection = (_PinnedTls if target.parts.scheme == "https" else _Pinned)(target, timeout_s)
    try:
        with Deadline(timeout_s) as connection.deadline:
            connection.request("POST", where, body=body, headers={"Connection": "close", **headers})
            return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise Unreachable(f"{target.parts.hostname} does not answer ({type(e).__name__})") from e
    finally:
        connection.close()


def _parts(url: str) -> SplitResult:
    refused = WebhookRefused("it is no http or https address without credentials and fragment")
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError as e:
        raise refused from e
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= MAX_URL_CHARACTERS
    if not known or not plain or parts.username is not None or parts.password is not None or parts.fragment:
        raise refused
    return parts


def _public(address: Address) -> bool:
    """For everybody on the Internet, and the same machine from everywhere."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in n for n in _STAND_FOR_OTHERS):
        return False
    return address.is_global and not address.is_multicast


class _Pinned(http.client.HTTPConnection):
    deadline: Deadline

    def __init__(self, target: Target, timeout_s: float) -> None:
        super().__init__(str(target.parts.hostname), target.port, timeout=timeout_s)
        self._target = target

    def connect(self) -> None:
        self.sock = socket.create_connection((self._target.address, self._target.port), self.timeout)
        self.deadline.watch(self.sock)  # before TLS, which may be dripped too


class _PinnedTls(_Pinned):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=str(self._target.parts.hostname))
