"""Keys of machines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from authn.core.errors import BadRequest, CredentialsRefused, NotFound, TooManyRequests
from authn.service.access import Kind
from authn.service.access.keys import KEY, ApiKeys, base62
from authn.service.access.rates import Rates
from authn.service.access.scopes import parse_scopes
from authn.store.engine import reading
from authn.store.schema import api_keys

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
READ = frozenset({"devices:read"})


@pytest.fixture
def keys(engine: Engine) -> ApiKeys:
    return ApiKeys(engine)


def test_a_key_says_who_asks_and_what_it_may(keys: ApiKeys) -> None:
    new = keys.create("ci", READ, NOW)
    assert KEY.fullmatch(new.text)
    principal = keys.verify(new.text, NOW)
    assert (principal.kind, principal.id, principal.scopes) == (Kind.MACHINE, new.id, READ)


def test_the_database_holds_nothing_that_is_of_use_to_its_reader(keys: ApiKeys, engine: Engine) -> None:
    new = keys.create("ci", READ, NOW)
    with reading(engine) as connection:
        stored = repr(connection.execute(select(api_keys)).all())
    assert new.id in stored
    assert new.text.rpartition("_")[2] not in stored


@pytest.mark.parametrize(
    "change",
    [
        lambda k: "",
        lambda k: "mk_",
        lambda k: k[:-1],
        lambda k: k + "0",
        lambda k: k + "\n",
        lambda k: k[:-1] + ("0" if k[-1] != "0" else "1"),
        lambda k: "mk_" + "0" * 16 + k[19:],
        lambda k: k.upper(),
        lambda k: k[:-1] + "é",
        lambda k: k[:-1] + "٣",
    ],
)
def test_what_is_not_the_key_is_refused_without_saying_why(keys: ApiKeys, change) -> None:
    new = keys.create("ci", READ, NOW)
    with pytest.raises(CredentialsRefused, match=r"^this is no key of this service$"):
        keys.verify(change(new.text), NOW)


def test_a_key_ends_when_it_was_said_to(keys: ApiKeys) -> None:
    end = NOW + timedelta(days=1)
    new = keys.create("ci", READ, NOW, end)
    keys.verify(new.text, end - timedelta(seconds=1))
    with pytest.raises(CredentialsRefused, match="expired"):
        keys.verify(new.text, end)
    with pytest.raises(BadRequest):
        keys.create("ci", READ, NOW, NOW)


def test_a_revoked_key_is_refused_and_still_listed(keys: ApiKeys) -> None:
    new = keys.create("ci", READ, NOW)
    keys.revoke(new.id, NOW)
    keys.revoke(new.id, NOW + timedelta(days=1))
    with pytest.raises(CredentialsRefused, match="revoked"):
        keys.verify(new.text, NOW)
    assert [k.revoked_at for k in keys.list()] == [NOW]
    with pytest.raises(NotFound):
        keys.revoke("nothing", NOW)


def test_the_last_use_is_noted_once_a_minute(keys: ApiKeys) -> None:
    new = keys.create("ci", READ, NOW)
    assert keys.list()[0].used_at is None
    for seconds, noted in ((0, 0), (59, 0), (61, 61)):
        keys.verify(new.text, NOW + timedelta(seconds=seconds))
        assert keys.list()[0].used_at == NOW + timedelta(seconds=noted)


def test_every_secret_fits_its_form() -> None:
    assert base62(bytes(32)) == "0" * 43
    assert len({base62(bytes([255] * 32)), base62(bytes([0, *[255] * 31]))}) == 2
    assert len(base62(b"\xff" * 32)) == 43


def test_scopes_that_do_not_exist_are_not_given() -> None:
    assert parse_scopes(("devices:read",)) == READ
    for wrong in ((), ("devices:*",), ("devices:read", "root")):
        with pytest.raises(BadRequest):
            parse_scopes(wrong)


def test_a_caller_gets_what_a_minute_allows_and_then_what_trickles_in(engine: Engine) -> None:
    first, second = Rates(engine, 3), Rates(engine, 3)  # two processes
    for rates in (first, second, first):
        rates.take("a", NOW)
    with pytest.raises(TooManyRequests):
        second.take("a", NOW)
    second.take("b", NOW)
    with pytest.raises(TooManyRequests):
        first.take("a", NOW + timedelta(seconds=19))
    first.take("a", NOW + timedelta(seconds=21))
    with pytest.raises(TooManyRequests):
        first.take("a", NOW + timedelta(seconds=22))


def test_a_clock_that_went_back_gives_nothing_away(engine: Engine) -> None:
    rates = Rates(engine, 1)
    rates.take("a", NOW)
    with pytest.raises(TooManyRequests):
        rates.take("a", NOW - timedelta(hours=1))
    Rates(engine, 0).take("a", NOW)
