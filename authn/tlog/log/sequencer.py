"""The one writer of the log. Whoever appends waits in line; the first in line commits for all who wait, then
hands the line on to the first of those who came meanwhile.

One batch is one transaction: read the head and lock it, derive the tree again from the tiles and compare it
with the head, add the entries, sign, move the head, commit, mark the new size beside the key
(``authn.tlog.log.watermark``). Only then does anybody get an answer.

An error before the commit concerns this batch alone: it is undone, and those who wait for it are told. From
the moment a commit begins until it has returned nobody knows what is stored, and a log that goes on from a
guess may sign two histories. So the writer halts, and every later append is refused (``LogHalted``) until
the log was checked and opened again. It halts as well when tiles and head contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from authn.core.errors import LogHalted, LogInconsistent, Unavailable
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.entry import LogEntry
from authn.tlog.format.merkle import EMPTY_ROOT, Frontier, frontier_nodes, leaf_hash
from authn.tlog.format.proof import Known, inclusion_proof
from authn.tlog.format.receipt import Receipt
from authn.tlog.format.tiles import Subtrees, TileMissing, TileReader, TileWriter
from authn.tlog.log.storage import Row, Storage, Transaction, TreeHead
from authn.tlog.log.watermark import Watermark

MAX_BATCH = 256

# origin, size and root to a signed checkpoint
SignCheckpoint = Callable[[str, int, bytes], str]
Receipts = dict[bytes, Receipt]  # by leaf hash


def _held() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, kw_only=True)
class _Job:
    """``woken`` is released when there is an answer, or when it is this job's turn to lead."""

    entries: tuple[LogEntry, ...]
    receipts: tuple[Receipt, ...] | None = None
    failure: Unavailable | None = None
    woken: Lock = field(default_factory=_held)
    leads: bool = False

    @property
    def answered(self) -> bool:
        return self.receipts is not None or self.failure is not None


@dataclass(slots=True, kw_only=True)
class _Batch:
    entries: list[LogEntry] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)


