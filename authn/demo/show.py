"""The demo from its first step to its last: two homes, one photo, eight files, one report each, one audit.

Leaves everything in its folder: ``photos`` (the eight files), ``reports`` (HTML and JSON), ``audit``,
``service`` and ``camera`` (the homes of the service and of the device).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authn.core.config import load_settings
from authn.core.errors import SettingsError, SystemLacking, Unreachable
from authn.core.media import media_of, open_media
from authn.demo.pages import log_capture, reference_photo, write_pages
from authn.demo.quiz import questions
from authn.demo.service import REQUEST_TIMEOUT_S, environment, running_service, verify_over_http
from authn.demo.variants import Variant, as_jpeg, mark_jpeg, variants
from authn.home.enrolment import enrol_device
from authn.report.html import render_report
from authn.report.preview import make_preview
from signer.capture import sign_file
from signer.client import Client
from signer.device import DeviceIdentity
from signer.spool import Spool

MARK = ".assay-demo"
DEVICE_NAME = "demo-camera"
AUDIT_TIMEOUT_S = 150.0
# A public-domain portrait (US Navy) that Matplotlib ships among its sample data.
SAMPLE = ("mpl-data", "sample_data", "grace_hopper.jpg")
# Somebody's generator made it, and no metadata says so: authn/demo/generated.md.
GENERATED = "generated.jpg"
ANSWERED = "answered.jpg"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One file and its report."""

    variant: Variant
    report: dict[str, Any]
    page: Path
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    address: str
    shown: tuple[Shown, ...]
    audit: dict[str, Any]
    elapsed_s: float


def run_demo(
    folder: Path,
    photo: Path | None,
    *,
    clock: Callable[[], datetime],
    say: Say,
    look: Callable[[Show], None],
    stays: bool = False,
) -> None:
    """``look`` gets the finished show while the service still runs; afterwards it is stopped.

    With ``stays`` the service has the demo's pages: the signed photo is logged and remembered, and there are
    questions.

    Raises ``MediaError`` or ``SignerError`` for a photo that cannot be used, ``Unavailable`` for a service
    that does not start, ``SettingsError`` for a folder that holds something else.
    """
    started_s = time.monotonic()
    original = _original(photo)
    _prepare(folder)
    say("start the service, with a home of its own")
    showing = folder if stays else None
    with running_service(folder / "service", folder / "service.log", showing=showing) as address:
        say(f"it listens on {address}; enrol a device over HTTP")
        device = _enrol(folder, address, clock)
        say("sign the photo on the device and fetch its time-stamp from the service")
        signed = _signed(folder, original, device)
        if stays:
            say("have the signed photo logged; the service remembers what it looks like")
            log_capture(address, device, signed[0], clock)
        made = (*variants(*signed), *_generated())
        shown = tuple(_show(folder, address, variant, say) for variant in made)
        if stays:
            say("ask ten questions and answer them")
            write_pages(folder, [_row(folder, s) for s in shown], _asked(folder, address, original))
        say("audit the folder")
        audit = _audit(folder)
        look(Show(address=address, shown=shown, audit=audit, elapsed_s=time.monotonic() - started_s))
        say("stop the service")


def _original(photo: Path | None) -> bytes:
    if photo is not None:
        return as_jpeg(open_media(photo).data)
    return files("matplotlib").joinpath(*SAMPLE).read_bytes()


def _generated() -> tuple[Variant, Variant]:
    """One that was chosen before its score was seen, and one because it gets an answer (``generated.md``)."""
    return (
        Variant(
            file_name="7-generated.jpg",
            says="another picture, made by Kolors; nothing in the file says so",
            data=files("authn.demo").joinpath(GENERATED).read_bytes(),
        ),
        Variant(
            file_name="8-answered.jpg",
            says="a third, made by Kandinsky 5: one of those that the detectors answer, a minority",
            data=files("authn.demo").joinpath(ANSWERED).read_bytes(),
        ),
    )


