"""Step 7, our own part: do the digests of the active manifest fit the assertions and the bytes of the file.

A third reading beside the two engines, written from the specification and given in their form, so that it is
counted as theirs are. It covers hashed URIs and the hard bindings ``c2pa.hash.data`` and ``c2pa.hash.boxes``
(JPEG, PNG). What it does not cover it leaves open with its reason: it never refutes for a form that it does
not know, only for a digest that was computed and differs. Of every form, ISO media included, it says where
the binding leaves out more than the store: then no match shows that the file is unchanged. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from authn import __version__
from authn.core.media import Media
from authn.provenance.answers import MAX_DETAIL, EngineAnswer, EngineCode, EngineState, EngineTraits, Scope
from authn.provenance.box_map import STORE, NoMap, Part, box_map
from authn.provenance.left_out import bmff_left_out
from authn.provenance.own import OwnReading, read_own
from authn.provenance.reading import LEAVES_OUT, OWN
from signer.core.errors import InputRefused, ManifestMalformed
from signer.proof import ManifestBoxes, Span, Superbox, manifests
from signer.proof.cbor import NotCbor, read_cbor

MAX_RANGES = 64
# What an exclusion may leave out beside the store itself: before it the headers of the segment or chunk that
# it lies in, behind it their checksum or padding; and what stands between two pieces of it.
_AROUND = {
    "image/jpeg": (12, 0),
    "image/png": (8, 4),
    "image/gif": (15, 1),
    **dict.fromkeys(("image/webp", "audio/wav", "video/x-msvideo"), (8, 1)),
}
_AROUND_ELSEWHERE = (32, 4)
_BETWEEN = 28
_APP11 = b"\xff\xeb"
_US = EngineTraits(name=OWN, version=__version__)
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})


class Open(Exception):
    """This cannot be examined here; ``str()`` says why."""


class LeavesOut(Open):
    """The signer bound less than the file, so that others may change the rest; ``str()`` says what."""


class Differs(Exception):
    """A digest was computed and differs: the code, and of what."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """All that our own check reads of a file, once: the claim with its signature, and, in the form of an
    engine, how the digests below it fit the bytes."""

    own: OwnReading
    answer: EngineAnswer

    def dropped(self, why: str) -> FileRead:
        """As if nothing could be made of the store that was found."""
        own = OwnReading(store_found=True, failure=why)
        return FileRead(own=own, answer=_no_signature(own))


def read_file(media: Media) -> FileRead:
    """Steps 1, 4 and our part of 7."""
    own = read_own(media)
    return FileRead(own=own, answer=own_answer(media, own))


def own_answer(media: Media, own: OwnReading) -> EngineAnswer:
    """What we computed, as an engine would say it; ``NO_MANIFEST`` where no signature of a claim holds."""
    if own.manifest is None or not own.signature_holds:
        return _no_signature(own)
    codes = [_code("claimSignature.validated", "success", "")]
    try:
        claim = _map(_loads(own.claim), "claim")
        found = _assertions(claim, own.manifest, own.store)
        codes.append(_code("assertion.hashedURI.match", "success", f"{len(found)} assertions"))
        binding = _hard_binding(found, own.store)
        content = _map(_loads(_content(binding, own.store)), binding.label)
        spans = own.spans(media)
        code = bound(binding.label, content, str(claim.get("alg", "")), media, spans)
        codes.append(_code(code, "success", binding.label))
    except Differs as e:
        codes.append(_code(e.code, "failure", str(e)))
    except LeavesOut as e:
        codes.append(_code(LEAVES_OUT, "informational", str(e)))
        return _answer(EngineState.READ, tuple(codes), str(e))
    except (Open, InputRefused, ManifestMalformed) as e:
        return _answer(EngineState.READ, tuple(codes), str(e))
    return _answer(EngineState.READ, tuple(codes), "")


def _no_signature(own: OwnReading) -> EngineAnswer:
    return _answer(EngineState.NO_MANIFEST, (), own.failure)


def _assertions(claim: Mapping[object, object], boxes: ManifestBoxes, store: bytes) -> list[Superbox]:
    """Those that the claim names, if every digest fits. Raises ``Differs`` and ``Open``."""
    by_label = {box.label: box for box in boxes.assertions}
    if len(by_label) != len(boxes.assertions):
        raise Open("two assertions share one label")
    found, differing, early = [], [], False
    for item in _references(claim):
        reference = _map(item, "a hashed URI")
        box = by_label.get(_label(reference.get("url"), boxes.label))
        if box is None:
            raise Open("the claim names an assertion that is not in the store of this manifest")
        algorithm = _algorithm(reference.get("alg") or claim.get("alg") or "sha256")
        if _fits(reference.get("hash"), algorithm, (box.body.of(store),)):
            found.append(box)
        elif box.content and _fits(reference.get("hash"), algorithm, (box.content.of(store),)):
            early = True
        else:
            differing.append(box.label)
    if early:
        raise Open("the digests of the assertions are in a form from before the first specification")
    if differing:
        what = f"assertion {differing[0]} is not the one that was signed"
        raise Differs("assertion.hashedURI.mismatch", what)
    return found


def _references(claim: Mapping[object, object]) -> list[object]:
    """Of both versions of the claim."""
    keys = ("assertions", "created_assertions", "gathered_assertions")
    return [item for key in keys for item in _list(claim.get(key), key)]


def _label(url: object, manifest: str) -> str:
    """The assertion's label, of a reference into the manifest itself. Raises ``Open``."""
    path = url.removeprefix("self#jumbf=").removeprefix("/") if isinstance(url, str) else ""
    path = path.removeprefix(f"c2pa/{manifest}/")
    folder, _, label = path.partition("/")
    if folder != "c2pa.assertions" or not label:
        raise Open("the claim names an assertion in a way that is not followed here")
    return label


