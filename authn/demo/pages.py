"""What the demo's pages are made of: the signed photo in the log, small pictures, the list of all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from authn.core.media import media_of
from authn.report.preview import make_preview
from authn.web.showcase import SHOW
from signer.client import Client
from signer.device import DeviceIdentity
from signer.http_signature import RequestSigner
from signer.keys import open_key

THUMB_SIDE = 360  # pixels


def log_capture(address: str, device: DeviceIdentity, data: bytes, clock: Callable[[], datetime]) -> None:
    """Hand the signed photo in as its device does. Raises ``SignerError``."""
    signer = RequestSigner(key=open_key(device.key_uri), clock=clock)
    Client(service_url=address, signer=lambda: signer).upload(data, "image/jpeg")


def reference_photo() -> bytes:
    """A photo that ships: what maps of scores are compared with."""
    return files("detector.models").joinpath("reference_files", "photo.jpg").read_bytes()


def write_pages(folder: Path, shown: Sequence[dict[str, str]], asked: Sequence[dict[str, str]]) -> None:
    """Small pictures, and the list that the pages are drawn from, which comes last."""
    for row, place in (*((r, "photos") for r in shown), *((r, "questions") for r in asked)):
        name = row["file"]
        thumb = make_preview(media_of((folder / place / name).read_bytes(), name), THUMB_SIDE)
        (folder / "thumbs" / name).with_suffix(".jpg").write_bytes(thumb or b"")
    text = json.dumps({"shown": list(shown), "quiz": list(asked)}, indent=1)
    (folder / SHOW).write_text(text, encoding="utf-8")
