"""A clock that steps back: what a device, the time-stamp authority and the log make of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from authn.core.errors import Unavailable
from authn.core.evidence import Axis, Outcome
from authn.pki.clock import SteadyClock
from authn.provenance.logs import LogTrust, log_axis
from authn.provenance.own import read_own
from authn.tlog.log.check import check_log
from authn.web import create_app
from signer.capture import sign_file
from signer.core.errors import TimestampRejected
from signer.proof.timestamp import parse_response
from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.homes import Home, open_home, receipt_text, signed_by
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import Registered, examiner_for, media


class Clock:
    """Set by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    return enrolled_camera(tmp_path / "camera", TestPki())


def test_captures_of_a_clock_that_steps_back_are_counted_on_and_timed_by_their_stamps(
    camera: Camera, tmp_path: Path
) -> None:
    """The device's own clock is a claim: neither the count nor the proven time depends on it."""
    now, taken = datetime.now(UTC), []
    for number, hours in enumerate((0, -5, 3, -2000)):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(photo(seed=number))
        when = now + timedelta(hours=hours)
        taken.append(sign_file(path, camera.identity, spool=camera.spool, key=camera.key, now=when))
    assert [capture.counter for capture in taken] == [1, 2, 3, 4]
    done = camera.spool.stamp_all(camera.stamp, camera.identity.tsa_roots)
    assert len(done.stamped) == 4
    for capture in taken:
        evidence = examiner_for(camera.pki).examine(media(capture.path.read_bytes())).cryptographic
        assert evidence.axis(Axis.TIME).outcome is Outcome.ESTABLISHED
        assert evidence.not_after is not None
        assert abs(evidence.not_after - now) < timedelta(minutes=5)


def test_while_the_authority_s_clock_has_gone_back_captures_wait_and_are_stamped_later(
    camera: Camera, tmp_path: Path
) -> None:
    clock = Clock()
    authority = replace(camera.authority, clock=SteadyClock(clock))
    for number in range(2):
        (tmp_path / f"{number}.jpg").write_bytes(photo(seed=number))
    sign_file(tmp_path / "0.jpg", camera.identity, spool=camera.spool, key=camera.key)
    assert camera.spool.stamp_all(authority.respond, camera.identity.tsa_roots).stamped
    clock.now -= timedelta(minutes=10)
    sign_file(tmp_path / "1.jpg", camera.identity, spool=camera.spool, key=camera.key)
    waiting = camera.spool.stamp_all(authority.respond, camera.identity.tsa_roots)
    assert not waiting.stamped
    assert len(camera.spool.pending()) == 1
    clock.now += timedelta(minutes=11)
    assert camera.spool.stamp_all(authority.respond, camera.identity.tsa_roots).stamped
    assert not camera.spool.pending()


def test_a_service_whose_clock_steps_back_stamps_nothing_says_so_and_its_log_stays_whole(
    tmp_path: Path,
) -> None:
    clock, key = Clock(), ec.generate_private_key(ec.SECP256R1())
    home = open_home(tmp_path / "home")
    authority = replace(home.services.authority, clock=SteadyClock(clock))
    services = replace(home.services, clock=clock, authority=authority, tsa=authority.timestamp_authority())
    with closing(services):
        home = Home(services, create_app(services).test_client())
        enrolled = home.enrol("camera", key)
        first = home.stamp(signed_by(key, enrolled, clock.now))
        receipts = [(first, home.upload(first))]
        clock.now -= timedelta(hours=6)
        assert any("went back" in reason for reason in home.client.get("/readyz").get_json()["reasons"])
        with pytest.raises(TimestampRejected, match="went back"):
            home.stamp(signed_by(key, enrolled, clock.now, seed=1))
        renewed = home.enrol("camera", key)  # certificates and the log do not need the authority's clock
        assert renewed.status_code == 201
        services.revocations.revoke_device("camera", reason="lost", now=clock.now)
        clock.now += timedelta(hours=6, seconds=2)
        assert home.client.get("/readyz").status_code == 200
        assert services.log.halted is None
        found = check_log(services.engine, services.log.verifier)
        assert found.size == 2 + 1 + 1  # two certificates, a capture, a revocation
        trust = LogTrust(logs=(services.log.verifier,))
        for signed, answer in receipts:
            assert (
                log_axis(read_own(media(signed)), receipt_text(answer), trust).outcome is Outcome.ESTABLISHED
            )


def test_an_unsynchronised_clock_stamps_nothing_and_the_log_goes_on(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    home = open_home(tmp_path / "home")
    authority = replace(home.services.authority, clock_synchronised=lambda: False)
    services = replace(home.services, authority=authority, tsa=authority.timestamp_authority())
    with closing(services):
        home = Home(services, create_app(services).test_client())
        enrolled = home.enrol("camera", key)
        with pytest.raises(TimestampRejected, match="not synchronised"):
            home.stamp(signed_by(key, enrolled, datetime.now(UTC)))
        assert any("not synchronised" in r for r in home.client.get("/readyz").get_json()["reasons"])
        assert check_log(services.engine, services.log.verifier).size == 1


def test_a_registry_of_one_s_own_does_not_change_what_a_step_back_proves(
    camera: Camera, tmp_path: Path
) -> None:
    """A capture said to be from before its device's certificate still has the time of its stamp."""
    path = tmp_path / "early.jpg"
    path.write_bytes(photo())
    when = datetime.now(UTC) - timedelta(days=4000)
    sign_file(path, camera.identity, spool=camera.spool, key=camera.key, now=when)
    camera.spool.stamp_all(camera.stamp, camera.identity.tsa_roots)
    evidence = examiner_for(camera.pki, registry=Registered()).examine(media(path.read_bytes())).cryptographic
    assert evidence.axis(Axis.SIGNER).outcome is Outcome.ESTABLISHED
    assert evidence.axis(Axis.TIME).outcome is Outcome.ESTABLISHED


def test_the_error_of_a_clock_is_typed() -> None:
    times = [datetime.now(UTC), datetime.now(UTC) - timedelta(days=1)]
    clock = SteadyClock(lambda: times.pop(0))
    clock()
    with pytest.raises(Unavailable):
        clock()
    with pytest.raises(TimestampRejected):
        parse_response(b"\x30\x05\x30\x03\x02\x01\x02")
