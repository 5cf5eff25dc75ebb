"""Where nobody but the signer chose a byte, one engine is enough; where somebody else did, all are asked."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime

import cbor2
import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from authn.core.evidence import Axis, Outcome
from authn.core.media import Media
from authn.pki.roots import TrustRoots
from authn.provenance.answers import EngineState
from authn.provenance.asking import Readers
from authn.provenance.binding import read_file
from authn.provenance.engines import open_engines
from authn.provenance.own import read_own
from authn.provenance.unmistakable import is_unmistakable
from authn.provenance.verifier import is_uncontested
from signer.proof.container import manifest_spans
from tests.doubles.pki import DEVICE_EKUS, Issued, TestPki, issue, new_key
from tests.doubles.signed import evidence_on, media, signed_photo, stamped_photo
from tests.doubles.stores import CREATED, HandMade, between_pieces, box

SHORT = 12  # bytes of a segment before the box
ROUNDS = 120


@pytest.fixture(scope="module")
def stamped(pki: TestPki) -> bytes:
    return stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())


@pytest.fixture(scope="module")
def roots(pki: TestPki) -> TrustRoots:
    return TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)


@pytest.fixture(scope="module")
def readers(roots: TrustRoots) -> Readers:
    return Readers(open_engines(roots))


def unmistakable(data: bytes) -> bool:
    found = media(data)
    return is_unmistakable(found, read_own(found))


def without_run(found: Media, readers: Readers, roots: TrustRoots) -> list[tuple[object, ...]]:
    """By every way that is tried until one counts, and by the last: outcomes, claims, chain and times."""
    now, tried = datetime.now(UTC), []
    for answers in readers.answers(found, read_file(found), now):
        proof = evidence_on(found, answers, now, roots)
        said = {a.axis: (a.outcome, tuple(f.code for f in a.findings)) for a in proof.axes}
        tried.append((is_uncontested(proof), (said, proof.claims, proof.chain, proof.not_after)))
    counts = next((proof for fine, proof in tried if fine), tried[-1][1])
    return [counts, tried[-1][1]]


def test_of_a_capture_as_a_device_signs_it_one_engine_is_asked_and_the_report_is_that_of_two(
    stamped: bytes, readers: Readers, roots: TrustRoots
) -> None:
    found = media(stamped)
    now = datetime.now(UTC)
    short, *_ = readers.answers(found, read_file(found), now)
    assert [a.state for a in short] == [EngineState.NOT_ASKED, EngineState.READ]
    said, whole = without_run(found, readers, roots)
    assert said == whole
    proof = evidence_on(found, short, now, roots)
    assert proof.axis(Axis.INTEGRITY).outcome is Outcome.ESTABLISHED
    assert [(e.name, e.state) for e in proof.engines] == [("c2pa-rs", "not_asked"), ("encypher-c2pa", "read")]
    assert proof.engines[0].detail.startswith("not asked: ")


def test_a_store_in_two_pieces_is_as_clear_as_one_in_one(stamped: bytes) -> None:
    assert unmistakable(stamped)
    assert unmistakable(between_pieces(stamped, b""))


def rewritten(at: int, new: bytes) -> Callable[[bytes], bytes]:
    """``at`` from the beginning of the store's segment."""

    def change(data: bytes) -> bytes:
        start = manifest_spans(data, "image/jpeg")[0].start - SHORT + at
        return data[:start] + new + data[start + len(new) :]

    return change


def with_toggle(data: bytes) -> bytes:
    """The first description says that it can be requested by others alone."""
    start = manifest_spans(data, "image/jpeg")[0].start
    at = data.index(b"jumd", start) + 4 + 16
    return data[:at] + b"\x02" + data[at + 1 :]