def _prepare(folder: Path) -> None:
    """Empty the folder of an earlier demo; touch no other."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise SettingsError(f"{folder} is not empty and no earlier demo; name another one with --dir")
        shutil.rmtree(folder)
    for name in ("photos", "reports", "camera", "questions", "thumbs"):
        (folder / name).mkdir(parents=True)
    (folder / MARK).write_text("A folder made by assay demo, which may empty it.\n")


def _enrol(folder: Path, address: str, clock: Callable[[], datetime]) -> DeviceIdentity:
    token = (folder / "service" / "enrolment-token").read_text().strip()
    settings = load_settings(environ={}, home=folder / "camera", service_url=address, enrolment_token=token)
    return enrol_device(settings, DEVICE_NAME, now=clock())


def _signed(folder: Path, original: bytes, device: DeviceIdentity) -> tuple[bytes, bytes]:
    """The photo, and the photo with a generator's marker in it, both signed and time-stamped."""
    spool = Spool(folder / "camera" / "spool")
    paths = (folder / "camera" / "photo.jpg", folder / "camera" / "marked.jpg")
    for path, data in zip(paths, (original, mark_jpeg(original)), strict=True):
        path.write_bytes(data)
        sign_file(path, device, spool=spool)
    client = Client(timeout_s=REQUEST_TIMEOUT_S)
    run = spool.stamp_all(lambda request: client.stamp(device.tsa_url, request), device.tsa_roots)
    if len(run.stamped) != len(paths):
        reasons = "; ".join(entry.reason for entry in (*run.waiting, *run.aside))
        raise Unreachable(f"the time-stamp could not be had: {reasons}")
    return paths[0].read_bytes(), paths[1].read_bytes()


def _show(folder: Path, address: str, variant: Variant, say: Say) -> Shown:
    say(f"verify {variant.file_name} over HTTP: {variant.says}")
    (folder / "photos" / variant.file_name).write_bytes(variant.data)
    answer = verify_over_http(address, variant.file_name, variant.data)
    report: dict[str, Any] = json.loads(answer.report)
    page = folder / "reports" / f"{Path(variant.file_name).stem}.html"
    # A saved page leads nowhere, the served one does; both are the same report.
    preview = make_preview(media_of(variant.data, variant.file_name))
    page.write_text(render_report(report, preview), encoding="utf-8")
    page.with_suffix(".json").write_text(answer.report, encoding="utf-8")
    url = f"{address}/reports/{answer.location.rpartition('/')[2]}"
    return Shown(variant=variant, report=report, page=page, url=url)


def _row(folder: Path, shown: Shown) -> dict[str, str]:
    """What the demo's page says of a file, with the address of its report in the service."""
    return {
        "file": shown.variant.file_name,
        "says": shown.variant.says,
        "report": str(shown.page.with_suffix(".json").relative_to(folder)),
        "url": urlsplit(shown.url).path,
    }


def _asked(folder: Path, address: str, original: bytes) -> list[dict[str, str]]:
    """Each question examined before it is asked."""
    rows = []
    for question in questions(original, reference_photo(), _generated()[0].data):
        answer = verify_over_http(address, question.file_name, question.data)
        report = folder / "reports" / f"{Path(question.file_name).stem}.json"
        report.write_text(answer.report, encoding="utf-8")
        (folder / "questions" / question.file_name).write_bytes(question.data)
        url = f"/reports/{answer.location.rpartition('/')[2]}"
        row = {"file": question.file_name, "says": question.says, "kind": question.kind.value}
        rows.append({**row, "report": str(report.relative_to(folder)), "url": url})
    return rows


def _audit(folder: Path) -> dict[str, Any]:
    """The real command, with the service's roots and registry."""
    command = [sys.executable, "-c", "from authn.cli import main; main()", "audit"]
    done = subprocess.run(
        [*command, str(folder / "photos"), "--out", str(folder / "audit"), "--jobs", "1", "--json"],
        env=environment(folder / "service"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=AUDIT_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise SystemLacking(f"the audit ended with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary
