"""A hot folder: which files of it are complete and not dealt with yet.

A file counts as complete when its size and times stood still for a while: a camera over a cable, a copy and a
synchronising phone all write in bursts, and none of them says when it is done. What happens to a file is the
caller's ``handle``; a file that failed is reported once and offered again only when it changes. Polling needs
no library and works on network shares, where notifications do not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from signer.core.errors import UnreadableMedia

DEFAULT_INTERVAL_S = 1.0
DEFAULT_SETTLE_S = 2.0
_UNFINISHED = (
    ".crdownload", ".download", ".filepart", ".lock", ".part", ".partial", ".swp", ".temp", ".tmp", "~",
)  # fmt: skip

_State = tuple[int, int, int]


@dataclass(slots=True)
class _Sighting:
    state: _State
    since_s: float
    handled: bool = False


class HotFolder:
    """Remembers what it saw. ``scan`` and ``handled`` are the whole of it; time is a parameter."""

    def __init__(self, folder: Path, settle_s: float = DEFAULT_SETTLE_S) -> None:
        self.folder = folder
        self.settle_s = settle_s
        self._seen: dict[str, _Sighting] = {}

    def scan(self, now_s: float) -> tuple[Path, ...]:
        """Files that are complete and were not handled in this state, by name. Raises ``UnreadableMedia``
        where the folder is not there."""
        present = dict(_candidates(self.folder))
        self._seen = {name: s for name, s in self._seen.items() if name in present}
        ready = []
        for name, state in sorted(present.items()):
            sighting = self._seen.get(name)
            if sighting is None or sighting.state != state:
                self._seen[name] = _Sighting(state=state, since_s=now_s)
            elif not sighting.handled and now_s - sighting.since_s >= self.settle_s:
                ready.append(self.folder / name)
        return tuple(ready)

    def handled(self, path: Path, *, rewritten: bool) -> None:
        """Do not offer the file again until it changes. Where handling rewrote it, that is no change; where
        it did not, whatever was written to it meanwhile is one."""
        state = _state(path) if rewritten else self._seen[path.name].state
        if state is None:
            self._seen.pop(path.name, None)
        else:
            self._seen[path.name] = _Sighting(state=state, since_s=0.0, handled=True)

    def unsettled(self) -> bool:
        """Whether some file is still being waited for."""
        return any(not s.handled for s in self._seen.values())


def watch(
    hot: HotFolder,
    handle: Callable[[Path], bool],
    *,
    idle: Callable[[], None] = lambda: None,
    once: bool = False,
    interval_s: float = DEFAULT_INTERVAL_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Handle every file as it becomes complete, until interrupted; with ``once``, until nothing new settles.

    ``handle`` says whether it rewrote the file and deals with its own errors: what it raises ends the watch.
    ``idle`` is called after each look.
    """
    while True:
        for path in hot.scan(clock()):
            hot.handled(path, rewritten=handle(path))
        idle()
        if once and not hot.unsettled():
            return
        sleep(interval_s)


def _candidates(folder: Path) -> Iterator[tuple[str, _State]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                    continue
                state = _state(Path(entry.path)) if entry.is_file(follow_symlinks=False) else None
                if state is not None and state[0] > 0:
                    yield entry.name, state
    except OSError as e:
        raise UnreadableMedia(f"the folder {folder} cannot be read: {e.strerror}") from e


def _state(path: Path) -> _State | None:
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
