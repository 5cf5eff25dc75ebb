"""Keys of machines: ``mk_<id>_<secret>``, shown once. The database holds a hash, of no use to its reader.

A plain SHA-256 is enough, because the secret has 256 random bits: there is nothing to guess faster.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, bindparam, insert, select, update

from authn.core.errors import BadRequest, CredentialsRefused, NotFound
from authn.core.names import parse_name
from authn.service.access import Kind, Principal
from authn.store.engine import reading, writing
from authn.store.schema import api_keys

PREFIX = "mk_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_BYTES = 32
SECRET_CHARACTERS = 43  # 62**43 > 2**256
KEY = re.compile(rf"mk_([0-9a-f]{{16}})_([0-9A-Za-z]{{{SECRET_CHARACTERS}}})", re.ASCII)
# One write in this time and not one per request.
USE_IS_NOTED_EVERY = timedelta(minutes=1)

_KEY = select(api_keys).where(api_keys.c.id == bindparam("given"))  # made once: every request runs it


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """``text`` is the whole key, which nobody can be shown a second time."""

    id: str
    text: str


class ApiKeys:
    """Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self, name: str, scopes: frozenset[str], now: datetime, expires_at: datetime | None = None
    ) -> NewKey:
        """Raises ``BadRequest`` for a name as ``parse_name`` and for an end that is past."""
        parse_name(name)
        if expires_at is not None and expires_at <= now:
            raise BadRequest("the key would have expired already")
        id_ = secrets.token_hex(8)
        text = f"{PREFIX}{id_}_{base62(secrets.token_bytes(SECRET_BYTES))}"
        with writing(self._engine) as connection:
            connection.execute(
                insert(api_keys).values(
                    id=id_,
                    name=name,
                    sha256=_hash(text),
                    scopes=" ".join(sorted(scopes)),
                    created_at=now,
                    expires_at=expires_at,
                )
            )
        return NewKey(id=id_, text=text)

    def list(self) -> tuple[ApiKey, ...]:
        """All of them, the revoked and expired too, oldest first."""
        columns = [c for c in api_keys.c if c.name != "sha256"]
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).order_by(api_keys.c.created_at)).mappings().all()
        return tuple(ApiKey(**{**row, "scopes": frozenset(row["scopes"].split())}) for row in rows)

    def revoke(self, id_: str, now: datetime) -> None:
        """From now on; again changes nothing. Raises ``NotFound``."""
        known = update(api_keys).where(api_keys.c.id == id_)
        with writing(self._engine) as connection:
            if connection.execute(select(api_keys.c.id).where(api_keys.c.id == id_)).first() is None:
                raise NotFound(f"there is no key {id_}")
            connection.execute(known.where(api_keys.c.revoked_at.is_(None)).values(revoked_at=now))

    def verify(self, text: str, now: datetime) -> Principal:
        """Raises ``CredentialsRefused``, which does not tell a wrong secret from an unknown key."""
        form = KEY.fullmatch(text)
        if form is None:
            raise CredentialsRefused("this is no key of this service")
        with reading(self._engine) as connection:
            row = connection.execute(_KEY, {"given": form[1]}).mappings().first()
        expected = row["sha256"] if row else bytes(32)
        if not hmac.compare_digest(_hash(text), expected) or row is None:
            raise CredentialsRefused("this is no key of this service")
        if row["revoked_at"] is not None:
            raise CredentialsRefused("this key was revoked")
        if row["expires_at"] is not None and now >= row["expires_at"]:
            raise CredentialsRefused("this key has expired")
        self._note_use(form[1], row["used_at"], now)
        return Principal(kind=Kind.MACHINE, id=form[1], scopes=frozenset(row["scopes"].split()))

    def _note_use(self, id_: str, used_at: datetime | None, now: datetime) -> None:
        if used_at is None or now - used_at > USE_IS_NOTED_EVERY:
            with writing(self._engine) as connection:
                connection.execute(update(api_keys).where(api_keys.c.id == id_).values(used_at=now))


def base62(data: bytes) -> str:
    """All of ``data``, as many characters as the longest number of its length needs."""
    number, characters = int.from_bytes(data), []
    for _ in range(SECRET_CHARACTERS):
        number, digit = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[digit])
    return "".join(reversed(characters))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()
