"""What a job needs and its row does not hold: the bytes of an upload, until the job has ended.

One folder, mode 0700, files of mode 0600 that are whole or not there. They are on the disk before the job is
in the table, and go after it has ended; what a crash leaves between is swept up.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

from authn.core.errors import FileUnusable, InputLost, SpoolFull
from signer.core.durable import write_durably

MEDIA, SIDECAR = ".media", ".c2pa"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
STRAY_AFTER_S = 600.0
_NAME = re.compile(r"\.?([0-9a-f]{16,64})\.(?:media|c2pa)(?:\..*)?")


class Spool:
    """Made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, id_: str, data: bytes, sidecar: bytes | None = None) -> None:
        """Raises ``SpoolFull`` where the disk has no room, else ``FileUnusable``; then nothing is left."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self._folder / f"{id_}{MEDIA}", data)
            if sidecar is not None:
                write_durably(self._folder / f"{id_}{SIDECAR}", sidecar)
        except OSError as e:
            self.drop(id_)
            if e.errno in NO_ROOM:
                raise SpoolFull("there is no room to keep an upload until somebody has time for it") from e
            raise FileUnusable(f"an upload cannot be kept: {e.strerror}") from e

    def load(self, id_: str, sha256: str, sidecar_sha256: str | None = None) -> tuple[bytes, bytes | None]:
        """Raises ``InputLost`` where a file is gone, or its digest is not that of what was accepted."""
        try:
            data = (self._folder / f"{id_}{MEDIA}").read_bytes()
            beside = self._folder / f"{id_}{SIDECAR}"
            sidecar = None if sidecar_sha256 is None else beside.read_bytes()
        except OSError as e:
            raise InputLost(f"what was uploaded cannot be read any more: {e.strerror}") from e
        for part, digest in ((data, sha256), (sidecar, sidecar_sha256)):
            if part is not None and hashlib.sha256(part).hexdigest() != digest:
                raise InputLost("what was uploaded has changed on the disk of this service")
        return data, sidecar

    def drop(self, id_: str) -> None:
        """Nothing that is not there can be dropped; what cannot be is swept up later."""
        for suffix in (MEDIA, SIDECAR):
            try:
                (self._folder / f"{id_}{suffix}").unlink(missing_ok=True)
            except OSError:
                continue

    def sweep(self, still_needed: Callable[[Collection[str]], Collection[str]]) -> int:
        """Drop files older than ten minutes whose job is not among those ``still_needed``; returns how many
        jobs they were of."""
        before = time.time() - STRAY_AFTER_S
        found: dict[str, list[Path]] = {}
        try:
            for path in self._folder.iterdir():
                if (named := _NAME.fullmatch(path.name)) and path.stat().st_mtime < before:
                    found.setdefault(named[1], []).append(path)
        except OSError:  # no folder yet, or a file that went meanwhile
            return 0
        strays = found.keys() - set(still_needed(tuple(found)))
        for id_ in strays:
            for path in found[id_]:
                with contextlib.suppress(OSError):  # at the next sweep
                    path.unlink(missing_ok=True)
        return len(strays)
