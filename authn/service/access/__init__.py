"""Who asks, and what may they do? Three kinds of credentials, one kind of answer.

Devices sign their requests (``requests``), machines hold keys (``keys``), people bring tokens of an OpenID
Connect issuer (``oidc``). Each yields a ``Principal``; ``scopes`` says what that is worth where.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

MOST_NAMED = 128


class Kind(StrEnum):
    """Who a principal is."""

    DEVICE = "device"
    MACHINE = "machine"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever proved who it is. ``id`` is the device's id, the key's id or the subject of the token."""

    kind: Kind
    id: str
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        """Kind and id, as tables hold it: at most 128 characters, of a longer one its beginning and its
        digest. It owns jobs and reports, so no two may be called the same."""
        whole = f"{self.kind}:{self.id}"
        if len(whole) < MOST_NAMED:
            return whole
        return f"{whole[:63]}:{sha256(whole.encode(errors='surrogatepass')).hexdigest()}"
