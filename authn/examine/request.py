"""What an examiner in a held process is asked about one file, and what it answers.

``Request`` crosses to the process and ``Examined`` back (``authn.confinement``); what answers lives there
(``authn.examine.examination``, loaded by ``authn.examine.held``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from authn.core.captured import CaptureDigests
from authn.core.likeness import Looks, SignedManifest
from authn.core.media import Media
from authn.core.report import Report
from authn.core.score_map import Maps
from authn.core.views import DrawnView, ViewsAsked
from authn.devices import RegistryView

# The smallest PNG. Every source is asked about it before a process counts as ready; its header is read by our
# own code, so that Pillow is loaded where a file needs it.
PROBE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a4944415478da6360000000020001e527defc0000000049454e44ae426082"
)
PROBE_NAME = "probe.png"
MAX_CRJSON_BYTES = 8 * 1024 * 1024


class Examines(Protocol):
    """What the process holds; ``authn.examine.examiner.Examiner`` is one."""

    def examine(
        self,
        media: Media,
        *,
        forensics: bool | None = None,
        receipt: str | None = None,
        as_of: datetime | None = None,
    ) -> Report: ...
    def maps(self, media: Media, report: Report) -> Maps: ...
    def crjson(self, media: Media) -> bytes | None: ...


Opens = Callable[[RegistryView | None], Examines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The picture and the maps are those of ``authn.examine.illustrate``."""

    report: Report
    preview_jpeg: bytes | None
    maps: Maps = ()
    digests: CaptureDigests | None = None  # what would be logged of it, where that is asked for
    counter: int | None = None  # which number its device gave it, where that is asked for
    looks: Looks | None = None  # where that is asked for
    manifest: SignedManifest | None = None  # of a capture whose looks are asked for
    crjson: bytes | None = None  # of a file with a credential, where that is asked for
    views: tuple[DrawnView, ...] = ()  # where they are asked for
    bundle: bytes | None = None  # where that is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``preview`` asks for a picture and maps too, ``capture`` for what would be logged of the file,
    ``looks`` for what it looks like, ``original`` for where the picture differs from that one, ``crjson`` for
    that and for the labels of C2PA's rubrics, ``forensics`` for the sources that run on request (None: as
    the settings say), ``views`` for pictures that are no part of a report, ``bundle`` for the evidence
    bundle with the media in it."""

    media: Media
    as_of: datetime | None
    preview: bool
    receipt: str | None
    capture: bool
    looks: bool = False
    original: Media | None = None
    crjson: bool = False
    forensics: bool | None = None
    views: ViewsAsked | None = None
    bundle: bool = False
