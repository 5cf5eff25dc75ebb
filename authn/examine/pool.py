"""Examiners in processes of their own, side by side: who gets one when, and what is believed of its answer.

What the process does there: ``held``; the process itself: ``authn.confinement``.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

from authn.confinement.confined import START_TIMEOUT_S, Confined
from authn.core.errors import AuthnError, BundleError, Busy, ExaminationFailed, Unavailable
from authn.core.holds import Holds
from authn.core.media import Media, MediaLimits
from authn.core.score_map import maps_text, parse_maps
from authn.core.views import MAX_DRAWN_BYTES, DrawnView, ViewsAsked
from authn.devices import RegistryView
from authn.examine.held import open_examination, warm
from authn.examine.request import MAX_CRJSON_BYTES, Examined, Opens, Request
from signer.core.sniff import sniff

MAX_PREVIEW_BYTES = 4 * 1024 * 1024
HEAD_START_S = 0.02  # more than a file takes that has a credential and no other evidence


class ExaminerPool:
    """``examine`` as ``Examiner`` has it, in confined workers, with a picture if asked for.

    So many files are looked at side by side as ``size`` says; those that wait get their turn in the order in
    which they came. One that stops its worker leaves the others theirs. Of files that take a moment only
    ``at_once`` are looked at side by side: on so many cores more of them would take longer.
    """

    def __init__(
        self,
        build: Opens,
        *,
        timeout_s: float,
        memory_bytes: int,
        start_timeout_s: float = START_TIMEOUT_S,
        limits: MediaLimits | None = None,
        readable: tuple[Path, ...] = (),
        registry: RegistryView | None = None,
        size: int = 1,
        at_once: int | None = None,
        talks: bool = True,
    ) -> None:
        self._at_once = size if at_once is None else max(1, at_once)
        self._all = tuple(
            Confined(
                partial(open_examination, build, limits or MediaLimits()),
                question=Request,
                answer=Examined,
                timeout_s=timeout_s,
                memory_bytes=memory_bytes,
                start_timeout_s=start_timeout_s,
                warm=warm,
                readable=readable,
                registry=registry,
                talks=talks,
            )
            for _ in range(size)
        )
        self._patience_s = timeout_s + start_timeout_s
        self._idle = list(self._all)
        self._waiting: deque[object] = deque()
        self._free = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        """Whether some worker is built and alive; never waits."""
        return any(one.ready for one in self._all)

    @property
    def holds(self) -> Holds:
        """What holds the newest workers; nothing before the first."""
        return next((one.holds for one in self._all if one.holds), ())

    @property
    def occupied(self) -> tuple[int, int]:
        """How many workers there are, and how many of them have a file or are being started anew."""
        with self._free:
            return len(self._all), len(self._all) - len(self._idle)

    def warm(self) -> None:
        """As ``Confined.warm``: the first worker, then the others."""
        for one in self._all:
            one.warm()

    def examine(
        self,
        media: Media,
        as_of: datetime | None = None,
        preview: bool = False,
        *,
        receipt: str | None = None,
        capture: bool = False,
        looks: bool = False,
        original: Media | None = None,
        crjson: bool = False,
        forensics: bool | None = None,
        views: ViewsAsked | None = None,
        bundle: bool = False,
    ) -> Examined:
        """``media`` may be unparsed; ``capture`` asks for the digests too, ``looks`` for what it looks like,
        ``original`` (with ``preview``) for where it differs from that one, ``crjson`` for the credential in
        that form, with labels; ``forensics``, ``views`` and ``bundle`` as in ``Request``. Raises as
        ``Confined.ask``, and ``MediaError`` for a header that is not readable or declares too much."""
        request = Request(
            media=media,
            as_of=as_of,
            preview=preview,
            receipt=receipt,
            capture=capture,
            looks=looks,
            original=original,
            crjson=crjson,
            forensics=forensics,
            views=views,
            bundle=bundle,
        )
        one = self._taken()
        failed = False
        try:
            examined = one.ask(request)
        except ExaminationFailed:
            failed = True
            raise
        finally:
            self._release(one, failed=failed)
        return _believed(examined, request, one.holds)

    def close(self) -> None:
        """Let the workers end by themselves, side by side; kill those that do not."""
        closing = [threading.Thread(target=one.close) for one in self._all[1:]]
        for thread in closing:
            thread.start()
        self._all[0].close()
        for thread in closing:
            thread.join()

    def _taken(self) -> Confined[Request, Examined]:
        """One that is free, when it is our turn; rather one that has started, and was the last to work."""
        ticket = object()
        with self._free:
            self._waiting.append(ticket)
            try:
                self._free.wait_for(lambda: self._is_next(ticket) and self._has_core(), HEAD_START_S)
                if not self._free.wait_for(lambda: self._is_next(ticket), self._patience_s):
                    raise Busy("the examiner is busy with other files; try again")
                one = next((i for i in reversed(self._idle) if i.ready), self._idle[0])
                self._idle.remove(one)
            finally:
                self._waiting.remove(ticket)
                self._free.notify_all()
        return one

    def _is_next(self, ticket: object) -> bool:
        return bool(self._idle) and self._waiting[0] is ticket

    def _has_core(self) -> bool:
        return len(self._all) - len(self._idle) < self._at_once

    def _release(self, one: Confined[Request, Examined], *, failed: bool) -> None:
        """The next caller shall not wait for a start that a file has made necessary."""
        if failed:
            threading.Thread(target=self._replace, args=(one,), name="assay-replacing", daemon=True).start()
        else:
            self._give_back(one)

    def _give_back(self, one: Confined[Request, Examined]) -> None:
        with self._free:
            self._idle.append(one)
            self._free.notify_all()

    def _replace(self, one: Confined[Request, Examined]) -> None:
        try:
            with contextlib.suppress(AuthnError):  # the next call tries again, and tells
                one.warm()
        finally:
            self._give_back(one)


def _believed(examined: Examined, request: Request, holds: Holds) -> Examined:
    """With what the caller knows in place of what the worker says. Raises ``ExaminationFailed`` for a report
    on another file or time, and for a picture or a map that is none."""
    report, media = examined.report, request.media
    about = (report.subject.sha256, report.subject.bytes, report.subject.name, report.subject.media_type)
    asked = (media.sha256, len(media.data), media.name, media.media_type)
    if about != asked or (request.as_of is not None and report.evaluated_as_of != request.as_of):
        raise ExaminationFailed("the worker's answer is a report on something else")
    preview = examined.preview_jpeg
    if preview is not None and not (preview.startswith(b"\xff\xd8") and len(preview) <= MAX_PREVIEW_BYTES):
        raise ExaminationFailed("the worker's preview is not a small JPEG")
    try:
        parse_maps(maps_text(examined.maps))
    except Unavailable as e:
        raise ExaminationFailed("the worker's maps are not maps") from e
    _refuse_other_json(examined.crjson)
    _refuse_other_views(examined.views, request.views)
    _refuse_other_bundle(examined, media)
    return replace(examined, report=replace(report, run=replace(report.run, confinement=holds)))


def _refuse_other_bundle(examined: Examined, media: Media) -> None:
    """Of fixed names and bounded sizes, about these bytes and with this report, or none."""
    if examined.bundle is None:
        return
    from authn.examine.bundle import canonical_report, read_bundle

    try:
        found = read_bundle(examined.bundle, len(media.data))
    except BundleError as e:
        raise ExaminationFailed("the worker's bundle is none") from e
    if found.media != media.data or found.report != canonical_report(examined.report):
        raise ExaminationFailed("the worker's bundle is about something else")


def _refuse_other_json(crjson: bytes | None) -> None:
    if crjson is None:
        return
    try:
        if len(crjson) <= MAX_CRJSON_BYTES and isinstance(json.loads(crjson), dict):
            return
    except (ValueError, RecursionError):
        pass
    raise ExaminationFailed("the worker's crJSON is none")


def _refuse_other_views(drawn: tuple[DrawnView, ...], asked: ViewsAsked | None) -> None:
    kind = "image/jpeg" if asked is not None and asked.small else "image/png"
    whole = all(
        d.picture is None or (sniff(d.picture) == kind and len(d.picture) <= MAX_DRAWN_BYTES) for d in drawn
    )
    if not whole or tuple(d.name for d in drawn) != (() if asked is None else asked.names):
        raise ExaminationFailed("the worker's views are not those that were asked for")
