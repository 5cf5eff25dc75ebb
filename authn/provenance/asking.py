"""Step 2: which engine is asked how much of a file (docs/decisions/0032).

What costs in a file that holds is that everybody computes everything: three digests of all pixels, and six
signatures twice. So the short way is tried first, where our own check has found the file to be as signed and
the binding has one reading only, or has found no store at all:

- engines get the outline (``signer.proof.outline``). They locate store, claim and signature, judge chain
  and time-stamp, and confirm the digest that was signed; that the bytes have it, our own check computed;
- of a plain capture (``authn.provenance.plain``), the engine that can show claims alone is asked for those,
  where the other one trusts signer and time; and not at all, where nobody but the signer chose a byte and the
  other one has shown them (``authn.provenance.unmistakable``).

Only what is beyond dispute comes of it: an engine that finds anything else than it must about an outline, or
an axis that does not hold at the end (``verifier.is_uncontested``), and all engines are asked about the whole
file, as if nobody had been asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from authn.core.media import Media
from authn.provenance.answers import Asked, Engine, EngineAnswer, EngineState, ShowsClaims
from authn.provenance.binding import FileRead
from authn.provenance.own import OwnReading
from authn.provenance.plain import is_plain, is_plain_binding
from authn.provenance.reading import DATA_HASH, confirms_binding
from authn.provenance.unmistakable import is_unmistakable
from signer.proof.outline import outline_of

MAX_READERS = 8  # threads start when they are needed; more callers than this wait for each other

_MATCH, _MISMATCH = "assertion.dataHash.match", "assertion.dataHash.mismatch"
_TRUSTED = frozenset({"signingCredential.trusted", "timeStamp.trusted", "timeStamp.validated"})
# What an engine may say of a whole file that is fine, but for being on no list.
_UNLISTED = frozenset({"signingCredential.untrusted", "timeStamp.untrusted"})


class Readers:
    """The engines, and how they are asked. Not to be shared across a fork."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = tuple(engines)
        # Whoever can be asked for claims alone comes last: it is, where another one has judged.
        self._in_turn = sorted(self._engines, key=lambda e: isinstance(e, ShowsClaims))
        self._shows: dict[Engine, Callable[[bytes, str], EngineAnswer]] = {
            e: e.claims for e in self._in_turn if isinstance(e, ShowsClaims)
        }
        # Both engines release the interpreter lock, so the others can read while the last one does.
        self._threads = ThreadPoolExecutor(MAX_READERS, thread_name_prefix="engine")

    def answers(self, media: Media, read: FileRead, as_of: datetime) -> Iterator[tuple[EngineAnswer, ...]]:
        """One answer per engine: by the short way, where there is one, then about the whole file."""
        if not read.own.beside and (brief := self._brief(media, read, as_of)) is not None:
            yield brief
        yield self._whole(media, as_of, beside=read.own.beside)

    def _whole(self, media: Media, as_of: datetime, *, beside: bool) -> tuple[EngineAnswer, ...]:
        """Side by side; the store beside the file where that one counts."""
        *others, last = self._engines
        asked = (media.data, media.media_type, as_of, media.sidecar if beside else None)
        waiting = [self._threads.submit(e.read, *asked) for e in others]
        answer = last.read(*asked)
        return (*(w.result() for w in waiting), answer)

    def _brief(self, media: Media, read: FileRead, as_of: datetime) -> tuple[EngineAnswer, ...] | None:
        """None where there is no short way, or an engine finds what it should not."""
        own = read.own
        bound = read.answer.has(_MATCH, kind="success")
        unsigned = not own.store_found and not own.failure
        outline = None
        if unsigned or (bound and is_plain_binding(own)):
            outline = outline_of(media.data, media.media_type)
        if outline is None:
            return None
        found: dict[Engine, EngineAnswer] = {}
        judge: EngineAnswer | None = None  # who trusts signer and time
        for engine in self._in_turn:
            show = self._shows.get(engine)
            if show is not None and judge is not None and judge.shown and is_unmistakable(media, own):
                answer, agrees = _unasked(engine), True
            elif show is not None and judge is not None and is_plain(own):
                answer = show(outline, media.media_type)
                agrees = answer.state is EngineState.READ and answer.active == own.label
            else:
                answer = engine.read(outline, media.media_type, as_of)
                judge = answer if _trusts(answer) else None
                answer, agrees = _confirmed(answer, own) if bound else _empty(answer)
            if not agrees:
                return None
            found[engine] = answer
        return tuple(found[engine] for engine in self._engines)


def _unasked(engine: Engine) -> EngineAnswer:
    return EngineAnswer(by=engine.traits, state=EngineState.NOT_ASKED, asked=Asked.NOTHING)


def _confirmed(answer: EngineAnswer, own: OwnReading) -> tuple[EngineAnswer, bool]:
    """The answer about an outline without what must be wrong with it, and whether that was all."""
    wrong = [c for c in answer.failures() if c.code not in _UNLISTED]
    recorded = any(c.kind == "failure" and c.code not in _UNLISTED for c in answer.codes if c not in wrong)
    as_it_must_be = (
        answer.state is EngineState.READ
        and answer.active == own.label
        and [c.code for c in wrong] == [_MISMATCH]
        and wrong[0].where.endswith(f"/{own.label}/c2pa.assertions/{DATA_HASH}")
        and not recorded
        and answer.has("claimSignature.validated", kind="success")
        and confirms_binding(answer)
    )
    codes = tuple(c for c in answer.codes if c not in wrong)
    return replace(answer, codes=codes, asked=Asked.OUTLINE), as_it_must_be


def _trusts(answer: EngineAnswer) -> bool:
    """Signer and time, if there is one."""
    stamps = {c.code for c in answer.codes if c.code.startswith("timeStamp.")}
    trusted = answer.has("signingCredential.trusted", kind="success")
    return trusted and stamps <= _TRUSTED and not any(c.code in _UNLISTED for c in answer.codes)


def _empty(answer: EngineAnswer) -> tuple[EngineAnswer, bool]:
    """The answer about the outline of a file in which we found no store, and whether it found none either."""
    return replace(answer, asked=Asked.OUTLINE), answer.state is EngineState.NO_MANIFEST
