"""What a monitor remembers: the newest checkpoint it derived, how far it is on the way to a newer one, leaves
that concern its owner. One file, replaced whole, so that a kill at any moment leaves the old one or the new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from authn.core.errors import Busy, FileUnusable
from authn.tlog.format.merkle import Frontier
from signer.core.durable import create_durably, write_durably
from signer.core.locks import lock_file

FILE, LOCK, EVIDENCE = "monitor.json", "monitor.lock", "evidence"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A leaf to be told about; ``leaf`` is its text."""

    index: int
    leaf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The tree up to ``size``, derived from entries. ``untagged``: leaves about certificates or revocations
    that were written before there were tags. ``strange``: leaves of a form that is not known here."""

    size: int = 0
    hashes: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    untagged: int = 0
    strange: int = 0

    def frontier(self) -> Frontier:
        """Raises ``ValueError``."""
        return Frontier(self.size, tuple(map(bytes.fromhex, self.hashes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``note`` is derived at ``at``. ``targets`` are newer notes that were seen and ``reached`` is the way to
    them; None where nothing is on the way. ``searched``: what leaves were searched for.
    ``reported``: leaves below were told about. ``witnessed``: the largest size that enough witnesses had
    signed. ``unwitnessed``: a size that too few witnesses had signed when
    it was seen, and the time then (seconds since 1970)."""

    origin: str
    note: str = ""
    at: Position = Position()
    targets: tuple[str, ...] = ()
    reached: Position | None = None
    searched: tuple[str, ...] = ()
    reported: int = 0
    witnessed: int = 0
    unwitnessed: tuple[int, float] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that a newer checkpoint has to continue."""
        return tuple(filter(None, (self.note, *self.targets)))


class StateFolder:
    """Raises ``Unavailable`` for a folder or a file that cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else monitors with this folder meanwhile."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = lock_file(self._folder / LOCK, wait=False)
        except BlockingIOError as e:
            raise Busy(f"another monitor uses the folder {self._folder}") from e
        except OSError as e:
            raise FileUnusable(f"the folder {self._folder} cannot be used: {e.strerror}") from e
        with held:
            yield

    def load(self) -> State | None:
        """None before the first ``save``."""
        path = self._folder / FILE
        try:
            return _parsed(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as e:
            raise FileUnusable(f"{path} cannot be read: {e.strerror}") from e
        except (ValueError, KeyError, TypeError, RecursionError) as e:
            raise FileUnusable(
                f"{path} is damaged; keep it, and begin with another folder to read the log from its start"
            ) from e

    def save(self, state: State) -> None:
        content = json.dumps({"version": VERSION, **asdict(state)}, indent=1).encode()
        self._write(FILE, content)

    def keep(self, name: str, text: str) -> Path:
        """A file of evidence under a name that says what it is; what lies there already stays."""
        path = self._folder / EVIDENCE / f"{name}.txt"
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            create_durably(path, text.encode())
        except FileExistsError:
            pass
        except OSError as e:
            raise FileUnusable(f"{path} cannot be written: {e.strerror}") from e
        return path

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_durably(self._folder / name, content)
        except OSError as e:
            raise FileUnusable(f"{self._folder / name} cannot be written: {e.strerror}") from e


def _parsed(members: dict[str, object]) -> State:
    """Raises ``ValueError``, ``KeyError``, ``TypeError``."""
    if members.pop("version") != VERSION:
        raise ValueError("another version")
    state = State(**members)  # type: ignore[arg-type]
    at = _position(state.at)
    if at is None:
        raise ValueError("no position")
    pending = state.unwitnessed
    return replace(
        state,
        at=at,
        targets=tuple(map(str, state.targets)),
        reached=_position(state.reached),
        searched=tuple(map(str, state.searched)),
        unwitnessed=None if pending is None else (int(pending[0]), float(pending[1])),
    )


def _position(members: object) -> Position | None:
    if members is None:
        return None
    if not isinstance(members, dict):
        raise TypeError("no position")
    found = tuple(Found(index=int(f["index"]), leaf=str(f["leaf"])) for f in members.pop("found"))
    position = Position(found=found, **members)
    position = replace(position, hashes=tuple(map(str, position.hashes)))
    position.frontier()
    return position
