"""What a device is asked when it enrols: a number that nobody knew before, answered once and soon.

A challenge is bound to the credential that it was asked for with. It is used up in the transaction that
enrols the device: of two answers at the same time one wins, and a refused answer uses nothing up.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import Connection, Engine, delete, insert, select, update

from authn.core.errors import ChallengeRefused
from authn.store.engine import reading, rows_of, writing
from authn.store.schema import enrolment_challenges

CHALLENGE_BYTES = 32
TEXT = re.compile(r"[A-Za-z0-9_-]{43}")
LIFETIME = timedelta(minutes=10)
# A used or expired one is remembered a while, only to say so to whoever sends it again.
REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """``text`` is base64url of the 32 bytes in ``value``; ``state`` is what a format of two steps keeps."""

    text: str
    value: bytes
    expires_at: datetime
    state: bytes = b""


class Challenges:
    """Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def issue(
        self, credential: str, now: datetime, keep: Callable[[bytes], bytes] = lambda _: b""
    ) -> Challenge:
        """A new one for whoever holds ``credential``; ``keep`` gets its bytes and returns the state."""
        value = secrets.token_bytes(CHALLENGE_BYTES)
        made = Challenge(text=encode(value), value=value, expires_at=now + LIFETIME, state=keep(value))
        table = enrolment_challenges
        with writing(self._engine) as connection:
            forgotten = rows_of(table, table.c.expires_at < now - REMEMBERED)
            connection.execute(delete(table).where(forgotten))
            connection.execute(
                insert(table).values(
                    challenge=made.text,
                    bound_to=_bound(credential),
                    state=made.state,
                    expires_at=made.expires_at,
                )
            )
        return made

    def open(self, text: str, credential: str, now: datetime) -> Challenge:
        """It is not used up yet: see ``use``. Raises ``ChallengeRefused`` for one that is not ours, was used,
        has expired, or was asked for with another credential."""
        if not TEXT.fullmatch(text):  # not every database takes every text
            raise ChallengeRefused("this is no challenge of this service; ask for one")
        with reading(self._engine) as connection:
            query = select(enrolment_challenges).where(enrolment_challenges.c.challenge == text)
            row = connection.execute(query).mappings().one_or_none()
        if row is None or not compare_digest(row["bound_to"], _bound(credential)):
            raise ChallengeRefused("this challenge was not given to you here; ask for one")
        if row["used_at"] is not None:
            raise ChallengeRefused("this challenge was used before; ask for a new one")
        if row["expires_at"] <= now:
            raise ChallengeRefused("this challenge has expired; ask for a new one")
        return Challenge(text=text, value=decode(text), expires_at=row["expires_at"], state=row["state"])


def use(connection: Connection, challenge: Challenge, now: datetime) -> None:
    """Within the transaction that writes what it was for. Raises ``ChallengeRefused`` where somebody else was
    first: the row is locked by the update, and looked at again once the other transaction has ended."""
    table = enrolment_challenges
    mine = (table.c.challenge == challenge.text) & table.c.used_at.is_(None) & (table.c.expires_at > now)
    done = connection.execute(update(table).where(mine).values(used_at=now).returning(table.c.challenge))
    if done.first() is None:
        raise ChallengeRefused("this challenge was used before; ask for a new one")


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Only for texts that ``encode`` made."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _bound(credential: str) -> str:
    return sha256(b"enrolment\0" + credential.encode(errors="surrogatepass")).hexdigest()
