"""What can be read in two ways is asked of everybody, and what stands beside a store is nobody's to fill."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime

import cbor2
import pytest
from PIL import Image, ImageChops

from authn.core.evidence import Axis, CryptographicEvidence, Outcome
from authn.core.media import Media, unparsed
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots
from authn.provenance.asking import Readers
from authn.provenance.binding import LeavesOut, bound, read_file
from authn.provenance.engines import open_engines
from authn.provenance.verifier import is_uncontested
from signer.proof.container import manifest_spans
from tests.doubles.containers import unsigned
from tests.doubles.pki import Issued, TestPki
from tests.doubles.signed import evidence_on, media, signed_photo, stamped_photo
from tests.doubles.stores import CREATED, HandMade, between_pieces, box, ders, doubled, superbox

_RESTART = b"\xff\xdd\x00\x04\x00\x08"
_COMMENT = b"\xff\xfe\x00\x06abcd"
_GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_COUNTED = box(b"cbor", cbor2.dumps({"counter": 2}))
E, R, N = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.NOT_EXAMINED
Made = Callable[[Issued, Issued], HandMade]


@pytest.fixture(scope="module")
def roots(pki: TestPki) -> TrustRoots:
    return TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)


def by_both_ways(found: Media, roots: TrustRoots) -> tuple[CryptographicEvidence, CryptographicEvidence]:
    """What the examiner says, and what it says where everybody is asked about the whole file."""
    now = datetime.now(UTC)
    ways = list(Readers(open_engines(roots)).answers(found, read_file(found), now))
    proofs = [evidence_on(found, answers, now, roots) for answers in ways]
    said = proofs[0] if is_uncontested(proofs[0]) else proofs[-1]
    return said, proofs[-1]


def outcomes(proof: CryptographicEvidence) -> dict[Axis, Outcome]:
    return {a.axis: a.outcome for a in proof.axes}


def pixels(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


@pytest.mark.parametrize("segment", [_RESTART, _COMMENT], ids=["restart interval", "comment"])
def test_what_anybody_puts_between_two_pieces_of_the_store_is_no_part_of_an_unchanged_file(
    segment: bytes, pki: TestPki, examiner: Examiner
) -> None:
    """No key is needed: the padding pays for a second piece and six bytes. With these a decoder expects
    restart markers that are not there, and all of the picture behind the eighth block of pixels is grey."""
    signed = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())
    changed = between_pieces(signed, segment)
    seen = ImageChops.difference(pixels(signed), pixels(changed)).getbbox()
    assert (seen is not None) is (segment == _RESTART)
    assert examiner.examine(media(changed)).cryptographic.axis(Axis.INTEGRITY).outcome is not E


def test_a_store_in_two_pieces_is_fine(pki: TestPki, examiner: Examiner) -> None:
    signed = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())
    proof = examiner.examine(media(between_pieces(signed, b""))).cryptographic
    assert proof.axis(Axis.INTEGRITY).outcome is E


def in_tag(tag: bytes) -> Callable[[object], bytes]:
    return lambda value: tag + cbor2.dumps(value)


# What each is, the part that is written so, and an axis with what asking everybody gives it.
_ODD: dict[str, tuple[Made, Axis, Outcome]] = {
    "two digests in the binding": (
        lambda a, b: HandMade(leaf=a, authority=b, binding=lambda v: doubled(v, "hash", bytes(32))),
        Axis.INTEGRITY,
        R,
    ),
    "two lists of exclusions": (
        lambda a, b: HandMade(leaf=a, authority=b, binding=lambda v: doubled(v, "exclusions", [])),
        Axis.INTEGRITY,
        R,
    ),
    "two algorithms": (
        lambda a, b: HandMade(leaf=a, authority=b, binding=lambda v: doubled(v, "alg", "sha512")),
        Axis.INTEGRITY,
        R,
    ),
    "a binding in a tag": (
        lambda a, b: HandMade(leaf=a, authority=b, binding=in_tag(b"\xd9\xd9\xf7")),
        Axis.INTEGRITY,
        R,
    ),
    "a binding in a tag, both judge": (
        lambda a, b: HandMade(
            leaf=a, authority=b, binding=in_tag(b"\xd9\xd9\xf7"), more_claim={"dc:format": "image/jpeg"}
        ),
        Axis.INTEGRITY,
        R,
    ),
    "a shared binding": (
        lambda a, b: HandMade(leaf=a, authority=b, binding=in_tag(b"\xd8\x1c")),
        Axis.INTEGRITY,
        R,
    ),
    "an address in the binding": (
        lambda a, b: HandMade(
            leaf=a, authority=b, binding=lambda v: cbor2.dumps({**v, "url": "http://x.example/"})
        ),
        Axis.INTEGRITY,
        R,
    ),
    "no padding in the binding": (
        lambda a, b: HandMade(
            leaf=a, authority=b, binding=lambda v: cbor2.dumps({k: v[k] for k in v if k != "pad"})
        ),
        Axis.HISTORY,
        N,
    ),
    "one exclusion as two": (
        lambda a, b: HandMade(
            leaf=a,
            authority=b,
            exclusions=lambda at, size: [
                {"start": at, "length": 20},
                {"start": at + 20, "length": size - 20},
            ],
        ),
        Axis.INTEGRITY,
        N,
    ),
    "a creation without its source": (
        lambda a, b: HandMade(
            leaf=a, authority=b, actions=cbor2.dumps({"actions": [{"action": "c2pa.created"}]})
        ),
        Axis.HISTORY,
        R,
    ),
    "a time that is a number": (
        lambda a, b: HandMade(
            leaf=a, authority=b, actions=cbor2.dumps({"actions": [{**CREATED, "when": 5}]})
        ),
        Axis.HISTORY,
        N,
    ),
    "templates that are a number": (
        lambda a, b: HandMade(
            leaf=a, authority=b, actions=cbor2.dumps({"actions": [CREATED], "templates": 5})
        ),
        Axis.HISTORY,
        N,
    ),
    "two sources of one action": (
        lambda a, b: HandMade(
            leaf=a,
            authority=b,
            actions=b"\xa1\x67actions\x81" + doubled(CREATED, "digitalSourceType", _GENERATED),
        ),
        Axis.HISTORY,
        N,
    ),
    "two contents of one assertion": (
        lambda a, b: HandMade(leaf=a, authority=b, behind_device=_COUNTED),
        Axis.INTEGRITY,
        R,
    ),
    "a box in an assertion": (
        lambda a, b: HandMade(leaf=a, authority=b, behind_device=superbox("cbor", "x", _COUNTED)),
        Axis.INTEGRITY,
        R,
    ),
    "two chains under two names": (
        lambda a, b: HandMade(
            leaf=a, authority=b, protected=lambda chain: {1: -7, "x5chain": ders(b), 33: chain}
        ),
        Axis.INTEGRITY,
        R,
    ),
    "a chain that stands there twice": (
        lambda a, b: HandMade(leaf=a, authority=b, protected=lambda c: {1: -7, 33: c * 2}),
        Axis.SIGNER,
        N,
    ),
    "a content type in the signature": (
        lambda a, b: HandMade(leaf=a, authority=b, protected=lambda c: {1: -7, 3: "x", 33: c}),
        Axis.HISTORY,
        N,
    ),
}


@pytest.mark.parametrize("what", _ODD)
def test_the_short_way_says_of_an_odd_file_what_everybody_says_of_the_whole(
    what: str, pki: TestPki, roots: TrustRoots
) -> None:
    made, axis, right = _ODD[what]
    found = media(made(pki.leaf(), pki.tsa_leaf()).jpeg())
    said, whole = by_both_ways(found, roots)
    assert whole.axis(axis).outcome is right
    assert outcomes(said) == outcomes(whole)


def test_a_plain_capture_made_by_hand_holds_by_both_ways(pki: TestPki, roots: TrustRoots) -> None:
    said, whole = by_both_ways(media(HandMade(leaf=pki.leaf(), authority=pki.tsa_leaf()).jpeg()), roots)
    assert outcomes(said) == outcomes(whole)
    assert said.axis(Axis.INTEGRITY).outcome is E


@pytest.mark.parametrize(
    ("kind", "header", "behind"),
    [
        ("image/jpeg", 12, 0),
        ("image/png", 8, 4),
        ("image/gif", 15, 1),
        ("image/webp", 8, 0),
        ("audio/wav", 8, 0),
    ],
)
def test_a_binding_may_leave_out_the_header_of_its_store_and_not_a_byte_before_it(
    kind: str, header: int, behind: int, pki: TestPki
) -> None:
    """Else whoever takes padding out of a store has room for bytes of his own beside it."""
    found = unparsed(signed_photo(pki.leaf(), data=unsigned()[kind], media_type=kind), "x")
    store = manifest_spans(found.data, kind)
    start, end = store[0].start - header, store[-1].end + behind

    def leaving_out(start: int, end: int) -> str:
        digest = hashlib.sha256(found.data[:start] + found.data[end:]).digest()
        exclusion = {"start": start, "length": end - start}
        content: dict[object, object] = {"exclusions": [exclusion], "alg": "sha256", "hash": digest}
        return bound("c2pa.hash.data", content, "sha256", found, store)

    assert leaving_out(start, end) == "assertion.dataHash.match"
    for wider in ((start - 1, end), (start, end + 2)):
        with pytest.raises(LeavesOut):
            leaving_out(*wider)
