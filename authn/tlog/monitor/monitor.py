"""Watching somebody else's log: the whole tree derived again from its entries, and never two histories.

Everything that was seen signed has to be continued by whatever is seen later. What cannot both be true is
kept, with both signed notes: they convince anybody who knows the log's key. Hashes of served tiles are used
only to tell what went wrong; what a monitor believes it has derived from entries itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NoReturn

from authn.core.errors import HomeUnfit, LogContradiction, NoteError
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.cosignature import signed_at
from authn.tlog.format.entry import VERSION, EntryKind, parse_leaf
from authn.tlog.format.merkle import leaf_hash
from authn.tlog.format.note import Verifier, verify
from authn.tlog.format.policy import WitnessPolicy
from authn.tlog.format.proof import consistency_proof, proves_consistency
from authn.tlog.format.tiles import WIDTH, TileMissing, TileReader
from authn.tlog.monitor.contradictions import Signed, compared, included
from authn.tlog.monitor.remote import RemoteLog, WronglyServed
from authn.tlog.monitor.state import Found, Position, State, StateFolder
from authn.tlog.monitor.watch_list import WatchList

SAVE_EVERY = 64 * WIDTH  # entries that a kill may cost
NOTABLE = frozenset({EntryKind.TSA, EntryKind.POLICY})
TAGGED_NOW = frozenset({EntryKind.CERTIFICATE, EntryKind.REVOCATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A leaf to be told about: about a device or key of the owner's, or a change of the service's own.

    ``new``: it was not reported before. ``asked``: it is about a certificate that the owner asked for.
    """

    index: int
    kind: str
    about: tuple[str, ...]
    asked: bool
    new: bool

    @property
    def unasked(self) -> bool:
        """A certificate for the owner's device or key that the owner did not ask for."""
        return self.kind == EntryKind.CERTIFICATE and bool(self.about) and not self.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the log, in which nothing contradicts anything. ``read``: entries that were derived.

    ``overdue_s``: for how long too few witnesses have signed something that was seen; 0 where all is signed.
    ``signed_s``: how long ago enough witnesses last signed what was shown; None where they never did, or
    nobody is asked. Who is shown an old log for ever sees nothing but this grow.
    ``untagged``: leaves of before tags, which nobody can attribute. ``strange``: leaves of an unknown form.
    """

    origin: str
    size: int
    root: bytes
    read: int
    witnesses: tuple[str, ...]
    witnessed_size: int
    overdue_s: float
    signed_s: float | None
    sightings: tuple[Sighting, ...]
    untagged: int
    strange: int


class Monitor:
    """``watch_list`` is read anew at each look. ``clock``: seconds since 1970. ``logs``: keys, one of which
    has to have signed; which one is remembered."""

    def __init__(
        self,
        remote: RemoteLog,
        logs: Sequence[Verifier],
        policy: WitnessPolicy | None,
        folder: StateFolder,
        watch_list: Callable[[], WatchList],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._remote = remote
        self._logs = tuple(logs)
        self._policy = policy
        self._folder = folder
        self._watch_list = watch_list
        self._clock = clock

    def locked(self) -> AbstractContextManager[None]:
        """Around all looks. Raises ``Unavailable`` where somebody else monitors with the same folder."""
        return self._folder.locked()

    def look(self) -> Look:
        """Raises ``LogContradiction`` after the evidence was kept, ``Unavailable`` where the log cannot be
        read now, ``NoteError`` where nobody who is known has signed what it serves."""
        witnessed = self._witnessed()
        new = self._signed(self._remote.checkpoint())
        watched = self._watch_list()
        state = self._searching(self._state(new), watched)
        seen = [*map(self._signed, state.notes), *([witnessed] if witnessed else [])]
        for earlier in seen:
            if (earlier.checkpoint.size, earlier.checkpoint.root) != (
                new.checkpoint.size,
                new.checkpoint.root,
            ) and earlier.checkpoint.size >= new.checkpoint.size:
                self._contradicts(earlier, new)
        before = (state.reached or state.at).size
        state = self._derived(state, new, seen, watched)
        enough = (s.checkpoint.size for s in (new, *seen) if self._is_enough(s))
        state = replace(state, witnessed=max((state.witnessed, *enough)))
        state = replace(state, unwitnessed=self._pending(state, new))
        self._folder.save(state)
        return Look(
            origin=new.checkpoint.origin,
            size=new.checkpoint.size,
            root=new.checkpoint.root,
            read=new.checkpoint.size - before,
            witnesses=new.witnesses,
            witnessed_size=state.witnessed,
            overdue_s=0.0 if state.unwitnessed is None else self._clock() - state.unwitnessed[1],
            signed_s=self._signed_ago((new, *seen)),
            sightings=_sightings(state, watched),
            untagged=state.at.untagged,
            strange=state.at.strange,
        )

    def reported(self) -> None:
        """What the last look found was told; the next one calls it old."""
        state = self._folder.load()
        if state is not None:
            self._folder.save(replace(state, reported=state.at.size))

    def keep_unasked(self, sighting: Sighting) -> str:
        """Evidence that the log has this entry, for showing it to others; where it lies."""
        state = self._folder.load()
        leaf = next((f.leaf for f in state.at.found if f.index == sighting.index), None) if state else None
        if state is None or leaf is None:
            raise HomeUnfit("the monitor has not seen that entry")
        text = included(leaf.encode(), sighting.index, self._signed(state.note), self._remote.tile)
        return str(self._folder.keep(f"unasked-{sighting.index}", text))

    def _signed(self, note: str) -> Signed:
        """Raises ``NoteError``, also for a bad signature of a witness whose key is known."""
        witnesses = () if self._policy is None else tuple(w.key for w in self._policy.witnesses)
        verified = verify(note, (*self._logs, *witnesses))
        checkpoint = parse_checkpoint(verified.text)
        signers = {(s.name, s.key_id): s.signature for s in verified.signatures}
        if not any((log.name, log.key_id) in signers and log.name == checkpoint.origin for log in self._logs):
            raise NoteError("the checkpoint is not signed by the log that it names")
        times = {
            w.name: signed_at(signers[w.name, w.key_id]) or 0
            for w in sorted(witnesses, key=lambda w: w.name)
            if (w.name, w.key_id) in signers
        }
        return Signed(checkpoint=checkpoint, note=note, witnesses=tuple(times), times=tuple(times.values()))

    def _witnessed(self) -> Signed | None:
        """Fetched before the newest one, which must not be smaller."""
        note = None if self._policy is None else self._remote.witnessed()
        return None if note is None else self._signed(note)

    def _is_enough(self, signed: Signed) -> bool:
        return self._policy is None or self._policy.satisfied_by(signed.witnesses)

    def _signed_ago(self, seen: Sequence[Signed]) -> float | None:
        """Of each note that enough have signed, the time since when they all had."""
        if self._policy is None or not self._policy.quorum:
            return None
        since = [
            at
            for s in seen
            for at in s.times
            if self._policy.satisfied_by([n for n, t in zip(s.witnesses, s.times, strict=True) if t >= at])
        ]
        return max(0.0, self._clock() - max(since)) if since else None

    def _state(self, new: Signed) -> State:
        state = self._folder.load()
        if state is None:
            return State(origin=new.checkpoint.origin)
        if state.origin != new.checkpoint.origin:
            raise HomeUnfit(f"this folder is about the log {state.origin}, not {new.checkpoint.origin}")
        return state

    def _searching(self, state: State, watched: WatchList) -> State:
        """Everything is read again for what was not searched for before."""
        if watched.identities <= set(state.searched):
            return state
        searched = tuple(sorted({*state.searched, *watched.identities}))
        again = Position() if state.note or state.reached else None
        return replace(state, searched=searched, reached=again, reported=0)

    def _derived(self, state: State, new: Signed, seen: Sequence[Signed], watched: WatchList) -> State:
        """The tree up to ``new``, with the right root wherever one was seen signed."""
        state = replace(state, targets=tuple(dict.fromkeys((*state.targets, new.note))))
        self._folder.save(state)
        scan = _Scan(state.reached or state.at, watched)
        roots = {s.checkpoint.size: s for s in (*seen, new)}
        for earlier in seen:
            if earlier.checkpoint.size < scan.size:
                self._continues(earlier, new)
        self._check(scan, roots, new)
        while scan.size < new.checkpoint.size:
            for leaf in self._next_leaves(scan.size, new):
                scan.take(leaf)
                self._check(scan, roots, new)
            if scan.size % SAVE_EVERY == 0:
                self._folder.save(replace(state, reached=scan.position()))
        return replace(state, note=new.note, at=scan.position(), targets=(), reached=None)

    def _next_leaves(self, start: int, new: Signed) -> tuple[bytes, ...]:
        index = start // WIDTH
        width = min(WIDTH, new.checkpoint.size - index * WIDTH)
        try:
            return self._remote.leaves(index, width)[start % WIDTH :]
        except WronglyServed:
            self._contradicts(new, new)

    def _check(self, scan: _Scan, roots: dict[int, Signed], new: Signed) -> None:
        expected = roots.get(scan.size)
        if expected is None or scan.root() == expected.checkpoint.root:
            return
        earlier = max(
            (s for s in roots.values() if s.checkpoint.size < scan.size),
            key=lambda s: s.checkpoint.size,
            default=expected,
        )
        self._contradicts(earlier if expected is new else expected, new)

    def _continues(self, earlier: Signed, new: Signed) -> None:
        """For a checkpoint below what is derived already: by a proof out of served tiles."""
        old, size = earlier.checkpoint, new.checkpoint.size
        node = TileReader(lambda level, index: self._remote.tile(level, index, size)).node
        try:
            proof = consistency_proof(node, old.size, size)
        except (TileMissing, WronglyServed):
            self._contradicts(earlier, new)
        if not proves_consistency(old.size, size, proof, old.root, new.checkpoint.root):
            self._contradicts(earlier, new)

    def _contradicts(self, earlier: Signed, later: Signed) -> NoReturn:
        found = compared(earlier, later, self._remote.tile)
        path = self._folder.keep(found.name, found.text)
        raise LogContradiction(found.sentence, kind=found.kind, evidence=str(path))

    def _pending(self, state: State, new: Signed) -> tuple[int, float] | None:
        """The size that has waited longest for enough witnesses. Of an empty log there is nothing to sign."""
        if state.witnessed >= new.checkpoint.size:
            return None
        waiting = state.unwitnessed
        if waiting is not None and waiting[0] > state.witnessed:
            return waiting
        return new.checkpoint.size, self._clock()


class _Scan:
    """Grows the tree by leaves and picks out those to be told about."""

    def __init__(self, position: Position, watched: WatchList) -> None:
        self._frontier = position.frontier()
        self._found = list(position.found)
        self._untagged, self._strange = position.untagged, position.strange
        self._watch_list = watched

    @property
    def size(self) -> int:
        return self._frontier.size

    def root(self) -> bytes:
        return self._frontier.root()

    def position(self) -> Position:
        return Position(
            size=self._frontier.size,
            hashes=tuple(h.hex() for h in self._frontier.hashes),
            found=tuple(self._found),
            untagged=self._untagged,
            strange=self._strange,
        )

    def take(self, leaf: bytes) -> None:
        try:
            parsed = parse_leaf(leaf)
        except ValueError:
            self._strange += 1
        else:
            self._untagged += parsed.kind in TAGGED_NOW and parsed.version == VERSION
            if parsed.kind in NOTABLE or self._watch_list.matched(parsed):
                self._found.append(Found(index=self.size, leaf=leaf.decode()))
        self._frontier.append(leaf_hash(leaf))


def _sightings(state: State, watched: WatchList) -> tuple[Sighting, ...]:
    """By what is watched and was asked for now: a certificate may have come in since its leaf was read."""
    found = ((f.index, parse_leaf(f.leaf.encode())) for f in state.at.found)
    return tuple(
        Sighting(
            index=index,
            kind=leaf.kind,
            about=watched.matched(leaf),
            asked=watched.asked_for(leaf),
            new=index >= state.reported,
        )
        for index, leaf in found
        if leaf.kind in NOTABLE or watched.matched(leaf)
    )
