"""Media that strangers send: examined in a confined process, and the report kept for a while.

Which sources run is decided by ``authn.examine.examiner``; this module decides in which process, and what is
kept: the report and, when asked for, a small picture and the places in it that a score comes from. The media
themselves are not; what waits for its turn does so in ``authn.jobs.spool``.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from authn.core.errors import AuthnError, Unavailable
from authn.core.evidence import Axis, NotExamined, Outcome
from authn.core.holds import Holds
from authn.core.likeness import Looks, Recovered, Viewer
from authn.core.media import Media
from authn.core.report import RECOVERY, Report, report_json
from authn.core.score_map import ORIGINAL, maps_text
from authn.core.views import AT_ONCE, DrawnView, ViewsAsked
from authn.examine.contradictions import with_recovered
from authn.examine.request import Examined
from authn.service.captures import Judged
from authn.store.engine import Also
from authn.store.verifications import StoredVerification, Verifications

UNSIGNED_ORIGINAL = (
    "the bytes of the other file are not established to be those that were signed, so it is no original to "
    "compare with"
)
START_AGAIN_S = 30.0
ID_BYTES = 16  # whoever knows an id may read the report, so it must not be guessable


class WarmExaminer(Protocol):
    """``authn.examine.pool.ExaminerPool``, as far as it is used here."""

    @property
    def ready(self) -> bool: ...
    @property
    def holds(self) -> Holds: ...
    @property
    def occupied(self) -> tuple[int, int]: ...
    def warm(self) -> None: ...
    def examine(
        self,
        media: Media,
        as_of: datetime | None = None,
        preview: bool = False,
        *,
        capture: bool = False,
        looks: bool = False,
        forensics: bool | None = None,
        views: ViewsAsked | None = None,
        original: Media | None = None,
        crjson: bool = False,
        bundle: bool = False,
    ) -> Examined: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked about a file. ``as_of``: judge it as of then, else as of now; ``heuristics`` and
    ``forensics``: None is the setting; ``preview``: keep a small picture and maps; ``owner``: who asks
    (``Principal.name``); ``viewer``: whose captures may be found again, None: nobody's."""

    as_of: datetime | None = None
    heuristics: bool | None = None
    preview: bool = False
    owner: str | None = None
    viewer: Viewer | None = None
    forensics: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The reports of a signed original and of the file that was compared with it."""

    original: StoredVerification
    file: StoredVerification


class Finds(Protocol):
    """``authn.recovery.lookup.Recovery``, as far as it is used here."""

    def look_up(self, looks: Looks, viewer: Viewer, *, but: str) -> tuple[Recovered, ...]: ...


class Examinations:
    """Two sets of confined examiners, of which one usually sleeps: with heuristic sources, and without."""

    def __init__(
        self,
        *,
        with_heuristics: WarmExaminer,
        without_heuristics: WarmExaminer,
        heuristics: bool,
        store: Verifications,
        clock: Callable[[], datetime],
        recovery: Finds | None = None,
    ) -> None:
        self._examiners = {True: with_heuristics, False: without_heuristics}
        self._default = heuristics
        self._store = store
        self._clock = clock
        self._recovery = recovery
        self._warming: threading.Thread | None = None
        self._failure: str | None = None  # of the last start
        self._failed_at = 0.0
        self._lock = threading.Lock()

    def examine(
        self,
        media: Media,
        *,
        as_of: datetime | None = None,
        heuristics: bool | None = None,
        preview: bool = False,
        owner: str | None = None,
        viewer: Viewer | None = None,
    ) -> StoredVerification:
        """Examine and keep. Raises what the confined examiner raises; then nothing is kept."""
        asked = Asked(as_of=as_of, heuristics=heuristics, preview=preview, owner=owner, viewer=viewer)
        return self.examine_for(media, asked)

    def examine_for(self, media: Media, asked: Asked, also: Also | None = None) -> StoredVerification:
        """As ``examine``; ``also`` is called in the transaction that keeps it: if it raises, nothing is."""
        stored = self.examined(media, asked, id_=secrets.token_hex(ID_BYTES))
        self._store.keep(stored, also)
        return stored

    def examined(
        self, media: Media, asked: Asked, *, id_: str, original: Media | None = None, why_not: str = ""
    ) -> StoredVerification:
        """As ``examine``, and the caller keeps it. With an ``original`` and a preview a map says where it
        differs from that one, or, with ``why_not``, that it was not compared."""
        looks = self._recovery is not None and asked.viewer is not None
        examined = self._examiner(asked).examine(
            media,
            as_of=asked.as_of,
            preview=asked.preview,
            looks=looks,
            forensics=asked.forensics,
            original=original,
        )
        maps = examined.maps
        if why_not:
            maps = (*maps, NotExamined(what=ORIGINAL, why=why_not))
        report = replace(examined.report, run=replace(examined.report.run, report_id=id_))
        if asked.viewer is not None and examined.looks is not None:
            report = self._recovered(report, examined.looks, asked.viewer)
        now = self._clock()
        return StoredVerification(
            id=id_,
            created_at=now,
            expires_at=self._store.kept_until(now),
            subject_sha256=media.sha256,
            report=report_text(report),
            preview_jpeg=examined.preview_jpeg,
            maps=maps_text(maps) if asked.preview else None,
            owner=asked.owner,
        )

    def compared(self, media: Media, original: Media, asked: Asked) -> Compared:
        """The original first, then the other one with where it differs; both reports are kept. An original
        whose bytes are not established to be those that were signed is compared with nothing."""
        asked = replace(asked, preview=True)
        first = self.examine_for(original, asked)
        signed = json.loads(first.report)["cryptographic"]["axes"][Axis.INTEGRITY.value]["outcome"]
        holds = signed == Outcome.ESTABLISHED.value
        second = self.examined(
            media,
            asked,
            id_=secrets.token_hex(ID_BYTES),
            original=original if holds else None,
            why_not="" if holds else UNSIGNED_ORIGINAL,
        )
        self._store.keep(second)
        return Compared(original=first, file=second)

    def taken_along(
        self, media: Media, asked: Asked, *, crjson: bool = False, bundle: bool = False
    ) -> Examined:
        """Examined, with the credential as crJSON or the evidence bundle; nothing is kept."""
        return self._examiner(asked).examine(
            media, as_of=asked.as_of, forensics=asked.forensics, crjson=crjson, bundle=bundle
        )

    def _examiner(self, asked: Asked) -> WarmExaminer:
        wanted = self._default or asked.forensics is True
        return self._examiners[wanted if asked.heuristics is None else asked.heuristics]

    def judged(self, media: Media) -> Judged:
        """The outcome of every axis, cryptographic evidence alone, and what would be logged of a capture;
        nothing is kept."""
        looks = self._recovery is not None
        examined = self._examiners[False].examine(media, capture=True, looks=looks)
        proof = examined.report.cryptographic
        return Judged(
            outcomes={a.axis: a.outcome for a in proof.axes},
            digests=examined.digests,
            counter=examined.counter,
            stamped_at=proof.not_after,
            looks=examined.looks,
            manifest=examined.manifest,
        )

    def looks_of(self, media: Media) -> Looks:
        """What a picture looks like, and the pictures in it. Raises what the confined examiner raises."""
        looks = self._examiners[False].examine(media, looks=True).looks
        return looks or Looks(why_not="nobody looked")

    def views_of(self, media: Media, asked: ViewsAsked) -> tuple[DrawnView, ...]:
        """Drawn now and kept nowhere. Raises what the confined examiner raises."""
        step = AT_ONCE if asked.small else 1
        parts = (asked.names[i : i + step] for i in range(0, len(asked.names), step))
        return tuple(
            drawn
            for names in parts
            for drawn in self._examiners[False].examine(media, views=replace(asked, names=names)).views
        )

    def _recovered(self, report: Report, looks: Looks, viewer: Viewer) -> Report:
        """With the photos that were signed here and that it looks like, or why nobody could look."""
        assert self._recovery is not None
        why = looks.nothing_to_compare
        if not why:
            try:
                found = self._recovery.look_up(looks, viewer, but=report.subject.sha256)
                return with_recovered(report, found)
            except Unavailable as e:
                why = e.detail
        unknown = NotExamined(what=RECOVERY, why=why)
        return replace(report, not_examined=(*report.not_examined, unknown))

    def occupied(self) -> dict[str, tuple[int, int]]:
        """Of each pool its examiners, and how many of them are busy."""
        named = {True: "with_heuristics", False: "without_heuristics"}
        return {named[which]: pool.occupied for which, pool in self._examiners.items()}

    @property
    def holds(self) -> Holds:
        """What holds the processes that strangers' files are opened in; nothing before the first."""
        return self._examiners[self._default].holds

    def start_warming(self) -> None:
        """Build the usual examiner in the background: importing its models takes seconds."""
        with self._lock:
            if self._warming is None or not self._warming.is_alive():
                self._warming = threading.Thread(target=self._warm, name="assay-warming", daemon=True)
                self._warming.start()

    def why_not_ready(self) -> str | None:
        """None when an upload would be examined at once. Never waits; starts an examiner that has ended, and
        tries again after a while where that failed: what it lacked may be there by then."""
        if self._examiners[self._default].ready:
            return None
        why = self._failure
        if why is None or time.monotonic() - self._failed_at >= START_AGAIN_S:
            self.start_warming()
        return why or "the examiner is starting"

    def close(self) -> None:
        """End the confined processes and wait for them."""
        for examiner in self._examiners.values():
            examiner.close()
        if self._warming is not None:
            self._warming.join()

    def _warm(self) -> None:
        failure = None
        try:
            self._examiners[self._default].warm()
        except AuthnError as e:
            failure = f"the examiner cannot start [{e.code}]"
        self._failure, self._failed_at = failure, time.monotonic()


def report_text(report: Report) -> str:
    """The report as JSON text. ASCII, because a hostile manifest may hold what UTF-8 cannot carry."""
    return json.dumps(report_json(report), allow_nan=False, separators=(",", ":"))
