"""Everything that examines works while the process is held: the same report as without."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from authn.core.config import load_settings
from authn.core.errors import AuthnError
from authn.core.media import Media, measured, unparsed
from authn.core.plain import Json
from authn.core.report import Report, report_json
from authn.examine.opening import open_examiner
from authn.examine.pooling import service_pool
from tests.doubles.photos import photo, sound

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF")


class Nobody:
    """A registry without devices."""

    def device_by_key(self, spki_sha256: str) -> None:
        assert len(spki_sha256) == 64


def files(suites: Path) -> list[tuple[str, bytes]]:
    made = [(f"photo.{f.lower()}", photo(f, width=640, height=480)) for f in FORMATS]
    large = io.BytesIO()
    Image.effect_noise((2000, 1500), 60).convert("RGB").save(large, "JPEG", progressive=True)
    found = sorted(p for p in (suites / "found").rglob("*.*") if p.suffix not in (".md", ".pem"))
    return [
        *made,
        ("large.jpg", large.getvalue()),
        ("sound.wav", sound()),
        *((p.name, p.read_bytes()) for p in found),
    ]


def without_run(name: str, data: bytes, examine: Callable[[Media], Report]) -> dict[str, Json] | str:
    try:
        report = report_json(examine(unparsed(data, name)))
    except AuthnError as e:
        return f"{e.code} {e.detail}"
    report.pop("run")
    return report


@pytest.mark.slow
def test_every_kind_of_file_gets_the_same_report_in_the_held_process(tmp_path: Path, suites: Path) -> None:
    settings = load_settings(environ={}, home=tmp_path / "home", examiners=1)
    free = open_examiner(settings, registry=Nobody())
    given = files(suites)
    assert len(given) > 15
    with service_pool(settings, Nobody(), True) as held:
        for name, data in given:
            here = without_run(name, data, lambda m: free.examine(measured(m), as_of=AT))
            there = without_run(name, data, lambda m: held.examine(m, as_of=AT, preview=True).report)
            assert there == here, name
        assert {h.name for h in held.holds if h.active} >= {"no_new_privs", "limits"}