class Sequencer:
    """Appends to one log. Safe to be shared by threads; other processes may append to the same log."""

    def __init__(
        self, storage: Storage, origin: str, sign: SignCheckpoint, watermark: Watermark | None = None
    ) -> None:
        """Without a ``watermark`` nothing outside the storage knows how large the log was."""
        self._watermark = watermark
        self._storage = storage
        self._origin = origin
        self._sign = sign
        self._line: list[_Job] = []
        self._line_lock = Lock()
        self._led = False  # somebody commits, or is about to
        self._turn = Lock()
        self._halted: str | None = None
        self._subtrees = Subtrees()  # of one batch for the next: a tile has grown by some hashes, or not
        self._seen = 0  # the largest size this writer knows to be committed

    def start(self) -> None:
        """Sign the empty tree where there is none; else check that this is the log it should be.

        Raises ``LogInconsistent`` when tiles and head contradict each other, ``LogHalted`` for a log of
        another origin, ``Unavailable``.
        """
        with self._turn, self._storage.transaction() as transaction:
            head = transaction.head()
            if head is not None:
                self._derive(head, TileReader(transaction.tile))
            else:
                if self._watermark is not None:
                    self._watermark.check(self._origin, None, lambda _: EMPTY_ROOT)
                head = self._signed(0, EMPTY_ROOT)
                transaction.advance(None, head)
                transaction.commit()
            self._mark(head)

    def append(self, entries: Sequence[LogEntry]) -> tuple[Receipt, ...]:
        """A receipt for each entry, once they are durable. An entry that is logged already stays where it is.

        Raises ``LogHalted`` when the log's state is in doubt: the entries may be logged or not, and asking
        again with the same entries after a restart is safe. Raises ``Unavailable`` when they are not logged,
        or could not be marked; asking again is safe then too.
        """
        job = _Job(entries=tuple(entries))
        with self._line_lock:
            self._line.append(job)
            job.leads, self._led = not self._led, True
        if not job.leads:
            self._wait(job)
        if job.leads:
            try:
                with self._turn:
                    self._commit_line()
            finally:
                self._hand_on(job)
        if job.receipts is None:
            raise job.failure or LogHalted("the log was interrupted")
        return job.receipts

    def _wait(self, job: _Job) -> None:
        """Until it is answered or leads. Who is interrupted while waiting must not be left with the lead."""
        waited = False
        try:
            waited = job.woken.acquire()
        finally:
            if not waited:
                with self._line_lock:
                    self._line = [other for other in self._line if other is not job]
                    leads = job.leads
                if leads:
                    self._hand_on(job)

    def _hand_on(self, job: _Job) -> None:
        """To the first who came meanwhile. Who has an answer is not in line, and wakes by that alone: a lock
        for which all of them queued would be won by the next new one, and every batch would be of one."""
        with self._line_lock:
            self._line = [other for other in self._line if other is not job]  # where it was interrupted
            self._led = bool(self._line)
            if self._line:
                self._line[0].leads = True
                self._line[0].woken.release()

    def append_queued(self) -> int:
        """Log what waits in the database (``queue.enqueue``); returns how many. Raises as ``append``."""
        count = 0
        with self._turn:
            while waiting := self._storage.queued(MAX_BATCH):
                batch = _Batch(entries=[q.entry for q in waiting], queued=[q.id for q in waiting])
                self._write(batch)
                count += len(waiting)
        return count

    @property
    def halted(self) -> str | None:
        """Why nothing more is signed; None while all is well."""
        return self._halted

    def close(self) -> None:
        """Let the storage go; waits for a batch that is being written."""
        with self._turn:
            self._storage.close()

    def _commit_line(self) -> None:
        """One batch from the front of the line, whose first is the caller's own."""
        with self._line_lock:
            taken, size = 0, 0
            while taken < len(self._line) and (not taken or size < MAX_BATCH):
                size += len(self._line[taken].entries)
                taken += 1
            jobs, self._line = self._line[:taken], self._line[taken:]
        self._answer(jobs, _Batch(entries=[entry for job in jobs for entry in job.entries]))

    def _answer(self, jobs: list[_Job], batch: _Batch) -> None:
        failure: Unavailable = LogHalted("the log was interrupted")
        receipts: Receipts | None = None
        try:
            receipts = self._write(batch)
        except Unavailable as e:
            failure = e
        finally:  # also on an interrupt: nobody in line may wait for a batch that is not coming
            for job in jobs:
                if receipts is None:
                    job.failure = failure
                else:
                    job.receipts = tuple(receipts[leaf_hash(entry.leaf)] for entry in job.entries)
                if not job.leads:
                    job.woken.release()

    def _write(self, batch: _Batch) -> Receipts:
        if self._halted is not None:
            raise LogHalted(self._halted)
        try:
            with self._storage.transaction() as transaction:
                return self._in_transaction(transaction, batch)
        except TileMissing as e:
            self._halted = f"the log's tiles are behind its head: {e}"
            raise LogInconsistent(self._halted) from e
        except LogHalted as e:
            self._halted = e.detail
            raise
        except Unavailable as e:
            if self._halted is None:
                raise
            raise LogHalted(self._halted) from e

    def _in_transaction(self, transaction: Transaction, batch: _Batch) -> Receipts:
        head = transaction.head()
        if head is None:
            raise LogInconsistent("the log has no state, though it had one when it was opened")
        reader = TileReader(transaction.tile, self._subtrees)
        frontier = self._derive(head, reader)
        entries = {leaf_hash(entry.leaf): entry for entry in batch.entries}
        known = transaction.indices(tuple(entries)) if entries else {}
        writer, rows = TileWriter(reader), []
        for hash_, entry in entries.items():
            if hash_ not in known:
                rows.append(Row(index=frontier.size, leaf_hash=hash_, entry=entry))
                frontier.append(hash_, writer.emit)
        tiles = writer.tiles()
        if rows:
            transaction.add_entries(rows)
            transaction.put_tiles(tiles)
            head, old = self._signed(frontier.size, frontier.root()), head
            if not transaction.advance(old, head):
                raise LogHalted("another writer moved the log's head although it was locked")
        if batch.queued:
            transaction.unqueue(batch.queued)
        places = {**known, **{row.leaf_hash: row.index for row in rows}}
        receipts = _receipts(head, places, entries, _grown(reader, tiles, self._subtrees))
        if rows or batch.queued:
            self._commit(transaction)
            self._seen = head.size
        self._mark(head)
        return receipts

    def _mark(self, head: TreeHead) -> None:
        """Before anybody learns of a tree. What was committed stays, also where this raises."""
        if self._watermark is not None:
            self._watermark.keep(Checkpoint(head.origin, head.size, head.root))

    def _commit(self, transaction: Transaction) -> None:
        """Between the two assignments lies the doubt; an exception of whatever kind leaves it standing."""
        self._halted = "a commit of the log did not return; check the log, then start again"
        transaction.commit()
        self._halted = None

    def _derive(self, head: TreeHead, reader: TileReader) -> Frontier:
        """The tree as the tiles have it. Signing anything else would be a second history."""
        if head.origin != self._origin:
            raise LogHalted(f"the database holds the log {head.origin}, not {self._origin}")
        if head.size < self._seen:
            raise LogInconsistent("the log is smaller than it was; was an older copy put in its place?")
        self._seen = head.size
        try:
            frontier = _frontier(head.size, reader)
            if frontier.root() != head.root:
                raise LogInconsistent("the log's tiles do not have the root that was signed")
            if self._watermark is not None:
                self._watermark.check(head.origin, head.size, lambda size: _frontier(size, reader).root())
        except TileMissing as e:
            raise LogInconsistent(f"the log's tiles are behind its head: {e}") from e
        return frontier

    def _signed(self, size: int, root: bytes) -> TreeHead:
        note = self._sign(self._origin, size, root)
        return TreeHead(origin=self._origin, size=size, root=root, note=note)


def _frontier(size: int, reader: TileReader) -> Frontier:
    return Frontier(size, tuple(reader.node(*node) for node in frontier_nodes(size)))


def _grown(stored: TileReader, tiles: Mapping[tuple[int, int], bytes], subtrees: Subtrees) -> TileReader:
    """The tiles that are about to be stored over those that are."""
    return TileReader(lambda level, index: tiles.get((level, index)) or stored.tile(level, index), subtrees)


def _receipts(
    head: TreeHead,
    places: dict[bytes, int],
    entries: dict[bytes, LogEntry],
    reader: TileReader,
) -> Receipts:
    """Proofs in the tree as it will be."""
    node, known = reader.node, Known()
    return {
        hash_: Receipt(
            index=index,
            proof=inclusion_proof(node, index, head.size, known),
            note=head.note,
            kind=entries[hash_].kind,
            salt=entries[hash_].salt,
            version=entries[hash_].leaf_version,
        )
        for hash_, index in places.items()
    }
