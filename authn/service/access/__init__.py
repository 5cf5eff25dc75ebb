"""Who asks, and what may they do? Three kinds of credentials, one kind of answer.

Devices sign their requests (``requests``), machines hold keys (``keys``), people bring tokens of an OpenID
Connect issuer (``oidc``). Each yields a ``Principal``; ``scopes`` says what that is worth where.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
        """Kind and id, as tables hold it: at most 128 characters."""
        return f"{self.kind}:{self.id}"[:128]