@pytest.mark.parametrize(
    ("change", "clear"),
    [
        (rewritten(6, b"\x7f\x7f"), True),
        (rewritten(8, struct.pack(">I", 2)), False),
        (rewritten(SHORT, struct.pack(">I", 0)), False),
        (with_toggle, False),
        (lambda data: between_pieces(data, b"\xff\xfe\x00\x06abcd"), False),
        (lambda data: data + b"\0", True),  # which the digest of the binding tells
    ],
    ids=[
        "another instance",
        "counted from two",
        "no length",
        "another description",
        "a comment",
        "more behind",
    ],
)
def test_what_anybody_can_write_otherwise_is_said_as_everybody_says_it(
    change: Callable[[bytes], bytes], clear: bool, stamped: bytes, readers: Readers, roots: TrustRoots
) -> None:
    assert unmistakable(change(stamped)) is clear
    said, whole = without_run(media(change(stamped)), readers, roots)
    assert said == whole


@pytest.mark.parametrize(
    "made",
    [
        {"behind_device": box(b"cbor", cbor2.dumps({"counter": 2}))},
        {"behind_device": box(b"free", bytes(4))},
        {"actions": cbor2.dumps({"actions": [{**CREATED, "when": datetime(2026, 1, 1, 1, 1, 1, 5, UTC)}]})},
        {"more_claim": {"dc:title": b"bytes"}},
        {"more_claim": {"dc:title": datetime(2026, 1, 1, tzinfo=UTC)}},
        {"actions": cbor2.dumps({"actions": [CREATED], "allActionsIncluded": "yes"})},
        {"more_claim": {"claim_generator_info": {"name": "test", "version": 1.50}}},
        {"exclusions": lambda start, length: [{"start": start, "length": length + 4}]},
        {"device": {"device_id": "d", "counter": 2**63}},
        {"device": {"device_id": "d", "counter": -(2**63) - 1}},
    ],
    ids=[
        "two contents",
        "an empty box",
        "parts of a second",
        "a title of bytes",
        "a title that is a time",
        "a word where yes or no belongs",
        "a version that is a number",
        "a binding that leaves out more than the store",
        "a counter that is too large",
        "a counter that is too small",
    ],
)
def test_what_a_signer_writes_oddly_is_asked_of_everybody(
    made: dict[str, object], pki: TestPki, readers: Readers, roots: TrustRoots
) -> None:
    odd = HandMade(leaf=pki.leaf(), authority=pki.tsa_leaf(), **made).jpeg()  # type: ignore[arg-type]
    assert not unmistakable(odd)
    said, whole = without_run(media(odd), readers, roots)
    assert said == whole


ORGANISATION = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Assay Tests")


def called(*names: str, kind: _ASN1Type = _ASN1Type.UTF8String) -> x509.Name:
    """Of an organisation, with these common names."""
    return x509.Name([ORGANISATION, *(x509.NameAttribute(NameOID.COMMON_NAME, n, _type=kind) for n in names)])


@pytest.mark.parametrize(
    "subject",
    [called("a\nb"), called("a\u202eb"), called(), called("a", "b"), called("ab", kind=_ASN1Type.BMPString)],
    ids=["a line break", "a turn of direction", "none", "two", "in another alphabet"],
)
def test_a_signer_s_name_that_engines_show_differently_is_asked_of_both(
    subject: x509.Name, pki: TestPki, readers: Readers, roots: TrustRoots
) -> None:
    key = new_key()
    certificate = issue(subject, key.public_key(), issuer=pki.issuing, ekus=DEVICE_EKUS)
    leaf = Issued(certificate=certificate, key=key, intermediates=pki.leaf().intermediates)
    odd = HandMade(leaf=leaf, authority=pki.tsa_leaf()).jpeg()
    assert not unmistakable(odd)
    said, whole = without_run(media(odd), readers, roots)
    assert said == whole


def test_whatever_byte_of_store_or_segments_is_changed_both_ways_say_the_same(
    stamped: bytes, readers: Readers, roots: TrustRoots
) -> None:
    """Nobody needs a key for that: none of these bytes is under the digest of the binding."""
    draw = random.Random(34)
    (span,) = manifest_spans(stamped, "image/jpeg")
    heads = range(span.start - SHORT, span.start + 600)
    for turn in range(ROUNDS):
        at = draw.choice(heads if turn % 2 else range(span.start, span.end))
        changed = stamped[:at] + bytes([stamped[at] ^ 1 << draw.randrange(8)]) + stamped[at + 1 :]
        said, whole = without_run(media(changed), readers, roots)
        assert said == whole, at