def _hard_binding(bound: Sequence[Superbox], store: bytes) -> Superbox:
    """The only one. Raises ``Open``."""
    found = [b for b in bound if b.label.startswith("c2pa.hash.") and "collection" not in b.label]
    if not found:
        _refuse_left_out(store)
    if len(found) != 1:
        raise Open(f"the claim names {len(found)} hard bindings")
    return found[0]


def _refuse_left_out(store: bytes) -> None:
    """An update has no binding of its own; the engines then judge by that of an earlier manifest. Raises
    ``LeavesOut`` where one of these leaves boxes out."""
    for manifest in manifests(store):
        for box in manifest.assertions:
            if box.label.startswith("c2pa.hash.bmff"):
                what = bmff_left_out(_map(_loads(_content(box, store)), box.label))
                if what:
                    raise LeavesOut(f"the hard binding of an earlier manifest leaves out {what}")


def bound(
    label: str, content: Mapping[object, object], algorithm: str, media: Media, store: Sequence[Span]
) -> str:
    """The code of success. Raises ``Differs`` and ``Open``."""
    kind = label.split("__")[0].removeprefix("c2pa.hash.").split(".v")[0]
    used = _algorithm(content.get("alg") or algorithm or "sha256")
    if kind == "data":
        ranges = _kept(content, media, store)
        if not _fits(content.get("hash"), used, (memoryview(media.data)[s.start : s.end] for s in ranges)):
            raise Differs("assertion.dataHash.mismatch", "the file's bytes are not those that were signed")
        return "assertion.dataHash.match"
    if kind == "boxes":
        _check_boxes(content, used, media, store)
        return "assertion.boxesHash.match"
    if kind == "bmff" and (what := bmff_left_out(content)):
        raise LeavesOut(f"the hard binding leaves out {what}")
    raise Open(f"the hard binding {label} is not computed here")


def _kept(content: Mapping[object, object], media: Media, store: Sequence[Span]) -> list[Span]:
    """The ranges under the digest: all but exclusions, which must leave out the store and nothing else."""
    exclusions = _list(content.get("exclusions"), "exclusions")
    if len(exclusions) > MAX_RANGES:
        raise Open(f"the hard binding leaves out more than {MAX_RANGES} ranges")
    data, kept, at = media.data, [], 0
    around = _AROUND.get(media.media_type, _AROUND_ELSEWHERE)
    for item in exclusions:
        start, length = (_map(item, "an exclusion").get(key) for key in ("start", "length"))
        if not isinstance(start, int) or not isinstance(length, int) or start < at or length < 0:
            raise Open("the ranges that the hard binding leaves out are not in order")
        if start + length > len(data) or not _is_around(Span(start=start, end=start + length), store, around):
            raise LeavesOut("the hard binding leaves out more than the manifest store")
        if media.media_type == "image/jpeg" and not _is_one_run(data, store):
            raise LeavesOut("something else stands between the pieces of the manifest store")
        kept.append(Span(start=at, end=start))
        at = start + length
    return [*kept, Span(start=at, end=len(data))]


