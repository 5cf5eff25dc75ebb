"""Examiners that misbehave on purpose: what the file's name says, they do. Importable by a spawned worker."""

from __future__ import annotations

import gc
import os
import signal
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path, PurePath

from authn.core.errors import Unavailable
from authn.core.holds import Hold
from authn.core.media import Media
from authn.core.report import Report, Subject
from authn.core.score_map import Maps
from authn.devices import DeviceRecord, RegistryView
from authn.examine.request import PROBE_NAME
from tests.doubles.reports import AS_OF, altered_report, contradicting_report, unsigned_report
from tests.doubles.score_maps import score_map


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedExaminer:
    """Reports what a real examiner could, unless the file's name asks for trouble."""

    delay_s: float = 0.0
    calls: int | None = None  # opened while it is built: later nothing can be opened for writing

    def examine(self, media: Media, *, as_of: datetime | None = None, **_also: str | bool | None) -> Report:
        wish = PurePath(media.name).stem.split("-")[0]
        if self.calls is not None and media.name != PROBE_NAME:
            os.write(self.calls, f"{os.getpid()} {media.name}\n".encode())
        time.sleep(self.delay_s if media.name != PROBE_NAME else 0)
        match wish:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hang":
                time.sleep(3600)
            case "spin":
                while True:
                    pass
            case "eat":
                eaten = bytearray(64 * 2**30)
                raise AssertionError(len(eaten))
            case "exit":
                os._exit(3)
            case "bug":
                raise ZeroDivisionError("a defect of ours")
            case "unavailable":
                raise Unavailable("the roots are gone")
            case "lies" | "boasts":
                return _lie(report_of(media, as_of or AS_OF), PurePath(media.name).stem)
            case _:
                pass
        return report_of(media, as_of or AS_OF)

    def maps(self, media: Media, report: Report) -> Maps:
        """None, unless the file's name asks for one."""
        return (score_map(),) if PurePath(media.name).stem == "contradiction-placed" else ()


def report_of(media: Media, as_of: datetime) -> Report:
    kind = PurePath(media.name).stem.split("-")[0]
    made = {"altered": altered_report, "contradiction": contradicting_report}.get(kind, unsigned_report)()
    run = replace(made.run, report_id=os.urandom(8).hex(), elapsed_ms=float(os.getpid()))
    return replace(made, subject=Subject.of(media), evaluated_as_of=as_of, run=run)


def _lie(report: Report, about: str) -> Report:
    match about:
        case "lies-sha256":
            return replace(report, subject=replace(report.subject, sha256="0" * 64))
        case "lies-name":
            return replace(report, subject=replace(report.subject, name="another.gif"))
        case "lies-time":
            return replace(report, evaluated_as_of=report.evaluated_as_of + timedelta(days=1))
        case _:
            boast = Hold(name="walls", active=True, detail="very thick")
            return replace(report, run=replace(report.run, confinement=(boast,)))


def open_scripted(
    _registry: RegistryView | None = None, *, delay_s: float = 0.0, calls: Path | None = None
) -> ScriptedExaminer:
    noted = None if calls is None else os.open(calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return ScriptedExaminer(delay_s=delay_s, calls=noted)


def open_unavailable(_registry: RegistryView | None = None) -> ScriptedExaminer:
    raise Unavailable("no roots are configured")


def open_dying(_registry: RegistryView | None = None) -> ScriptedExaminer:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def open_sleeping(_registry: RegistryView | None = None) -> ScriptedExaminer:
    time.sleep(3600)
    raise AssertionError("woke up")


class LoadingExaminer:
    """Loads its model at the first picture, as real sources do."""

    def __init__(self, _registry: RegistryView | None = None, *, load_bytes: int, load_s: float) -> None:
        self._load_bytes, self._load_s = load_bytes, load_s
        self._model: bytearray | None = None

    def examine(self, media: Media, *, as_of: datetime | None = None, **_also: str | bool | None) -> Report:
        if self._model is None:
            time.sleep(self._load_s)
            self._model = bytearray(self._load_bytes)
        if media.name.startswith("needs-much"):
            bytearray(self._load_bytes)
        return report_of(media, as_of or AS_OF)

    def maps(self, media: Media, report: Report) -> Maps:
        return ()


open_loading = LoadingExaminer


class TakenOverExaminer:
    """Sends bytes of its own choice down the pipe, as code that a file brought along would."""

    def __init__(self, messages: tuple[bytes, ...], _registry: RegistryView | None = None) -> None:
        self._messages = messages

    def examine(self, media: Media, *, as_of: datetime | None = None, **_also: str | bool | None) -> Report:
        if media.name != PROBE_NAME:
            gc.unfreeze()  # what the process has put out of sight
            (pipe,) = (o for o in gc.get_objects() if isinstance(o, Connection) and not o.closed)
            for message in self._messages:
                pipe.send_bytes(message)
        return report_of(media, as_of or AS_OF)

    def maps(self, media: Media, report: Report) -> Maps:
        return ()


class AskedRegistry:
    """A ``RegistryView`` that notes what it is asked: f...f finds the database gone, 0...0 is nobody."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        self.asked.append(spki_sha256)
        if spki_sha256 == "f" * 64:
            raise Unavailable("the database is gone")
        if spki_sha256 == "0" * 64:
            return None
        return DeviceRecord(device_id="d", name="cam", spki_sha256=spki_sha256, enrolled_at=AS_OF)
