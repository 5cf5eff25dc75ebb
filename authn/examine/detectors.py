"""Which learned detectors belong to this installation, and what those lack that cannot run here.

Imports no library that looks at pixels: whoever only says what is there need not load it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from authn.core.config import Settings
from authn.core.errors import SystemLacking
from authn.core.extras import need
from detector.models.encoder_file import INSTALL, installed_encoder
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL

INSTALLED_SINCE = "it was installed after this service started: reload the service (SIGHUP) or start it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedDetector:
    """``lacks``: why it cannot run here, one sentence; empty where it can. A file that a setting names is not
    opened here; one that is another says so with every picture."""

    name: str
    lacks: str


def learned_detectors(settings: Settings) -> tuple[LearnedDetector, ...]:
    """In the order in which they are asked."""
    try:
        need("detect")
        lacks = ""
    except SystemLacking as e:
        lacks = e.detail
    return (
        LearnedDetector(name=settings.detector or DEFAULT_MODEL, lacks=lacks),
        LearnedDetector(name=SEMANTIC_MODEL, lacks=lacks or _without_encoder(settings)),
    )


def detectors_json(settings: Settings, at_start: Sequence[LearnedDetector] = ()) -> list[dict[str, str]]:
    """For ``/readyz``. ``at_start``: as they were when the examiners were made, which do not look again."""
    lacked = {d.name for d in at_start if d.lacks}
    return [
        {"id": d.name, "lacks": d.lacks or (INSTALLED_SINCE if d.name in lacked else "")}
        for d in learned_detectors(settings)
    ]


def encoder_of(settings: Settings) -> Path | None:
    """The image encoder that the settings name, else that of the installed package, else None."""
    return settings.semantic_encoder[0] if settings.semantic_encoder else installed_encoder()


def _without_encoder(settings: Settings) -> str:
    return "" if encoder_of(settings) else f"its image encoder: not installed here ({INSTALL})"