def _is_around(left_out: Span, store: Sequence[Span], around: tuple[int, int]) -> bool:
    """Whether every byte of the range lies in the store, between its pieces, or in the few around it. A range
    without bytes leaves nothing out."""
    before, behind = around
    at = left_out.start
    for i, span in enumerate(pieces := sorted(store, key=lambda s: s.start)):
        before_it = _BETWEEN if i and span.start - pieces[i - 1].end <= _BETWEEN else before
        if span.start - before_it <= at <= span.end + behind:
            at = span.end + behind
    return left_out.end <= max(at, left_out.start)


def _is_one_run(data: bytes, store: Sequence[Span]) -> bool:
    """Whether nothing but the header of a segment stands before each further piece of a store in a JPEG:
    whoever could put another segment there could tell decoders to read the same pixels otherwise."""
    pieces = sorted(store, key=lambda s: s.start)
    for piece, following in itertools.pairwise(pieces):
        head = data[piece.end : piece.end + 4]
        length = int.from_bytes(head[2:], "big")
        if head[:2] != _APP11 or piece.end + 2 + length != following.end:
            return False
    return True


def _check_boxes(
    content: Mapping[object, object], algorithm: str, media: Media, store: Sequence[Span]
) -> None:
    """Raises ``Differs`` and ``Open``; every part of the file must be named, in its order."""
    try:
        parts = list(box_map(media.data, media.media_type, store))
    except NoMap as e:
        raise Open(str(e)) from e
    for item in _list(content.get("boxes"), "boxes"):
        box = _map(item, "a box")
        names = _list(box.get("names"), "names")
        named, parts = parts[: len(names)], parts[len(names) :]
        if not names or [p.name for p in named] != names:
            raise Open("the boxes that were signed are not those that our own map of the file counts")
        if names == [STORE]:
            continue
        if STORE in names or box.get("excluded"):
            raise LeavesOut("the hard binding leaves out more than the manifest store")
        used = _algorithm(box.get("alg") or algorithm)
        if not _fits(box.get("hash"), used, (_whole(media.data, named),)):
            raise Differs("assertion.boxesHash.mismatch", f"box {names[0]} is not the one that was signed")
    if parts:
        raise Open("the file holds boxes that were not signed")


def _whole(data: bytes, parts: Sequence[Part]) -> memoryview:
    return memoryview(data)[parts[0].span.start : parts[-1].span.end]


def _fits(expected: object, algorithm: str, pieces: Iterable[bytes | memoryview]) -> bool:
    digest = hashlib.new(algorithm)
    if not isinstance(expected, bytes):
        raise Open("a digest is missing")
    for piece in pieces:
        digest.update(piece)
    return hmac.compare_digest(digest.digest(), expected)


def _content(box: Superbox, store: bytes) -> bytes:
    if box.content is None or box.content_type != b"cbor":
        raise Open(f"assertion {box.label} is no CBOR")
    return box.content.of(store)


def _algorithm(name: object) -> str:
    if not isinstance(name, str) or name not in _ALGORITHMS:
        raise Open("a digest algorithm is not one of SHA-256, SHA-384 and SHA-512")
    return name


def _loads(cbor: bytes) -> object:
    try:
        return read_cbor(cbor)
    except NotCbor as e:
        raise Open("the claim or its hard binding is no CBOR") from e


def _map(value: object, what: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise Open(f"{what} is no map")
    return value


def _list(value: object, what: str) -> Sequence[object]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise Open(f"{what} is no list")
    return list(value)


def _code(code: str, kind: str, detail: str) -> EngineCode:
    return EngineCode(code=code, kind=kind, scope=Scope.ACTIVE, detail=detail[:MAX_DETAIL])


def _answer(state: EngineState, codes: tuple[EngineCode, ...], detail: str) -> EngineAnswer:
    return EngineAnswer(by=_US, state=state, codes=codes, detail=detail[:MAX_DETAIL])
