"""A file that holds costs less than one that does not; both get the report that asking everybody gives."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from PIL import Image

from authn.core.evidence import Axis, CryptographicEvidence, Outcome
from authn.core.media import Media
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots
from authn.policies.shelf import default_policy
from authn.provenance.answers import Asked, Engine, EngineAnswer, EngineCode, EngineTraits, Scope
from authn.provenance.asking import Readers
from authn.provenance.binding import read_file
from authn.provenance.engines import open_engines
from authn.provenance.own import read_own
from authn.provenance.plain import is_plain
from authn.provenance.verifier import is_uncontested
from signer.proof.container import manifest_spans, read_manifest
from signer.proof.containers.places import STORE_TYPE
from signer.proof.outline import outline_of
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import evidence_on, media, signed_photo, stamped_photo

E, R, OUT = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.OUTSIDE_LISTS


@pytest.fixture(scope="module")
def stamped(pki: TestPki) -> bytes:
    return stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())


def roots_of(pki: TestPki) -> TrustRoots:
    return TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)


def ways(found: Media, roots: TrustRoots) -> list[tuple[EngineAnswer, ...]]:
    return list(Readers(open_engines(roots)).answers(found, read_file(found), datetime.now(UTC)))


def asked(answers: Sequence[EngineAnswer]) -> list[Asked]:
    return [a.asked for a in answers]


def proof_of(found: Media, answers: Sequence[EngineAnswer], roots: TrustRoots) -> CryptographicEvidence:
    return evidence_on(found, answers, datetime.now(UTC), roots)


def as_png(data: bytes) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.save(out, "PNG")
    return out.getvalue()


@dataclass(eq=False)
class Strange:
    """An engine that says one thing more about everything than the real one does."""

    engine: Engine
    says: EngineCode
    sizes: list[int] = field(default_factory=list)

    @property
    def traits(self) -> EngineTraits:
        return self.engine.traits

    def read(
        self, data: bytes, media_type: str, as_of: datetime, sidecar: bytes | None = None
    ) -> EngineAnswer:
        self.sizes.append(len(data))
        answer = self.engine.read(data, media_type, as_of, sidecar)
        return replace(answer, codes=(*answer.codes, self.says))


def test_an_outline_is_a_picture_without_its_pixels(stamped: bytes, pki: TestPki) -> None:
    signed_png = signed_photo(pki.leaf(), data=as_png(photo()), media_type="image/png")
    for data, kind in ((stamped, "image/jpeg"), (signed_png, "image/png")):
        outline = outline_of(data, kind)
        assert outline is not None
        assert len(outline) < len(data)
        assert read_manifest(outline, kind) == read_manifest(data, kind)
    png = as_png(photo())
    found = outline_of(png, "image/png")
    assert found is not None
    assert b"IHDR" in found
    assert b"IDAT" not in found
    assert found.endswith(png[-12:])


def test_there_is_no_outline_where_a_store_could_hide_in_what_is_left_out(stamped: bytes) -> None:
    scan = stamped.rindex(b"\xff\xda") + 20
    assert outline_of(stamped[:scan] + STORE_TYPE + stamped[scan:], "image/jpeg") is None
    assert outline_of(stamped[:2] + b"\0" + stamped[2:], "image/jpeg") is None
    assert outline_of(stamped[:400], "image/jpeg") is None
    assert outline_of(stamped, "image/webp") is None
    assert outline_of(as_png(photo())[:-30], "image/png") is None


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png"])
def test_of_a_plain_capture_one_engine_judges_the_outline_and_the_other_shows_claims_at_most(
    kind: str, stamped: bytes, pki: TestPki
) -> None:
    """Of a JPEG that nobody but its signer could have written so, the one shows them too."""
    if kind == "image/png":
        signed = signed_photo(pki.leaf(), data=as_png(photo()), media_type=kind)
        stamped = stamped_photo(signed, pki.tsa_leaf(), media_type=kind)
    found, roots = media(stamped), roots_of(pki)
    short, whole = ways(found, roots)
    assert asked(short) == [Asked.NOTHING if kind == "image/jpeg" else Asked.CLAIMS, Asked.OUTLINE]
    assert asked(whole) == [Asked.WHOLE, Asked.WHOLE]
    brief, full = (proof_of(found, answers, roots) for answers in (short, whole))
    assert is_uncontested(brief)
    assert is_uncontested(full)
    assert [(a.axis, a.outcome) for a in brief.axes] == [(a.axis, a.outcome) for a in full.axes]
    assert (brief.claims, brief.chain, brief.not_after) == (full.claims, full.chain, full.not_after)
    said = brief.axis(Axis.INTEGRITY).findings[-1].detail
    assert said.endswith("our own check finds their digest, and encypher-c2pa that it was signed")
    assert [e.state for e in brief.engines] == ["not_asked" if kind == "image/jpeg" else "read", "read"]
    assert all(e.detail.startswith(("asked ", "not asked: ")) for e in brief.engines)


def test_both_engines_judge_what_no_list_names(stamped: bytes, pki: TestPki) -> None:
    found, roots = media(stamped), TrustRoots(signer=TestPki().device_roots, tsa=pki.tsa_roots)
    short, _ = ways(found, roots)
    assert asked(short) == [Asked.OUTLINE, Asked.OUTLINE]
    proof = proof_of(found, short, roots)
    assert (proof.axis(Axis.SIGNER).outcome, proof.axis(Axis.INTEGRITY).outcome) == (OUT, E)
    assert "c2pa-rs and encypher-c2pa that it was signed" in proof.axis(Axis.INTEGRITY).findings[-1].detail


def test_a_changed_pixel_and_trailing_bytes_send_the_whole_file_to_everybody(
    stamped: bytes, pki: TestPki
) -> None:
    roots = roots_of(pki)
    flipped = bytearray(stamped)
    flipped[-100] ^= 1
    for changed in (bytes(flipped), stamped + b"\0"):
        found = media(changed)
        (only,) = ways(found, roots)
        assert asked(only) == [Asked.WHOLE, Asked.WHOLE]
        assert proof_of(found, only, roots).axis(Axis.INTEGRITY).outcome is R


def test_a_changed_store_sends_the_whole_file_to_everybody(stamped: bytes, pki: TestPki) -> None:
    (span, *_) = manifest_spans(stamped, "image/jpeg")
    store = stamped[span.start : span.end]
    at = span.start + store.index(b"digitalCapture")
    found = media(stamped[:at] + b"D" + stamped[at + 1 :])
    (only,) = ways(found, roots_of(pki))
    assert asked(only) == [Asked.WHOLE, Asked.WHOLE]


def test_whatever_else_an_engine_says_of_an_outline_sends_it_the_whole_file(
    stamped: bytes, pki: TestPki
) -> None:
    roots, found = roots_of(pki), media(stamped)
    first, second = open_engines(roots)
    for code in ("assertion.hashedURI.mismatch", "assertion.action.malformed", "timeStamp.mismatch"):
        says = EngineCode(code=code, kind="failure", scope=Scope.ACTIVE, detail="")
        strange = Strange(second, says)
        given = Readers((first, strange)).answers(found, read_file(found), datetime.now(UTC))
        (only,) = list(given)
        assert asked(only) == [Asked.WHOLE, Asked.WHOLE]
        assert strange.sizes[0] < strange.sizes[1] == len(stamped)


def test_an_axis_that_does_not_hold_at_the_end_sends_the_whole_file_to_everybody(
    stamped: bytes, pki: TestPki
) -> None:
    """The engine trusts what our own check does not: nothing may rest on fewer answers then."""
    listed, unlisted = roots_of(pki), TrustRoots(signer=pki.device_roots, tsa=TestPki().tsa_roots)
    examiner = Examiner(roots=unlisted, engines=open_engines(listed), policy=default_policy())
    report = examiner.examine(media(stamped))
    assert report.cryptographic.axis(Axis.TIME).outcome is not E
    assert [e.state for e in report.cryptographic.engines] == ["Trusted", "Trusted"]


def test_a_photo_without_a_credential_needs_no_pixels_to_be_called_so(pki: TestPki) -> None:
    found, roots = media(photo()), roots_of(pki)
    short, whole = ways(found, roots)
    assert short == tuple(replace(answer, asked=Asked.OUTLINE) for answer in whole)
    proof = proof_of(found, short, roots)
    assert proof.axis(Axis.CREDENTIAL).outcome is Outcome.ABSENT
    assert [(e.state, e.detail) for e in proof.engines] == [
        ("no_manifest", "asked about everything but the compressed pixels")
    ] * 2


def test_what_only_some_readers_evaluate_is_not_plain(stamped: bytes) -> None:
    own = read_own(media(stamped))
    assert own.manifest is not None
    assert own.signature is not None
    assert is_plain(own)
    signature, manifest = own.signature, own.manifest
    assert not is_plain(replace(own, signature=replace(signature, unprotected=frozenset({"rVals"}))))
    assert not is_plain(replace(own, signature=replace(signature, algorithm=-37)))
    assert not is_plain(replace(own, signature=replace(signature, tokens_v2=signature.tokens_v2 * 2)))
    assert not is_plain(replace(own, manifest=replace(manifest, alone=False)))
    assert not is_plain(replace(own, manifest=replace(manifest, claim_version=1)))
    assert not is_plain(replace(own, manifest=replace(manifest, assertions=manifest.assertions[1:])))
    assert not is_plain(replace(own, claim=b"\xa0"))
    assert not is_plain(replace(own, claim=b"no CBOR"))
