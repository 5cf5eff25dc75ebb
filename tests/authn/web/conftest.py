"""The real application on a real home; only the examiner runs in this process, to be quick and scripted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from authn.core.config import load_settings
from authn.core.holds import Holds
from authn.core.media import Media, measured
from authn.core.score_map import Maps
from authn.core.views import ViewsAsked
from authn.devices import RegistryView
from authn.examine.request import Examined
from authn.service.services import Services
from authn.service.wiring import open_services
from authn.store.engine import reading
from authn.store.schema import certificates, devices, verifications
from authn.web import create_app
from tests.doubles.examiners import open_scripted
from tests.doubles.reports import AS_OF
from tests.waiting import PATIENCE_S

TOKEN = "correct-horse-battery-staple"


class InlineExaminer:
    """``WarmExaminer`` without a process: a file named ``unavailable.jpg`` gets what its name says."""

    def __init__(self, heuristics: bool) -> None:
        self.heuristics = heuristics
        self.ready = False
        self.holds: Holds = ()
        self.asked: list[tuple[Media, datetime | None, bool]] = []
        self.maps: Maps = ()
        self.forensics: list[bool | None] = []

    def warm(self) -> None:
        self.ready = True

    def examine(
        self,
        media: Media,
        as_of: datetime | None = None,
        preview: bool = False,
        views: ViewsAsked | None = None,
        **also: bool | None,
    ) -> Examined:
        self.asked.append((media, as_of, preview))
        self.forensics.append(also.get("forensics"))
        if views is not None:
            from authn.examine.views import draw_views

            report = open_scripted().examine(measured(media), as_of=AS_OF)
            return Examined(report=report, preview_jpeg=None, views=draw_views(measured(media), views))
        report = open_scripted().examine(measured(media), as_of=as_of or AS_OF)
        if not preview:
            return Examined(report=report, preview_jpeg=None)
        return Examined(report=report, preview_jpeg=b"\xff\xd8", maps=self.maps)

    def close(self) -> None:
        self.ready = False


class WaitingExaminer(InlineExaminer):
    """Says that it has begun, and waits until it may go on."""

    def __init__(self, heuristics: bool) -> None:
        super().__init__(heuristics)
        self.began, self.go_on = threading.Event(), threading.Event()

    def examine(self, *given: object, **named: object) -> Examined:  # type: ignore[override]
        self.began.set()
        self.go_on.wait(PATIENCE_S)
        return super().examine(*given, **named)  # type: ignore[arg-type]


@pytest.fixture
def examiners() -> dict[bool, InlineExaminer]:
    return {True: InlineExaminer(True), False: InlineExaminer(False)}


@pytest.fixture
def services(tmp_path: Path, examiners: dict[bool, InlineExaminer]) -> Iterator[Services]:
    def confine(_settings: object, _registry: RegistryView, heuristics: bool) -> InlineExaminer:
        return examiners[heuristics]

    settings = load_settings(
        environ={}, home=tmp_path / "home", enrolment_token=TOKEN, max_media_bytes=100_000
    )
    opened = open_services(settings, confine=confine)
    yield opened
    opened.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def rows(services: Services) -> tuple[int, int, int]:
    """How many devices, certificates and verifications there are."""
    with reading(services.engine) as connection:
        count = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (devices, certificates, verifications)
        ]
    return count[0], count[1], count[2]
