"""A log behind a real port that serves whatever tree a test wants it to, and lies where a test says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.note import SigningKey, sign
from authn.tlog.format.tiles import LEVEL_BITS, WIDTH, entry_bundle, parse_tile_path, tile_width
from tests.authn.tlog.trees import Grown
from tests.doubles.http_server import Answer, Asked, serving
from tests.doubles.logs import KEY


@dataclass
class ServedLog:
    """``leaves`` up to ``size`` are the tree that is signed. ``shown`` replaces single leaves in bundles,
    ``answers`` whole answers by path; ``down`` answers 503 to everything. ``stall`` is waited for before
    every bundle but the first ``unstalled``. ``witness`` signs with the log."""

    leaves: Sequence[bytes]
    size: int
    key: SigningKey = KEY
    witness: Cosigner | None = None
    witnessed_note: str | None = None
    shown: dict[int, bytes] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    down: bool = False
    full_only: bool = False
    stall: threading.Event | None = None
    unstalled: int = 0
    asked: list[str] = field(default_factory=list)

    def note(self, size: int | None = None) -> str:
        size = self.size if size is None else size
        root = Grown(self.leaves[:size]).roots[size]
        signers = (self.key, self.witness) if self.witness else (self.key,)
        return sign(Checkpoint(self.key.name, size, root).text(), signers)

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked.path)
        path = asked.path.removeprefix("/log/")
        if self.down:
            return Answer(status=503)
        if path in self.answers:
            return self.answers[path]
        if path == "checkpoint":
            return Answer(body=self.note().encode())
        if path == "witnessed" and self.witnessed_note:
            return Answer(body=self.witnessed_note.encode())
        kind, _, rest = path.removeprefix("tile/").partition("/")
        wanted = parse_tile_path(rest) if path.startswith("tile/") else None
        if wanted is None or (self.full_only and wanted.width < WIDTH):
            return Answer(status=404)
        return self._bundle(wanted.index, wanted.width) if kind == "entries" else self._tile(int(kind), rest)

    @property
    def bundles_asked(self) -> int:
        return sum("entries" in path for path in self.asked)

    def _bundle(self, index: int, width: int) -> Answer:
        if self.stall is not None and self.bundles_asked > self.unstalled:
            self.stall.wait(60)
        numbers = range(index * WIDTH, min(index * WIDTH + width, len(self.leaves)))
        return Answer(body=entry_bundle(self.shown.get(n, self.leaves[n]) for n in numbers))

    def _tile(self, level: int, rest: str) -> Answer:
        wanted = parse_tile_path(rest)
        assert wanted is not None
        tree = Grown(self.leaves)
        width = min(wanted.width, tile_width(len(self.leaves), level, wanted.index))
        first = wanted.index * WIDTH
        return Answer(body=b"".join(tree.node(LEVEL_BITS * level, first + i) for i in range(width)))


@contextmanager
def served(log: ServedLog) -> Iterator[str]:
    """The address of the log."""
    with serving(log) as url:
        yield f"{url}/log"
