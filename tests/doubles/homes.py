"""A whole service in this process: real authorities, registry, log and judgement; no confined process."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from authn.core.config import Settings, load_settings
from authn.core.media import Media, measured
from authn.devices import RegistryView
from authn.examine.examination import capture_of
from authn.examine.looks import looks_of, manifest_of
from authn.examine.opening import open_examiner
from authn.examine.request import Examined
from authn.service.access.keys import ApiKeys
from authn.service.services import Services
from authn.service.wiring import open_services
from authn.web import create_app
from signer.claim import CaptureClaim, DeviceAssertion
from signer.credential import sign_media
from signer.proof.timestamp import build_request, parse_response
from signer.staple import bytes_to_stamp, staple
from tests.doubles.photos import photo
from tests.doubles.requests import csr_of

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class InThisProcess:
    """``WarmExaminer`` that judges for real, without heuristic sources."""

    ready = True
    holds = ()
    occupied = (1, 0)

    def __init__(self, settings: Settings, registry: RegistryView) -> None:
        self._examiner = open_examiner(settings, registry=registry, heuristics=False)

    def warm(self) -> None:
        pass

    def examine(
        self, media: Media, as_of: datetime | None = None, preview: bool = False, **also: bool | None
    ) -> Examined:
        capture, looks = also.get("capture"), also.get("looks")
        report = self._examiner.examine(measured(media), as_of=as_of)
        digests, counter = capture_of(media) if capture else (None, None)
        seen, manifest = None, None
        if looks:
            seen = looks_of(measured(media), within=not capture)
            manifest = manifest_of(media) if capture else None
        return Examined(
            report=report,
            preview_jpeg=None,
            digests=digests,
            counter=counter,
            looks=seen,
            manifest=manifest,
        )

    def close(self) -> None:
        pass


_MACHINES: WeakKeyDictionary[Engine, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Home:
    """``open_home`` makes one. Everything goes through HTTP views, as devices do it."""

    services: Services
    client: FlaskClient

    def enrol(self, name: str, key: ec.EllipticCurvePrivateKey) -> TestResponse:
        return self.client.post(
            "/v1/devices", json={"name": name, "csr": csr_of(key).decode()}, headers=BEARER
        )

    def stamp(self, signed: bytes) -> bytes:
        """Raises ``TimestampRejected``."""
        query = build_request(bytes_to_stamp(signed, "image/jpeg"), nonce=7)
        answer = self.client.post("/tsa", data=query, content_type="application/timestamp-query")
        return staple(signed, "image/jpeg", parse_response(answer.data))

    def upload(self, signed: bytes, headers: dict[str, str] | None = None) -> TestResponse:
        """By a machine that may hand in everybody's captures, unless ``headers`` say who it is."""
        given = self._machine() if headers is None else headers
        return self.client.post("/v1/captures", data=signed, content_type="image/jpeg", headers=given)

    def _machine(self) -> dict[str, str]:
        engine = self.services.engine
        if engine not in _MACHINES:
            key = ApiKeys(engine).create("intake", frozenset({"captures:create"}), datetime.now(UTC))
            _MACHINES[engine] = key.text
        return {"Authorization": f"Bearer {_MACHINES[engine]}"}


def open_home(
    folder: Path, database_url: str = "", clock: Callable[[], datetime] | None = None, **given: object
) -> Home:
    settings = load_settings(
        environ={}, home=folder, enrolment_token=TOKEN, heuristics=False, database_url=database_url, **given
    )
    opened = open_services(settings, confine=lambda s, registry, _: InThisProcess(s, registry))
    opened = opened if clock is None else replace(opened, clock=clock)
    return Home(opened, create_app(opened).test_client())


def signed_by(key: ec.EllipticCurvePrivateKey, enrolled: TestResponse, at: datetime, seed: int = 0) -> bytes:
    body = enrolled.get_json()
    device = DeviceAssertion(device_id=body["device_id"], counter=1 + seed, nonce=bytes(16))
    claim = CaptureClaim(title="photo", captured_at=at, device=device)
    return sign_media(photo(seed=seed), "image/jpeg", claim, key, body["chain"].encode())


def receipt_text(answer: TestResponse) -> str:
    return str(answer.get_json()["receipt"])


def media_digest(answer: TestResponse) -> bytes:
    return base64.b64decode(answer.headers["Content-Digest"].split(":")[1])
